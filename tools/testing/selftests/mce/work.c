// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that keep the guest busy: one for each CPU, and one more. Each does a random mix, from
 * a seed, of writing and reading memory, starting children, and using files on tmpfs and ext2. A
 * process exits if something fails or if it reads other data than it wrote.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define WORKERS_MAX 8
#define PAGES_MAX 256

static pid_t workers[WORKERS_MAX];
static int count;
static unsigned long *rounds;	/* shared: one of each worker */

static bool fill_and_check(unsigned char *p, size_t pages, unsigned char seed)
{
	for (size_t i = 0; i < pages; i++)
		memset(p + i * PAGE, seed + i, PAGE);
	for (size_t i = 0; i < pages; i++)
		for (size_t j = 0; j < PAGE; j += 512)
			if (p[i * PAGE + j] != (unsigned char)(seed + i))
				return false;
	return true;
}

static bool use_memory(size_t pages, unsigned char seed, int flags)
{
	unsigned char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
				MAP_ANONYMOUS | flags, -1, 0);
	bool right = p != MAP_FAILED && fill_and_check(p, pages, seed);

	return right && !munmap(p, pages * PAGE);
}

static bool use_children(size_t pages, unsigned char seed)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(!use_memory(pages, seed, MAP_PRIVATE));
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static bool use_file(const char *dir, int worker, size_t pages, unsigned char seed)
{
	static unsigned char wrote[PAGE], got[PAGE];
	bool right = true;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "%s/work%d", dir, worker);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (size_t i = 0; i < pages; i++) {
		memset(wrote, seed + i, PAGE);
		right &= write(fd, wrote, PAGE) == PAGE;
	}
	right &= !fsync(fd) && !lseek(fd, 0, SEEK_SET);
	for (size_t i = 0; i < pages; i++) {
		memset(wrote, seed + i, PAGE);
		right &= read(fd, got, PAGE) == PAGE && !memcmp(wrote, got, PAGE);
	}
	return !close(fd) && !unlink(path) && right;
}

static void work(int worker, unsigned int seed)
{
	bool right = true;

	for (; right; rounds[worker]++) {
		size_t pages = rand_r(&seed) % PAGES_MAX + 1;
		unsigned char byte = rand_r(&seed);

		switch (rand_r(&seed) % 5) {
		case 0:
			right = use_memory(pages, byte, MAP_PRIVATE);
			break;
		case 1:
			right = use_memory(pages, byte, MAP_SHARED);
			break;
		case 2:
			right = use_children(pages / 8 + 1, byte);
			break;
		case 3:
			right = use_file("/tmp", worker, pages / 4 + 1, byte);
			break;
		case 4:
			/* the disk has 2 MB, and victims use some of it */
			right = use_file("/mnt", worker, 8, byte);
			break;
		}
	}
	_exit(1);
}

static void start_work(void)
{
	unsigned int seed = next_number();
	int n = sysconf(_SC_NPROCESSORS_ONLN) + 1;

	if (!rounds)
		rounds = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			      -1, 0);
	if (count || n > WORKERS_MAX || rounds == MAP_FAILED ||
	    !make_disk("/dev/ram0", "/mnt", mount_ext2))
		fail("work errno=%d", errno);
	for (; count < n; count++) {
		workers[count] = fork();
		if (!workers[count]) {
			setpgid(0, 0);	/* to be ended with its children */
			work(count, seed + count);
		}
		if (workers[count] < 0)
			fail("work errno=%d", errno);
		setpgid(workers[count], 0);
	}
	answer("work");
}

static void end_work(void)
{
	unsigned long all_rounds = 0;
	int died = 0;

	for (int i = 0; i < count; i++) {
		died += waitpid(workers[i], NULL, WNOHANG) != 0;
		kill(-workers[i], SIGKILL);
		/* PID 1 inherits its children */
		while (waitpid(-workers[i], NULL, 0) > 0)
			;
		all_rounds += rounds[i];
	}
	count = 0;
	/* remove files that killed workers left */
	for (int i = 0; i < WORKERS_MAX; i++) {
		char path[32];

		for (int ext2 = 0; ext2 < 2; ext2++) {
			snprintf(path, sizeof(path), "%s/work%d", ext2 ? "/mnt" : "/tmp", i);
			unlink(path);
		}
	}
	answer("rest died=%d rounds=%lu", died, all_rounds);
}

const struct command work_commands[] = {
	/* work SEED: start the processes. -> work */
	{ "work", start_work, PID_1 },
	/*
	 * rest: end them. -> rest died= (how many had exited before) rounds= (of work, all
	 * processes together)
	 */
	{ "rest", end_work, PID_1 },
	{ }
};
