// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scenarios in which one page or many pages go bad. stray.c has those in which the kernel
 * accesses the page later, and soak.c has soak-*.
 */
#include "vmm.h"

/* An address that the guest's kernel does not use as RAM in the scenario clear */
#define NOT_RAM (112 * MB)

/*
 * Action optional: the VMM reports at once, and the process has asked for early kill. AMD's
 * equivalent raises no exception: the kernel finds the record when it polls the banks.
 */
static bool ao_page(void)
{
	return map_page("anon early") && poison_page() && ask("sigbus", "wait") &&
	       wait_until_records_handled() && look_at_direct_map("direct") &&
	       ask("gone", "leave");
}

/* The page is unmapped, and the record is about a cache line. */
static bool ao_line(void)
{
	return map_page("anon early") && poison_page() && report_optional(MISC_LINE) &&
	       look_at_direct_map("direct") && ask("gone", "leave");
}

/* Action required: the guest finds the error when user space accesses the page. */
static bool ar(void)
{
	return map_page(vm.scenario->kind) && poison_page() &&
	       ask("sigbus", "%s", vm.scenario->command) && look_at_direct_map("direct") &&
	       ask("gone", "leave");
}

static bool ar_line(void)
{
	return map_page("anon") && poison_page() && report_required(MISC_LINE) &&
	       look_at_direct_map("direct") && ask("gone", "leave");
}

/* The kernel loads from the user's page. */
static bool copyin(void)
{
	return map_page("anon") && poison_page() && ask("write", "write") &&
	       look_at_direct_map("direct") && ask("gone", "leave");
}

/* Make a fact of a SIGBUS: NAME=CODE:LSB, with :elsewhere if it is not about the page. */
static void note_sigbus(const char *key)
{
	const char *code = after(vm.answer, "code=") ?: "none";

	fact(key, "%.*s:%d%s", (int)strcspn(code, " "), code, (int)answered("lsb="),
	     strstr(vm.answer, "addr_match=yes") ? "" : ":elsewhere");
}

/*
 * Every kind of page: reported (the SIGBUS of a process that asked for early kill), and
 * not reported (the SIGBUS when it loads from the page).
 */
static bool page_kinds(void)
{
	static const char *const all[] = {
		"anon", "mlock", "thp", "hugetlb", "shmem", "dirty", "clean",
	};

	vm.prefix = NULL;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(all); i++) {
		const char *kind = all[i / 2];
		bool reported = i % 2 == 0, clean = !strcmp(kind, "clean");
		char key[32];

		/* the early SIGBUS is pending before the load, and comes first */
		if (!ask("map", "map 0 %s%s", kind, reported ? " early" : "") || !poison_page() ||
		    (reported && !report_quietly(MISC_PAGE)) ||
		    !ask(clean ? "value" : "sigbus", "load"))
			return false;
		snprintf(key, sizeof(key), "%s.%s", reported ? "ao" : "ar", kind);
		/* a clean page of the page cache is read again from the disk, without a SIGBUS */
		if (clean)
			fact(key, "%s", answered("byte=") == 0x5a ? "reread" : "lost");
		else
			note_sigbus(key);
		if (!ask("gone", "leave"))
			return false;
	}
	vm.prefix = "";
	return true;
}

/* A page of a DIMM is bad. */
static bool poison_dimm(void)
{
	/* in the middle, so that "fill" is the first to touch it again */
	return plug_dimm() && ask("map", "map %#lx anon early", DIMM_START + DIMM_SIZE / 2) &&
	       inject(0, optional_record(), vm.gpa, MISC_PAGE) && ask("sigbus", "wait");
}

/* The DIMM is replaced by a healthy one. */
static bool replace_dimm(void)
{
	return ask("gone", "leave") &&
	       begin_to_unplug_dimm() && finish_unplugging_dimm() && plug_dimm() &&
	       ask("fill", "fill %#lx %#lx %#lx", DIMM_START, DIMM_SIZE, vm.gpa);
}

static bool replug(void)
{
	return poison_dimm() && replace_dimm();
}

/* With page tables of five levels, if the kernel supports them. */
static bool replug_la57(void)
{
	unsigned long cr4 = read_register("CR4=");

	/* X86_CR4_LA57 */
	fact("levels", "%d", cr4 & BIT(12) ? 5 : 4);
	return cr4 && replug();
}

/* A stray access had the page taken out of the direct map. */
static bool replug_stray(void)
{
	if (!poison_dimm() || !wait_until_records_handled() || !look_at_direct_map("direct"))
		return false;
	if (!vm.mapped) {
		/* the load is a page fault */
		if (!ask("stray", "hook spin=%#lx", vm.gpa))
			return false;
	} else {
		if (!stop_in_kernel_load())
			return false;
		if (vm.answer[0])
			return lab_error("the hook ended before it was stopped: %s", vm.answer);
		if (!inject(0, action_required, vm.gpa, MISC_PAGE) || !qmp("cont", NULL) ||
		    !wait_for_answer("stray"))
			return false;
	}
	return wait_until_records_handled() && look_at_direct_map("after") && replace_dimm();
}

/*
 * Compare the kernel's page tables before and after many pages went bad, one at a time. For
 * each, the process gets an early SIGBUS if QEMU reports, else one when it loads.
 */
static bool many_pages(void)
{
	bool reported = vm.scenario->reported;
	const int wanted = 64;
	int signals = 0;

	/* printing so many records would take most of the time */
	if (!ask("quiet", "quiet"))
		return false;
	vm.prefix = "before.";
	if (!ask("spread", "spread %d %#lx", wanted, ABOVE_4K_MAP) || !ask("tables", "tables 0"))
		return false;
	vm.prefix = NULL;
	for (int i = 0; i < wanted; i++) {
		if (!ask("map", "next") || !poison_page() ||
		    !ask("sigbus", reported ? "wait" : "load"))
			return false;
		signals += is_sigbus(reported ? "code=BUS_MCEERR_AO lsb=12 " :
						"code=BUS_MCEERR_AR lsb=12 ");
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

/* Machine checks that go to all vCPUs, while all are busy. */
static bool smp(void)
{
	int optional = 0, required = 0;

	vm.prefix = "";
	if (!ask("busy", "busy 4"))
		return false;
	for (int cpu = 0; cpu < 4; cpu++) {
		/* the baseline: stalls of the lab itself, without a machine check */
		vm.prefix = "quiet.";
		if (!ask("stalls", "stalls") || !map_page("anon early") ||
		    !ask("stalls", "stalls"))
			return false;
		vm.prefix = "ao.";
		if (!poison_page() || !inject(cpu, optional_record(), vm.gpa, MISC_PAGE) ||
		    !ask("sigbus", "wait"))
			return false;
		optional += is_sigbus("code=BUS_MCEERR_AO lsb=12 ");
		if (!ask("stalls", "stalls") || !ask("gone", "leave"))
			return false;
		vm.prefix = "ar.";
		if (!map_page("anon") || !poison_page() || !ask("sigbus", "load"))
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
static bool bare_metal(void)
{
	static const struct {
		const char *name, *kind;
		bool (*report)(unsigned long misc);
		unsigned long misc;
	} all[] = {
		{ "ao-page", "anon early", report_optional, MISC_PAGE },
		{ "ao-line", "anon early", report_optional, MISC_LINE },
		{ "ar-page", "anon", report_required, MISC_PAGE },
		{ "ar-line", "anon", report_required, MISC_LINE },
	};
	static char name[32], prefix[32];

	vm.prefix = "before.";
	if (!ask("tables", "tables 0"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		snprintf(name, sizeof(name), "%s.direct", all[i].name);
		snprintf(prefix, sizeof(prefix), "%s.", all[i].name);
		vm.prefix = prefix;
		if (!map_page(all[i].kind) || !all[i].report(all[i].misc) ||
		    !look_at_direct_map(name) || !ask("tables", "tables %#lx", vm.gpa) ||
		    !ask("gone", "leave"))
			return false;
	}
	vm.prefix = "";
	return true;
}

/* Have the kernel map back an offlined page of RAM, and a page that is not RAM. */
static bool clear_nospec(void)
{
	if (!map_page("anon early") || !report_optional(MISC_PAGE) ||
	    !ask("clear", "hook clear_pfn=%#lx", vm.gpa / PAGE) ||
	    !look_at_direct_map("direct") ||
	    !ask("clear", "hook clear_pfn=%#lx", NOT_RAM / PAGE) || !ask("gone", "leave"))
		return false;
	/* arch/x86/mm/pat/memtype.c, of a type that was not reserved */
	vm.prefix = NULL;
	if (!ask("logged", "logged freeing invalid memtype"))
		return false;
	vm.prefix = "";
	fact("memtype", "%s", answered("times=") ? "complained" : "quiet");
	return true;
}

const struct scenario page_scenarios[] = {
	{ .name = "ao-page", .run = ao_page, .reported = true },
	{ .name = "ao-line", .run = ao_line },
	{ .name = "ar-load", .run = ar, .kind = "anon", .command = "load" },
	{ .name = "ar-exec", .run = ar, .kind = "exec", .command = "jump" },
	{ .name = "ar-line", .run = ar_line },
	{ .name = "copyin", .run = copyin },
	{ .name = "page-kinds", .run = page_kinds },
	{ .name = "replug", .run = replug, .reported = true },
	{ .name = "replug-bare-metal", .run = replug, .reported = true,
	  .cpu_flags = ",-hypervisor" },
	{ .name = "replug-la57", .run = replug_la57, .reported = true, .cpu_flags = ",+la57" },
	{ .name = "replug-stray", .run = replug_stray, .reported = true },
	{ .name = "many-pages", .run = many_pages, .reported = true, .ram_mb = 384 },
	{ .name = "amd-deferred", .run = ao_page, .reported = true },
	/* by loads: polling for deferred errors once a second would be too slow for so many */
	{ .name = "amd-many-pages", .run = many_pages, .ram_mb = 384 },
	{ .name = "smp", .run = smp, .cpus = 4 },
	{ .name = "bare-metal", .run = bare_metal, .reported = true, .cpu_flags = ",-hypervisor" },
	{ .name = "clear", .run = clear_nospec, .reported = true,
	  .kernel_args = "memmap=1M$112M" /* NOT_RAM */ },
	{ }
};
