// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scenarios in which one page or many pages go bad. stray.c has those in which the kernel
 * accesses the page later, soak.c has soak-*, and main.c has the table of names.
 */
#include <stdlib.h>

#include "scenarios.h"

/* Action optional: the VMM reports at once, and the process has asked for early kill. */
bool ao_page(void)
{
	uint64_t gpa;

	return map_victim_page("anon early", &gpa) && poison_page(gpa) &&
	       ask("sigbus", "wait") &&
	       wait_until_records_handled() && look_at_direct_map("direct", gpa) &&
	       ask("gone", "leave");
}

/* The page is unmapped, and the record is about a cache line. */
bool ao_line(void)
{
	uint64_t gpa;

	return map_victim_page("anon early", &gpa) && poison_page(gpa) &&
	       report_optional(gpa, MISC_LINE) &&
	       look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

/* Action required: the guest finds the error when user space accesses the page. */
static bool ar(const char *kind, const char *use)
{
	uint64_t gpa;

	return map_victim_page(kind, &gpa) && poison_page(gpa) && ask("sigbus", "%s", use) &&
	       look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

bool ar_load(void)
{
	return ar("anon", "load");
}

bool ar_exec(void)
{
	return ar("exec", "jump");
}

bool ar_line(void)
{
	uint64_t gpa;

	return map_victim_page("anon", &gpa) && poison_page(gpa) &&
	       report_required(gpa, MISC_LINE) && look_at_direct_map("direct", gpa) &&
	       ask("gone", "leave");
}

/* The kernel loads from the user's page. */
bool copyin(void)
{
	uint64_t gpa;

	return map_victim_page("anon", &gpa) && poison_page(gpa) && ask("write", "write") &&
	       look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

/* Make a fact of a SIGBUS: NAME=CODE:LSB, with :elsewhere if it is not about the page. */
static void note_sigbus(const char *when, const char *kind)
{
	const char *code = strstr(vm.answer, "code=") ?: "code=none";
	char key[32];

	code += strlen("code=");
	snprintf(key, sizeof(key), "%s.%s", when, kind);
	fact(key, "%.*s:%d%s", (int)strcspn(code, " "), code, (int)answered("lsb="),
	     strstr(vm.answer, "addr_match=yes") ? "" : ":elsewhere");
}

/*
 * Every kind of page: reported (the SIGBUS of a process that asked for early kill), and
 * not reported (the SIGBUS when it loads from the page).
 */
bool page_kinds(void)
{
	static const char *const all[] = {
		"anon", "mlock", "thp", "hugetlb", "shmem", "dirty",
	};
	uint64_t gpa;

	vm.prefix = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		char early[32];

		snprintf(early, sizeof(early), "%s early", all[i]);
		/* the early SIGBUS is pending now, and comes before the load */
		if (!map_victim_page_above(0, early, &gpa) || !poison_page(gpa) ||
		    !report_quietly(gpa, MISC_PAGE) || !ask("sigbus", "load"))
			return false;
		note_sigbus("ao", all[i]);
		if (!ask("gone", "leave") ||
		    !map_victim_page_above(0, all[i], &gpa) || !poison_page(gpa) ||
		    !ask("sigbus", "load"))
			return false;
		note_sigbus("ar", all[i]);
		if (!ask("gone", "leave"))
			return false;
	}

	/* a clean page of the page cache is read again from the disk, without a SIGBUS */
	if (!map_victim_page_above(0, "clean early", &gpa) || !poison_page(gpa) ||
	    !report_quietly(gpa, MISC_PAGE) || !ask("value", "load"))
		return false;
	fact("ao.clean", "%s", answered("byte=") == 0x5a ? "reread" : "lost");
	if (!ask("gone", "leave") || !map_victim_page_above(0, "clean", &gpa) ||
	    !poison_page(gpa) || !ask("value", "load"))
		return false;
	fact("ar.clean", "%s", answered("byte=") == 0x5a ? "reread" : "lost");
	vm.prefix = "";
	return ask("gone", "leave");
}

/* A page of a DIMM is bad. */
static bool poison_dimm(uint64_t *gpa)
{
	/* in the middle, so that "fill" is the first to touch it again */
	if (!plug_dimm() || !ask("map", "map %#llx anon early", DIMM_START + DIMM_SIZE / 2))
		return false;
	*gpa = answered("gpa=");
	return inject(0, optional_record(), *gpa, MISC_PAGE) && ask("sigbus", "wait");
}

/* The DIMM is replaced by a healthy one. */
static bool replace_dimm(uint64_t gpa)
{
	return ask("gone", "leave") &&
	       begin_to_unplug_dimm() && finish_unplugging_dimm() && plug_dimm() &&
	       ask("fill", "fill %#llx %#llx %#llx", DIMM_START, DIMM_SIZE,
		   (unsigned long long)gpa);
}

bool replug(void)
{
	uint64_t gpa;

	return poison_dimm(&gpa) && replace_dimm(gpa);
}

/* With page tables of five levels, if the kernel supports them. */
bool replug_la57(void)
{
	const char *registers = ask_monitor("info registers");
	const char *cr4 = registers ? strstr(registers, "CR4=") : NULL;

	if (!cr4)
		return lab_error("no CR4 in QEMU's registers");
	/* X86_CR4_LA57 */
	fact("levels", "%d", strtoul(cr4 + strlen("CR4="), NULL, 16) & 1 << 12 ? 5 : 4);
	return replug();
}

/* A stray access had the page taken out of the direct map. */
bool replug_stray(void)
{
	uint64_t gpa;

	if (!poison_dimm(&gpa) || !wait_until_records_handled() ||
	    !look_at_direct_map("direct", gpa))
		return false;
	/* if it is not mapped, the load is a page fault */
	if (is_fact("direct", "mapped") ?
	    !stop_in_kernel_load(gpa) || !inject(0, action_required, gpa, MISC_PAGE) ||
	    !qmp("cont", NULL) || !wait_for_answer("stray") :
	    !ask("stray", "hook spin=%#llx", (unsigned long long)gpa))
		return false;
	return wait_until_records_handled() && look_at_direct_map("after", gpa) &&
	       replace_dimm(gpa);
}

/*
 * Compare the kernel's page tables before and after many pages went bad, one at a time. For
 * each, the process gets an early SIGBUS if @reported, else one when it loads.
 */
static bool many_pages(bool reported, const char *signal)
{
	const int wanted = 64;
	int signals = 0;

	/* printing so many records would take most of the time */
	if (!ask("quiet", "quiet"))
		return false;
	vm.prefix = "before.";
	if (!ask("spread", "spread %d %#llx", wanted, ABOVE_4K_MAP) || !ask("tables", "tables 0"))
		return false;
	vm.prefix = NULL;
	for (int i = 0; i < wanted; i++) {
		uint64_t gpa;

		if (!ask("map", "next"))
			return false;
		gpa = answered("gpa=");
		if (!poison_page(gpa) || !ask("sigbus", reported ? "wait" : "load"))
			return false;
		signals += is_sigbus(signal);
	}
	fact("signals", "%d", signals);
	if (!ask("console", "console 3"))
		return false;
	vm.prefix = "after.";
	if ((reported && !wait_until_records_handled()) || !ask("tables", "tables 0"))
		return false;
	vm.prefix = "";
	return ask("gone", "leave");
}

bool many_pages_reported(void)
{
	return many_pages(true, "code=BUS_MCEERR_AO lsb=12 ");
}

/* By loads: polling for deferred errors once a second would be too slow for so many. */
bool many_pages_required(void)
{
	return many_pages(false, "code=BUS_MCEERR_AR lsb=12 ");
}

/*
 * AMD's equivalent of action optional. There is no exception: the kernel finds the record when
 * it polls the banks.
 */
bool deferred(void)
{
	uint64_t gpa;

	return map_victim_page("anon early", &gpa) && poison_page(gpa) && ask("sigbus", "wait") &&
	       wait_until_records_handled() && look_at_direct_map("direct", gpa) &&
	       ask("gone", "leave");
}

/* Machine checks that go to all vCPUs, while all are busy. */
bool smp(void)
{
	int optional = 0, required = 0;

	vm.prefix = "";
	if (!ask("busy", "busy 4"))
		return false;
	for (int cpu = 0; cpu < 4; cpu++) {
		uint64_t gpa;

		/* the baseline: stalls of the lab itself, without a machine check */
		vm.prefix = "quiet.";
		if (!ask("stalls", "stalls") || !map_victim_page("anon early", &gpa) ||
		    !ask("stalls", "stalls"))
			return false;
		vm.prefix = "ao.";
		if (!poison_page(gpa) || !inject(cpu, optional_record(), gpa, MISC_PAGE) ||
		    !ask("sigbus", "wait"))
			return false;
		optional += is_sigbus("code=BUS_MCEERR_AO lsb=12 ");
		if (!ask("stalls", "stalls") || !ask("gone", "leave"))
			return false;
		vm.prefix = "ar.";
		if (!map_victim_page("anon", &gpa) || !poison_page(gpa) || !ask("sigbus", "load"))
			return false;
		required += is_sigbus("code=BUS_MCEERR_AR lsb=12 ");
		if (!ask("stalls", "stalls") || !ask("gone", "leave"))
			return false;
	}
	vm.prefix = "";
	fact("ao.signals", "%d", optional);
	fact("ar.signals", "%d", required);
	return wait_until_records_handled() && ask("calm", "calm");
}

/* Without the hypervisor bit: each record takes its page out of the direct map. */
bool bare_metal(void)
{
	static const struct {
		const char *name, *kind;
		bool (*report)(uint64_t gpa, uint64_t misc);
		uint64_t misc;
	} all[] = {
		{ "ao-page", "anon early", report_optional, MISC_PAGE },
		{ "ao-line", "anon early", report_optional, MISC_LINE },
		{ "ar-page", "anon", report_required, MISC_PAGE },
		{ "ar-line", "anon", report_required, MISC_LINE },
	};
	static char name[32], prefix[32];
	uint64_t gpa;

	vm.prefix = "before.";
	if (!ask("tables", "tables 0"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		snprintf(name, sizeof(name), "%s.direct", all[i].name);
		snprintf(prefix, sizeof(prefix), "%s.", all[i].name);
		vm.prefix = prefix;
		if (!map_victim_page(all[i].kind, &gpa) || !all[i].report(gpa, all[i].misc) ||
		    !look_at_direct_map(name, gpa) ||
		    !ask("tables", "tables %#llx", (unsigned long long)gpa) ||
		    !ask("gone", "leave"))
			return false;
	}
	vm.prefix = "";
	return true;
}

/* Have the kernel map back an offlined page of RAM, and a page that is not RAM. */
bool clear_nospec(void)
{
	uint64_t gpa;

	if (!map_victim_page("anon early", &gpa) || !report_optional(gpa, MISC_PAGE) ||
	    !ask("clear", "hook clear_pfn=%#llx", (unsigned long long)gpa / PAGE) ||
	    !look_at_direct_map("direct", gpa) ||
	    !ask("clear", "hook clear_pfn=%#llx", NOT_RAM / PAGE) || !ask("gone", "leave"))
		return false;
	/* arch/x86/mm/pat/memtype.c, of a type that was not reserved */
	vm.prefix = NULL;
	if (!ask("logged", "logged freeing invalid memtype"))
		return false;
	vm.prefix = "";
	fact("memtype", "%s", answered("times=") ? "complained" : "quiet");
	return true;
}
