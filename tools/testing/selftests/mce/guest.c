// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of the guest under test.
 *
 * It reads one-line commands from its console. A function in one of the tables runs each command,
 * in PID 1 or in the victim, the process that owns the page which goes bad. Each command is
 * answered with one line "mce-guest: WORD key=value ...". If a victim dies, the answer is
 * "mce-guest: victim killed=SIGNAL". If a command fails, it is "mce-guest: error what=WHAT".
 * The VMM driver has timeouts, the guest has none.
 *
 * Answers go through /dev/kmsg (needs printk.devkmsg=on), so that the console has them as whole
 * lines, in order with the messages of the kernel. A write to the tty does not guarantee that.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "guest.h"

/*
 * Only critical messages, such as those of a BUG(), and answers go to the console. Each character
 * is an exit to L1, so printing all messages would take most of the time. A panic and an oops
 * print all messages (console_verbose()).
 */
#define CONSOLE_LEVEL "3\n"

/* Documentation/admin-guide/tainted-kernels.rst */
#define TAINT_WARN 0x200

static long meminfo_kb(const char *field)
{
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");
	long kb = -1;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, field, strlen(field)))
			kb = strtol(line + strlen(field), NULL, 10);
	if (f)
		fclose(f);
	return kb;
}

static void report_usage(void)
{
	long slab, tables, sum = LONG_MAX, before;

	/* RCU frees memory after a grace period, and workers free some even later. */
	do {
		before = sum;
		sync();
		usleep(300 * 1000);
		if (!write_file("/proc/sys/vm/drop_caches", "3\n"))
			fail("drop_caches errno=%d", errno);
		slab = meminfo_kb("Slab:");
		tables = meminfo_kb("PageTables:");
		sum = slab + tables;
	} while (sum < before);
	answer("usage slab_kb=%ld pagetables_kb=%ld", slab, tables);
}

static void leak_memory(void)
{
	const size_t large = 2 * MB, tables = 16, files = 100;
	static unsigned int file;
	char *p = mmap(NULL, tables * large, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || madvise(p, tables * large, MADV_NOHUGEPAGE))
		fail("leak errno=%d", errno);
	/* each takes a page of page tables */
	for (size_t i = 0; i < tables; i++)
		p[i * large] = 1;
	for (size_t i = 0; i < files; i++) {
		char path[32];
		int fd;

		snprintf(path, sizeof(path), "/tmp/leak%u", file++);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0)
			fail("leak errno=%d", errno);
		close(fd);
	}
	answer("leak");
}

static void wait_corrupted(void)
{
	long kb = next_number(), now;

	while ((now = meminfo_kb("HardwareCorrupted:")) < kb)
		usleep(10 * 1000);
	answer("corrupted kb=%ld", now);
}

/* The guest lives if it can fork, allocate and write memory, and answer. */
static void prove_life(void)
{
	const size_t len = 4 * MB;
	int status = -1;
	long taints;
	pid_t pid = fork();

	if (!pid) {
		char *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			_exit(1);
		for (size_t i = 0; i < len; i += PAGE)
			p[i] = i / PAGE;
		for (size_t i = 0; i < len; i += PAGE)
			if (p[i] != (char)(i / PAGE))
				_exit(2);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	taints = read_number("/proc/sys/kernel/tainted");
	answer("alive fork=%s HardwareCorrupted=%ldkB warned=%d", status ? "failed" : "ok",
	       meminfo_kb("HardwareCorrupted:"), !!(taints & TAINT_WARN));
}

static void set_poll_interval(void)
{
	if (!write_file("/sys/devices/system/machinecheck/machinecheck0/check_interval", "%lu",
			next_number()))
		fail("check_interval errno=%d", errno);
	answer("poll");
}

static void power_off(void)
{
	answer("off");
	reboot(RB_POWER_OFF);
}

static const struct command guest_commands[] = {
	/* alive: prove life. -> alive fork= HardwareCorrupted= warned= (since the boot: 0 or 1) */
	{ "alive", prove_life, PID_1 },
	/* usage: drop caches, report the kernel's own memory. -> usage slab_kb= pagetables_kb= */
	{ "usage", report_usage, PID_1 },
	/* leak: lose some 64 kB of page tables and as much of slab, for good. -> leak */
	{ "leak", leak_memory, PID_1 },
	/* corrupted KB: wait until HardwareCorrupted is at least that. -> corrupted kb= */
	{ "corrupted", wait_corrupted, PID_1 },
	/* poll SECONDS: have the kernel poll the banks that often. -> poll */
	{ "poll", set_poll_interval, PID_1 },
	/* off: power off. -> off */
	{ "off", power_off, PID_1 },
	{ }
};

static const struct command *const tables[] = {
	guest_commands, busy_commands, file_commands, kind_commands, link_commands, log_commands,
	ptdump_commands, victim_commands, work_commands, more_commands,
};

static const struct command *find_command(const char *line)
{
	size_t len = strcspn(line, "\n ");

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct command *c = tables[i]; c && c->word; c++)
			if (strlen(c->word) == len && !strncmp(c->word, line, len))
				return c;
	return NULL;
}

const char *args;

unsigned long next_number(void)
{
	return strtoul(args, (char **)&args, 0);
}

static void run(const char *line)
{
	args = line + strcspn(line, "\n ");
	find_command(line)->run();
}

static void obey(const char *line)
{
	const struct command *command = find_command(line);

	if (!command)
		fail("no_such_command");
	if (command->runner == PID_1)
		run(line);
	else
		forward(line, command->runner == NEW_VICTIM, run);
}

static void setup(void)
{
	struct termios tio;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	write_file("/proc/sys/kernel/printk", CONSOLE_LEVEL);
	kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	kernel_log = open("/dev/kmsg", O_RDONLY | O_CLOEXEC);
	if (kmsg < 0 || kernel_log < 0) {
		printf("mce-guest: error what=/dev/kmsg errno=%d\n", errno);
		fflush(stdout);
	}
	/* do not echo commands on the console */
	if (!tcgetattr(0, &tio)) {
		tio.c_lflag &= ~(ECHO | ECHONL);
		tcsetattr(0, TCSANOW, &tio);
	}
}

int main(void)
{
	char line[128];

	setup();
	answer("ready");
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\r\n")] = '\n';
		obey(line);
	}
	answer("error what=console_closed");
	reboot(RB_POWER_OFF);
	return 1;
}
