// SPDX-License-Identifier: GPL-2.0-only
/* The pages that a victim can own: all kinds that memory_failure() distinguishes. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

#define HUGE (2 * MB)
#define SOME (64 * PAGE)
#define SEARCHED (96 * MB)	/* mapped to find a page at or above MIN */
#define SPREAD_MAX 1024

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
	char *p = map_anon(len + HUGE);

	/* with less than 512 MB of RAM the kernel disables huge pages (hugepage_init()) */
	if (!write_file("/sys/kernel/mm/transparent_hugepage/enabled", "madvise") ||
	    p == MAP_FAILED)
		return MAP_FAILED;
	p = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));
	return madvise(p, len, MADV_HUGEPAGE) ? MAP_FAILED : p;
}

static char *map_hugetlb(size_t len)
{
	if (!write_file("/proc/sys/vm/nr_hugepages", "8"))
		return MAP_FAILED;
	return map_memory(len, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB);
}

static int new_file(size_t len)
{
	static char content[SOME];
	int fd;

	if (!mount_ext2())
		return -1;
	unlink("/mnt/file");	/* fsync() fails on a file that has lost data */
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
	size_t first, step;	/* the pages to try, never the head of a huge page */
	int fill;	/* the byte that fills the page; -1: only read it */
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

static void report_page(void)
{
	answer("map gpa=%#llx va=%p", (unsigned long long)gpa_of(page), page);
}

static void map_page(const char *args)
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

static void take_next(const char *args)
{
	(void)args;
	if (spread_next == spread_pages) {
		answer("error what=no_more_pages");
		return;
	}
	page = spread[spread_next++];
	report_page();
}

static void map_spread_pages(const char *args)
{
	size_t wanted = strtoull(args, (char **)&args, 0);
	uint64_t min = strtoull(args, NULL, 0);
	/* 32 more: a region may be below MIN, or not one huge page */
	size_t len = (wanted + 32) * HUGE;
	char *first = wanted < SPREAD_MAX ? map_thp(len) : MAP_FAILED;

	if (!catch_sigbus(true))
		return;
	for (char *p = first;
	     first != MAP_FAILED && p < first + len && spread_pages < wanted; p += HUGE) {
		uint64_t gpa;

		*p = 0x5a;
		gpa = gpa_of(p);
		/* a huge page is a whole region */
		if (gpa >= min && gpa % HUGE == 0 && gpa_of(p + HUGE - PAGE) == gpa + HUGE - PAGE)
			spread[spread_pages++] = p + PAGE;
	}
	answer("spread pages=%zu", spread_pages);
}

static void fill_memory(const char *args)
{
	char *end, *p;
	uint64_t min = strtoull(args, &end, 0);
	uint64_t size = strtoull(end, &end, 0);
	uint64_t wanted = strtoull(end, NULL, 0);
	/* the kernel allocates movable memory first: a quarter more than SIZE is enough */
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
