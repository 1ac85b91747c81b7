// SPDX-License-Identifier: GPL-2.0-only
/*
 * PID 1 of the guest under test.
 *
 * Reads one-line commands from its console and answers each with one line
 * "mce-guest: WORD key=value ...". Answers go through /dev/kmsg: the console then
 * carries them whole and in order with the kernel's own messages, which a
 * write to the tty does not promise (needs printk.devkmsg=on).
 *
 *   map MIN [early]         fork a victim that owns a page at or above the
 *                           guest physical address MIN; early: it asks for
 *                           early kill. -> map gpa= va=
 *   wait                    the victim waits for its SIGBUS. -> sigbus ...
 *   load                    the victim reads its page.
 *                           -> sigbus code= addr= addr_match= lsb=, or value
 *   leave                   the victim exits. -> gone
 *   fill MIN SIZE GPA       a new victim writes to all the memory it gets.
 *                           -> fill pages= (how many are in MIN..MIN+SIZE)
 *                              again= (yes if GPA is one of them)
 *   alive                   proof of life. -> alive fork= HardwareCorrupted=
 *   off                     power off. -> off
 *
 * A victim that dies is answered with "mce-guest: victim killed=SIGNAL", a
 * command that cannot be carried out with "mce-guest: error what=WHAT". Nothing in
 * here keeps time: whoever runs the guest does.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define PAGE 4096UL
#define MAP_MAX (96UL << 20)	/* how much is searched for a page that fits */

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT 0x8000000000000000ULL
#define PAGEMAP_PFN 0x007fffffffffffffULL

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static int kmsg, pagemap;

static char record[256];

static void log_record(int len)
{
	if (write(kmsg, record, len) != len)
		_exit(1);
}

/* A record without a newline is held back by the kernel: more of it could come. */
#define answer(fmt, ...) \
	log_record(snprintf(record, sizeof(record), "<5>mce-guest: " fmt "\n", ##__VA_ARGS__))

/* Guest physical address of the page at @va; 0 when it is not in memory. */
static uint64_t gpa_of(const void *va)
{
	uint64_t entry;
	off_t off = (uintptr_t)va / PAGE * sizeof(entry);

	if (pread(pagemap, &entry, sizeof(entry), off) != sizeof(entry))
		return 0;
	return entry & PAGEMAP_PRESENT ? (entry & PAGEMAP_PFN) * PAGE : 0;
}

/* ---- the victim: a process of its own, so that its death is only its own */

static char *page;
static sig_atomic_t got_sigbus, loading;
static siginfo_t sigbus;
static sigjmp_buf after_load;

static void on_sigbus(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	sigbus = *si;
	__atomic_store_n(&got_sigbus, 1, __ATOMIC_RELAXED);
	if (__atomic_load_n(&loading, __ATOMIC_RELAXED))
		siglongjmp(after_load, 1);
}

static void report_sigbus(void)
{
	const char *code = sigbus.si_code == BUS_MCEERR_AR ? "BUS_MCEERR_AR" :
			   sigbus.si_code == BUS_MCEERR_AO ? "BUS_MCEERR_AO" :
			   "other";
	uintptr_t first = (uintptr_t)page, addr = (uintptr_t)sigbus.si_addr;

	answer("sigbus code=%s addr=%#lx addr_match=%s lsb=%d", code, addr,
	       addr >= first && addr < first + PAGE ? "yes" : "no",
	       sigbus.si_addr_lsb);
	got_sigbus = 0;
}

static void victim_map(const char *args)
{
	struct sigaction sa = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };
	uint64_t min = strtoull(args, NULL, 0);
	sigset_t set;
	char *first;

	sigaction(SIGBUS, &sa, NULL);
	/* an action optional SIGBUS waits until the victim asks for it */
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (strstr(args, "early") &&
	    prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0)) {
		answer("error what=PR_MCE_KILL errno=%d", errno);
		return;
	}

	first = mmap(NULL, MAP_MAX, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (first == MAP_FAILED) {
		answer("error what=mmap errno=%d", errno);
		return;
	}
	for (page = first; page < first + MAP_MAX; page += PAGE) {
		uint64_t gpa;

		memset(page, 0x5a, PAGE);
		gpa = gpa_of(page);
		if (gpa >= min) {
			munmap(first, page - first);
			answer("map gpa=%#llx va=%p", (unsigned long long)gpa, page);
			return;
		}
	}
	answer("error what=no_page_there");
}

static void victim_wait(const char *args)
{
	sigset_t none;

	(void)args;
	sigemptyset(&none);
	while (!__atomic_load_n(&got_sigbus, __ATOMIC_RELAXED))
		sigsuspend(&none);
	report_sigbus();
}

static void victim_load(const char *args)
{
	sigset_t set;

	(void)args;
	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	__atomic_store_n(&loading, 1, __ATOMIC_RELAXED);
	if (!sigsetjmp(after_load, 1)) {
		char value;

		sigprocmask(SIG_UNBLOCK, &set, NULL);
		value = __atomic_load_n(page, __ATOMIC_RELAXED);
		sigprocmask(SIG_BLOCK, &set, NULL);
		answer("value byte=%#x", value);
	} else {
		report_sigbus();
	}
	__atomic_store_n(&loading, 0, __ATOMIC_RELAXED);
}

static void victim_fill(const char *args)
{
	char *end, *p;
	uint64_t min = strtoull(args, &end, 0);
	uint64_t size = strtoull(end, &end, 0);
	uint64_t wanted = strtoull(end, NULL, 0);
	/* movable memory comes first: a quarter more than it has is enough */
	size_t len = size + size / 4;
	unsigned long pages = 0;
	int again = 0;

	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		 -1, 0);
	if (p == MAP_FAILED) {
		answer("error what=mmap errno=%d", errno);
		return;
	}
	for (char *q = p; q < p + len; q += PAGE) {
		uint64_t gpa;

		memset(q, 0xa5, PAGE);
		gpa = gpa_of(q);
		pages += gpa >= min && gpa < min + size;
		again |= gpa == wanted;
	}
	munmap(p, len);
	answer("fill pages=%lu again=%s", pages, again ? "yes" : "no");
}

static void victim_leave(const char *args)
{
	(void)args;
	answer("gone");
	_exit(0);
}

static const struct command {
	const char *word;
	void (*run)(const char *args);
	int fork;
} victim_commands[] = {
	{ "map", victim_map, 1 },
	{ "fill", victim_fill, 1 },
	{ "wait", victim_wait, 0 },
	{ "load", victim_load, 0 },
	{ "leave", victim_leave, 0 },
};

static const struct command *find_victim_command(const char *line)
{
	size_t len = strcspn(line, "\n ");

	for (size_t i = 0; i < ARRAY_SIZE(victim_commands); i++)
		if (strlen(victim_commands[i].word) == len &&
		    !strncmp(victim_commands[i].word, line, len))
			return &victim_commands[i];
	return NULL;
}

static void victim_main(FILE *commands, int done)
{
	char line[128];

	/* /proc/self is the reader's, not the opener's */
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	while (fgets(line, sizeof(line), commands)) {
		find_victim_command(line)->run(line + strcspn(line, "\n "));
		if (write(done, "", 1) != 1)
			break;
	}
	_exit(0);
}

/* ---- PID 1 */

static pid_t victim;
static int to_victim, from_victim;

static int start_victim(void)
{
	int to[2], from[2];

	if (pipe(to) || pipe(from))
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

static void reap_victim(void)
{
	int status;

	close(to_victim);
	close(from_victim);
	waitpid(victim, &status, 0);
	victim = 0;
	if (WIFSIGNALED(status))
		answer("victim killed=%d", WTERMSIG(status));
}

static void forward(const struct command *command, const char *line)
{
	char done;

	if (command->fork) {
		if (victim || start_victim()) {
			answer("error what=fork errno=%d", victim ? EBUSY : errno);
			return;
		}
	}
	if (!victim) {
		answer("error what=no_victim");
		return;
	}
	if (write(to_victim, line, strlen(line)) < 0 || read(from_victim, &done, 1) != 1)
		reap_victim();
}

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

/* The guest lives when it can fork, allocate and write memory, and tell. */
static void prove_life(void)
{
	const size_t len = 4 << 20;
	int status = -1;
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
	answer("alive fork=%s HardwareCorrupted=%ldkB", status ? "failed" : "ok",
	       meminfo_kb("HardwareCorrupted:"));
}

static void setup(void)
{
	struct termios tio;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (kmsg < 0) {
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
		const struct command *command;

		line[strcspn(line, "\r\n")] = '\n';
		command = find_victim_command(strtok(strdupa(line), "\n") ?: "");
		if (command) {
			forward(command, line);
		} else if (!strcmp(line, "alive\n")) {
			prove_life();
		} else if (!strcmp(line, "off\n")) {
			answer("off");
			reboot(RB_POWER_OFF);
		} else {
			answer("error what=command");
		}
	}
	answer("error what=console_closed");
	reboot(RB_POWER_OFF);
	return 1;
}
