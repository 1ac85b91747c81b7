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
 *           end, prints "walk: PAGES L4 L3 L2 L1" (see walk in hook.c) for 64 MB in which
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
/* away from the hook module, whose pages have other permissions in the direct map */
#define WALK_START (GROWTH_START + 4096 * MB)

/* Stop the guest when all of its CPUs are idle. */
static bool stop_when_idle(void)
{
	for (;;) {
		const char *registers, *p;
		bool idle = true;

		if (!qmp("stop", NULL))
			return false;
		registers = ask_monitor("info registers -a");
		if (!registers)
			return false;
		for (p = registers; (p = strstr(p, "HLT=")); p++)
			idle &= p[strlen("HLT=")] == '1';
		if (idle)
			return true;
		if (!qmp("cont", NULL))
			return false;
	}
}

static bool one_record(bool optional)
{
	unsigned long gpa;

	if (!map_victim_page_above(ABOVE_4G, optional ? "anon early" : "anon", &gpa))
		return false;
	if (!optional)
		return report_required(gpa, MISC_PAGE) && ask("gone", "leave");
	/* the victim sleeps until the SIGBUS */
	vm.answer[0] = '\0';
	dprintf(vm.console, "wait\n");
	return stop_when_idle() && inject(0, action_optional, gpa, MISC_PAGE) &&
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

static bool read_interrupts(unsigned long *tlb, unsigned long *call, unsigned long *mce)
{
	if (!ask("interrupts", "interrupts"))
		return false;
	*tlb = answered("tlb=");
	*call = answered("call=");
	*mce = answered("mce=");
	return true;
}

static bool run_growth(void)
{
	unsigned long large, huge, holes, tlb, call, mce, tlb_now, call_now, mce_now;

	vm.prefix = NULL;
	if (!ask("quiet", "quiet") || !ask("tables", "tables 0"))
		return false;
	large = answered("2m=");
	huge = answered("1g=");
	holes = answered("holes=");
	if (!read_interrupts(&tlb, &call, &mce) || !stop_when_idle())
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
		if (!qmp("cont", NULL) || !read_interrupts(&tlb_now, &call_now, &mce_now) ||
		    !ask("tables", "tables 0") || !stop_when_idle())
			return false;
		lost_huge = huge - answered("1g=");
		lost_large = large + lost_huge * 512 - answered("2m=");
		/* a split replaces one entry by a page of 512 entries */
		say("growth: %lu %lu %lu %lu %lu %lu %lu %lu", n, lost_large, lost_huge,
		    lost_large + lost_huge, answered("holes=") - holes, tlb_now - tlb,
		    call_now - call, mce_now - mce);
	}
	if (!qmp("cont", NULL) || !ask("console", "console 7") || !ask("map", "map 0 anon") ||
	    !ask("walk", "hook walk=%#llx", WALK_START))
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
	const char *kernel = NULL, *initrd = NULL, *plugin = NULL;
	bool huge = false, bare = false;
	struct scenario s = { .cpus = 1 };
	int opt, limit = 0;
	char cpu[128];
	const char *args[9] = { "-accel", "tcg", "-machine", "q35,memory-backend=ram" };
	struct machine machine = {
		.name = "cost", .qemu = "qemu-system-x86_64", .args = args, .cpu = cpu,
		.local = true,
	};

	while ((opt = getopt(argc, argv, "1bc:l:k:i:p:")) != -1) {
		switch (opt) {
		case '1':
			huge = true;
			break;
		case 'b':
			bare = true;
			break;
		case 'c':
			s.cpus = atoi(optarg);
			break;
		case 'l':
			limit = atoi(optarg);
			break;
		case 'k':
			kernel = optarg;
			break;
		case 'i':
			initrd = optarg;
			break;
		case 'p':
			plugin = optarg;
			break;
		default:
			bad_arguments();
		}
	}
	if (optind == argc - 1 && !strcmp(argv[optind], "each"))
		s.run = run_each;
	else if (optind == argc - 1 && !strcmp(argv[optind], "growth"))
		s.run = run_growth;
	if (!s.run || s.cpus < 1 || s.cpus > 4 || !kernel || !initrd)
		bad_arguments();
	if (plugin) {
		args[4] = "-icount";
		args[5] = "shift=0,sleep=off";
		args[6] = "-plugin";
		args[7] = plugin;
		machine.starving = s.cpus > 1;
	}
	s.name = argv[optind];
	s.ram_mb = s.run == run_each ? 3072 : 10752;
	snprintf(cpu, sizeof(cpu), "Haswell-noTSX,vendor=GenuineIntel%s%s",
		 huge ? ",+pdpe1gb" : "", bare ? ",-hypervisor" : "");
	return run_scenario(&machine, &s, kernel, initrd, limit);
}
