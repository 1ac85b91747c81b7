// SPDX-License-Identifier: GPL-2.0-only
/* The pages that a victim can own: all kinds that memory_failure() distinguishes. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define HUGE (2 * MB)
#define SOME (64 * PAGE)
#define SEARCHED (96 * MB)	/* mapped to find a page at or above MIN */
#define SPREAD_MAX 1024

struct kind {
	const char *name;
	int prot, flags;	/* for mmap() */
	size_t len;
	size_t first, step;	/* the pages to try, never the head of a huge page */
	int fill;	/* the byte that fills the page; -1: only read it */
	int (*file)(const struct kind *kind);	/* to map; returns -1 on failure */
	char *(*map)(size_t len);	/* in place of mmap() */
};

int page_file = -1;
off_t page_offset;

static char *map_thp(size_t len)
{
	char *p = mmap(NULL, len + HUGE, RW, ANON, -1, 0);

	/* with less than 512 MB of RAM the kernel disables huge pages (hugepage_init()) */
	if (!write_file("/sys/kernel/mm/transparent_hugepage/enabled", "madvise") ||
	    p == MAP_FAILED)
		return MAP_FAILED;
	p = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
	return madvise(p, len, MADV_HUGEPAGE) ? MAP_FAILED : p;
}

static int new_file(const char *path, size_t len)
{
	static char content[SOME];
	int fd;

	unlink(path);	/* fsync() fails on a file that has lost data */
	fd = open(path, O_RDWR | O_CREAT, 0600);
	memset(content, 0x5a, len);
	return fd < 0 || write(fd, content, len) != (ssize_t)len || fsync(fd) ? -1 : fd;
}

static int new_ext2_file(const struct kind *kind)
{
	return make_disk("/dev/ram0", "/mnt", mount_ext2) ? new_file("/mnt/file", kind->len) : -1;
}

/*
 * A file with DAX on a disk of memory (memmap=SIZE!START). The disk appears some time after the
 * boot. Some file systems ignore the option.
 */
static int new_dax_file(const struct kind *kind)
{
	struct statx file;
	int fd;

	while (access("/dev/pmem0", W_OK) && errno == ENOENT)
		usleep(10000);
	if (!make_disk("/dev/pmem0", "/dax", mount_dax))
		return -1;
	fd = new_file("/dax/file", kind->len);
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, 0, &file))
		return -1;
	errno = EOPNOTSUPP;
	return file.stx_attributes & STATX_ATTR_DAX ? fd : -1;
}

static int new_memfd(const struct kind *kind)
{
	int huge = kind->flags & MAP_HUGETLB ? MFD_HUGETLB : 0;
	int fd = memfd_create("victim", MFD_CLOEXEC | huge);

	return fd < 0 || ftruncate(fd, kind->len) ? -1 : fd;
}

static const struct kind kinds[] = {
	{ "anon", RW, ANON, SEARCHED, 0, PAGE, .fill = 0x5a },
	{ "exec", RW | PROT_EXEC, ANON, SEARCHED, 0, PAGE, .fill = 0xc3 /* ret */ },
	{ "mlock", RW, ANON | MAP_LOCKED, SOME, 0, PAGE, .fill = 0x5a },
	{ "thp", RW, ANON, 8 * HUGE, 5 * PAGE, HUGE, .fill = 0x5a, .map = map_thp },
	{ "hugetlb", RW, ANON | MAP_HUGETLB, 8 * HUGE, 5 * PAGE, HUGE, .fill = 0x5a },
	{ "shmem", RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, SOME, 0, PAGE, .fill = 0x5a },
	{ "clean", PROT_READ, MAP_SHARED, SOME, 0, PAGE, .fill = -1, .file = new_ext2_file },
	{ "dirty", RW, MAP_SHARED, SOME, 0, PAGE, .fill = 0x5a, .file = new_ext2_file },
	{ "dax", RW, MAP_SHARED, SOME, 0, PAGE, .fill = 0x5a, .file = new_dax_file },
	{ "memfd", RW, MAP_SHARED, SEARCHED, 0, PAGE, .fill = 0x5a, .file = new_memfd },
	{ "huge-memfd", RW, MAP_SHARED | MAP_HUGETLB, 8 * HUGE, 5 * PAGE, HUGE, .fill = 0x5a,
	  .file = new_memfd },
};

static void report_page(void)
{
	answer("map gpa=%#lx va=%p", gpa_of(page), page);
}

static void map_page(void)
{
	unsigned long min = next_number();
	const struct kind *kind = NULL;
	size_t len = strcspn(++args, "\n ");
	char *first = MAP_FAILED;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strlen(kinds[i].name) == len && !strncmp(kinds[i].name, args, len))
			kind = &kinds[i];
	if (!kind)
		fail("no_such_kind");
	catch_sigbus(strstr(args, " early"));
	if (kind->flags & MAP_HUGETLB && !write_file("/proc/sys/vm/nr_hugepages", "8"))
		fail("nr_hugepages errno=%d", errno);
	if (kind->file)
		page_file = kind->file(kind);
	if (kind->map)
		first = kind->map(kind->len);
	else if (!kind->file || page_file >= 0)
		first = mmap(NULL, kind->len, kind->prot, kind->flags, page_file, 0);
	if (first == MAP_FAILED)
		fail("map_%s errno=%d", kind->name, errno);
	for (page = first + kind->first; page < first + kind->len; page += kind->step) {
		page_offset = page - first;
		if (kind->fill >= 0)
			memset(page, kind->fill, PAGE);
		else
			__atomic_load_n(page, __ATOMIC_RELAXED);
		if (gpa_of(page) && gpa_of(page) >= min) {
			report_page();
			return;
		}
	}
	fail("no_page_at_or_above_%#lx", min);
}

static char *spread[SPREAD_MAX];
static size_t spread_pages, spread_next;

static void take_next(void)
{
	if (spread_next == spread_pages)
		fail("no_more_pages");
	page = spread[spread_next++];
	report_page();
}

static void map_spread_pages(void)
{
	size_t wanted = next_number();
	unsigned long min = next_number();
	/* 32 more: a region may be below MIN, or not one huge page */
	size_t len = (wanted + 32) * HUGE;
	char *first = wanted < SPREAD_MAX ? map_thp(len) : MAP_FAILED;

	catch_sigbus(true);
	for (char *p = first;
	     first != MAP_FAILED && p < first + len && spread_pages < wanted; p += HUGE) {
		unsigned long gpa;

		*p = 0x5a;
		gpa = gpa_of(p);
		/* a huge page is a whole region */
		if (gpa >= min && gpa % HUGE == 0 && gpa_of(p + HUGE - PAGE) == gpa + HUGE - PAGE)
			spread[spread_pages++] = p + PAGE;
	}
	answer("spread pages=%zu", spread_pages);
}

static void fill_memory(void)
{
	unsigned long min = next_number(), size = next_number(), wanted = next_number();
	/* the kernel allocates movable memory first: a quarter more than SIZE is enough */
	size_t len = size + size / 4;
	unsigned long pages = 0;
	char *p = mmap(NULL, len, RW, ANON, -1, 0);
	bool again = false;

	if (p == MAP_FAILED)
		fail("mmap errno=%d", errno);
	for (char *q = p; q < p + len; q += PAGE) {
		unsigned long gpa;

		memset(q, 0xa5, PAGE);
		gpa = gpa_of(q);
		pages += gpa >= min && gpa < min + size;
		again |= gpa == wanted;
	}
	munmap(p, len);
	answer("fill pages=%lu again=%s", pages, again ? "yes" : "no");
}

const struct command kind_commands[] = {
	/*
	 * map MIN KIND [early]: own a page of KIND, a row of kinds[], at or above the guest
	 * physical address MIN; early: ask for early kill. -> map gpa= va=
	 */
	{ "map", map_page, NEW_VICTIM },
	/*
	 * spread N MIN: ask for early kill, and own N pages, each in a different 2 MB region at
	 * or above MIN. -> spread pages=
	 */
	{ "spread", map_spread_pages, NEW_VICTIM },
	/* next: take the next of those pages for commands about a page. -> map gpa= va= */
	{ "next", take_next, VICTIM },
	/*
	 * fill MIN SIZE GPA: write to all movable memory. -> fill pages= (how many pages are in
	 * MIN..MIN+SIZE) again= (yes if the page at GPA was written to)
	 */
	{ "fill", fill_memory, NEW_VICTIM },
	{ }
};
