// SPDX-License-Identifier: GPL-2.0-only
/*
 * Start and end QEMU, send it QMP commands, and read its two streams: QMP and the guest's
 * console.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "vmm.h"

/* The longest poll(): its timeout is an int, but the deadline an int64_t. */
#define POLL_MS 60000

/*
 * quiet: each character on the console is an exit to L1, and messages would take half of the
 * boot time. The guest's init sets its own level. nokaslr: CONFIG_RANDOMIZE_MEMORY, which
 * distributions enable, would move the direct map in each boot.
 */
#define KERNEL_ARGS \
	"console=ttyS0 quiet panic=-1 nokaslr printk.devkmsg=on " \
	"memhp_default_state=online_movable"

int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void read_qmp_line(const char *line)
{
	struct json_object *msg = json_tokener_parse(line);
	struct json_object *event, *reason, *source, *status;

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
	if (!json_pointer_get(msg, "/event", &event)) {
		const char *name = json_object_get_string(event);

		if (!vm.silent)
			say("QEMU event %s",
			    json_object_to_json_string_ext(msg, JSON_C_TO_STRING_PLAIN));
		vm.reset |= !strcmp(name, "RESET");
		vm.powered_off |= !strcmp(name, "SHUTDOWN") &&
				  !json_pointer_get(msg, "/data/reason", &reason) &&
				  !strcmp(json_object_get_string(reason), "guest-shutdown");
		if (!strcmp(name, "ACPI_DEVICE_OST") &&
		    !json_pointer_get(msg, "/data/info/source", &source) &&
		    !json_pointer_get(msg, "/data/info/status", &status)) {
			vm.ost_source = json_object_get_int(source);
			vm.ost_status = json_object_get_int(status);
		}
	}
	json_object_put(msg);	/* an event, or the greeting */
}

/* A stream of lines: a terminal, and the part of its last line that has been read */
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
			return lab_error("QEMU has exited");
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		if (streams[i].fd == &vm.console)
			streams[i].len = 0;
	return true;
}

/*
 * Wait until QEMU or the guest has sent something, and handle it. Return false if there is
 * nothing more to wait for.
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
		return false;	/* QEMU has exited */
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		fds[i] = (struct pollfd){ .fd = *streams[i].fd, .events = POLLIN };
	if (poll(fds, ARRAY_SIZE(fds), left < POLL_MS ? left : POLL_MS) < 0 && errno != EINTR)
		return lab_error("poll: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++)
		if (fds[i].fd >= 0 && fds[i].revents)
			read_stream(&streams[i]);
	return true;
}

/*
 * Make a terminal that changes no character, and return one end of it, or -1. QEMU gets the
 * other, @qemu. L1's kernel need not have sockets.
 */
static int open_terminal(int *qemu)
{
	struct termios raw;
	int fd;

	if (openpty(&fd, qemu, NULL, NULL, NULL))
		return -1;
	if (tcgetattr(*qemu, &raw))
		return -1;
	cfmakeraw(&raw);
	return tcsetattr(*qemu, TCSANOW, &raw) || fcntl(fd, F_SETFD, FD_CLOEXEC) ? -1 : fd;
}

bool start_qemu(const struct machine *m, const struct scenario *s, const char *kernel,
		const char *initrd)
{
	char ram[128], mem[64], qmp[64], console[64], cpu[128], smp[16], append[256];
	const char *argv[64] = {
		m->qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-object", ram, "-m", mem, "-cpu", cpu, "-smp", smp,
		"-chardev", qmp, "-mon", "chardev=qmp,mode=control",
		"-chardev", console, "-serial", "chardev:console",
		"-kernel", kernel, "-initrd", initrd, "-append", append,
	};
	unsigned int ram_mb = s->ram_mb ?: m->ram_mb;
	pid_t parent = getpid();
	int n = 0, q, c;

	vm.ram = memfd_create("guest-ram", 0);
	if (vm.ram < 0 || ftruncate(vm.ram, ram_mb * MB))
		return lab_error("%u MB for the guest's RAM: %s", ram_mb, strerror(errno));
	vm.qmp = open_terminal(&q);
	vm.console = open_terminal(&c);
	if (vm.qmp < 0 || vm.console < 0)
		return lab_error("terminal: %s", strerror(errno));

	snprintf(ram, sizeof(ram),
		 "memory-backend-file,id=ram,share=on,size=%uM,mem-path=/proc/self/fd/%d",
		 ram_mb, vm.ram);
	snprintf(mem, sizeof(mem), "%uM,slots=2,maxmem=%uM", ram_mb,
		 ram_mb < 4096 ? 4096 : ram_mb + 1024);
	snprintf(cpu, sizeof(cpu), "%s%s%s", m->cpu, s->cpu_flags ?: "",
		 m->local && s->broadcast ? ",lmce=off" : "");
	snprintf(smp, sizeof(smp), "%u", s->cpus ?: 1);
	snprintf(append, sizeof(append), "%s %s", KERNEL_ARGS, s->kernel_args ?: "");
	snprintf(qmp, sizeof(qmp), "pipe,id=qmp,path=/proc/self/fd/%d", q);
	snprintf(console, sizeof(console), "pipe,id=console,path=/proc/self/fd/%d", c);
	while (argv[n])
		n++;
	for (const char *const *arg = m->args; *arg; arg++)
		argv[n++] = *arg;

	vm.qemu = fork();
	if (vm.qemu < 0)
		return lab_error("fork: %s", strerror(errno));
	if (!vm.qemu) {
		/* no QEMU outlives its driver */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(126);
		dup2(STDOUT_FILENO, STDERR_FILENO);
		if (!s->reported && m->nested)
			setenv("LD_PRELOAD", "/lib/no-early-kill.so", 1);
		execvp(argv[0], (char *const *)argv);
		printf("vmm: error: cannot start %s: %s\n", argv[0], strerror(errno));
		fflush(stdout);
		_exit(127);
	}
	close(q);
	close(c);
	return true;
}

void end_qemu(void)
{
	if (vm.qemu > 0) {
		kill(vm.qemu, SIGKILL);
		waitpid(vm.qemu, NULL, 0);
	}
	vm.qemu = 0;
}

/* Run a QMP command; @args is JSON or NULL. Returns the reply's "return", or NULL. */
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
	/* without a reply, the lab is not at fault if the guest has died or hangs */
	if (vm.reply ? !json_object_object_get_ex(vm.reply, "return", &value) :
		       !vm.panic && !vm.oops && !vm.timed_out)
		lab_error("QMP %s: %s", text,
			  vm.reply ? json_object_to_json_string(vm.reply) : "no reply");
	json_object_put(msg);
	return value;
}

/*
 * Has QEMU asked for early kill? Then it gets a SIGBUS as soon as its guest's RAM is poisoned,
 * and reports that to the guest. The flags are those of include/linux/sched.h.
 */
static bool asked_for_early_kill(void)
{
	enum { MCE_PROCESS = 0x80, MCE_EARLY = 0x08000000 };
	unsigned int flags = 0;
	char path[32];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", vm.qemu);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		lab_error("%s: %s", path, strerror(errno));
	if (f)
		fclose(f);
	return flags & MCE_PROCESS && flags & MCE_EARLY;
}

/* Start to use QMP. In L1, QEMU must report poison if, and only if, the scenario has it so. */
bool begin_qmp(const struct machine *m, const struct scenario *s)
{
	if (!qmp("qmp_capabilities", NULL))
		return false;
	if (m->nested && asked_for_early_kill() != s->reported)
		return lab_error("QEMU %s for early kill, see no-early-kill.c",
				 s->reported ? "has not asked" : "has asked");
	return true;
}

/* Run a command of QEMU's human monitor. Returns what it prints, or NULL. */
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
