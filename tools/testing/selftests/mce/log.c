// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's log, and the level of messages on the console. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

int kernel_log;

/* mark-log changes these, and wait-log restores them */
static long level_before;
static bool quiet_before;

static void set_level(long level)
{
	if (!write_file("/proc/sys/kernel/printk", "%ld\n", level))
		fail("printk errno=%d", errno);
}

static void open_console(void)
{
	set_level(next_number());
	quiet = false;
	answer("console");
}

/* Stay on a CPU, so that a measured machine check begins and ends there. */
static void silence_console(void)
{
	if (!stay_on_cpu(0))
		fail("affinity errno=%d", errno);
	set_level(0);
	quiet = true;
	answer("quiet");
}

static void mark_log(void)
{
	level_before = read_number("/proc/sys/kernel/printk");
	quiet_before = quiet;
	lseek(kernel_log, 0, SEEK_END);
	/* newer kernels print in a thread, with the level at the time of printing */
	set_level(0);
	quiet = true;
	answer("mark-log");
}

/* Wait for the next record of the log. Return false if it cannot be read. */
static bool next_record(char *record, size_t size)
{
	ssize_t len;

	do {
		len = read(kernel_log, record, size - 1);
	} while (len < 0 && errno == EPIPE);	/* overwritten: continue with the oldest */
	if (len < 0)
		return false;
	record[len] = '\0';
	return true;
}

static void wait_log(void)
{
	bool outside = false, printed = false;
	char record[1024];

	while (!outside || !printed) {
		if (!next_record(record, sizeof(record)))
			fail("/dev/kmsg errno=%d", errno);
		/* mm/memory-failure.c, about a pfn without a struct page: up to 6.12, and 7.3 */
		if (strstr(record, ": memory outside kernel control") ||
		    strstr(record, ": recovery action for non struct page pfn")) {
			outside = true;
			printed = false;
		}
		/* the last line of a record, print_mce() */
		if (strstr(record, "[Hardware Error]: PROCESSOR "))
			printed = true;
	}
	set_level(level_before);
	quiet = quiet_before;
	answer("wait-log");
}

static void search_log(void)
{
	char record[1024], text[100];
	unsigned int times = 0;
	int flags = fcntl(kernel_log, F_GETFL);

	snprintf(text, sizeof(text), "%s", args + strspn(args, " "));
	text[strcspn(text, "\n")] = '\0';
	lseek(kernel_log, 0, SEEK_SET);
	fcntl(kernel_log, F_SETFL, flags | O_NONBLOCK);
	while (next_record(record, sizeof(record)))
		times += !!strstr(record, text);
	fcntl(kernel_log, F_SETFL, flags);
	answer("logged times=%u", times);
}

const struct command log_commands[] = {
	/* console LEVEL: have the kernel print messages of a lower level. -> console */
	{ "console", open_console, PID_1 },
	/*
	 * quiet: have the kernel print none, and stay on CPU 0; later victims stay there, too.
	 * Answers still come, except those of the hook module. -> quiet
	 */
	{ "quiet", silence_console, PID_1 },
	/* mark-log: remember where the log ends, and have the kernel print nothing. -> mark-log */
	{ "mark-log", mark_log, PID_1 },
	/*
	 * wait-log: wait until, after that mark, the log has a complete machine check record for
	 * an address without memory. Then have the kernel print as before. -> wait-log
	 */
	{ "wait-log", wait_log, PID_1 },
	/* logged TEXT: count the records of the log with TEXT. -> logged times= */
	{ "logged", search_log, PID_1 },
	{ }
};
