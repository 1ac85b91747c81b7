// SPDX-License-Identifier: GPL-2.0-only
/*
 * Symbolic links that make the kernel load a word across the end of a page, into the bad page
 * after it (load_unaligned_zeropad()), when a user follows a path.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define LINKS 64
#define PFNS_MAX 0x40000	/* the first GB */
#define NOBODY 65534

/*
 * Find the page that has become the body of a link in tmpfs since the last call. Such a page is
 * in the page cache, and not mapped. Return its pfn; 0 if there is none, or more than one.
 */
static size_t find_new_body(void)
{
	static uint64_t flags[PFNS_MAX];
	static bool was_body[PFNS_MAX];
	int fd = open("/proc/kpageflags", O_RDONLY);
	ssize_t len, all = 0;
	size_t found = 0;
	int bodies = 0;

	while (fd >= 0 && (len = read(fd, (char *)flags + all, sizeof(flags) - all)) > 0)
		all += len;
	close(fd);
	for (size_t pfn = 0; pfn < all / sizeof(*flags); pfn++) {
		bool is_body = flags[pfn] & 1ULL << KPF_SWAPBACKED &&
			       !(flags[pfn] & (1ULL << KPF_ANON | 1ULL << KPF_MMAP));

		if (is_body && !was_body[pfn]) {
			found = pfn;
			bodies++;
		}
		was_body[pfn] = is_body;
	}
	return bodies == 1 ? found : 0;
}

/*
 * "////...///init" and the NUL fill a page. The kernel searches the end of "init" by loading a
 * word that extends into the next page (hash_name() in fs/namei.c), and compares it with the
 * name of the dentry in the same way (fs/dcache.c).
 */
static bool make_link(const char *path)
{
	char body[PAGE];

	memset(body, '/', sizeof(body));
	memcpy(body + sizeof(body) - sizeof("init"), "init", sizeof("init"));
	return !symlink(body, path);
}

static const char *link_path(int i)
{
	static char path[32];

	snprintf(path, sizeof(path), "/tmp/%d", i);
	return path;
}

static int bad_link;

static void make_links(void)
{
	size_t body[LINKS];
	int pairs = 0;

	find_new_body();
	for (int i = 0; i < LINKS; i++) {
		if (!make_link(link_path(i)))
			fail("symlink errno=%d", errno);
		body[i] = find_new_body();
	}
	for (int i = 0; i < LINKS; i++) {
		for (int j = 0; j < LINKS; j++) {
			if (body[i] && body[j] == body[i] + 1) {
				bad_link = j;
				pairs++;
			}
		}
	}
	if (!pairs)
		fail("no_links_side_by_side");
	answer("links gpa=%#lx made=%d pairs=%d", body[bad_link] * PAGE, LINKS, pairs);
}

/* Follow all links as user @user. The exit status is how many led to /init in the worst round. */
static void follow_links(int rounds, int user)
{
	struct stat init, found;
	int fewest = LINKS;

	if (!stay_on_cpu(user) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY - user, NOBODY - user, NOBODY - user) || stat("/init", &init))
		_exit(0);
	while (rounds--) {
		int reached = 0;

		for (int i = 0; i < LINKS; i++)
			reached += i != bad_link && !stat(link_path(i), &found) &&
				   found.st_ino == init.st_ino;
		if (reached < fewest)
			fewest = reached;
	}
	_exit(fewest);
}

static void follow_links_as_users(void)
{
	int rounds = next_number(), users = next_number();
	unsigned long checks = count_interrupts("MCE:");
	int fewest = LINKS;

	for (int user = 0; user < users; user++) {
		pid_t pid = fork();

		if (!pid)
			follow_links(rounds, user);
		if (pid < 0)
			fail("fork errno=%d", errno);
	}
	for (int user = 0; user < users; user++) {
		int status = 0;

		if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) < fewest)
			fewest = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	}
	checks = count_interrupts("MCE:") - checks;
	answer("follow reached=%d uid=%d checks=%lu", fewest, NOBODY, checks);
}

const struct command link_commands[] = {
	/*
	 * links: make symbolic links, each with a body that fills its page. -> links made=
	 * pairs= (how often two bodies are adjacent) gpa= (of the second body of such a pair)
	 */
	{ "links", make_links, NEW_VICTIM },
	/*
	 * follow ROUNDS USERS: stat(2) all those links, except the one whose body is at gpa, in
	 * each of ROUNDS. USERS unprivileged users do so at the same time, each on another CPU.
	 * -> follow reached= (how many links led to /init in the worst round of any user) uid=
	 * checks= (machine checks meanwhile, on all CPUs)
	 */
	{ "follow", follow_links_as_users, VICTIM },
	{ }
};
