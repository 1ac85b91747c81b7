// SPDX-License-Identifier: GPL-2.0-only
/* Helpers of the guest program. They depend on none of its other files. */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

int kmsg;
bool quiet;

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

bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
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

/* The file system is an image in the initramfs. It is copied to /dev/ram0. */
bool mount_ext2(void)
{
	static char image[MB];
	struct stat st;
	int from, to;

	if (!stat("/mnt/lost+found", &st))
		return true;
	from = open("/ext2.img", O_RDONLY);
	to = open("/dev/ram0", O_WRONLY);
	if (from < 0 || to < 0 || read(from, image, sizeof(image)) != sizeof(image) ||
	    write(to, image, sizeof(image)) != sizeof(image))
		return false;
	close(from);
	close(to);
	mkdir("/mnt", 0755);
	return !mount("/dev/ram0", "/mnt", "ext2", 0, NULL);
}
