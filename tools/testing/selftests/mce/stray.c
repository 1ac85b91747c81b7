// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scenarios in which the kernel accesses a page after memory_failure() has handled it:
 * stray-*, those with the page of a file, pinned and not-offlined*.
 */
#include "scenarios.h"

/*
 * The kernel accesses @gpa, in an offlined page, by the direct map. @param selects the access,
 * see hook/hook.c.
 */
static bool access_direct_map(const char *param, uint64_t gpa)
{
	return look_at_direct_map("direct", gpa) &&
	       ask("stray", "hook %s=%#llx", param, (unsigned long long)gpa) &&
	       wait_until_records_handled() && look_at_direct_map("after", gpa);
}

/* The same in the page of a process that has got its SIGBUS */
static bool access_poison(const char *kind, const char *param, uint64_t offset, uint64_t *gpa)
{
	return map_victim_page(kind, gpa) && poison_page(*gpa) && ask("sigbus", "load") &&
	       access_direct_map(param, *gpa + offset);
}

static bool stray(const char *kind, const char *param, uint64_t offset)
{
	uint64_t gpa;

	return access_poison(kind, param, offset, &gpa) && ask("gone", "leave");
}

bool stray_zeropad(void)
{
	return stray("anon", "zeropad", 0);
}

/* The kernel accesses the page again, after the first accesses caused it to be taken out. */
bool stray_nofault(void)
{
	uint64_t gpa;

	if (!access_poison("anon", "nofault", 0, &gpa))
		return false;
	vm.prefix = "again.";
	if (!ask("stray", "hook nofault=%#llx", (unsigned long long)gpa))
		return false;
	vm.prefix = "";
	return ask("gone", "leave");
}

/* The page is unmapped, and the record was about a cache line. */
bool stray_line(void)
{
	uint64_t gpa;

	return map_victim_page("anon early", &gpa) && poison_page(gpa) &&
	       report_optional(gpa, MISC_LINE) && access_direct_map("zeropad", gpa) &&
	       ask("gone", "leave");
}

/* A page of a huge page: memory_failure() marks the whole folio. */
bool stray_hugetlb(void)
{
	return stray("hugetlb", "nofault", 0);
}

/* The kernel copies from the bad page to user space. */
bool stray_copyout(void)
{
	return stray("anon", "copyout", 0);
}

bool stray_load(void)
{
	return stray("anon", "load", 0x123);
}

bool stray_zeropad_inside(void)
{
	return stray("anon", "inside", 0x7fd);
}

/*
 * The same access as stray-zeropad, but caused by an unprivileged user, who follows symbolic
 * links. The body of one ends next to a bad page.
 */
static bool follow_links(int rounds, int users)
{
	uint64_t gpa;

	if (!ask("links", "links"))
		return false;
	gpa = answered("gpa=");
	return poison_page(gpa) && report_quietly(gpa, MISC_PAGE) &&
	       look_at_direct_map("direct", gpa) && ask("follow", "follow %d %d", rounds, users) &&
	       wait_until_records_handled() && look_at_direct_map("after", gpa) &&
	       ask("gone", "leave");
}

bool stray_path(void)
{
	return follow_links(1, 1);
}

/* Two CPUs can access the page at the same time. */
bool stray_path_2(void)
{
	return follow_links(40, 2);
}

/* The kernel accesses the page of a file after the process has got its SIGBUS. */
static bool access_file_page(const char *kind, const char *access)
{
	uint64_t gpa;

	return map_victim_page(kind, &gpa) && poison_page(gpa) && ask("sigbus", "load") &&
	       look_at_direct_map("direct", gpa) && ask("file", "%s", access) &&
	       wait_until_records_handled() && look_at_direct_map("after", gpa) &&
	       ask("gone", "leave");
}

bool truncate_page(void)
{
	return access_file_page("memfd", "truncate");
}

bool punch(void)
{
	return access_file_page("huge-memfd", "punch");
}

bool dax_read(void)
{
	return access_file_page("dax", "pread");
}

bool dax_write(void)
{
	return access_file_page("dax", "pwrite");
}

/* A pipe has a reference to the page. */
bool pinned(void)
{
	uint64_t gpa;

	return map_victim_page("anon", &gpa) && ask("pin", "pin") && poison_page(gpa) &&
	       ask("sigbus", "load") && look_at_direct_map("direct", gpa) &&
	       ask("file", "drain") && wait_until_records_handled() &&
	       look_at_direct_map("after", gpa) && ask("gone", "leave");
}

/*
 * Poison a huge page to which a pipe has a reference. It cannot be split, so
 * memory_failure() fails after it has marked the page. The process still maps the page.
 */
static bool poison_pinned_thp(uint64_t *gpa)
{
	return map_victim_page_above(0, "thp", gpa) && ask("pin", "pin") && poison_page(*gpa) &&
	       report_quietly(*gpa, MISC_PAGE) && look_at_direct_map("direct", *gpa);
}

/* The kernel copies from user space, which it survives, and then from the pipe's page. */
bool not_offlined(void)
{
	uint64_t gpa;

	return poison_pinned_thp(&gpa) && ask("write", "write") && ask("file", "drain") &&
	       ask("gone", "leave");
}

/* The kernel counts repeated copies from user space, and too many are fatal. */
bool not_offlined_futex(void)
{
	uint64_t gpa;

	return poison_pinned_thp(&gpa) && ask("file", "futex") && ask("gone", "leave");
}

/* An instruction with a fixup, on a page that could not be taken offline. */
bool not_offlined_nofault(void)
{
	uint64_t gpa;

	return poison_pinned_thp(&gpa) &&
	       ask("stray", "hook nofault=%#llx", (unsigned long long)gpa) &&
	       ask("gone", "leave");
}
