// SPDX-License-Identifier: GPL-2.0-only
/*
 * VMM driver: runs one guest under QEMU, does to it what a scenario asks for, and
 * prints how it ended.
 *
 *   vmm [-l SECONDS] [-n POISONS] [-s SEED] -m MACHINE -k KERNEL -i INITRD SCENARIO
 *
 * -n and -s are for the scenarios soak-*. On standard output: the guest's console as
 * it comes, what the driver does ("vmm: ..."), evidence, and as its last line the
 * verdict:
 *
 *   vmm: verdict {"what":"lives","facts":{"code":"BUS_MCEERR_AO","lsb":"12",...}}
 *
 * A reader that finds no complete JSON there came while the line was being written, and
 * reads again later. "what" is lives (the guest powered off by itself), warns (the same,
 * but the kernel printed a warning), killed (the victim died, the kernel lives), oops,
 * panic, hang (no end in SECONDS), or error (the lab is broken: no statement about the
 * guest). The value of a fact is a string without spaces, or an array of strings when
 * there are several. Which verdict is right is not decided here but in the table
 * "scenarios". Exit status: 0 when there is a verdict, 1 when it is "error", 2 for bad
 * arguments.
 */
#include <stdlib.h>
#include <unistd.h>

#include "vmm.h"

/* What scenario clear keeps from the guest's kernel: a page that is not RAM */
#define NOT_RAM (112 * MB)

/* 16 MB of RAM that are a disk, for a file system with DAX */
#define DAX "memmap=16M!96M"

/*
 * succor: QEMU 9.1 and later; KVM does not offer either by itself. ibpb would be forced, too,
 * and 5.15 then writes to an MSR that there is not.
 */
#define AMD_CPU \
	"EPYC,-xsave,-rdseed,-sha-ni,-ibpb,+succor,+overflow-recov,x-force-features=on"

static const char *const microvm[] = {
	"-accel", "kvm",
	/* pcie: without it there is no late e820 code, and no memory that is a disk */
	"-machine", "microvm,memory-backend=ram,acpi=on,x-option-roms=off,pcie=on",
	NULL,
};

static const struct machine machines[] = {
	{
		.name = "microvm",
		.qemu = "qemu-system-x86_64-microvm",
		.args = microvm,
		.cpu = "Haswell-noTSX,-xsave,vendor=GenuineIntel,lmce=on",
		.ram_mb = 128,
		.local = true,
	},
	{
		/* where nothing sets LMCE in FEAT_CTL: qboot does not, on a stock KVM */
		.name = "broadcast",
		.qemu = "qemu-system-x86_64-microvm",
		.args = microvm,
		.cpu = "Haswell-noTSX,-xsave,vendor=GenuineIntel",
		.ram_mb = 128,
	},
	{
		.name = "amd",
		.qemu = "qemu-system-x86_64-microvm",
		.args = microvm,
		.cpu = AMD_CPU,
		.ram_mb = 128,
		.amd = true,
		.local = true,
	},
	{
		.name = "q35",
		.qemu = "qemu-system-x86_64",
		.args = (const char *const[]){
			"-accel", "tcg",
			"-machine", "q35,memory-backend=ram",
			NULL,
		},
		/* no LMCE: what counts is the record, and there is one CPU */
		.cpu = "Haswell-noTSX,vendor=GenuineIntel",
		.ram_mb = 256,
		.local = true,
	},
};

/* Action optional: the VMM reports at once, the process has asked for early kill. */
static bool ao_page(void)
{
	uint64_t gpa;

	return victim_has("anon early", &gpa) && poison_page(gpa) &&
	       ask("sigbus", "wait") &&
	       settle() && look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

/* The page is unmapped, and the record is about a cache line. */
static bool ao_line(void)
{
	uint64_t gpa;

	return victim_has("anon early", &gpa) && poison_page(gpa) &&
	       report_optional(gpa, MISC_LINE) &&
	       look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

/* Action required: the error is found when the guest's user space accesses the page. */
static bool ar(const char *kind, const char *use)
{
	uint64_t gpa;

	return victim_has(kind, &gpa) && poison_page(gpa) && ask("sigbus", "%s", use) &&
	       look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

static bool ar_load(void)
{
	return ar("anon", "load");
}

static bool ar_exec(void)
{
	return ar("exec", "jump");
}

static bool ar_line(void)
{
	uint64_t gpa;

	return victim_has("anon", &gpa) && poison_page(gpa) && report_required(gpa, MISC_LINE) &&
	       look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

/* It is the kernel that loads from the user's page. */
static bool copyin(void)
{
	uint64_t gpa;

	return victim_has("anon", &gpa) && poison_page(gpa) && ask("write", "write") &&
	       look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

/*
 * The kernel accesses @gpa through the direct map, in a page that is offlined: @param
 * is how, see hook/hook.c.
 */
static bool access_direct_map(const char *param, uint64_t gpa)
{
	return look_at_direct_map("direct", gpa) &&
	       ask("stray", "hook %s=%#llx", param, (unsigned long long)gpa) &&
	       settle() && look_at_direct_map("after", gpa);
}

/* In the page of a process that has had its SIGBUS. */
static bool access_poison(const char *kind, const char *param, uint64_t offset, uint64_t *gpa)
{
	return victim_has(kind, gpa) && poison_page(*gpa) && ask("sigbus", "load") &&
	       access_direct_map(param, *gpa + offset);
}

static bool stray(const char *kind, const char *param, uint64_t offset)
{
	uint64_t gpa;

	return access_poison(kind, param, offset, &gpa) && ask("gone", "leave");
}

static bool stray_zeropad(void)
{
	return stray("anon", "zeropad", 0);
}

/* And once more, when the first accesses have had the page taken out. */
static bool stray_nofault(void)
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
static bool stray_line(void)
{
	uint64_t gpa;

	return victim_has("anon early", &gpa) && poison_page(gpa) &&
	       report_optional(gpa, MISC_LINE) && access_direct_map("zeropad", gpa) &&
	       ask("gone", "leave");
}

/* A page of a folio that memory_failure() marks as a whole. */
static bool stray_hugetlb(void)
{
	return stray("hugetlb", "nofault", 0);
}

/* It is the kernel that has the bad page, and copies it to user space. */
static bool stray_copyout(void)
{
	return stray("anon", "copyout", 0);
}

static bool stray_load(void)
{
	return stray("anon", "load", 0x123);
}

static bool stray_zeropad_inside(void)
{
	return stray("anon", "inside", 0x7fd);
}

/* The same as stray-zeropad, by what any user can do. */
static bool follow(int rounds, int users)
{
	uint64_t gpa;

	if (!ask("links", "links"))
		return false;
	gpa = answered("gpa=");
	return poison_page(gpa) && report_quietly(gpa, MISC_PAGE) &&
	       look_at_direct_map("direct", gpa) && ask("follow", "follow %d %d", rounds, users) &&
	       settle() && look_at_direct_map("after", gpa) && ask("gone", "leave");
}

static bool stray_path(void)
{
	return follow(1, 1);
}

/* Two CPUs can get there at the same instant. */
static bool stray_path_2(void)
{
	return follow(40, 2);
}

/* The page of a file, which the kernel accesses after the process had its SIGBUS */
static bool of_file(const char *kind, const char *access)
{
	uint64_t gpa;

	return victim_has(kind, &gpa) && poison_page(gpa) && ask("sigbus", "load") &&
	       look_at_direct_map("direct", gpa) && ask("file", "%s", access) &&
	       settle() && look_at_direct_map("after", gpa) && ask("gone", "leave");
}

static bool truncate_page(void)
{
	return of_file("memfd", "truncate");
}

static bool punch(void)
{
	return of_file("huge-memfd", "punch");
}

static bool dax_read(void)
{
	return of_file("dax", "pread");
}

static bool dax_write(void)
{
	return of_file("dax", "pwrite");
}

/* A pipe has a reference to the page. */
static bool pinned(void)
{
	uint64_t gpa;

	return victim_has("anon", &gpa) && ask("pin", "pin") && poison_page(gpa) &&
	       ask("sigbus", "load") && look_at_direct_map("direct", gpa) &&
	       ask("file", "drain") && settle() && look_at_direct_map("after", gpa) &&
	       ask("gone", "leave");
}

/*
 * The same of a huge page: it cannot be split, so memory_failure() fails, after it has
 * marked the page. The process still has it: the kernel copies from there, which it
 * survives, then from the pipe.
 */
static bool mark(uint64_t *gpa)
{
	return victim_has_above(0, "thp", gpa) && ask("pin", "pin") && poison_page(*gpa) &&
	       report_quietly(*gpa, MISC_PAGE) && look_at_direct_map("direct", *gpa);
}

static bool not_offlined(void)
{
	uint64_t gpa;

	return mark(&gpa) && ask("write", "write") && ask("file", "drain") &&
	       ask("gone", "leave");
}

/* Copies from user space that the kernel repeats are counted, and too many are fatal. */
static bool not_offlined_futex(void)
{
	uint64_t gpa;

	return mark(&gpa) && ask("file", "futex") && ask("gone", "leave");
}

/* An instruction with a fixup, on a page that could not be taken offline. */
static bool not_offlined_nofault(void)
{
	uint64_t gpa;

	return mark(&gpa) && ask("stray", "hook nofault=%#llx", (unsigned long long)gpa) &&
	       ask("gone", "leave");
}

/* One fact of a SIGBUS: NAME=CODE:LSB, or with :elsewhere when it is not about the page. */
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
static bool page_kinds(void)
{
	static const char *const all[] = {
		"anon", "mlock", "thp", "hugetlb", "shmem", "dirty",
	};
	uint64_t gpa;

	vm.prefix = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		char early[32];

		snprintf(early, sizeof(early), "%s early", all[i]);
		/* an early SIGBUS is pending then, and comes before the load */
		if (!victim_has_above(0, early, &gpa) || !poison_page(gpa) ||
		    !report_quietly(gpa, MISC_PAGE) || !ask("sigbus", "load"))
			return false;
		note_sigbus("ao", all[i]);
		if (!ask("gone", "leave") ||
		    !victim_has_above(0, all[i], &gpa) || !poison_page(gpa) ||
		    !ask("sigbus", "load"))
			return false;
		note_sigbus("ar", all[i]);
		if (!ask("gone", "leave"))
			return false;
	}

	/* a clean page of the page cache is on the disk as well: no SIGBUS, read again */
	if (!victim_has_above(0, "clean early", &gpa) || !poison_page(gpa) ||
	    !report_quietly(gpa, MISC_PAGE) || !ask("value", "load"))
		return false;
	fact("ao.clean", "%s", answered("byte=") == 0x5a ? "reread" : "lost");
	if (!ask("gone", "leave") || !victim_has_above(0, "clean", &gpa) || !poison_page(gpa) ||
	    !ask("value", "load"))
		return false;
	fact("ar.clean", "%s", answered("byte=") == 0x5a ? "reread" : "lost");
	vm.prefix = "";
	return ask("gone", "leave");
}

/* A page of a DIMM is bad. */
static bool poison_dimm(uint64_t *gpa)
{
	/* in the middle, so that what touches it next is the filling below */
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

static bool replug(void)
{
	uint64_t gpa;

	return poison_dimm(&gpa) && replace_dimm(gpa);
}

/* With page tables of five levels, where the kernel is built for that. */
static bool replug_la57(void)
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
static bool replug_stray(void)
{
	uint64_t gpa;

	if (!poison_dimm(&gpa) || !settle() || !look_at_direct_map("direct", gpa))
		return false;
	/* where it is not mapped, the load is a page fault */
	if (is_fact("direct", "mapped") ?
	    !stop_in_kernel_load(gpa) || !inject(0, action_required, gpa, MISC_PAGE) ||
	    !qmp("cont", NULL) || !answer("stray") :
	    !ask("stray", "hook spin=%#llx", (unsigned long long)gpa))
		return false;
	return settle() && look_at_direct_map("after", gpa) &&
	       replace_dimm(gpa);
}

/*
 * The kernel's page tables, before and after one bad page after the other, of
 * which the process has an early SIGBUS if @reported, or one when it loads.
 */
static bool many_pages(bool reported, const char *signal)
{
	const int wanted = 64;
	int signals = 0;

	/* the records of so many take longer to print than all else here does */
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
	if ((reported && !settle()) || !ask("tables", "tables 0"))
		return false;
	vm.prefix = "";
	return ask("gone", "leave");
}

static bool many_pages_reported(void)
{
	return many_pages(true, "code=BUS_MCEERR_AO lsb=12 ");
}

/* The poller finds deferred errors: once a second is too rare for so many. */
static bool many_pages_required(void)
{
	return many_pages(false, "code=BUS_MCEERR_AR lsb=12 ");
}

/*
 * AMD's action optional: no exception, the kernel finds it when it looks into
 * the banks.
 */
static bool deferred(void)
{
	uint64_t gpa;

	return victim_has("anon early", &gpa) && poison_page(gpa) && ask("sigbus", "wait") &&
	       settle() && look_at_direct_map("direct", gpa) && ask("gone", "leave");
}

/* Machine checks that go to all vCPUs, while all are busy. */
static bool smp(void)
{
	int optional = 0, required = 0;

	vm.prefix = "";
	if (!ask("busy", "busy 4"))
		return false;
	for (int cpu = 0; cpu < 4; cpu++) {
		uint64_t gpa;

		/* without a machine check in between: what the lab itself takes */
		vm.prefix = "quiet.";
		if (!ask("stalls", "stalls") || !victim_has("anon early", &gpa) ||
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
		if (!victim_has("anon", &gpa) || !poison_page(gpa) || !ask("sigbus", "load"))
			return false;
		required += is_sigbus("code=BUS_MCEERR_AR lsb=12 ");
		if (!ask("stalls", "stalls") || !ask("gone", "leave"))
			return false;
	}
	vm.prefix = "";
	fact("ao.signals", "%d", optional);
	fact("ar.signals", "%d", required);
	return settle() && ask("calm", "calm");
}

/* Without the hypervisor bit: each record takes its page out of the direct map. */
static bool bare_metal(void)
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
		if (!victim_has(all[i].kind, &gpa) || !all[i].report(gpa, all[i].misc) ||
		    !look_at_direct_map(name, gpa) ||
		    !ask("tables", "tables %#llx", (unsigned long long)gpa) ||
		    !ask("gone", "leave"))
			return false;
	}
	vm.prefix = "";
	return true;
}

/* What was never taken out is put back: of a page of RAM, and of another. */
static bool clear_nospec(void)
{
	uint64_t gpa;

	if (!victim_has("anon early", &gpa) || !report_optional(gpa, MISC_PAGE) ||
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

/* Fewer pages: those that are action optional wait for the poller, twice each. */
static bool short_soak(void)
{
	soak_poisons = 12;
	return run_soak();
}

static const struct scenario scenarios[] = {
	{ .name = "ao-page", .run = ao_page, .reported = true },
	{ .name = "ao-line", .run = ao_line },
	{ .name = "ar-load", .run = ar_load },
	{ .name = "ar-exec", .run = ar_exec },
	{ .name = "ar-line", .run = ar_line },
	{ .name = "copyin", .run = copyin },
	{ .name = "stray-zeropad", .run = stray_zeropad },
	{ .name = "stray-nofault", .run = stray_nofault },
	{ .name = "stray-copyout", .run = stray_copyout },
	{ .name = "stray-line", .run = stray_line },
	{ .name = "stray-hugetlb", .run = stray_hugetlb },
	{ .name = "stray-load", .run = stray_load },
	{ .name = "stray-zeropad-inside", .run = stray_zeropad_inside },
	{ .name = "stray-path", .run = stray_path, .cpus = 2 },
	{ .name = "stray-path-2", .run = stray_path_2, .cpus = 2 },
	{ .name = "truncate", .run = truncate_page },
	{ .name = "punch", .run = punch },
	{ .name = "dax-read", .run = dax_read, .kernel_args = DAX },
	{ .name = "dax-write", .run = dax_write, .kernel_args = DAX },
	{ .name = "pinned", .run = pinned },
	{ .name = "not-offlined", .run = not_offlined },
	{ .name = "not-offlined-futex", .run = not_offlined_futex },
	{ .name = "not-offlined-nofault", .run = not_offlined_nofault },
	{ .name = "page-kinds", .run = page_kinds },
	{ .name = "replug", .run = replug, .reported = true },
	{ .name = "replug-bare-metal", .run = replug, .reported = true,
	  .cpu_flags = ",-hypervisor" },
	{ .name = "replug-la57", .run = replug_la57, .reported = true, .cpu_flags = ",+la57" },
	{ .name = "replug-stray", .run = replug_stray, .reported = true },
	{ .name = "many-pages", .run = many_pages_reported, .reported = true, .ram_mb = 384 },
	{ .name = "broadcast-ao-page", .run = ao_page, .reported = true, .broadcast = true },
	{ .name = "broadcast-ao-line", .run = ao_line, .broadcast = true },
	{ .name = "broadcast-ar-load", .run = ar_load, .broadcast = true },
	{ .name = "broadcast-ar-line", .run = ar_line, .broadcast = true },
	{ .name = "broadcast-copyin", .run = copyin, .broadcast = true },
	{ .name = "broadcast-stray-zeropad", .run = stray_zeropad, .broadcast = true },
	{ .name = "broadcast-stray-nofault", .run = stray_nofault, .broadcast = true },
	{ .name = "broadcast-stray-load", .run = stray_load, .broadcast = true },
	{ .name = "broadcast-stray-path-2", .run = stray_path_2, .cpus = 2, .broadcast = true },
	{ .name = "broadcast-many-pages", .run = many_pages_reported, .reported = true,
	  .ram_mb = 384, .broadcast = true },
	{ .name = "bochs-ao-page", .run = ao_page, .reported = true },
	{ .name = "bochs-stray-zeropad", .run = stray_zeropad },
	{ .name = "amd-ar-load", .run = ar_load },
	{ .name = "amd-deferred", .run = deferred, .reported = true },
	{ .name = "amd-copyin", .run = copyin },
	{ .name = "amd-stray-zeropad", .run = stray_zeropad },
	{ .name = "amd-stray-nofault", .run = stray_nofault },
	{ .name = "amd-stray-copyout", .run = stray_copyout },
	{ .name = "amd-stray-hugetlb", .run = stray_hugetlb },
	{ .name = "amd-stray-path", .run = stray_path, .cpus = 2 },
	{ .name = "amd-stray-load", .run = stray_load },
	{ .name = "amd-stray-zeropad-inside", .run = stray_zeropad_inside },
	{ .name = "amd-stray-path-2", .run = stray_path_2, .cpus = 2 },
	{ .name = "amd-truncate", .run = truncate_page },
	{ .name = "amd-punch", .run = punch },
	{ .name = "amd-dax-read", .run = dax_read, .kernel_args = DAX },
	{ .name = "amd-dax-write", .run = dax_write, .kernel_args = DAX },
	{ .name = "amd-not-offlined", .run = not_offlined },
	{ .name = "amd-not-offlined-nofault", .run = not_offlined_nofault },
	{ .name = "amd-page-kinds", .run = page_kinds },
	{ .name = "amd-many-pages", .run = many_pages_required, .ram_mb = 384 },
	{ .name = "amd-soak-1", .run = short_soak, .ram_mb = 1344 },
	{ .name = "smp", .run = smp, .cpus = 4 },
	{ .name = "broadcast-smp", .run = smp, .cpus = 4, .broadcast = true },
	{ .name = "soak-1", .run = run_soak, .ram_mb = 1344 },
	{ .name = "soak-4", .run = run_soak, .cpus = 4, .ram_mb = 1344 },
	{ .name = "soak-leak", .run = run_leaking_soak, .ram_mb = 1344 },
	{ .name = "bare-metal", .run = bare_metal, .reported = true, .cpu_flags = ",-hypervisor" },
	{ .name = "clear", .run = clear_nospec, .reported = true,
	  .kernel_args = "memmap=1M$112M" /* NOT_RAM */ },
};

static void bad_arguments(void)
{
	fputs("usage: vmm [-l SECONDS] [-n POISONS] [-s SEED]", stderr);
	fputs(" -m MACHINE -k KERNEL -i INITRD SCENARIO\n", stderr);
	fputs("machines:", stderr);
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		fprintf(stderr, " %s", machines[i].name);
	fprintf(stderr, "\nscenarios:");
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		fprintf(stderr, " %s", scenarios[i].name);
	fputc('\n', stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	const char *kernel = NULL, *initrd = NULL;
	const struct scenario *s = NULL;
	const struct machine *m = NULL;
	int opt, limit = 0;

	while ((opt = getopt(argc, argv, "l:n:s:m:k:i:")) != -1) {
		switch (opt) {
		case 'l':
			limit = atoi(optarg);
			if (limit <= 0)
				bad_arguments();
			break;
		case 'n':
			soak_poisons = atoi(optarg);
			if (soak_poisons <= 0)
				bad_arguments();
			break;
		case 's':
			soak_seed = strtoul(optarg, NULL, 10);
			break;
		case 'm':
			for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
				if (!strcmp(optarg, machines[i].name))
					m = &machines[i];
			break;
		case 'k':
			kernel = optarg;
			break;
		case 'i':
			initrd = optarg;
			break;
		default:
			bad_arguments();
		}
	}
	for (size_t i = 0; optind < argc && i < ARRAY_SIZE(scenarios); i++)
		if (!strcmp(argv[optind], scenarios[i].name))
			s = &scenarios[i];
	if (!s || !m || !kernel || !initrd)
		bad_arguments();

	return run_scenario(m, s, kernel, initrd, limit);
}
