// SPDX-License-Identifier: GPL-2.0-only
/* Helpers of the guest program. They depend on none of its other files. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

int kmsg;
bool quiet;

noreturn void stop(void)
{
	for (;;)
		pause();
}

void log_record(const char *record, int len)
{
	/* a tty with only one writer also keeps lines whole */
	const char *text = quiet ? strchr(record, '>') + 1 : record;
	int fd = quiet ? STDOUT_FILENO : kmsg;

	len -= text - record;
	if (write(fd, text, len) != len)
		_exit(1);
}

long read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long number = -1;

	if (f && fscanf(f, "%ld", &number) != 1)
		number = -1;
	if (f)
		fclose(f);
	return number;
}

bool write_file(const char *path, const char *fmt, ...)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), len = -1;
	va_list ap;

	va_start(ap, fmt);
	if (fd >= 0) {
		len = vdprintf(fd, fmt, ap);
		close(fd);
	}
	va_end(ap);
	return len > 0;
}

unsigned long count_interrupts(const char *row)
{
	FILE *f = fopen("/proc/interrupts", "r");
	unsigned long sum = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		char *p = strstr(line, row), *end;

		if (!p)
			continue;
		for (p += strlen(row);; p = end) {
			unsigned long one = strtoul(p, &end, 10);

			if (end == p)
				break;
			sum += one;
		}
	}
	if (f)
		fclose(f);
	return sum;
}

bool stay_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !sched_setaffinity(0, sizeof(set), &set);
}

/* Newer kernels have no DAX on ext2, and ignore the option. Older ones need not have ext4. */
bool mount_dax(void)
{
	return !mount("/dev/pmem0", "/dax", "ext4", 0, "dax") ||
	       !mount("/dev/pmem0", "/dax", "ext2", 0, "dax");
}

bool mount_ext2(void)
{
	return !mount("/dev/ram0", "/mnt", "ext2", 0, NULL);
}

bool make_disk(const char *disk, const char *dir, bool (*mount_it)(void))
{
	static char content[2 * MB];
	int from, to;
	ssize_t len;

	if (mkdir(dir, 0755))
		return errno == EEXIST;
	from = open("/ext2.img", O_RDONLY);
	to = open(disk, O_WRONLY);
	if (from < 0 || to < 0)
		return false;
	len = read(from, content, sizeof(content));
	if (len <= 0 || write(to, content, len) != len || fsync(to))
		return false;
	close(from);
	close(to);
	return mount_it();
}

const char *errno_name(ssize_t ret)
{
	return ret < 0 ? strerrorname_np(errno) : "0";
}
