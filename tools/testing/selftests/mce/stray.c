// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scenarios in which the kernel accesses a page after memory_failure() has handled it:
 * stray-*, those with the page of a file, pinned and not-offlined*.
 */
#include "vmm.h"

/* 16 MB of RAM that are a disk, for a file system with DAX */
#define DAX "memmap=16M!96M"

/* The kernel accesses the page at vm.gpa: by the direct map, or as the row's command has it. */
static bool access_page(void)
{
	const struct scenario *s = vm.scenario;

	return s->hook ? ask("stray", "hook %s=%#lx", s->hook, vm.gpa) :
			 ask("file", "%s", s->command);
}

/* The same, between two looks at the direct map */
static bool look_and_access(void)
{
	return look_at_direct_map("direct") && access_page() && wait_until_records_handled() &&
	       look_at_direct_map("after");
}

/* The same in the page of a process that has got its SIGBUS */
static bool access_poison(void)
{
	const struct scenario *s = vm.scenario;

	if (!map_page(s->kind) || (s->pinned && !ask("pin", "pin")) || !poison_page() ||
	    !ask("sigbus", "load"))
		return false;
	vm.gpa += s->offset;
	return look_and_access();
}

static bool stray(void)
{
	return access_poison() && ask("gone", "leave");
}

/* The kernel accesses the page again, after the first accesses caused it to be taken out. */
static bool stray_again(void)
{
	if (!access_poison())
		return false;
	vm.prefix = "again.";
	if (!access_page())
		return false;
	vm.prefix = "";
	return ask("gone", "leave");
}

/* The page is in memory that is removed and added again. */
static bool stray_rebind(void)
{
	return map_page("dax") && poison_page() && ask("sigbus", "load") &&
	       ask("rebind", "rebind") && look_and_access() && ask("gone", "leave");
}

/* The page is unmapped, and the record was about a cache line. */
static bool stray_line(void)
{
	return map_page("anon early") && poison_page() && report_optional(MISC_LINE) &&
	       look_and_access() && ask("gone", "leave");
}

/*
 * The same access as stray-zeropad, but caused by unprivileged users, who follow symbolic
 * links. The body of one ends next to a bad page.
 */
static bool follow_links(void)
{
	return ask("links", "links") && poison_page() && report_quietly(MISC_PAGE) &&
	       look_at_direct_map("direct") && ask("follow", "%s", vm.scenario->command) &&
	       wait_until_records_handled() && look_at_direct_map("after") &&
	       ask("gone", "leave");
}

/*
 * Poison a huge page to which a pipe has a reference. It cannot be split, so
 * memory_failure() fails after it has marked the page. The process still maps the page.
 */
static bool poison_pinned_thp(void)
{
	return ask("map", "map 0 thp") && ask("pin", "pin") && poison_page() &&
	       report_quietly(MISC_PAGE) && look_at_direct_map("direct");
}

static bool not_offlined(void)
{
	return poison_pinned_thp() && access_page() && ask("gone", "leave");
}

/* The kernel copies from user space, which it survives, and then from the pipe's page. */
static bool not_offlined_copies(void)
{
	return poison_pinned_thp() && ask("write", "write") && access_page() &&
	       ask("gone", "leave");
}

const struct scenario stray_scenarios[] = {
	{ .name = "stray-zeropad", .run = stray, .kind = "anon", .hook = "zeropad" },
	{ .name = "stray-nofault", .run = stray_again, .kind = "anon", .hook = "nofault" },
	/* from the bad page to user space */
	{ .name = "stray-copyout", .run = stray, .kind = "anon", .hook = "copyout" },
	{ .name = "stray-line", .run = stray_line, .hook = "zeropad" },
	/* a page of a huge page: memory_failure() marks the whole folio */
	{ .name = "stray-hugetlb", .run = stray, .kind = "hugetlb", .hook = "nofault" },
	{ .name = "stray-load", .run = stray, .kind = "anon", .hook = "load", .offset = 0x123 },
	{ .name = "stray-zeropad-inside", .run = stray, .kind = "anon", .hook = "inside",
	  .offset = 0x7fd },
	{ .name = "stray-path", .run = follow_links, .command = "follow 1 1", .cpus = 2 },
	/* two CPUs can access the page at the same time */
	{ .name = "stray-path-2", .run = follow_links, .command = "follow 40 2", .cpus = 2 },
	{ .name = "truncate", .run = stray, .kind = "memfd", .command = "truncate" },
	{ .name = "punch", .run = stray, .kind = "huge-memfd", .command = "punch" },
	{ .name = "dax-read", .run = stray, .kind = "dax", .command = "pread",
	  .kernel_args = DAX },
	{ .name = "dax-write", .run = stray, .kind = "dax", .command = "pwrite",
	  .kernel_args = DAX },
	{ .name = "dax-rebind", .run = stray_rebind, .command = "pwrite", .kernel_args = DAX },
	{ .name = "pinned", .run = stray, .kind = "anon", .pinned = true, .command = "drain" },
	{ .name = "not-offlined", .run = not_offlined_copies, .command = "drain" },
	/* the kernel counts repeated copies from user space, and too many are fatal */
	{ .name = "not-offlined-futex", .run = not_offlined, .command = "futex" },
	/* an instruction with a fixup, on a page that could not be taken offline */
	{ .name = "not-offlined-nofault", .run = not_offlined, .hook = "nofault" },
	{ }
};
