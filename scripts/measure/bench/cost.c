// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measure the cost of bad pages in a guest. The plugin count.c counts instructions.
 *
 *   cost [-1] [-b] [-c CPUS] [-l SECONDS] -k KERNEL -i INITRD [-p PLUGIN] WHAT
 *
 * The guest runs under QEMU TCG. PLUGIN is the argument of QEMU's -plugin; with it, QEMU has
 * -icount shift=0: the guest's clock counts instructions, and runs are repeatable.
 * -1: the CPU has 1G mappings. -b: CPUID has no hypervisor bit. WHAT is one of:
 *
 *   each    a few poisons, action optional and action required in turn, for the plugin
 *           to count.
 *   growth  1, 8, 64, 512 and 4096 bad pages, each in a different 2M region. Prints for
 *           each number "growth: PAGES SPLIT_2M SPLIT_1G PAGETABLE_PAGES HOLES TLB CALL
 *           MCE", counted from the start; the last three are received interrupts. At the
 *           end, prints "walk: PAGES L4 L3 L2 L1" (see walk.c) for 64 MB in which
 *           each region has a bad page.
 *
 * Exit status: 0, 1 after an error (which is printed), 2 for bad arguments.
 */
#include <stdlib.h>
#include <unistd.h>

#include "../../../tools/testing/selftests/mce/vmm.h"

#define POISONS 16

/*
 * All memory above 4 GB is in 1G mappings, if the CPU has them. Below 4 GB, QEMU's q35 has
 * 2 GB, with the ACPI tables at its end.
 */
#define ABOVE_4G (4096 * MB)
#define GROWTH_START (ABOVE_4G + 256 * MB)
#define GROWTH_STEP (2 * MB)
#define LAST_PAGES 4096
/* away from the module, whose pages have other permissions in the direct map */
#define WALK_START (GROWTH_START + 4096 * MB)

static bool are_idle(const char *registers)
{
	return !strstr(registers, "HLT=0");
}

/* Stop the guest when all of its CPUs are idle. */
static bool stop_when_idle(void)
{
	return stop_when(are_idle);
}

static bool one_record(bool optional)
{
	if (!ask("map", "map %#lx %s", ABOVE_4G, optional ? "anon early" : "anon"))
		return false;
	if (!optional)
		return report_required(MISC_PAGE) && ask("gone", "leave");
	/* the victim sleeps until the SIGBUS */
	vm.answer[0] = '\0';
	dprintf(vm.console, "wait\n");
	return stop_when_idle() && inject(0, action_optional, vm.gpa, MISC_PAGE) &&
	       qmp("cont", NULL) && wait_for_answer("sigbus") && ask("gone", "leave");
}

static bool run_each(void)
{
	vm.prefix = NULL;
	if (!ask("quiet", "quiet"))
		return false;
	for (int i = 0; i < POISONS; i++)
		if (!one_record(true) || !one_record(false))
			return false;
	return true;
}

struct interrupts {
	unsigned long tlb, call, mce;
};

static bool read_interrupts(struct interrupts *count)
{
	if (!ask("interrupts", "interrupts"))
		return false;
	*count = (struct interrupts){ answered("tlb="), answered("call="), answered("mce=") };
	return true;
}

static bool run_growth(void)
{
	unsigned long large, huge, holes;
	struct interrupts before, now;

	vm.prefix = NULL;
	if (!ask("quiet", "quiet") || !ask("tables", "tables 0"))
		return false;
	large = answered("2m=");
	huge = answered("1g=");
	holes = answered("holes=");
	if (!read_interrupts(&before) || !stop_when_idle())
		return false;
	for (unsigned long n = 1, next = 1; n <= LAST_PAGES; n++) {
		unsigned long lost_large, lost_huge;

		/*
		 * When the guest is idle, all CPUs have handled the last machine check, and its
		 * page has left the direct map, if at all.
		 */
		if (!inject(0, action_optional, GROWTH_START + n * GROWTH_STEP, MISC_PAGE) ||
		    !qmp("cont", NULL) || !ask("corrupted", "corrupted %lu", n * 4) ||
		    !stop_when_idle())
			return false;
		if (n != next)
			continue;
		next *= 8;
		if (!qmp("cont", NULL) || !read_interrupts(&now) || !ask("tables", "tables 0") ||
		    !stop_when_idle())
			return false;
		lost_huge = huge - answered("1g=");
		lost_large = large + lost_huge * 512 - answered("2m=");
		/* a split replaces one entry by a page of 512 entries */
		say("growth: %lu %lu %lu %lu %lu %lu %lu %lu", n, lost_large, lost_huge,
		    lost_large + lost_huge, answered("holes=") - holes,
		    now.tlb - before.tlb, now.call - before.call, now.mce - before.mce);
	}
	if (!qmp("cont", NULL) || !ask("console", "console 7") || !ask("map", "map 0 anon") ||
	    !ask("walk", "hook walk=%#lx", WALK_START))
		return false;
	say("walk: %lu %lu %lu %lu %lu", answered("pages="),
	    answered("l4="), answered("l3="), answered("l2="), answered("l1="));
	return ask("gone", "leave");
}

static void bad_arguments(void)
{
	fputs("usage: cost [-1] [-b] [-c CPUS] [-l SECONDS] -k KERNEL -i INITRD", stderr);
	fputs(" [-p PLUGIN] each|growth\n", stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	const char *option[128] = { NULL };
	struct scenario s = { .cpus = 1 };
	char cpu[128];
	const char *args[9] = { "-accel", "tcg", "-machine", "q35,memory-backend=ram" };
	struct machine machine = {
		.name = "cost", .qemu = "qemu-system-x86_64", .args = args, .cpu = cpu,
		.local = true,
	};

	if (!parse_options(argc, argv, "1bc:l:k:i:p:", option))
		bad_arguments();
	s.name = argv[optind];
	s.run = !strcmp(s.name, "each") ? run_each : !strcmp(s.name, "growth") ? run_growth : NULL;
	s.ram_mb = s.run == run_each ? 3072 : 10752;
	if (option['c'])
		s.cpus = atoi(option['c']);
	if (!s.run || s.cpus < 1 || s.cpus > 4)
		bad_arguments();
	if (option['p']) {
		args[4] = "-icount";
		args[5] = "shift=0,sleep=off";
		args[6] = "-plugin";
		args[7] = option['p'];
		machine.starving = s.cpus > 1;
	}
	snprintf(cpu, sizeof(cpu), "Haswell-noTSX,vendor=GenuineIntel%s%s",
		 option['1'] ? ",+pdpe1gb" : "", option['b'] ? ",-hypervisor" : "");
	return run_scenario(&machine, &s, option['k'], option['i'],
			    option['l'] ? atoi(option['l']) : 0);
}
