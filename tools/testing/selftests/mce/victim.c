// SPDX-License-Identifier: GPL-2.0-only
/*
 * The victim: a process of the guest that owns the page which goes bad. It is
 * a process of its own, so that its death is only its own.
 *
 *   map MIN KIND [early]    own a page of KIND (kinds[] below) at or above the
 *                           guest physical address MIN; early: ask for early
 *                           kill. -> map gpa= va=
 *   spread N MIN            own N pages like that, each in a 2 MB region of its
 *                           own, and take the first. -> spread pages=, map ...
 *   next                    take the next of them. -> map gpa= va=
 *   wait                    wait for SIGBUS. -> sigbus ...
 *   spin                    the same in user mode, which never leaves the CPU
 *                           by itself, with the page's address in R15.
 *                           -> spinning, then sigbus ...
 *   load                    read a byte of the page. -> value byte=, or sigbus
 *   jump                    run the page's first instruction. -> returned, or
 *                           sigbus
 *   write                   have the kernel read the page, by write(2) to a
 *                           pipe. -> write ret= errno=, with a SIGBUS before it
 *                           sigbus=
 *   links                   make symbolic links, the body of each ends where its
 *                           page does. -> links made= pairs= (how often two
 *                           bodies are side by side) gpa= (of the second of
 *                           such a pair)
 *   follow ROUNDS USERS     stat(2) through all those links but the one whose
 *                           body is at gpa, that often, as that many users without
 *                           privileges at once, each on a CPU of its own. -> follow
 *                           reached= (how many led to where they should, the fewest of
 *                           all rounds) uid= checks= (machine checks meanwhile, all
 *                           CPUs together)
 *   pread, pwrite, truncate, punch, pin, drain
 *                           see files.c
 *   hook PARAMETERS         load the hook module, see hook/hook.c. -> its answer
 *   target                  own a page, ask for early kill, and spin as above from then
 *                           on, for no other command. -> target gpa=, and sigbus
 *                           whenever there is one
 *   leave                   exit. -> gone
 *   fill MIN SIZE GPA       write to all the memory there is. -> fill pages=
 *                           (how many are in MIN..MIN+SIZE) again= (yes if GPA
 *                           is one of them)
 *
 * A SIGBUS is answered with "sigbus code= lsb= addr= addr_match=", the last
 * "yes" when addr and the page are in the same 1 << lsb bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT 0x8000000000000000ULL
#define PAGEMAP_PFN 0x007fffffffffffffULL

#define HUGE (2 * MB)
#define SOME (64 * PAGE)
#define SEARCHED (96 * MB)	/* how much is looked through for a page that fits */
#define SPREAD_MAX 1024
#define LINKS 64
#define PFNS_MAX 0x40000	/* the first GB */
#define NOBODY 65534

static int pagemap;

/* Guest physical address of the page at @va; 0 when it is not in memory. */
static uint64_t gpa_of(const void *va)
{
	uint64_t entry;
	off_t off = (uintptr_t)va / PAGE * sizeof(entry);

	if (pread(pagemap, &entry, sizeof(entry), off) != sizeof(entry))
		return 0;
	return entry & PAGEMAP_PRESENT ? (entry & PAGEMAP_PFN) * PAGE : 0;
}

/* ---- the kinds of pages that memory_failure() tells apart */

static char *map_memory(size_t len, int prot, int flags)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE | prot, MAP_NORESERVE | flags, -1, 0);
}

static char *map_anon(size_t len)
{
	return map_memory(len, 0, MAP_PRIVATE | MAP_ANONYMOUS);
}

static char *map_exec(size_t len)
{
	return map_memory(len, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS);
}

static char *map_shmem(size_t len)
{
	return map_memory(len, 0, MAP_SHARED | MAP_ANONYMOUS);
}

static char *map_mlock(size_t len)
{
	char *p = map_anon(len);

	return p != MAP_FAILED && mlock(p, len) ? MAP_FAILED : p;
}

static char *map_thp(size_t len)
{
	/* with less than 512 MB of RAM the kernel has none by itself (hugepage_init()) */
	int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_WRONLY);
	char *p = map_anon(len + HUGE);

	if (fd < 0 || write(fd, "madvise", 7) != 7 || p == MAP_FAILED)
		return MAP_FAILED;
	close(fd);
	p = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
	return madvise(p, len, MADV_HUGEPAGE) ? MAP_FAILED : p;
}

bool reserve_huge_pages(void)
{
	int fd = open("/proc/sys/vm/nr_hugepages", O_WRONLY);
	bool done = fd >= 0 && write(fd, "8", 1) == 1;

	close(fd);
	return done;
}

static char *map_hugetlb(size_t len)
{
	if (!reserve_huge_pages())
		return MAP_FAILED;
	return map_memory(len, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB);
}

/* ext2 on /dev/ram0, made from the image that the guest was built with. */
bool mount_ext2(void)
{
	static char image[MB];
	int from, to, mounted;
	struct stat st;

	if (!stat("/mnt/lost+found", &st))
		return true;
	from = open("/ext2.img", O_RDONLY);
	to = open("/dev/ram0", O_WRONLY);
	if (from < 0 || to < 0 || read(from, image, sizeof(image)) != sizeof(image) ||
	    write(to, image, sizeof(image)) != sizeof(image))
		return false;
	close(from);
	close(to);
	mkdir("/mnt", 0755);
	mounted = mount("/dev/ram0", "/mnt", "ext2", 0, NULL);
	return !mounted;
}

static int new_file(size_t len)
{
	static char content[SOME];
	int fd;

	if (!mount_ext2())
		return -1;
	unlink("/mnt/file");	/* the last one may have lost data: its fsync() fails */
	fd = open("/mnt/file", O_RDWR | O_CREAT, 0600);
	memset(content, 0x5a, len);
	if (fd < 0 || write(fd, content, len) != (ssize_t)len || fsync(fd))
		return -1;
	return fd;
}

static char *map_clean(size_t len)
{
	return mmap(NULL, len, PROT_READ, MAP_SHARED, new_file(len), 0);
}

static char *map_dirty(size_t len)
{
	return mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, new_file(len), 0);
}

static const struct kind {
	const char *name;
	char *(*map)(size_t len);
	size_t len;
	size_t first, step;	/* the pages to try: not the head of a huge page */
	int fill;	/* what is written to it; -1: it is only read */
} kinds[] = {
	{ "anon", map_anon, SEARCHED, 0, PAGE, 0x5a },
	{ "exec", map_exec, SEARCHED, 0, PAGE, 0xc3 /* ret */ },
	{ "mlock", map_mlock, SOME, 0, PAGE, 0x5a },
	{ "thp", map_thp, 8 * HUGE, 5 * PAGE, HUGE, 0x5a },
	{ "hugetlb", map_hugetlb, 8 * HUGE, 5 * PAGE, HUGE, 0x5a },
	{ "shmem", map_shmem, SOME, 0, PAGE, 0x5a },
	{ "clean", map_clean, SOME, 0, PAGE, -1 },
	{ "dirty", map_dirty, SOME, 0, PAGE, 0x5a },
	{ "dax", map_dax, SOME, 0, PAGE, 0x5a },
	{ "memfd", map_memfd, SEARCHED, 0, PAGE, 0x5a },
	{ "huge-memfd", map_huge_memfd, 8 * HUGE, 5 * PAGE, HUGE, 0x5a },
};

/* ---- SIGBUS */

char *page;
static sig_atomic_t got_sigbus, trying;
static siginfo_t sigbus;
static sigjmp_buf after_try;

static void on_sigbus(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	sigbus = *si;
	__atomic_store_n(&got_sigbus, 1, __ATOMIC_RELAXED);
	if (__atomic_load_n(&trying, __ATOMIC_RELAXED))
		siglongjmp(after_try, 1);
}

static void change_mask(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	sigprocmask(how, &set, NULL);
}

static bool catch_sigbus(bool early)
{
	struct sigaction sa = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &sa, NULL);
	/* an action optional SIGBUS waits until the victim asks for it */
	change_mask(SIG_BLOCK);
	if (early && prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0)) {
		answer("error what=PR_MCE_KILL errno=%d", errno);
		return false;
	}
	return true;
}

static const char *sigbus_code(void)
{
	return sigbus.si_code == BUS_MCEERR_AR ? "BUS_MCEERR_AR" :
	       sigbus.si_code == BUS_MCEERR_AO ? "BUS_MCEERR_AO" : "other";
}

static void report_sigbus(void)
{
	uintptr_t addr = (uintptr_t)sigbus.si_addr;

	answer("sigbus code=%s lsb=%d addr=%#lx addr_match=%s", sigbus_code(),
	       sigbus.si_addr_lsb, addr,
	       (addr ^ (uintptr_t)page) >> sigbus.si_addr_lsb ? "no" : "yes");
	got_sigbus = 0;
}

/* ---- the commands */

static void report_page(void)
{
	answer("map gpa=%#llx va=%p", (unsigned long long)gpa_of(page), page);
}

static void victim_map(const char *args)
{
	uint64_t min = strtoull(args, (char **)&args, 0);
	const struct kind *kind = NULL;
	size_t len = strcspn(++args, "\n ");
	char *first;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strlen(kinds[i].name) == len && !strncmp(kinds[i].name, args, len))
			kind = &kinds[i];
	if (!kind) {
		answer("error what=no_such_kind");
		return;
	}
	if (!catch_sigbus(strstr(args, " early")))
		return;
	first = kind->map(kind->len);
	if (first == MAP_FAILED) {
		answer("error what=map_%s errno=%d", kind->name, errno);
		return;
	}
	for (page = first + kind->first; page < first + kind->len; page += kind->step) {
		if (kind->fill >= 0)
			memset(page, kind->fill, PAGE);
		else
			__atomic_load_n(page, __ATOMIC_RELAXED);
		if (gpa_of(page) && gpa_of(page) >= min) {
			report_page();
			return;
		}
	}
	answer("error what=no_page_there");
}

static char *spread[SPREAD_MAX];
static size_t spread_pages, spread_next;

static void victim_next(const char *args)
{
	(void)args;
	if (spread_next == spread_pages) {
		answer("error what=no_more_pages");
		return;
	}
	page = spread[spread_next++];
	report_page();
}

static void victim_spread(const char *args)
{
	size_t wanted = strtoull(args, (char **)&args, 0);
	uint64_t min = strtoull(args, NULL, 0);
	/* some more: not all of the first will be where they should, or huge */
	size_t len = (wanted + 32) * HUGE;
	char *first = wanted < SPREAD_MAX ? map_thp(len) : MAP_FAILED;

	if (!catch_sigbus(true))
		return;
	for (char *p = first;
	     first != MAP_FAILED && p < first + len && spread_pages < wanted; p += HUGE) {
		uint64_t gpa;

		*p = 0x5a;
		gpa = gpa_of(p);
		/* a huge page, and so a region of its own */
		if (gpa >= min && gpa % HUGE == 0 && gpa_of(p + HUGE - PAGE) == gpa + HUGE - PAGE)
			spread[spread_pages++] = p + PAGE;
	}
	answer("spread pages=%zu", spread_pages);
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

static void victim_spin(const char *args)
{
	(void)args;
	change_mask(SIG_UNBLOCK);
	answer("spinning");
	/* R15: by it the VMM driver finds out who is on the CPU, see vmm.c */
	asm volatile("mov %1, %%r15\n"
		     "1: cmpl $0, %0\n"
		     "je 1b" : : "m"(got_sigbus), "r"(gpa_of(page)) : "r15", "cc", "memory");
	change_mask(SIG_BLOCK);
	report_sigbus();
}

/* Whether @access came through; if not, @sigbus is why. */
static bool try(void (*access)(void))
{
	bool through = false;

	__atomic_store_n(&trying, 1, __ATOMIC_RELAXED);
	if (!sigsetjmp(after_try, 1)) {
		change_mask(SIG_UNBLOCK);
		access();
		change_mask(SIG_BLOCK);
		through = true;
	}
	__atomic_store_n(&trying, 0, __ATOMIC_RELAXED);
	return through;
}

static unsigned char loaded;

static void load(void)
{
	loaded = __atomic_load_n(page, __ATOMIC_RELAXED);
}

static void victim_load(const char *args)
{
	(void)args;
	if (try(load))
		answer("value byte=%#x", loaded);
	else
		report_sigbus();
}

static void jump(void)
{
	((void (*)(void))page)();
}

static void victim_jump(const char *args)
{
	(void)args;
	if (try(jump))
		answer("returned");
	else
		report_sigbus();
}

static void victim_write(const char *args)
{
	int fds[2], err;
	ssize_t ret;

	(void)args;
	if (pipe(fds)) {
		answer("error what=pipe errno=%d", errno);
		return;
	}
	change_mask(SIG_UNBLOCK);
	errno = 0;
	ret = write(fds[1], page, PAGE);
	err = errno;
	change_mask(SIG_BLOCK);
	answer("write ret=%zd errno=%s sigbus=%s", ret,
	       err == EFAULT ? "EFAULT" : err ? strerror(err) : "0",
	       got_sigbus ? sigbus_code() : "none");
	got_sigbus = 0;
	close(fds[0]);
	close(fds[1]);
}

/* ---- a real path for load_unaligned_zeropad() */

/*
 * The page that has become the body of a link in tmpfs since the last call: in the
 * page cache, and not mapped. 0 when there is none, or more than one.
 */
static size_t find_new_body(void)
{
	static uint64_t flags[PFNS_MAX];
	static bool known[PFNS_MAX];
	int fd = open("/proc/kpageflags", O_RDONLY);
	ssize_t len, all = 0;
	size_t found = 0;
	int bodies = 0;

	while (fd >= 0 && (len = read(fd, (char *)flags + all, sizeof(flags) - all)) > 0)
		all += len;
	close(fd);
	for (size_t pfn = 0; pfn < all / sizeof(*flags); pfn++) {
		bool is = flags[pfn] & 1ULL << KPF_SWAPBACKED &&
			  !(flags[pfn] & (1ULL << KPF_ANON | 1ULL << KPF_MMAP));

		if (is && !known[pfn]) {
			found = pfn;
			bodies++;
		}
		known[pfn] = is;
	}
	return bodies == 1 ? found : 0;
}

/*
 * "////...///init": with the NUL, a page. The kernel looks for the end of "init"
 * with a word that runs into the next page (hash_name() in fs/namei.c), and
 * compares it with the name of the dentry in the same way (fs/dcache.c).
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

static void victim_links(const char *args)
{
	size_t body[LINKS];
	int pairs = 0;

	(void)args;
	find_new_body();
	for (int i = 0; i < LINKS; i++) {
		if (!make_link(link_path(i))) {
			answer("error what=symlink errno=%d", errno);
			return;
		}
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
		answer("error what=no_links_side_by_side");
	else
		answer("links gpa=%#llx made=%d pairs=%d",
		       (unsigned long long)body[bad_link] * PAGE, LINKS, pairs);
}

/* As user number @user; the exit status is how many led there in the worst round. */
static void follow_links(int rounds, int user)
{
	struct stat init, found;
	int fewest = LINKS;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(user, &set);
	if (sched_setaffinity(0, sizeof(set), &set) || setresgid(NOBODY, NOBODY, NOBODY) ||
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

static void victim_follow(const char *args)
{
	int rounds = strtol(args, (char **)&args, 0), users = strtol(args, NULL, 0);
	unsigned long checks = count_interrupts("MCE:");
	int fewest = LINKS;

	for (int user = 0; user < users; user++) {
		pid_t pid = fork();

		if (!pid)
			follow_links(rounds, user);
		if (pid < 0) {
			answer("error what=fork errno=%d", errno);
			return;
		}
	}
	for (int user = 0; user < users; user++) {
		int status = 0;

		if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) < fewest)
			fewest = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	}
	checks = count_interrupts("MCE:") - checks;
	answer("follow reached=%d uid=%d checks=%lu", fewest, NOBODY, checks);
}

/* ---- the rest */

static void victim_hook(const char *args)
{
	char params[64];
	int fd = open("/hook.ko", O_RDONLY);

	snprintf(params, sizeof(params), "%.*s", (int)strcspn(args, "\n"), args);
	/* it answers for itself, and does not stay: ECANCELED */
	if (fd < 0 || !syscall(SYS_finit_module, fd, params, 0) || errno != ECANCELED)
		answer("error what=hook.ko errno=%d", errno);
	close(fd);
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
	bool again = false;

	p = map_memory(len, 0, MAP_PRIVATE | MAP_ANONYMOUS);
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

static int done_fd;

static void tell_sigbus(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	sigbus = *si;
	report_sigbus();
}

static void victim_target(const char *args)
{
	struct sigaction sa = { .sa_sigaction = tell_sigbus, .sa_flags = SA_SIGINFO };

	(void)args;
	page = map_anon(PAGE);
	if (page == MAP_FAILED || !catch_sigbus(true) || sigaction(SIGBUS, &sa, NULL)) {
		answer("error what=target errno=%d", errno);
		return;
	}
	memset(page, 0x5a, PAGE);
	change_mask(SIG_UNBLOCK);
	answer("target gpa=%#llx", (unsigned long long)gpa_of(page));
	if (write(done_fd, "", 1) != 1)
		_exit(1);
	asm volatile("mov %1, %%r15\n"
		     "1: incq (%0)\n"
		     "jmp 1b" : : "r"(heartbeat), "r"(gpa_of(page)) : "r15", "cc", "memory");
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
	bool starts;	/* a victim's life begins with it */
} commands[] = {
	{ "map", victim_map, true },
	{ "spread", victim_spread, true },
	{ "fill", victim_fill, true },
	{ "target", victim_target, true },
	{ "next", victim_next, false },
	{ "wait", victim_wait, false },
	{ "spin", victim_spin, false },
	{ "load", victim_load, false },
	{ "jump", victim_jump, false },
	{ "write", victim_write, false },
	{ "pread", victim_pread, false },
	{ "pwrite", victim_pwrite, false },
	{ "truncate", victim_truncate, false },
	{ "punch", victim_punch, false },
	{ "pin", victim_pin, false },
	{ "drain", victim_drain, false },
	{ "futex", victim_futex, false },
	{ "links", victim_links, true },
	{ "follow", victim_follow, false },
	{ "hook", victim_hook, false },
	{ "leave", victim_leave, false },
};

static const struct command *find_command(const char *line)
{
	size_t len = strcspn(line, "\n ");

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strlen(commands[i].word) == len && !strncmp(commands[i].word, line, len))
			return &commands[i];
	return NULL;
}

bool is_victim_command(const char *line, bool *starts)
{
	const struct command *command = find_command(line);

	if (command)
		*starts = command->starts;
	return command;
}

void victim_main(FILE *lines, int done)
{
	char line[128];

	done_fd = done;
	/* /proc/self is the reader's, not the opener's */
	pagemap = open("/proc/self/pagemap", O_RDONLY);
	while (fgets(line, sizeof(line), lines)) {
		find_command(line)->run(line + strcspn(line, "\n "));
		if (write(done, "", 1) != 1)
			break;
	}
	_exit(0);
}
