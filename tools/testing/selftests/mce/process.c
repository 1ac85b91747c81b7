// SPDX-License-Identifier: GPL-2.0-only
/*
 * The victim's process, as PID 1 handles it: start it, forward commands to it, and reap it.
 * Commands go through one pipe. The victim writes a byte to another pipe after each.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

/* Documentation/admin-guide/tainted-kernels.rst */
#define TAINT_DIE 0x80

pid_t victim;
static int to_victim, from_victim;
static int done_fd;	/* the victim's end of from_victim */

void command_done(void)
{
	if (write(done_fd, "", 1) != 1)
		_exit(1);
}

static void victim_main(FILE *commands, void (*run)(const char *line))
{
	char line[128];

	while (fgets(line, sizeof(line), commands)) {
		run(line);
		command_done();
	}
	_exit(0);
}

static void start_victim(void (*run)(const char *line))
{
	int to[2], from[2];

	if (pipe(to) || pipe(from))
		fail("pipe errno=%d", errno);
	victim = fork();
	if (victim < 0)
		fail("fork errno=%d", errno);
	if (!victim) {
		close(to[1]);
		close(from[0]);
		done_fd = from[1];
		victim_main(fdopen(to[0], "r"), run);
	}
	close(to[0]);
	close(from[1]);
	to_victim = to[1];
	from_victim = from[0];
}

/*
 * After an oops a victim may never exit, because it may wait for a lock that it holds itself.
 * PID 1 must not wait for it then.
 */
static bool oopsed(void)
{
	return read_number("/proc/sys/kernel/tainted") & TAINT_DIE;
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

/*
 * Wait until the victim has done the command. Return false if it is dead. After an oops, the
 * next command on the console also ends the wait.
 */
static bool wait_for_victim(void)
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

void forward(const char *line, bool starts, void (*run)(const char *line))
{
	if (starts && victim)
		fail("fork errno=%d", EBUSY);
	if (starts)
		start_victim(run);
	if (!victim)
		fail("no_victim");
	if (write(to_victim, line, strlen(line)) < 0 || !wait_for_victim())
		reap_victim();
}
