// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of the guest under test.
 *
 * Reads one-line commands from its console and answers each with one line
 * "mce-guest: WORD key=value ...". Answers go through /dev/kmsg: the console then
 * carries them whole and in order with the kernel's own messages, which a
 * write to the tty does not promise (needs printk.devkmsg=on).
 *
 *   tables GPA              the kernel's page tables over the direct map, from
 *                           debugfs. -> tables 4k= 2m= 1g= holes= (how many
 *                           entries of each size, 4K pages not present) level=
 *                           mapped= cache= (of what maps GPA); from the second
 *                           time on also what changed since the first: same=
 *                           (yes or no) split= (large entries lost) new_holes=
 *   busy N                  keep N CPUs busy, in user and in kernel mode. -> busy
 *                           monarch_us= (its patience with the others)
 *   stalls                  the longest that one of them stood still since the
 *                           last time. -> stalls max_us=
 *   calm                    let go of them. -> calm
 *   work SEED               have processes do all kinds of things (work.c). -> work
 *   rest                    let go of them. -> rest died= (how many failed, or were
 *                           not there any more) rounds= (how much they did)
 *   usage                   what the kernel uses for itself, caches dropped.
 *                           -> usage slab_kb= pagetables_kb=
 *   console LEVEL           which messages of the kernel go to the console: those of a
 *                           lower level. -> console
 *   quiet                   none of them, and stay on one CPU. Answers still come, but
 *                           those of the hook module. -> quiet
 *   corrupted KB            wait until HardwareCorrupted is that. -> corrupted kb=
 *   interrupts              of all CPUs since boot. -> interrupts tlb= (flushes of
 *                           user mappings) call= (function calls, those of the
 *                           kernel's mappings among them) mce=
 *   hit                     whether a victim that is a target goes on, or does not.
 *                           -> hit killed= (by which signal; 0: by none)
 *   offline CPU             take that CPU offline. -> offline
 *   poll SECONDS            look into the banks that often. -> poll
 *   here                    nothing: the guest gets as far as that. -> here
 *   mark                    remember where the log ends, and keep the console free. -> mark
 *   settle                  wait until the log has, after that, a record of a machine
 *                           check for memory that is not there, whole. -> settle
 *   logged TEXT             how often TEXT is in the log. -> logged times=
 *   alive                   proof of life. -> alive fork= HardwareCorrupted= warned= (by
 *                           the kernel, since its boot: 0 or 1)
 *   off                     power off. -> off
 *
 * and those of a victim, see victim.c. A victim that dies is answered with
 * "mce-guest: victim killed=SIGNAL", a command that cannot be carried out with
 * "mce-guest: error what=WHAT". Nothing in here decides by time: whoever runs the
 * guest does.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

/* The direct map with four levels: Documentation/arch/x86/x86_64/mm.rst */
#define DIRECT_MAP 0xffff888000000000ULL
#define DIRECT_MAP_END 0xffffc88000000000ULL

#define CPUS_MAX 16

/*
 * What goes to the console without being asked for: what is critical, as a BUG() is, and
 * answers. Each character is an exit to L1, and with all messages these would take longer
 * than all else. Panic and oops open it to all messages (console_verbose()).
 */
#define CONSOLE_LEVEL "3\n"

static int kmsg, kernel_log;
static bool quiet;

void log_record(const char *record, int len)
{
	/* a tty that has no other writer carries lines whole, too */
	const char *text = quiet ? strchr(record, '>') + 1 : record;
	int fd = quiet ? STDOUT_FILENO : kmsg;

	len -= text - record;
	if (write(fd, text, len) != len)
		_exit(1);
}

static long read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	long number = -1;

	if (f && fscanf(f, "%ld", &number) != 1)
		number = -1;
	if (f)
		fclose(f);
	return number;
}

/* ---- the victim */

static pid_t victim;
static int to_victim, from_victim;
unsigned long *heartbeat;

static int start_victim(void)
{
	int to[2], from[2];

	if (!heartbeat)
		heartbeat = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (heartbeat == MAP_FAILED || pipe(to) || pipe(from))
		return -1;
	victim = fork();
	if (victim < 0)
		return -1;
	if (!victim) {
		close(to[1]);
		close(from[0]);
		victim_main(fdopen(to[0], "r"), from[1]);
	}
	close(to[0]);
	close(from[1]);
	to_victim = to[1];
	from_victim = from[0];
	return 0;
}

/* Documentation/admin-guide/tainted-kernels.rst */
#define TAINT_DIE 0x80
#define TAINT_WARN 0x200

static long taints(void)
{
	return read_number("/proc/sys/kernel/tainted");
}

/*
 * An oops can leave a victim that never gets to its end: it waits for a lock that it
 * holds itself. There is no waiting for that one.
 */
static bool oopsed(void)
{
	return taints() & TAINT_DIE;
}

static void reap_victim(void)
{
	int status = 0;

	close(to_victim);
	close(from_victim);
	waitpid(victim, &status, oopsed() ? WNOHANG : 0);
	victim = 0;
	if (WIFSIGNALED(status))
		answer("victim killed=%d", WTERMSIG(status));
}

/* Whether the victim has done what it should, and lives. After an oops, until the next command. */
static bool victim_is_done(void)
{
	struct pollfd fds[] = {
		{ .fd = from_victim, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	char done;

	poll(fds, ARRAY_SIZE(fds), -1);
	if (!fds[0].revents && oopsed())
		return false;
	return read(from_victim, &done, 1) == 1;
}

static void forward(const char *line, bool starts)
{
	if (starts && (victim || start_victim())) {
		answer("error what=fork errno=%d", victim ? EBUSY : errno);
		return;
	}
	if (!victim) {
		answer("error what=no_victim");
		return;
	}
	if (write(to_victim, line, strlen(line)) < 0 || !victim_is_done())
		reap_victim();
}

/* ---- the kernel's page tables over the direct map */

struct tables {
	unsigned long small, large, huge, holes;
	char text[4 << 20];	/* the lines of debugfs, as they are */
};

static struct tables before, now;

/*
 * One line: "0xSTART-0xEND SIZE FLAG... LEVEL", without flags when it is not
 * present (printk_prot() in arch/x86/mm/dump_pagetables.c). Neighbours that are
 * alike are one line.
 */
static bool read_tables(struct tables *t, uint64_t gpa, char *found, size_t size)
{
	FILE *f = fopen("/sys/kernel/debug/page_tables/kernel", "r");
	size_t used = 0;
	char line[256];

	memset(t, 0, offsetof(struct tables, text) + 1);
	snprintf(found, size, "level=none mapped=no cache=none");
	while (f && fgets(line, sizeof(line), f)) {
		uint64_t start, end;
		bool present;
		char *level;

		if (sscanf(line, "0x%lx-0x%lx", &start, &end) != 2 ||
		    start < DIRECT_MAP || start >= DIRECT_MAP_END)
			continue;
		line[strcspn(line, "\n")] = '\0';
		level = strrchr(line, ' ') + 1;
		present = strstr(line, " RW ") || strstr(line, " ro ");
		if (present && !strcmp(level, "pte"))
			t->small += (end - start) / PAGE;
		else if (present && !strcmp(level, "pmd"))
			t->large += (end - start) / (2 * MB);
		else if (present)
			t->huge += (end - start) / (1024 * MB);
		else if (!strcmp(level, "pte"))
			t->holes += (end - start) / PAGE;
		if (gpa + DIRECT_MAP >= start && gpa + DIRECT_MAP < end)
			snprintf(found, size, "level=%s mapped=%s cache=%s", level,
				 present ? "yes" : "no", !present ? "none" :
				 strstr(line, " PCD ") ? "uc" :
				 strstr(line, " PWT ") || strstr(line, " PAT ") ? "other" : "wb");
		used += snprintf(t->text + used, sizeof(t->text) - used, "%s\n", line);
		if (used >= sizeof(t->text))
			break;
	}
	if (f)
		fclose(f);
	return used && used < sizeof(t->text);
}

static void report_tables(const char *args)
{
	static bool again;
	char found[64];

	if (!read_tables(again ? &now : &before, strtoull(args, NULL, 0), found, sizeof(found))) {
		answer("error what=page_tables");
		return;
	}
	if (again)
		answer("tables 4k=%lu 2m=%lu 1g=%lu holes=%lu %s same=%s split=%ld new_holes=%ld",
		       now.small, now.large, now.huge, now.holes, found,
		       strcmp(now.text, before.text) ? "no" : "yes",
		       (long)(before.large - now.large + before.huge - now.huge),
		       (long)(now.holes - before.holes));
	else
		answer("tables 4k=%lu 2m=%lu 1g=%lu holes=%lu %s",
		       before.small, before.large, before.huge, before.holes, found);
	again = true;
}

/* ---- load */

static struct {
	pid_t pid[CPUS_MAX];
	uint64_t *longest_ns;	/* shared: one of each process */
	int cpus;
} load;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);	/* vDSO: stays in user mode */
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void keep_busy(int cpu)
{
	uint64_t last = now_ns();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (unsigned long i = 0;; i++) {
		uint64_t t, longest = __atomic_load_n(&load.longest_ns[cpu], __ATOMIC_RELAXED);

		if (i / 1000 % 2)
			syscall(SYS_getppid);
		t = now_ns();
		if (t - last > longest)
			__atomic_store_n(&load.longest_ns[cpu], t - last, __ATOMIC_RELAXED);
		last = t;
	}
}

static void get_busy(const char *args)
{
	load.cpus = strtoul(args, NULL, 0);
	load.longest_ns = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (load.cpus < 1 || load.cpus > CPUS_MAX || load.longest_ns == MAP_FAILED ||
	    sysconf(_SC_NPROCESSORS_ONLN) < load.cpus) {
		answer("error what=%ld_cpus_online", sysconf(_SC_NPROCESSORS_ONLN));
		return;
	}
	for (int i = 0; i < load.cpus; i++) {
		load.pid[i] = fork();
		if (!load.pid[i])
			keep_busy(i);
	}
	answer("busy monarch_us=%ld",
	       read_number("/sys/devices/system/machinecheck/machinecheck0/monarch_timeout"));
}

static void report_stalls(const char *args)
{
	uint64_t max = 0;

	(void)args;
	for (int i = 0; i < load.cpus; i++) {
		uint64_t one = __atomic_exchange_n(&load.longest_ns[i], 0, __ATOMIC_RELAXED);

		if (one > max)
			max = one;
	}
	answer("stalls max_us=%llu", (unsigned long long)max / 1000);
}

static void calm_down(const char *args)
{
	(void)args;
	for (int i = 0; i < load.cpus; i++) {
		kill(load.pid[i], SIGKILL);
		waitpid(load.pid[i], NULL, 0);
	}
	load.cpus = 0;
	answer("calm");
}

static void get_to_work(const char *args)
{
	if (start_work(strtoul(args, NULL, 0)))
		answer("work");
	else
		answer("error what=work errno=%d", errno);
}

static void get_to_rest(const char *args)
{
	unsigned long rounds;
	int died = end_work(&rounds);

	(void)args;
	answer("rest died=%d rounds=%lu", died, rounds);
}

/* ---- memory, and the console */

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

/* Whether all of @text could be written to @path, which has to be there. */
static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}

static void report_usage(const char *args)
{
	long slab, tables, sum = LONG_MAX, before;

	(void)args;
	/* Freed memory is so only after a grace period, and some of it by a worker then. */
	do {
		before = sum;
		sync();
		usleep(300 * 1000);
		if (!write_file("/proc/sys/vm/drop_caches", "3\n")) {
			answer("error what=drop_caches errno=%d", errno);
			return;
		}
		slab = meminfo_kb("Slab:");
		tables = meminfo_kb("PageTables:");
		sum = slab + tables;
	} while (sum < before);
	answer("usage slab_kb=%ld pagetables_kb=%ld", slab, tables);
}

/* Some 64 kB of page tables and as much of slab are gone until the guest ends. */
static void lose_memory(const char *args)
{
	const size_t large = 2 * MB, tables = 16, files = 100;
	static unsigned int file;
	char *p = mmap(NULL, tables * large, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)args;
	if (p == MAP_FAILED || madvise(p, tables * large, MADV_NOHUGEPAGE)) {
		answer("error what=leak errno=%d", errno);
		return;
	}
	/* each is a page of page tables */
	for (size_t i = 0; i < tables; i++)
		p[i * large] = 1;
	for (size_t i = 0; i < files; i++) {
		char path[32];
		int fd;

		snprintf(path, sizeof(path), "/tmp/leak%u", file++);
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0) {
			answer("error what=leak errno=%d", errno);
			return;
		}
		close(fd);
	}
	answer("leak");
}

static bool set_console(const char *level)
{
	if (write_file("/proc/sys/kernel/printk", level))
		return true;
	answer("error what=printk errno=%d", errno);
	return false;
}

/*
 * Say nothing, and stay on one CPU, victims too: what they are in when a machine check comes
 * ends where it began, to be measured.
 */
static void be_quiet(const char *args)
{
	cpu_set_t first;

	(void)args;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	if (sched_setaffinity(0, sizeof(first), &first)) {
		answer("error what=affinity errno=%d", errno);
		return;
	}
	if (!set_console("0\n"))
		return;
	quiet = true;
	answer("quiet");
}

static void open_console(const char *args)
{
	char level[32];

	snprintf(level, sizeof(level), "%lu\n", strtoul(args, NULL, 0));
	if (!set_console(level))
		return;
	quiet = false;
	answer("console");
}

/* ---- the kernel's log */

static char level_before[32];
static bool quiet_before;

static void mark_log(const char *args)
{
	(void)args;
	snprintf(level_before, sizeof(level_before), "%ld\n",
		 read_number("/proc/sys/kernel/printk"));
	quiet_before = quiet;
	lseek(kernel_log, 0, SEEK_END);
	/* newer kernels print in a thread, and then it is the new level that counts */
	if (!set_console("0\n"))
		return;
	quiet = true;
	answer("mark");
}

/* The next record of the log; waits for it. False when it cannot be read. */
static bool next_record(char *record, size_t size)
{
	ssize_t len;

	do {
		len = read(kernel_log, record, size - 1);
	} while (len < 0 && errno == EPIPE);	/* it was overwritten: go on with the oldest */
	if (len < 0)
		return false;
	record[len] = '\0';
	return true;
}

static void wait_until_settled(const char *args)
{
	bool outside = false, printed = false;
	char record[1024];

	(void)args;
	while (!outside || !printed) {
		if (!next_record(record, sizeof(record))) {
			answer("error what=/dev/kmsg errno=%d", errno);
			return;
		}
		/* mm/memory-failure.c, of a pfn without a struct page: until 6.12, and 7.3 */
		if (strstr(record, ": memory outside kernel control") ||
		    strstr(record, ": recovery action for non struct page pfn")) {
			outside = true;
			printed = false;
		}
		/* the last line of a record, print_mce() */
		if (strstr(record, "[Hardware Error]: PROCESSOR "))
			printed = true;
	}
	if (!set_console(level_before))
		return;
	quiet = quiet_before;
	answer("settle");
}

static void search_log(const char *args)
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

/* ---- the rest */

static void wait_corrupted(const char *args)
{
	long kb = strtol(args, NULL, 0), now;

	while ((now = meminfo_kb("HardwareCorrupted:")) < kb)
		sched_yield();
	answer("corrupted kb=%ld", now);
}

static void report_interrupts(const char *args)
{
	(void)args;
	answer("interrupts tlb=%lu call=%lu mce=%lu", count_interrupts("TLB:"),
	       count_interrupts("CAL:"), count_interrupts("MCE:"));
}

/* The guest lives when it can fork, allocate and write memory, and answer. */
static void prove_life(const char *args)
{
	const size_t len = 4 * MB;
	int status = -1;
	pid_t pid = fork();

	(void)args;
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
	answer("alive fork=%s HardwareCorrupted=%ldkB warned=%d", status ? "failed" : "ok",
	       meminfo_kb("HardwareCorrupted:"), !!(taints() & TAINT_WARN));
}

static void set_poll_interval(const char *args)
{
	char seconds[32];

	snprintf(seconds, sizeof(seconds), "%lu", strtoul(args, NULL, 0));
	if (write_file("/sys/devices/system/machinecheck/machinecheck0/check_interval", seconds))
		answer("poll");
	else
		answer("error what=check_interval errno=%d", errno);
}

static void report_victim(const char *args)
{
	unsigned long beat = __atomic_load_n(heartbeat, __ATOMIC_RELAXED);
	int status = 0;

	(void)args;
	/* until then, the kernel has not done with it */
	while (victim && __atomic_load_n(heartbeat, __ATOMIC_RELAXED) == beat) {
		if (waitpid(victim, &status, WNOHANG) == victim)
			victim = 0;
		sched_yield();
	}
	answer("hit killed=%d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static void take_offline(const char *args)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%lu/online",
		 strtoul(args, NULL, 0));
	if (write_file(path, "0"))
		answer("offline");
	else
		answer("error what=offline errno=%d", errno);
}

static void here(const char *args)
{
	(void)args;
	answer("here");
}

static void off(const char *args)
{
	(void)args;
	answer("off");
	reboot(RB_POWER_OFF);
}

static const struct command {
	const char *word;
	void (*run)(const char *args);
} commands[] = {
	{ "tables", report_tables },
	{ "busy", get_busy },
	{ "stalls", report_stalls },
	{ "calm", calm_down },
	{ "work", get_to_work },
	{ "rest", get_to_rest },
	{ "usage", report_usage },
	{ "leak", lose_memory },
	{ "quiet", be_quiet },
	{ "console", open_console },
	{ "mark", mark_log },
	{ "settle", wait_until_settled },
	{ "logged", search_log },
	{ "corrupted", wait_corrupted },
	{ "interrupts", report_interrupts },
	{ "poll", set_poll_interval },
	{ "hit", report_victim },
	{ "offline", take_offline },
	{ "here", here },
	{ "alive", prove_life },
	{ "off", off },
};

static void obey(const char *line)
{
	size_t len = strcspn(line, "\n ");
	bool starts;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strlen(commands[i].word) == len && !strncmp(commands[i].word, line, len)) {
			commands[i].run(line + len);
			return;
		}
	}
	if (is_victim_command(line, &starts))
		forward(line, starts);
	else
		answer("error what=command");
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
	/* commands are not wanted back on the console */
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
