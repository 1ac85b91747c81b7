// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMM driver: puts one guest under QEMU, does to it what a scenario says, and
 * tells what became of it.
 *
 *   vmm [-l SECONDS] -k KERNEL -i INITRD SCENARIO
 *
 * On standard output: the guest's console as it comes, what the driver does
 * ("vmm: ..."), evidence, and as its last line the verdict:
 *
 *   vmm: verdict WHAT key=value ... end
 *
 * (a reader that finds no "end" came while the line was being written). WHAT
 * is lives (and powered off by itself), warns (the same, but the kernel printed
 * a warning), killed (the victim died, the kernel lives), oops, panic, hang
 * (nothing more came in SECONDS), or error (the lab is broken: no statement
 * about the guest). Which of them is right is not decided here but in the table
 * "scenarios". Exit status: 0 when there is a verdict, 1 when it is "error", 2
 * for bad arguments.
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

/* The first 16 MB of the 1:1 map are 4K pages whatever happens. */
#define ABOVE_4K_MAP (16 * MB)

/* QEMU puts memory devices behind 4 GB when there is less RAM than that. */
#define DIMM_START (4096 * MB)
#define DIMM_SIZE (128 * MB)

/*
 * An action optional record as a memory controller's patrol scrubber sends it
 * (SDM Vol. 3B, "Architecturally Defined SRAO Errors"): MCi_STATUS
 * VAL|UC|EN|MISCV|ADDRV|S, MCACOD 0xc0; MCi_MISC physical address, valid from
 * bit 12 up; MCG_STATUS RIPV|MCIP.
 */
#define AO_STATUS 0xbd000000000000c0ULL
#define AO_MCGSTATUS 0x5ULL
#define MISC_PAGE 0x8cULL
#define MCE_BANK 9

/* ACPI 6.5, 6.3.5: source events and status codes of _OST */
enum { OST_DEVICE_CHECK = 1, OST_EJECT_REQUEST = 3 };
enum { OST_SUCCESS = 0, OST_EJECT_IN_PROGRESS = 0x84 };

/* How long a guest that is past the scenario's end may go on talking. */
#define LAST_WORDS_MS 10000

struct machine {
	const char *qemu;
	const char *const *args;
	unsigned int ram_mb;
};

static const struct machine microvm_kvm = {
	.qemu = "qemu-system-x86_64-microvm",
	.ram_mb = 128,
	.args = (const char *const[]){
		"-accel", "kvm",
		"-cpu", "Haswell-noTSX,-xsave,vendor=GenuineIntel",
		"-machine", "microvm,memory-backend=ram,acpi=on,x-option-roms=off",
		NULL,
	},
};

static const struct machine q35_tcg = {
	.qemu = "qemu-system-x86_64",
	.ram_mb = 256,
	.args = (const char *const[]){
		"-accel", "tcg",
		"-cpu", "Haswell-noTSX,vendor=GenuineIntel",
		"-machine", "q35,memory-backend=ram",
		NULL,
	},
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
	char facts[2048];	/* " key=value ..." of all answers so far */
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

static void read_console_line(const char *line)
{
	const char *p;

	printf("%s\n", line);
	fflush(stdout);

	p = strstr(line, "mce-guest: ");
	if (p) {
		p += strlen("mce-guest: ");
		snprintf(vm.answer, sizeof(vm.answer), "%s", p);
		if (strchr(p, ' '))
			fact("%s", strchr(p, ' '));
		if (!strncmp(p, "victim killed=", strlen("victim killed=")))
			vm.killed = true;
		return;
	}

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
	p = strstr(line, "RIP ");
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
	if (poll(fds, 2, left) < 0 && errno != EINTR)
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

static bool start_qemu(const struct machine *m, const char *kernel, const char *initrd, bool told)
{
	const char *argv[64];
	char ram[128], mem[64], qmp[64], console[64];
	int n = 0, q[2], c[2];
	pid_t parent = getpid();

	vm.ram = memfd_create("guest-ram", 0);
	if (vm.ram < 0 || ftruncate(vm.ram, m->ram_mb * MB))
		return broken("%u MB for the guest's RAM: %s", m->ram_mb, strerror(errno));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, q) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c))
		return broken("socketpair: %s", strerror(errno));

	snprintf(ram, sizeof(ram),
		 "memory-backend-file,id=ram,share=on,size=%uM,mem-path=/proc/self/fd/%d",
		 m->ram_mb, vm.ram);
	snprintf(mem, sizeof(mem), "%uM,slots=2,maxmem=1G", m->ram_mb);
	snprintf(qmp, sizeof(qmp), "socket,id=qmp,fd=%d", q[1]);
	snprintf(console, sizeof(console), "socket,id=console,fd=%d", c[1]);

	argv[n++] = m->qemu;
	for (const char *const *arg = m->args; *arg; arg++)
		argv[n++] = *arg;
	for (const char *const *arg = (const char *const[]){
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-object", ram, "-m", mem,
		"-chardev", qmp, "-mon", "chardev=qmp,mode=control",
		"-chardev", console, "-serial", "chardev:console",
		"-kernel", kernel, "-initrd", initrd, "-append", KERNEL_ARGS,
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
		if (!told)
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

/* Have QEMU raise a machine check that says gpa is bad. */
static bool inject(uint64_t status, uint64_t mcgstatus, uint64_t gpa, uint64_t misc)
{
	char args[256];
	struct json_object *said;

	vm.step = "inject";
	snprintf(args, sizeof(args),
		 "{\"command-line\":\"mce 0 %d %#llx %#llx %#llx %#llx\"}", MCE_BANK,
		 (unsigned long long)status, (unsigned long long)mcgstatus,
		 (unsigned long long)gpa, (unsigned long long)misc);
	say("injects %s", args);
	said = qmp("human-monitor-command", args);
	if (said && json_object_get_string_len(said))
		return broken("QEMU's mce command: %s", json_object_get_string(said));
	return said;
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

/* Action optional: the VMM tells at once, the process asked to be told. */
static bool ao_page(void)
{
	return ask("map", "map %#llx early", ABOVE_4K_MAP) &&
	       poison_page(answered("gpa=")) &&
	       ask("sigbus", "wait") &&
	       ask("gone", "leave");
}

/* Action required: nobody knows until the guest's user space loads from it. */
static bool ar_load(void)
{
	return ask("map", "map %#llx", ABOVE_4K_MAP) &&
	       poison_page(answered("gpa=")) &&
	       ask("sigbus", "load") &&
	       ask("gone", "leave");
}

/* The bad page sits on a DIMM that is replaced by a healthy one. */
static bool replug(void)
{
	uint64_t gpa;

	/* in the middle, so that what touches it next is the filling below */
	if (!plug_dimm() || !ask("map", "map %#llx early", DIMM_START + DIMM_SIZE / 2))
		return false;
	gpa = answered("gpa=");
	return inject(AO_STATUS, AO_MCGSTATUS, gpa, MISC_PAGE) &&
	       ask("sigbus", "wait") &&
	       ask("gone", "leave") &&
	       unplug_dimm() && plug_dimm() &&
	       ask("fill", "fill %#llx %#llx %#llx", DIMM_START, DIMM_SIZE,
		   (unsigned long long)gpa);
}

static const struct scenario {
	const char *name;
	const struct machine *machine;
	bool told;	/* QEMU hears of poison before the guest touches it */
	bool (*run)(void);
} scenarios[] = {
	{ "ao-page", &microvm_kvm, true, ao_page },
	{ "ar-load", &microvm_kvm, false, ar_load },
	{ "replug", &q35_tcg, true, replug },
};

/* What the CPU was doing, for the log: nobody can ask later. */
static void say_registers(void)
{
	struct json_object *said;

	vm.timed_out = false;
	vm.deadline_ms = now_ms() + LAST_WORDS_MS;
	said = qmp("human-monitor-command", "{\"command-line\":\"info registers\"}");
	if (said)
		say("registers:\n%s", json_object_get_string(said));
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
	fprintf(stderr, "usage: vmm [-l SECONDS] -k KERNEL -i INITRD SCENARIO\nscenarios:");
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		fprintf(stderr, " %s", scenarios[i].name);
	fputc('\n', stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	const char *kernel = NULL, *initrd = NULL, *what;
	const struct scenario *s = NULL;
	int opt, limit = 120;
	bool finished, hang;

	while ((opt = getopt(argc, argv, "l:k:i:")) != -1) {
		switch (opt) {
		case 'l':
			limit = atoi(optarg);
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
	if (!s || !kernel || !initrd || limit <= 0)
		bad_arguments();

	signal(SIGPIPE, SIG_IGN);
	vm.deadline_ms = now_ms() + limit * 1000LL;
	vm.qmp = -1;
	vm.console = -1;
	vm.step = "boot";
	finished = start_qemu(s->machine, kernel, initrd, s->told) &&
		   qmp("qmp_capabilities", NULL) && answer("ready");
	if (finished)
		finished = s->run() && proof_of_life();

	hang = vm.timed_out;
	if (hang)
		say_registers();

	/* a dying guest has more to say: the trace, and QEMU's farewell */
	if (!vm.timed_out && vm.deadline_ms > now_ms() + LAST_WORDS_MS)
		vm.deadline_ms = now_ms() + LAST_WORDS_MS;
	while (pump())
		;
	if (vm.qemu > 0) {
		kill(vm.qemu, SIGKILL);
		waitpid(vm.qemu, NULL, 0);
	}

	what = verdict(finished, hang);
	if (vm.message[0])
		fact(" why=%s", vm.message);
	if (vm.rip[0])
		fact(" rip=%s", vm.rip);
	if (vm.fault[0])
		fact(" fault=%s", vm.fault);
	if (!finished)
		fact(" at=%s", vm.step);
	say("verdict %s%s end", what, vm.facts);
	return strcmp(what, "error") ? 0 : 1;
}
