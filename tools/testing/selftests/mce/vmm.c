// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a VMM driver is made of: one guest under QEMU, what can be done to it, and
 * what became of it. See vmm.h; the programs are scenarios.c, and those that
 * compare kernels.
 *
 * Without a limit nothing in here keeps time: under Bochs the clock that this
 * program sees has little to do with that on the wall.
 *
 * Poison is madvise(MADV_HWPOISON) on the file that backs the guest's RAM, so
 * it takes a page of the machine that this runs on offline. It is refused
 * unless that machine is the lab's own L1 ("mce_lab=l1" on its command line).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "vmm.h"

/*
 * Records as SDM Vol. 3B has them in "Architecturally Defined SRAO Errors" (the
 * patrol scrubber of a memory controller) and "... SRAR Errors" (data load):
 * MCi_STATUS VAL|UC|EN|MISCV|ADDRV|S with MCACOD 0xc0, and the same with AR and
 * MCACOD 0x134; MCG_STATUS RIPV|MCIP, and with EIPV for what the instruction
 * that was interrupted has done.
 */
const struct record action_optional = { .status = 0xbd000000000000c0ULL, .mcgstatus = 0x5 };
const struct record action_required = { .status = 0xbd80000000000134ULL, .mcgstatus = 0x7 };

/*
 * A deferred error as in APM Vol. 2, "Machine-Check Status Register": VAL|EN|
 * MISCV|ADDRV|DEFERRED|POISON, as QEMU has it for an AMD guest. No exception. Before
 * it, what QEMU has for action required: VAL|UC|EN|MISCV|ADDRV|POISON.
 */
static const struct record amd_required = {
	.status = 0xbc00080000000000ULL, .mcgstatus = 0x7, .local = true,
};

const struct record deferred_error = { .status = 0x9c00180000000000ULL, .local = true };

/* ACPI 6.5, 6.3.5: source events and status codes of _OST */
enum { OST_DEVICE_CHECK = 1, OST_EJECT_REQUEST = 3 };
enum { OST_SUCCESS = 0, OST_EJECT_IN_PROGRESS = 0x84 };

/* How long one poll() may take: what there is to wait for is an int64_t. */
#define POLL_MS 60000

/* How long a guest that is past the scenario's end may go on talking. */
#define LAST_WORDS_MS 10000

/*
 * quiet: each character of the console is an exit to L1, and half of a boot goes by with
 * them. The guest's init has its own level. nokaslr: CONFIG_RANDOMIZE_MEMORY, which
 * distributions have, puts the direct map elsewhere each time.
 */
#define KERNEL_ARGS \
	"console=ttyS0 quiet panic=-1 nokaslr printk.devkmsg=on " \
	"memhp_default_state=online_movable"

struct vm vm = { .qmp = -1, .console = -1 };

/* ---- saying and finding out */

bool lab_broken(void)
{
	vm.lab_error = true;
	return false;
}

int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/*
 * Copy @from up to any of @stop, unless there is something in @to: the first
 * is the cause, what follows is damage. Spaces become underscores, as the patterns of
 * the table "scenarios" are separated by spaces.
 */
static void copy_word(char *to, size_t size, const char *from, const char *stop)
{
	size_t len = strcspn(from, stop);

	if (to[0])
		return;
	if (len >= size)
		len = size - 1;
	memcpy(to, from, len);
	to[len] = '\0';
	for (char *c = to; *c; c++)
		if (*c == ' ')
			*c = '_';
}

/*
 * Add @key with a value, which has no spaces, to the facts of the verdict. All values
 * are strings. A key that comes again has an array of all its values.
 */
void fact(const char *key, const char *fmt, ...)
{
	struct json_object *known, *value, *all;
	size_t len = strlen(vm.told);
	char text[sizeof(vm.answer)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(vm.told + len, sizeof(vm.told) - len, " %s=%s", key, text);
	value = json_object_new_string(text);
	if (!json_object_object_get_ex(vm.facts, key, &known)) {
		json_object_object_add(vm.facts, key, value);
	} else if (json_object_is_type(known, json_type_array)) {
		json_object_array_add(known, value);
	} else {
		all = json_object_new_array();
		json_object_array_add(all, json_object_get(known));
		json_object_array_add(all, value);
		json_object_object_add(vm.facts, key, all);
	}
}

/* Whether @key came once, with @value. */
bool is_fact(const char *key, const char *value)
{
	struct json_object *known;

	return json_object_object_get_ex(vm.facts, key, &known) &&
	       !strcmp(json_object_get_string(known), value);
}

void forget_facts(void)
{
	json_object_put(vm.facts);
	vm.facts = json_object_new_object();
	vm.told[0] = '\0';
}

/*
 * Make facts of the guest's @answer. A place is no fact, as the table cannot state it
 * beforehand. Nor is a warning, which is a part of the verdict.
 */
static void keep_facts(const char *answer)
{
	static const char *const no_facts[] = { "gpa", "va", "addr", "warned" };
	char copy[sizeof(vm.answer)], key[128], *save, *word;

	snprintf(copy, sizeof(copy), "%s", answer);
	strtok_r(copy, " ", &save);
	while (vm.prefix && (word = strtok_r(NULL, " ", &save))) {
		char *value = strchr(word, '=');
		bool keep = value;

		if (value)
			*value++ = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(no_facts); i++)
			keep &= !!strcmp(word, no_facts[i]);
		if (!keep)
			continue;
		snprintf(key, sizeof(key), "%s%s", vm.prefix, word);
		fact(key, "%s", value);
	}
}

static void read_console_line(const char *line)
{
	const char *p;

	vm.lines++;
	if (!vm.silent) {
		printf("%s\n", line);
		fflush(stdout);
	}

	p = strstr(line, "mce-guest: ");
	if (p) {
		p += strlen("mce-guest: ");
		snprintf(vm.answer, sizeof(vm.answer), "%s", p);
		vm.came |= vm.awaited && !strncmp(p, vm.awaited, strlen(vm.awaited));
		keep_facts(p);
		if (!strncmp(p, "victim killed=", strlen("victim killed=")))
			vm.killed = true;
		return;
	}

	/* mm/memory-failure.c, of a pfn without a struct page: until 6.12, and 7.3 */
	if (strstr(line, ": memory outside kernel control") ||
	    strstr(line, ": recovery action for non struct page pfn"))
		vm.outside = true;

	p = strstr(line, "Kernel panic - not syncing: ");
	if (p) {
		vm.panic = true;
		/* a machine check prints the reason before it panics */
		copy_word(vm.message, sizeof(vm.message),
			  p + strlen("Kernel panic - not syncing: "), "\r\n");
	}
	p = strstr(line, "Machine check: ");
	if (p && strstr(line, "[Hardware Error]"))
		copy_word(vm.message, sizeof(vm.message), p + strlen("Machine check: "), "\r\n");
	p = strstr(line, "BUG: ");
	if (p) {
		vm.oops = true;
		copy_word(vm.message, sizeof(vm.message), p + strlen("BUG: "), ":\r\n");
		p = strstr(line, "for address: ");
		if (p)
			copy_word(vm.fault, sizeof(vm.fault), p + strlen("for address: "), " \r\n");
	}
	/* BUG(): "kernel BUG at FILE:LINE!", and not everywhere "Oops: " */
	p = strstr(line, "kernel BUG at ");
	if (p) {
		copy_word(vm.message, sizeof(vm.message), p, ":!\r\n");
		/* the record of the machine check can be printed first: its RIP is another */
		vm.rip[0] = '\0';
	}
	if (p || strstr(line, "Oops: "))
		vm.oops = true;
	if (strstr(line, "[ cut here ]"))
		vm.warned = true;
	/* RIP: 0010:clear_page_erms+0x7/0x10, RIP 10:<ffff...> {func+0x1a/0x24} */
	p = strstr(line, "RIP: 0010:");
	if (p && vm.oops)
		copy_word(vm.rip, sizeof(vm.rip), p + strlen("RIP: 0010:"), "+ \r\n");
	/* and where an action optional record came is of no interest: RIP !INEXACT! */
	p = strstr(line, "RIP 10:");
	if (p && strstr(line, "[Hardware Error]") && strchr(p, '{'))
		copy_word(vm.rip, sizeof(vm.rip), strchr(p, '{') + 1, "+} \r\n");
	if (vm.oops && strstr(line, "---[ end trace"))
		vm.oops_over = true;
}

static void read_qmp_line(const char *line)
{
	struct json_object *msg = json_tokener_parse(line);
	struct json_object *event, *data, *reason, *source, *status;

	if (!msg) {
		lab_error("no JSON on QMP: %s", line);
		return;
	}
	if (json_object_object_get_ex(msg, "return", NULL) ||
	    json_object_object_get_ex(msg, "error", NULL)) {
		json_object_put(vm.reply);
		vm.reply = msg;
		return;
	}
	if (json_object_object_get_ex(msg, "event", &event)) {
		if (!vm.silent)
			say("QEMU event %s",
			    json_object_to_json_string_ext(msg, JSON_C_TO_STRING_PLAIN));
		vm.reset |= !strcmp(json_object_get_string(event), "RESET");
		if (!strcmp(json_object_get_string(event), "SHUTDOWN") &&
		    json_object_object_get_ex(msg, "data", &data) &&
		    json_object_object_get_ex(data, "reason", &reason) &&
		    !strcmp(json_object_get_string(reason), "guest-shutdown"))
			vm.powered_off = true;
		if (!strcmp(json_object_get_string(event), "ACPI_DEVICE_OST") &&
		    json_object_object_get_ex(msg, "data", &data) &&
		    json_object_object_get_ex(data, "info", &data) &&
		    json_object_object_get_ex(data, "source", &source) &&
		    json_object_object_get_ex(data, "status", &status)) {
			vm.ost_source = json_object_get_int(source);
			vm.ost_status = json_object_get_int(status);
		}
	}
	json_object_put(msg);	/* an event, or the greeting */
}

/* One stream of lines: a socket, and what of its last line is here already. */
static struct stream {
	int *fd;
	void (*line)(const char *line);
	size_t len;
	char buf[65536];	/* the registers of all CPUs are one line of QMP */
} streams[] = {
	{ .fd = &vm.qmp, .line = read_qmp_line },
	{ .fd = &vm.console, .line = read_console_line },
};

static void read_stream(struct stream *s)
{
	char *start = s->buf, *end;
	ssize_t n = read(*s->fd, s->buf + s->len, sizeof(s->buf) - 1 - s->len);

	if (n <= 0) {
		close(*s->fd);
		*s->fd = -1;
		return;
	}
	s->len += n;
	s->buf[s->len] = '\0';
	while ((end = strchr(start, '\n'))) {
		*end = '\0';
		start[strcspn(start, "\r")] = '\0';
		s->line(start);
		start = end + 1;
	}
	s->len = strlen(start);
	if (s->len == sizeof(s->buf) - 1)
		s->len = 0;	/* too long for any line that is sent */
	memmove(s->buf, start, s->len + 1);
}

/* Discard unread console output of the guest. */
bool drain_console(void)
{
	struct pollfd fd = { .fd = vm.console, .events = POLLIN };
	char buf[4096];

	while (poll(&fd, 1, 0) > 0)
		if (read(vm.console, buf, sizeof(buf)) <= 0)
			return lab_error("QEMU is gone");
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		if (streams[i].fd == &vm.console)
			streams[i].len = 0;
	return true;
}

/*
 * Read what QEMU and the guest have to say until there is something new.
 * False when there is nothing more to wait for.
 */
bool pump(void)
{
	struct pollfd fds[ARRAY_SIZE(streams)];
	int64_t left = vm.deadline_ms - now_ms();

	if (vm.lab_error || vm.oops_over)
		return false;
	if (left <= 0) {
		vm.timed_out = true;
		return false;
	}
	if (vm.qmp < 0 && vm.console < 0)
		return false;	/* QEMU is gone */
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		fds[i] = (struct pollfd){ .fd = *streams[i].fd, .events = POLLIN };
	if (poll(fds, ARRAY_SIZE(fds), left < POLL_MS ? left : POLL_MS) < 0 && errno != EINTR)
		return lab_error("poll: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		if (fds[i].fd >= 0 && fds[i].revents)
			read_stream(&streams[i]);
	return true;
}

/* ---- QEMU */

/*
 * QEMU asks for early kill: it gets a SIGBUS as soon as its guest's RAM is poisoned, and
 * reports that to the guest. Where a scenario has the page unmapped without a report, the
 * prctl() fails for QEMU, which ignores that.
 */
static void forbid_early_kill(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PR_MCE_KILL, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 6, .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)) {
		perror("vmm: error: seccomp filter for QEMU");
		_exit(126);
	}
}

static bool start_qemu(const struct machine *m, const struct scenario *s, const char *kernel,
		       const char *initrd)
{
	const char *argv[64];
	char ram[128], mem[64], qmp[64], console[64], cpu[128], smp[16], append[256];
	unsigned int ram_mb = s->ram_mb ? s->ram_mb : m->ram_mb;
	int n = 0, q[2], c[2];
	pid_t parent = getpid();

	vm.ram = memfd_create("guest-ram", 0);
	if (vm.ram < 0 || ftruncate(vm.ram, ram_mb * MB))
		return lab_error("%u MB for the guest's RAM: %s", ram_mb, strerror(errno));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, q) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c))
		return lab_error("socketpair: %s", strerror(errno));

	snprintf(ram, sizeof(ram),
		 "memory-backend-file,id=ram,share=on,size=%uM,mem-path=/proc/self/fd/%d",
		 ram_mb, vm.ram);
	snprintf(mem, sizeof(mem), "%uM,slots=2,maxmem=%uM", ram_mb,
		 ram_mb < 4096 ? 4096 : ram_mb + 1024);
	snprintf(cpu, sizeof(cpu), "%s%s%s", m->cpu, s->cpu_flags ? s->cpu_flags : "",
		 m->local && s->broadcast ? ",lmce=off" : "");
	snprintf(smp, sizeof(smp), "%u", s->cpus ? s->cpus : 1);
	snprintf(append, sizeof(append), "%s %s", KERNEL_ARGS,
		 s->kernel_args ? s->kernel_args : "");
	snprintf(qmp, sizeof(qmp), "socket,id=qmp,fd=%d", q[1]);
	snprintf(console, sizeof(console), "socket,id=console,fd=%d", c[1]);

	argv[n++] = m->qemu;
	for (const char *const *arg = m->args; *arg; arg++)
		argv[n++] = *arg;
	for (const char *const *arg = (const char *const[]){
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-object", ram, "-m", mem, "-cpu", cpu, "-smp", smp,
		"-chardev", qmp, "-mon", "chardev=qmp,mode=control",
		"-chardev", console, "-serial", "chardev:console",
		"-kernel", kernel, "-initrd", initrd, "-append", append,
		NULL }; *arg; arg++)
		argv[n++] = *arg;
	argv[n] = NULL;

	vm.qemu = fork();
	if (vm.qemu < 0)
		return lab_error("fork: %s", strerror(errno));
	if (!vm.qemu) {
		/* no QEMU outlives its driver */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(126);
		fcntl(q[1], F_SETFD, 0);
		fcntl(c[1], F_SETFD, 0);
		dup2(STDOUT_FILENO, STDERR_FILENO);
		if (!s->reported)
			forbid_early_kill();
		execvp(argv[0], (char *const *)argv);
		printf("vmm: error: cannot start %s: %s\n", argv[0], strerror(errno));
		fflush(stdout);
		_exit(127);
	}
	close(q[1]);
	close(c[1]);
	vm.qmp = q[0];
	vm.console = c[0];
	return true;
}

static void end_qemu(void)
{
	if (vm.qemu > 0) {
		kill(vm.qemu, SIGKILL);
		waitpid(vm.qemu, NULL, 0);
	}
	vm.qemu = 0;
}

/* Run a QMP command; @args is JSON or NULL. The reply's "return", or NULL. */
struct json_object *qmp(const char *command, const char *args)
{
	struct json_object *msg = json_object_new_object(), *value = NULL;
	const char *text;

	json_object_object_add(msg, "execute", json_object_new_string(command));
	if (args)
		json_object_object_add(msg, "arguments", json_tokener_parse(args));
	text = json_object_to_json_string_ext(msg, JSON_C_TO_STRING_PLAIN);
	json_object_put(vm.reply);
	vm.reply = NULL;
	if (vm.qmp >= 0)
		dprintf(vm.qmp, "%s\n", text);
	while (!vm.reply && pump())
		;
	/* a guest that dies or hangs may take the reply with it: not the lab's fault */
	if (vm.reply ? !json_object_object_get_ex(vm.reply, "return", &value) :
		       !vm.panic && !vm.oops && !vm.timed_out)
		lab_error("QMP %s: %s", text,
			  vm.reply ? json_object_to_json_string(vm.reply) : "no reply");
	json_object_put(msg);
	return value;
}

/* ---- the guest */

/* Wait for the guest's answer @word. */
bool answer(const char *word)
{
	size_t len = strlen(word);

	while (!vm.answer[0])
		if (!pump())
			return false;
	if (vm.killed || vm.oops)
		return false;
	if (!strncmp(vm.answer, "error ", 6))
		return lab_error("the guest cannot do it: %s", vm.answer);
	if (strncmp(vm.answer, word, len) || !strchr(" ", vm.answer[len]))
		return lab_error("the guest answers \"%s\", expected was \"%s\"", vm.answer, word);
	return true;
}

bool ask_question(const char *word)
{
	vm.answer[0] = '\0';
	vm.step = word;
	if (!vm.silent)
		say("asks: %s", vm.question);
	dprintf(vm.console, "%s\n", vm.question);
	return answer(word);
}

/* The number that the guest gave for @key in its newest answer. */
uint64_t answered(const char *key)
{
	const char *p = strstr(vm.answer, key);

	return p ? strtoull(p + strlen(key), NULL, 0) : 0;
}

/* ---- what scenarios do */

static bool in_l1(void)
{
	char line[4096] = "";
	FILE *f = fopen("/proc/cmdline", "r");

	if (f) {
		if (!fgets(line, sizeof(line), f))
			line[0] = '\0';
		fclose(f);
	}
	return strstr(line, "mce_lab=l1");
}

static void sigbus_in_child(int sig)
{
	(void)sig;
	_exit(0);
}

/* Take the guest's page at @gpa away: real poison in the file behind it. */
bool poison_page(uint64_t gpa)
{
	int status = 0;
	pid_t pid;

	vm.step = "poison";
	if (!in_l1())
		return lab_error("not in the lab's L1: no poison for the memory of this machine");
	pid = fork();
	if (!pid) {
		/* the offset in the file is the gpa: all RAM is below 2 GB */
		char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vm.ram, gpa);

		if (p == MAP_FAILED)
			_exit(errno);
		signal(SIGBUS, sigbus_in_child);
		__atomic_load_n(p, __ATOMIC_RELAXED);
		_exit(madvise(p, PAGE, MADV_HWPOISON) ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return lab_error("child for MADV_HWPOISON: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return lab_error("MADV_HWPOISON of gpa %#llx: %s", (unsigned long long)gpa,
			      WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "child died");
	say("poisoned gpa=%#llx", (unsigned long long)gpa);
	return true;
}

/* Run a command of QEMU's human monitor. What it prints, or NULL. */
const char *ask_monitor(const char *fmt, ...)
{
	char args[256] = "{\"command-line\":\"";
	size_t len = strlen(args);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(args + len, sizeof(args) - len, fmt, ap);
	va_end(ap);
	len = strlen(args);
	snprintf(args + len, sizeof(args) - len, "\"}");
	return json_object_get_string(qmp("human-monitor-command", args));
}

/*
 * Have QEMU raise a machine check on @cpu about @gpa, from bit 6 or
 * from bit 12 up (@misc). Unless it is local it goes to all CPUs, as on Intel machines
 * without LMCE: the others find nothing in their banks.
 */
bool inject(int cpu, struct record record, uint64_t gpa, uint64_t misc)
{
	const char *reply;

	if (vm.local && !record.local) {
		record.local = true;
		record.mcgstatus |= MCG_LMCES;
	}
	vm.step = "inject";
	if (!vm.silent)
		say("injects status=%#llx mcgstatus=%#llx gpa=%#llx misc=%#llx on cpu %d",
		    (unsigned long long)record.status, (unsigned long long)record.mcgstatus,
		    (unsigned long long)gpa, (unsigned long long)misc, cpu);
	reply = ask_monitor("mce %s%d %d %#llx %#llx %#llx %#llx",
			    record.local ? "" : "-b ", cpu, MCE_BANK,
			    (unsigned long long)record.status,
			    (unsigned long long)record.mcgstatus,
			    (unsigned long long)gpa, (unsigned long long)misc);
	if (reply && reply[0])
		return lab_error("QEMU's mce command: %s", reply);
	return reply;
}

/* The record that is no exception, or none that stops what is going on */
struct record optional_record(void)
{
	return vm.amd ? deferred_error : action_optional;
}

/*
 * The CPU on which the victim spins, in user mode, by @registers of all: it has the
 * address of its page, @gpa, in R15 (victim.c). -1 when it is on none.
 */
static int cpu_of_spinning(const char *registers, uint64_t gpa)
{
	const char *of_cpu = registers;
	char r15[32];

	snprintf(r15, sizeof(r15), "R15=%016llx", (unsigned long long)gpa);
	while (of_cpu) {
		const char *next = strstr(of_cpu + 1, "CPU#");
		const char *user = strstr(of_cpu, "CPL=3"), *spins = strstr(of_cpu, r15);

		if (user && spins && (!next || (user < next && spins < next)))
			return strncmp(of_cpu, "CPU#", 4) ? 0 : atoi(of_cpu + 4);
		of_cpu = next;
	}
	return -1;
}

/* Stop the guest while the victim spins in user mode, on *@cpu. */
bool stop_in_user_mode(uint64_t gpa, int *cpu)
{
	for (;;) {
		const char *registers;

		if (!qmp("stop", NULL))
			return false;
		registers = ask_monitor("info registers -a");
		if (!registers)
			return false;
		*cpu = cpu_of_spinning(registers, gpa);
		if (*cpu >= 0)
			return true;
		if (!qmp("cont", NULL))
			return false;
	}
}

/*
 * Have the hook load from @gpa by the direct map, over and over, and stop the guest there.
 * The page has to be mapped.
 */
bool stop_in_kernel_load(uint64_t gpa)
{
	char r15[32];

	snprintf(r15, sizeof(r15), "R15=%016llx", (unsigned long long)gpa);
	vm.answer[0] = '\0';
	vm.step = "spin";
	say("asks: hook spin=%#llx", (unsigned long long)gpa);
	dprintf(vm.console, "hook spin=%#llx\n", (unsigned long long)gpa);
	for (;;) {
		const char *registers;

		if (vm.answer[0])
			return lab_error("no load to stop in: %s", vm.answer);
		if (!qmp("stop", NULL))
			return false;
		registers = ask_monitor("info registers");
		if (!registers)
			return false;
		if (strstr(registers, r15) && strstr(registers, "CPL=0"))
			return true;
		if (!qmp("cont", NULL))
			return false;
	}
}

/*
 * An action required record that comes in the kernel, be it in a timer tick, is rightly
 * fatal.
 */
static bool inject_in_user_mode(struct record record, uint64_t gpa, uint64_t misc)
{
	int cpu;

	return stop_in_user_mode(gpa, &cpu) && inject(cpu, record, gpa, misc) &&
	       qmp("cont", NULL);
}

/*
 * Wait until the guest has done with all records so far, the direct map included: SIGBUS
 * comes before that. One more, for an address where no memory is, goes through the same
 * queue (mce_gen_pool_process()). It must not come while the CPU is still at the last one.
 * And until it is logged, the guest does not come to the next.
 */
bool settle(void)
{
	return ask("mark", "mark") &&
	       inject(0, optional_record(), NO_MEMORY_HERE, MISC_PAGE) &&
	       ask("settle", "settle");
}

/*
 * Have QEMU walk the guest's page tables to where the direct map has @gpa. The fact
 * is NAME=mapped or NAME=unmapped.
 */
bool look_at_direct_map(const char *name, uint64_t gpa)
{
	const char *reply = ask_monitor("gva2gpa %#llx", (unsigned long long)(DIRECT_MAP + gpa));
	unsigned long long found;

	if (!reply)
		return false;
	say("direct map at gpa=%#llx: %s", (unsigned long long)gpa, reply);
	if (!strncmp(reply, "Unmapped", 8))
		fact(name, "unmapped");
	else if (sscanf(reply, "gpa: %llx", &found) == 1 && found == gpa)
		fact(name, "mapped");
	else
		return lab_error("QEMU's gva2gpa command: %s", reply);
	return true;
}

/*
 * Wait until the guest's ACPI code is through with the DIMM. It reports by _OST
 * (ACPI 6.5, 6.3.5): what it was about, and how it ended. QEMU's own
 * DEVICE_DELETED comes too early: the guest looks once more whether the slot
 * is empty, and gives up on one where the next DIMM is already in.
 */
static bool wait_for_ost(int source, const char *command)
{
	while (vm.ost_source != source || vm.ost_status != OST_SUCCESS) {
		if (vm.ost_source == source && vm.ost_status != OST_EJECT_IN_PROGRESS)
			return lab_error("the guest's answer to %s is _OST status %#x", command,
				      vm.ost_status);
		if (!pump())
			return false;
	}
	return true;
}

bool plug_dimm(void)
{
	char backend[128], dimm[128];

	vm.step = "plug";
	snprintf(backend, sizeof(backend),
		 "{\"qom-type\":\"memory-backend-ram\",\"id\":\"mem1\",\"size\":%llu}", DIMM_SIZE);
	snprintf(dimm, sizeof(dimm),
		 "{\"driver\":\"pc-dimm\",\"id\":\"dimm1\",\"memdev\":\"mem1\",\"addr\":%llu}",
		 DIMM_START);
	vm.ost_source = 0;
	return qmp("object-add", backend) && qmp("device_add", dimm) &&
	       wait_for_ost(OST_DEVICE_CHECK, "device_add");
}

bool begin_to_unplug_dimm(void)
{
	vm.step = "unplug";
	vm.ost_source = 0;
	return qmp("device_del", "{\"id\":\"dimm1\"}");
}

bool finish_unplugging_dimm(void)
{
	return wait_for_ost(OST_EJECT_REQUEST, "device_del") &&
	       qmp("object-del", "{\"id\":\"mem1\"}");
}

/* The guest proves that it lives, and powers off by itself. */
static bool proof_of_life(void)
{
	if (!ask("alive", "alive"))
		return false;
	vm.warned |= answered("warned=");
	if (!ask("off", "off"))
		return false;
	vm.step = "power-off";
	while (!vm.powered_off)
		if (!pump())
			return false;
	return true;
}

/* ---- the scenarios */

/* A victim that owns a page of @kind at or above @min, at @gpa. */
bool victim_has_above(uint64_t min, const char *kind, uint64_t *gpa)
{
	if (!ask("map", "map %#llx %s", (unsigned long long)min, kind))
		return false;
	*gpa = answered("gpa=");
	return true;
}

bool victim_has(const char *kind, uint64_t *gpa)
{
	return victim_has_above(ABOVE_4K_MAP, kind, gpa);
}

/* Whether the guest's newest answer is the SIGBUS that a page of 4K should get. */
bool is_sigbus(const char *code_lsb)
{
	return strstr(vm.answer, code_lsb) && strstr(vm.answer, " addr_match=yes");
}

/*
 * An action optional record, without waiting for a SIGBUS. An AMD guest's bank holds one,
 * until it is polled: the next, which settle() sends, has to wait for that.
 */
bool report_quietly(uint64_t gpa, uint64_t misc)
{
	const char *prefix = vm.prefix;
	bool done;

	vm.prefix = NULL;
	done = ask("corrupted", "corrupted 0") &&
	       inject(0, optional_record(), gpa, misc) &&
	       ask("corrupted", "corrupted %llu",
		   (unsigned long long)answered("kb=") + PAGE / 1024) && settle();
	vm.prefix = prefix;
	return done;
}

/* An action optional record for the victim's page, and all that follows from it. */
bool report_optional(uint64_t gpa, uint64_t misc)
{
	return inject(0, optional_record(), gpa, misc) && ask("sigbus", "wait") && settle();
}

/* An action required one, which finds the victim in user mode. */
bool report_required(uint64_t gpa, uint64_t misc)
{
	if (!ask("spinning", "spin"))
		return false;
	vm.answer[0] = '\0';
	return inject_in_user_mode(vm.amd ? amd_required : action_required, gpa, misc) &&
	       answer("sigbus");
}

/* The state of the CPU, for the log. */
static void say_registers(void)
{
	const char *reply;

	vm.timed_out = false;
	vm.deadline_ms = now_ms() + LAST_WORDS_MS;
	reply = ask_monitor("info registers");
	if (reply)
		say("registers:\n%s", reply);
}

/*
 * Let the guest boot. Under -icount a spinning vCPU starves the others: QEMU 7.2 gives the
 * next vCPU only the rest of a time slice. In 5.10 and 6.1 the first vCPU spins in
 * schedule() until the second is there. stop and cont rotate them.
 */
static bool boot_rotating_vcpus(void)
{
	while (!vm.answer[0]) {
		usleep(5000);
		if (!qmp("stop", NULL) || !qmp("cont", NULL) || !pump())
			return false;
	}
	return true;
}

/*
 * After an oops that killed a process, the rest of the guest should go on: PID 1 answers,
 * and forks.
 */
static bool survives_oops(void)
{
	vm.oops_over = false;
	vm.timed_out = false;
	vm.deadline_ms = now_ms() + LAST_WORDS_MS;
	vm.prefix = NULL;
	vm.answer[0] = '\0';
	dprintf(vm.console, "alive\n");
	while (!vm.panic && strncmp(vm.answer, "alive ", strlen("alive ")))
		if (!pump())
			break;
	return !vm.panic && strstr(vm.answer, "alive fork=ok");
}

static const char *verdict(bool finished, bool hang)
{
	if (vm.lab_error)
		return "error";
	if (vm.panic)
		return "panic";
	if (vm.oops)
		return "oops";
	if (vm.killed)
		return "killed";
	if (finished)
		return vm.warned ? "warns" : "lives";
	return hang ? "hang" : "error";
}

static void print_verdict(const char *what)
{
	struct json_object *verdict = json_object_new_object();

	json_object_object_add(verdict, "what", json_object_new_string(what));
	json_object_object_add(verdict, "facts", json_object_get(vm.facts));
	say("verdict %s",
	    json_object_to_json_string_ext(verdict, JSON_C_TO_STRING_PLAIN |
					   JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(verdict);
}

/*
 * Run one scenario from boot to the guest's power-off, @limit seconds at most (0: no
 * limit), and print the verdict. What is the status for the shell: 0 when there is a
 * verdict, 1 when it is "error".
 */
int run_scenario(const struct machine *m, const struct scenario *s, const char *kernel,
		 const char *initrd, int limit)
{
	const char *what;
	bool finished, hang, survives = false;

	signal(SIGPIPE, SIG_IGN);
	vm.deadline_ms = limit ? now_ms() + limit * 1000LL : INT64_MAX;
	vm.prefix = "";
	forget_facts();
	vm.step = "boot";
	vm.amd = m->amd;
	vm.local = m->local && !s->broadcast;
	finished = start_qemu(m, s, kernel, initrd) &&
		   qmp("qmp_capabilities", NULL) && (!m->starving || boot_rotating_vcpus()) &&
		   answer("ready") && (!m->amd || ask("poll", "poll 1"));
	if (finished)
		finished = s->run() && proof_of_life();

	hang = vm.timed_out;
	if (hang)
		say_registers();
	if (vm.oops && !vm.panic && !vm.lab_error)
		survives = survives_oops();

	/* a dying guest has more to say: the trace, and QEMU's farewell */
	if (limit && !vm.timed_out && vm.deadline_ms > now_ms() + LAST_WORDS_MS)
		vm.deadline_ms = now_ms() + LAST_WORDS_MS;
	while ((limit || vm.panic || vm.oops) && pump())
		;
	end_qemu();

	what = verdict(finished, hang);
	if (vm.message[0])
		fact("why", "%s", vm.message);
	/* machine checks say where they were taken: of interest when it ends there */
	if (vm.rip[0] && !finished)
		fact("rip", "%s", vm.rip);
	if (vm.fault[0])
		fact("fault", "%s", vm.fault);
	if (!finished)
		fact("at", "%s", vm.step);
	if (!strcmp(what, "oops"))
		fact("survives", "%s", survives ? "yes" : "no");
	print_verdict(what);
	return strcmp(what, "error") ? 0 : 1;
}
