// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMM driver: puts one guest under QEMU, does to it what a scenario says, and
 * tells what became of it.
 *
 *   vmm [-l SECONDS] -m MACHINE -k KERNEL -i INITRD SCENARIO
 *
 * On standard output: the guest's console as it comes, what the driver does
 * ("vmm: ..."), evidence, and as its last line the verdict:
 *
 *   vmm: verdict WHAT key=value ... end
 *
 * (a reader that finds no "end" came while the line was being written). WHAT
 * is lives (and powered off by itself), warns (the same, but the kernel printed
 * a warning), killed (the victim died, the kernel lives), oops, panic, hang
 * (no end in SECONDS), or error (the lab is broken: no statement
 * about the guest). Which of them is right is not decided here but in the table
 * "scenarios". Exit status: 0 when there is a verdict, 1 when it is "error", 2
 * for bad arguments.
 *
 * Without -l nothing in here keeps time: under Bochs the clock that this
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
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE 4096UL
#define MB (1024ULL * 1024)

/*
 * The first 16 MB of the 1:1 map are 4K pages whatever happens, and the kernel's
 * image comes next.
 */
#define ABOVE_4K_MAP (32 * MB)

/* The 1:1 map with four levels: Documentation/arch/x86/x86_64/mm.rst */
#define DIRECT_MAP 0xffff888000000000ULL

/* Behind all memory that any of the guests has. */
#define NO_MEMORY_HERE (64 * 1024 * MB)

/* What scenario clear keeps from the guest's kernel: a page that is not RAM */
#define NOT_RAM (112 * MB)

/* QEMU puts memory devices behind 4 GB when there is less RAM than that. */
#define DIMM_START (4096 * MB)
#define DIMM_SIZE (128 * MB)

/*
 * Records as SDM Vol. 3B has them in "Architecturally Defined SRAO Errors" (the
 * patrol scrubber of a memory controller) and "... SRAR Errors" (data load):
 * MCi_STATUS VAL|UC|EN|MISCV|ADDRV|S with MCACOD 0xc0, and the same with AR and
 * MCACOD 0x134; MCG_STATUS RIPV|MCIP, and with EIPV for what the instruction
 * that was interrupted has done.
 */
struct record {
	uint64_t status, mcgstatus;
	bool local;	/* not broadcast: AMD has none, and QEMU refuses */
};

static const struct record action_optional = { .status = 0xbd000000000000c0ULL, .mcgstatus = 0x5 };
static const struct record action_required = { .status = 0xbd80000000000134ULL, .mcgstatus = 0x7 };

/*
 * A deferred error as in APM Vol. 2, "Machine-Check Status Register": VAL|EN|
 * MISCV|ADDRV|DEFERRED|POISON, as QEMU has it for an AMD guest. No exception.
 */
static const struct record deferred_error = { .status = 0x9c00180000000000ULL, .local = true };

/* MCi_MISC: a physical address, valid from bit 12 or from bit 6 up */
#define MISC_PAGE 0x8cULL
#define MISC_LINE 0x86ULL

#define MCE_BANK 9

/* ACPI 6.5, 6.3.5: source events and status codes of _OST */
enum { OST_DEVICE_CHECK = 1, OST_EJECT_REQUEST = 3 };
enum { OST_SUCCESS = 0, OST_EJECT_IN_PROGRESS = 0x84 };

/* How long one poll() may take: what there is to wait for is an int64_t. */
#define POLL_MS 60000

/* How long a guest that is past the scenario's end may go on talking. */
#define LAST_WORDS_MS 10000

static const char *const microvm[] = {
	"-accel", "kvm",
	"-machine", "microvm,memory-backend=ram,acpi=on,x-option-roms=off",
	NULL,
};

static const struct machine {
	const char *name;
	const char *qemu;
	const char *const *args;
	const char *cpu;
	unsigned int ram_mb;
} machines[] = {
	{
		.name = "microvm",
		.qemu = "qemu-system-x86_64-microvm",
		.args = microvm,
		.cpu = "Haswell-noTSX,-xsave,vendor=GenuineIntel",
		.ram_mb = 128,
	},
	{
		/* succor: QEMU 9.1 and later; KVM does not offer either by itself */
		.name = "amd",
		.qemu = "qemu-system-x86_64-microvm",
		.args = microvm,
		.cpu = "EPYC,-xsave,-rdseed,-sha-ni,+succor,+overflow-recov,x-force-features=on",
		.ram_mb = 128,
	},
	{
		.name = "q35",
		.qemu = "qemu-system-x86_64",
		.args = (const char *const[]){
			"-accel", "tcg",
			"-machine", "q35,memory-backend=ram",
			NULL,
		},
		.cpu = "Haswell-noTSX,vendor=GenuineIntel",
		.ram_mb = 256,
	},
};

struct scenario {
	const char *name;
	bool (*run)(void);
	bool told;	/* QEMU hears of poison at once, and tells the guest */
	unsigned int cpus, ram_mb;	/* 0: one, and as much as the machine has */
	const char *cpu_flags;	/* for the CPU model: ",-flag" */
	const char *kernel_args;
};

#define KERNEL_ARGS \
	"console=ttyS0 panic=-1 printk.devkmsg=on memhp_default_state=online_movable"

/* What is known of the one guest that this process runs. */
static struct {
	pid_t qemu;
	int ram, qmp, console;
	const char *step;	/* where in the scenario we are */
	int64_t deadline_ms;
	char question[128];
	char answer[512];	/* the guest's newest; "" until it comes */
	const char *prefix;	/* of the keys of facts; NULL: keep none */
	char facts[4096];	/* " key=value ..." of all answers so far */
	bool outside, memtype;	/* the kernel said that, see read_console_line() */
	bool panic, oops, warned, killed, powered_off, timed_out, lab_error;
	bool oops_over;
	char message[256], rip[128], fault[32];
	struct json_object *reply;
	int ost_source, ost_status;	/* the guest's newest word on a hotplug */
} vm;

/* ---- saying and finding out */

#define say(fmt, ...) (printf("vmm: " fmt "\n", ##__VA_ARGS__), fflush(stdout))

static bool lab_broken(void)
{
	vm.lab_error = true;
	return false;
}

/* The lab, not the guest, is at fault. It is false, for the caller to return. */
#define broken(fmt, ...) (say("error: " fmt, ##__VA_ARGS__), lab_broken())

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

#define fact(fmt, ...) \
	snprintf(vm.facts + strlen(vm.facts), sizeof(vm.facts) - strlen(vm.facts), \
		 fmt, ##__VA_ARGS__)

/*
 * Copy @from up to any of @stop, unless there is something in @to: the first
 * is the cause, what follows is damage. Spaces become underscores, as facts
 * are separated by spaces.
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

/* Facts are what a table can say beforehand: not where something is. */
static void keep_facts(const char *answer)
{
	static const char *const places[] = { "gpa=", "va=", "addr=" };
	char copy[sizeof(vm.answer)], *save, *word;

	snprintf(copy, sizeof(copy), "%s", answer);
	strtok_r(copy, " ", &save);
	while (vm.prefix && (word = strtok_r(NULL, " ", &save))) {
		bool place = false;

		for (size_t i = 0; i < ARRAY_SIZE(places); i++)
			place |= !strncmp(word, places[i], strlen(places[i]));
		if (!place)
			fact(" %s%s", vm.prefix, word);
	}
}

static void read_console_line(const char *line)
{
	const char *p;

	printf("%s\n", line);
	fflush(stdout);

	p = strstr(line, "mce-guest: ");
	if (p) {
		p += strlen("mce-guest: ");
		snprintf(vm.answer, sizeof(vm.answer), "%s", p);
		keep_facts(p);
		if (!strncmp(p, "victim killed=", strlen("victim killed=")))
			vm.killed = true;
		return;
	}

	/* mm/memory-failure.c, of a pfn without a struct page: until 6.12, and 7.3 */
	vm.outside |= strstr(line, ": memory outside kernel control") ||
		      strstr(line, ": recovery action for non struct page pfn");
	/* arch/x86/mm/pat/memtype.c, of a type that nobody reserved */
	vm.memtype |= !!strstr(line, "freeing invalid memtype");

	p = strstr(line, "Kernel panic - not syncing: ");
	if (p) {
		vm.panic = true;
		/* a machine check says why before it panics */
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
	if (strstr(line, "Oops: "))
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
		broken("QEMU said on QMP what is not JSON: %s", line);
		return;
	}
	if (json_object_object_get_ex(msg, "return", NULL) ||
	    json_object_object_get_ex(msg, "error", NULL)) {
		json_object_put(vm.reply);
		vm.reply = msg;
		return;
	}
	if (json_object_object_get_ex(msg, "event", &event)) {
		say("QEMU event %s", json_object_to_json_string_ext(msg, JSON_C_TO_STRING_PLAIN));
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
	char buf[8192];
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
		s->len = 0;	/* nobody sends lines that long */
	memmove(s->buf, start, s->len + 1);
}

/*
 * Read what QEMU and the guest have to say until there is something new.
 * False when there is nothing more to wait for.
 */
static bool pump(void)
{
	struct pollfd fds[2];
	int64_t left = vm.deadline_ms - now_ms();

	if (vm.lab_error || vm.oops_over)
		return false;
	if (left <= 0) {
		vm.timed_out = true;
		return false;
	}
	if (vm.qmp < 0 && vm.console < 0)
		return false;	/* QEMU is gone */
	for (int i = 0; i < 2; i++)
		fds[i] = (struct pollfd){ .fd = *streams[i].fd, .events = POLLIN };
	if (poll(fds, 2, left < POLL_MS ? left : POLL_MS) < 0 && errno != EINTR)
		return broken("poll: %s", strerror(errno));
	for (int i = 0; i < 2; i++)
		if (fds[i].fd >= 0 && fds[i].revents)
			read_stream(&streams[i]);
	return true;
}

/* ---- QEMU */

/*
 * QEMU asks for early kill, so that it hears of poison in its guest's RAM at
 * once and tells the guest. Where a scenario wants the page gone and nobody
 * told, the prctl() fails for QEMU; it does not mind.
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
		return broken("%u MB for the guest's RAM: %s", ram_mb, strerror(errno));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, q) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c))
		return broken("socketpair: %s", strerror(errno));

	snprintf(ram, sizeof(ram),
		 "memory-backend-file,id=ram,share=on,size=%uM,mem-path=/proc/self/fd/%d",
		 ram_mb, vm.ram);
	snprintf(mem, sizeof(mem), "%uM,slots=2,maxmem=4G", ram_mb);
	snprintf(cpu, sizeof(cpu), "%s%s", m->cpu, s->cpu_flags ? s->cpu_flags : "");
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
		return broken("fork: %s", strerror(errno));
	if (!vm.qemu) {
		/* no QEMU outlives its driver */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(126);
		fcntl(q[1], F_SETFD, 0);
		fcntl(c[1], F_SETFD, 0);
		dup2(STDOUT_FILENO, STDERR_FILENO);
		if (!s->told)
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

/* Run a QMP command; @args is JSON or NULL. The reply's "return", or NULL. */
static struct json_object *qmp(const char *command, const char *args)
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
		broken("QMP %s: %s", text,
		       vm.reply ? json_object_to_json_string(vm.reply) : "no reply");
	json_object_put(msg);
	return value;
}

/* ---- the guest */

/* Wait for the guest's answer @word. */
static bool answer(const char *word)
{
	size_t len = strlen(word);

	while (!vm.answer[0])
		if (!pump())
			return false;
	if (vm.killed)
		return false;
	if (!strncmp(vm.answer, "error ", 6))
		return broken("the guest cannot do it: %s", vm.answer);
	if (strncmp(vm.answer, word, len) || !strchr(" ", vm.answer[len]))
		return broken("the guest answers \"%s\", expected was \"%s\"", vm.answer, word);
	return true;
}

static bool ask_question(const char *word)
{
	vm.answer[0] = '\0';
	vm.step = word;
	say("asks: %s", vm.question);
	dprintf(vm.console, "%s\n", vm.question);
	return answer(word);
}

/* Send the guest a command, and wait for its answer @word. */
#define ask(word, fmt, ...) \
	(snprintf(vm.question, sizeof(vm.question), fmt, ##__VA_ARGS__), ask_question(word))

/* The number that the guest gave for @key in its newest answer. */
static uint64_t answered(const char *key)
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
static bool poison_page(uint64_t gpa)
{
	int status = 0;
	pid_t pid;

	vm.step = "poison";
	if (!in_l1())
		return broken("not in the lab's L1: no poison for the memory of this machine");
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
		return broken("child for MADV_HWPOISON: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return broken("MADV_HWPOISON of gpa %#llx: %s", (unsigned long long)gpa,
			      WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "child died");
	say("poisoned gpa=%#llx", (unsigned long long)gpa);
	return true;
}

/* Run a command of QEMU's human monitor. What it prints, or NULL. */
static const char *ask_monitor(const char *fmt, ...)
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
 * Have QEMU raise a machine check on @cpu that says @gpa is bad, from bit 6 or
 * from bit 12 up (@misc). With several CPUs it goes to all unless it is local, as
 * on Intel machines: the others find nothing in their banks.
 */
static bool inject(int cpu, struct record record, uint64_t gpa, uint64_t misc)
{
	const char *said;

	vm.step = "inject";
	say("injects status=%#llx mcgstatus=%#llx gpa=%#llx misc=%#llx on cpu %d",
	    (unsigned long long)record.status, (unsigned long long)record.mcgstatus,
	    (unsigned long long)gpa, (unsigned long long)misc, cpu);
	said = ask_monitor("mce %s%d %d %#llx %#llx %#llx %#llx",
			   record.local ? "" : "-b ", cpu, MCE_BANK,
			   (unsigned long long)record.status,
			   (unsigned long long)record.mcgstatus,
			   (unsigned long long)gpa, (unsigned long long)misc);
	if (said && said[0])
		return broken("QEMU's mce command: %s", said);
	return said;
}

/*
 * The same while the vCPU is in user mode: an action required record that comes
 * in the kernel, be it in a timer tick, is rightly fatal. One vCPU.
 */
static bool inject_in_user_mode(struct record record, uint64_t gpa, uint64_t misc)
{
	for (;;) {
		const char *registers;

		if (!qmp("stop", NULL))
			return false;
		registers = ask_monitor("info registers");
		if (!registers)
			return false;
		if (strstr(registers, "CPL=3"))
			return inject(0, record, gpa, misc) && qmp("cont", NULL);
		if (!qmp("cont", NULL))
			return false;
	}
}

/*
 * Wait until the guest has done with all records so far that are like @record,
 * the 1:1 map included: SIGBUS comes before that. One more, for an address where
 * no memory is, goes through the same queue (mce_gen_pool_process()). It must
 * not come while the CPU is still at the last one.
 */
static bool settle_after(struct record record)
{
	vm.outside = false;
	if (!ask("here", "here") || !inject(0, record, NO_MEMORY_HERE, MISC_PAGE))
		return false;
	vm.step = "settle";
	while (!vm.outside)
		if (!pump())
			return false;
	return true;
}

static bool settle(void)
{
	return settle_after(action_optional);
}

/*
 * Have QEMU walk the guest's page tables to where the 1:1 map has @gpa. The fact
 * is NAME=mapped or NAME=unmapped.
 */
static bool look_at_direct_map(const char *name, uint64_t gpa)
{
	const char *said = ask_monitor("gva2gpa %#llx", (unsigned long long)(DIRECT_MAP + gpa));
	unsigned long long found;

	if (!said)
		return false;
	say("1:1 map at gpa=%#llx: %s", (unsigned long long)gpa, said);
	if (!strncmp(said, "Unmapped", 8))
		fact(" %s=unmapped", name);
	else if (sscanf(said, "gpa: %llx", &found) == 1 && found == gpa)
		fact(" %s=mapped", name);
	else
		return broken("QEMU's gva2gpa command: %s", said);
	return true;
}

/*
 * Wait until the guest's ACPI code is through with the DIMM. It tells by _OST
 * (ACPI 6.5, 6.3.5): what it was about, and how it ended. QEMU's own
 * DEVICE_DELETED comes too early: the guest looks once more whether the slot
 * is empty, and gives up on one where the next DIMM is already in.
 */
static bool hotplug(int source, const char *command, const char *args)
{
	vm.ost_source = 0;
	if (!qmp(command, args))
		return false;
	while (vm.ost_source != source || vm.ost_status != OST_SUCCESS) {
		if (vm.ost_source == source && vm.ost_status != OST_EJECT_IN_PROGRESS)
			return broken("the guest's answer to %s is _OST status %#x", command,
				      vm.ost_status);
		if (!pump())
			return false;
	}
	return true;
}

static bool plug_dimm(void)
{
	char backend[128], dimm[128];

	vm.step = "plug";
	snprintf(backend, sizeof(backend),
		 "{\"qom-type\":\"memory-backend-ram\",\"id\":\"mem1\",\"size\":%llu}", DIMM_SIZE);
	snprintf(dimm, sizeof(dimm),
		 "{\"driver\":\"pc-dimm\",\"id\":\"dimm1\",\"memdev\":\"mem1\",\"addr\":%llu}",
		 DIMM_START);
	return qmp("object-add", backend) && hotplug(OST_DEVICE_CHECK, "device_add", dimm);
}

static bool unplug_dimm(void)
{
	vm.step = "unplug";
	return hotplug(OST_EJECT_REQUEST, "device_del", "{\"id\":\"dimm1\"}") &&
	       qmp("object-del", "{\"id\":\"mem1\"}");
}

/* The guest proves that it lives, and powers off by itself. */
static bool proof_of_life(void)
{
	if (!ask("alive", "alive") || !ask("off", "off"))
		return false;
	vm.step = "power-off";
	while (!vm.powered_off)
		if (!pump())
			return false;
	return true;
}

/* ---- the scenarios */

/* A victim that owns a page of @kind at or above @min, at @gpa. */
static bool victim_has_above(uint64_t min, const char *kind, uint64_t *gpa)
{
	if (!ask("map", "map %#llx %s", (unsigned long long)min, kind))
		return false;
	*gpa = answered("gpa=");
	return true;
}

static bool victim_has(const char *kind, uint64_t *gpa)
{
	return victim_has_above(ABOVE_4K_MAP, kind, gpa);
}

/* An action optional record for the victim's page, and all that follows from it. */
static bool report_optional(uint64_t gpa, uint64_t misc)
{
	return inject(0, action_optional, gpa, misc) && ask("sigbus", "wait") && settle();
}

/* An action required one, which finds the victim in user mode. */
static bool report_required(uint64_t gpa, uint64_t misc)
{
	if (!ask("spinning", "spin"))
		return false;
	vm.answer[0] = '\0';
	return inject_in_user_mode(action_required, gpa, misc) && answer("sigbus");
}

/* Action optional: the VMM tells at once, the process asked to be told. */
static bool ao_page(void)
{
	uint64_t gpa;

	return victim_has("anon early", &gpa) && poison_page(gpa) &&
	       ask("sigbus", "wait") &&
	       settle() && look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

/* The page is gone, and the record says that a cache line is bad. */
static bool ao_line(void)
{
	uint64_t gpa;

	return victim_has("anon early", &gpa) && poison_page(gpa) &&
	       report_optional(gpa, MISC_LINE) &&
	       look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

/* Action required: nobody knows until the guest's user space uses the page. */
static bool ar(const char *kind, const char *use)
{
	uint64_t gpa;

	return victim_has(kind, &gpa) && poison_page(gpa) && ask("sigbus", "%s", use) &&
	       look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

static bool ar_load(void)
{
	return ar("anon", "load");
}

static bool ar_exec(void)
{
	return ar("exec", "jump");
}

static bool ar_line(void)
{
	uint64_t gpa;

	return victim_has("anon", &gpa) && poison_page(gpa) && report_required(gpa, MISC_LINE) &&
	       look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

/* It is the kernel that loads from the user's page. */
static bool copyin(void)
{
	uint64_t gpa;

	return victim_has("anon", &gpa) && poison_page(gpa) && ask("write", "write") &&
	       look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

/*
 * The kernel accesses @gpa through the 1:1 map, in a page that is offlined: @param
 * says how, see hook/hook.c.
 */
static bool access_direct_map(const char *param, uint64_t gpa)
{
	return look_at_direct_map("direct", gpa) &&
	       ask("stray", "hook %s=%#llx", param, (unsigned long long)gpa) &&
	       ask("gone", "leave");
}

static bool stray(const char *kind, const char *param, uint64_t offset)
{
	uint64_t gpa;

	return victim_has(kind, &gpa) && poison_page(gpa) && ask("sigbus", "load") &&
	       access_direct_map(param, gpa + offset);
}

static bool stray_zeropad(void)
{
	return stray("anon", "zeropad", 0);
}

static bool stray_nofault(void)
{
	return stray("anon", "nofault", 0);
}

/* All of the page is gone, and the record said that a cache line is bad. */
static bool stray_line(void)
{
	uint64_t gpa;

	return victim_has("anon early", &gpa) && poison_page(gpa) &&
	       report_optional(gpa, MISC_LINE) && access_direct_map("zeropad", gpa);
}

/* A page of a folio that memory_failure() marks as a whole. */
static bool stray_hugetlb(void)
{
	return stray("hugetlb", "nofault", 0);
}

/* It is the kernel that has the bad page, and copies it to user space. */
static bool stray_copyout(void)
{
	return stray("anon", "copyout", 0);
}

static bool stray_load(void)
{
	return stray("anon", "load", 0x123);
}

static bool stray_wanted(void)
{
	return stray("anon", "wanted", 0x7fd);
}

/* The same as stray-zeropad, by what any user can do. */
static bool stray_path(void)
{
	uint64_t gpa;

	if (!ask("links", "links"))
		return false;
	gpa = answered("gpa=");
	return poison_page(gpa) && inject(0, action_optional, gpa, MISC_PAGE) && settle() &&
	       look_at_direct_map("direct", gpa) && ask("follow", "follow") &&
	       ask("gone", "leave");
}

/* One fact of a SIGBUS: NAME=CODE:LSB, or with :elsewhere when it is not about the page. */
static void note_sigbus(const char *when, const char *kind)
{
	const char *code = strstr(vm.answer, "code=") ?: "code=none";

	code += strlen("code=");
	fact(" %s.%s=%.*s:%d%s", when, kind, (int)strcspn(code, " "), code, (int)answered("lsb="),
	     strstr(vm.answer, "addr_match=yes") ? "" : ":elsewhere");
}

/*
 * Every kind of page, told of (what a process that asked for early kill gets) and
 * not told of (what it gets when it loads from the page).
 */
static bool kinds(void)
{
	static const char *const all[] = {
		"anon", "mlock", "thp", "hugetlb", "shmem", "dirty",
	};
	uint64_t gpa;

	vm.prefix = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		char early[32];

		snprintf(early, sizeof(early), "%s early", all[i]);
		if (!victim_has_above(0, early, &gpa) || !poison_page(gpa) ||
		    !inject(0, action_optional, gpa, MISC_PAGE) || !ask("sigbus", "wait"))
			return false;
		note_sigbus("ao", all[i]);
		if (!settle() || !ask("gone", "leave") ||
		    !victim_has_above(0, all[i], &gpa) || !poison_page(gpa) ||
		    !ask("sigbus", "load"))
			return false;
		note_sigbus("ar", all[i]);
		if (!ask("gone", "leave"))
			return false;
	}

	/* a clean page of the page cache is on the disk as well: no SIGBUS, read again */
	if (!victim_has_above(0, "clean early", &gpa) || !poison_page(gpa) ||
	    !inject(0, action_optional, gpa, MISC_PAGE) || !settle() ||
	    !ask("value", "load"))
		return false;
	fact(" ao.clean=%s", answered("byte=") == 0x5a ? "reread" : "lost");
	if (!ask("gone", "leave") || !victim_has_above(0, "clean", &gpa) || !poison_page(gpa) ||
	    !ask("value", "load"))
		return false;
	fact(" ar.clean=%s", answered("byte=") == 0x5a ? "reread" : "lost");
	vm.prefix = "";
	return ask("gone", "leave");
}

/* The bad page sits on a DIMM that is replaced by a healthy one. */
static bool replug(void)
{
	uint64_t gpa;

	/* in the middle, so that what touches it next is the filling below */
	if (!plug_dimm() || !ask("map", "map %#llx anon early", DIMM_START + DIMM_SIZE / 2))
		return false;
	gpa = answered("gpa=");
	return inject(0, action_optional, gpa, MISC_PAGE) &&
	       ask("sigbus", "wait") &&
	       ask("gone", "leave") &&
	       unplug_dimm() && plug_dimm() &&
	       ask("fill", "fill %#llx %#llx %#llx", DIMM_START, DIMM_SIZE,
		   (unsigned long long)gpa);
}

/* Whether the guest's newest answer is the SIGBUS that a page of 4K should get. */
static bool is_sigbus(const char *code_lsb)
{
	return strstr(vm.answer, code_lsb) && strstr(vm.answer, " addr_match=yes");
}

/*
 * The kernel's page tables, before and after one bad page after the other, of
 * which the process is @told, or learns when it loads.
 */
static bool many_pages(bool told, const char *signal)
{
	const int wanted = 512;
	int signals = 0;

	vm.prefix = "before.";
	if (!ask("spread", "spread %d %#llx", wanted, ABOVE_4K_MAP) || !ask("tables", "tables 0"))
		return false;
	vm.prefix = NULL;
	for (int i = 0; i < wanted; i++) {
		uint64_t gpa;

		if (!ask("map", "next"))
			return false;
		gpa = answered("gpa=");
		if (!poison_page(gpa) || !ask("sigbus", told ? "wait" : "load"))
			return false;
		signals += is_sigbus(signal);
	}
	fact(" signals=%d", signals);
	vm.prefix = "after.";
	if ((told && !settle()) || !ask("tables", "tables 0"))
		return false;
	vm.prefix = "";
	return ask("gone", "leave");
}

static bool many(void)
{
	return many_pages(true, "code=BUS_MCEERR_AO lsb=12 ");
}

/* The poller finds deferred errors: once a second is too rare for so many. */
static bool many_required(void)
{
	return many_pages(false, "code=BUS_MCEERR_AR lsb=12 ");
}

/*
 * AMD's action optional: no exception, the kernel finds it when it looks into
 * the banks.
 */
static bool deferred(void)
{
	uint64_t gpa;

	return ask("poll", "poll 1") && victim_has("anon early", &gpa) && poison_page(gpa) &&
	       ask("sigbus", "wait") && settle_after(deferred_error) &&
	       look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

/* Machine checks that go to all vCPUs, while all are busy. */
static bool smp(void)
{
	int optional = 0, required = 0;

	vm.prefix = "";
	if (!ask("busy", "busy 4"))
		return false;
	for (int cpu = 0; cpu < 4; cpu++) {
		uint64_t gpa;

		/* without a machine check in between: what the lab itself takes */
		vm.prefix = "quiet.";
		if (!ask("stalls", "stalls") || !victim_has("anon early", &gpa) ||
		    !ask("stalls", "stalls"))
			return false;
		vm.prefix = "ao.";
		if (!poison_page(gpa) || !inject(cpu, action_optional, gpa, MISC_PAGE) ||
		    !ask("sigbus", "wait"))
			return false;
		optional += is_sigbus("code=BUS_MCEERR_AO lsb=12 ");
		if (!ask("stalls", "stalls") || !ask("gone", "leave"))
			return false;
		vm.prefix = "ar.";
		if (!victim_has("anon", &gpa) || !poison_page(gpa) || !ask("sigbus", "load"))
			return false;
		required += is_sigbus("code=BUS_MCEERR_AR lsb=12 ");
		if (!ask("stalls", "stalls") || !ask("gone", "leave"))
			return false;
	}
	vm.prefix = "";
	fact(" ao.signals=%d ar.signals=%d", optional, required);
	return settle() && ask("calm", "calm");
}

/* Without the hypervisor bit: each record takes its page out of the 1:1 map. */
static bool bare(void)
{
	static const struct {
		const char *name, *kind;
		bool (*report)(uint64_t gpa, uint64_t misc);
		uint64_t misc;
	} all[] = {
		{ "ao-page", "anon early", report_optional, MISC_PAGE },
		{ "ao-line", "anon early", report_optional, MISC_LINE },
		{ "ar-page", "anon", report_required, MISC_PAGE },
		{ "ar-line", "anon", report_required, MISC_LINE },
	};
	static char name[32], prefix[32];
	uint64_t gpa;

	vm.prefix = "before.";
	if (!ask("tables", "tables 0"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		snprintf(name, sizeof(name), "%s.direct", all[i].name);
		snprintf(prefix, sizeof(prefix), "%s.", all[i].name);
		vm.prefix = prefix;
		if (!victim_has(all[i].kind, &gpa) || !all[i].report(gpa, all[i].misc) ||
		    !look_at_direct_map(name, gpa) ||
		    !ask("tables", "tables %#llx", (unsigned long long)gpa) ||
		    !ask("gone", "leave"))
			return false;
	}
	vm.prefix = "";
	return true;
}

/* What was never taken out is put back: of a page of RAM, and of another. */
static bool clear_nospec(void)
{
	uint64_t gpa;

	if (!victim_has("anon early", &gpa) || !report_optional(gpa, MISC_PAGE) ||
	    !ask("clear", "hook clear_pfn=%#llx", (unsigned long long)gpa / PAGE) ||
	    !look_at_direct_map("direct", gpa) ||
	    !ask("clear", "hook clear_pfn=%#llx", NOT_RAM / PAGE) || !ask("gone", "leave"))
		return false;
	fact(" memtype=%s", vm.memtype ? "complained" : "quiet");
	return true;
}

static const struct scenario scenarios[] = {
	{ .name = "ao-page", .run = ao_page, .told = true },
	{ .name = "ao-line", .run = ao_line },
	{ .name = "ar-load", .run = ar_load },
	{ .name = "ar-exec", .run = ar_exec },
	{ .name = "ar-line", .run = ar_line },
	{ .name = "copyin", .run = copyin },
	{ .name = "stray-zeropad", .run = stray_zeropad },
	{ .name = "stray-nofault", .run = stray_nofault },
	{ .name = "stray-copyout", .run = stray_copyout },
	{ .name = "stray-line", .run = stray_line },
	{ .name = "stray-hugetlb", .run = stray_hugetlb },
	{ .name = "stray-load", .run = stray_load },
	{ .name = "stray-wanted", .run = stray_wanted },
	{ .name = "stray-path", .run = stray_path, .cpus = 2 },
	{ .name = "kinds", .run = kinds },
	{ .name = "replug", .run = replug, .told = true },
	{ .name = "many", .run = many, .told = true, .ram_mb = 1344 },
	{ .name = "amd-ar-load", .run = ar_load },
	{ .name = "amd-deferred", .run = deferred, .told = true },
	{ .name = "amd-stray-zeropad", .run = stray_zeropad },
	{ .name = "amd-stray-nofault", .run = stray_nofault },
	{ .name = "amd-many", .run = many_required, .ram_mb = 1344 },
	{ .name = "smp", .run = smp, .cpus = 4 },
	{ .name = "bare", .run = bare, .told = true, .cpu_flags = ",-hypervisor" },
	{ .name = "clear", .run = clear_nospec, .told = true,
	  .kernel_args = "memmap=1M$112M" /* NOT_RAM */ },
};

/* What the CPU was doing, for the log: nobody can ask later. */
static void say_registers(void)
{
	const char *said;

	vm.timed_out = false;
	vm.deadline_ms = now_ms() + LAST_WORDS_MS;
	said = ask_monitor("info registers");
	if (said)
		say("registers:\n%s", said);
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

static void bad_arguments(void)
{
	fprintf(stderr, "usage: vmm [-l SECONDS] -m MACHINE -k KERNEL -i INITRD SCENARIO\n"
			"machines:");
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		fprintf(stderr, " %s", machines[i].name);
	fprintf(stderr, "\nscenarios:");
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		fprintf(stderr, " %s", scenarios[i].name);
	fputc('\n', stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	const char *kernel = NULL, *initrd = NULL, *what;
	const struct scenario *s = NULL;
	const struct machine *m = NULL;
	int opt, limit = 0;
	bool finished, hang;

	while ((opt = getopt(argc, argv, "l:m:k:i:")) != -1) {
		switch (opt) {
		case 'l':
			limit = atoi(optarg);
			if (limit <= 0)
				bad_arguments();
			break;
		case 'm':
			for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
				if (!strcmp(optarg, machines[i].name))
					m = &machines[i];
			break;
		case 'k':
			kernel = optarg;
			break;
		case 'i':
			initrd = optarg;
			break;
		default:
			bad_arguments();
		}
	}
	for (size_t i = 0; optind < argc && i < ARRAY_SIZE(scenarios); i++)
		if (!strcmp(argv[optind], scenarios[i].name))
			s = &scenarios[i];
	if (!s || !m || !kernel || !initrd)
		bad_arguments();

	signal(SIGPIPE, SIG_IGN);
	vm.deadline_ms = limit ? now_ms() + limit * 1000LL : INT64_MAX;
	vm.prefix = "";
	vm.qmp = -1;
	vm.console = -1;
	vm.step = "boot";
	finished = start_qemu(m, s, kernel, initrd) &&
		   qmp("qmp_capabilities", NULL) && answer("ready");
	if (finished)
		finished = s->run() && proof_of_life();

	hang = vm.timed_out;
	if (hang)
		say_registers();

	/* a dying guest has more to say: the trace, and QEMU's farewell */
	if (limit && !vm.timed_out && vm.deadline_ms > now_ms() + LAST_WORDS_MS)
		vm.deadline_ms = now_ms() + LAST_WORDS_MS;
	while ((limit || vm.panic || vm.oops) && pump())
		;
	if (vm.qemu > 0) {
		kill(vm.qemu, SIGKILL);
		waitpid(vm.qemu, NULL, 0);
	}

	what = verdict(finished, hang);
	if (vm.message[0])
		fact(" why=%s", vm.message);
	/* machine checks say where they were taken: of interest when it ends there */
	if (vm.rip[0] && !finished)
		fact(" rip=%s", vm.rip);
	if (vm.fault[0])
		fact(" fault=%s", vm.fault);
	if (!finished)
		fact(" at=%s", vm.step);
	say("verdict %s%s end", what, vm.facts);
	return strcmp(what, "error") ? 0 : 1;
}
