// SPDX-License-Identifier: GPL-2.0-only
/* The records that fuzz.c sends, and when: a function for each WHAT */
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"

/* MCACOD: memory scrubbing, data load, instruction fetch, and one without a rule */
static const unsigned long codes[] = {
	MCACOD_SCRUB, MCACOD_DATA, MCACOD_INSTR, 0x005,
};

/* MCi_MISC: a page, a line, a mode other than physical address, and more than a page */
static const unsigned long miscs[] = { MISC_PAGE, MISC_LINE, 0x4c, 0x95 };

/* The number of records in the random scenarios */
#define RANDOM_ONES 2000
#define AGAIN 100
#define OFF 40
#define UNPLUG 60

static bool bits_about(const char *state, bool local, const char *const *questions)
{
	static const unsigned long flags[] = {
		MCI_STATUS_OVER, MCI_STATUS_EN, MCI_STATUS_MISCV, MCI_STATUS_ADDRV,
		MCI_STATUS_PCC, MCI_STATUS_S, MCI_STATUS_AR,
	};

	for (unsigned int set = 0; set < 1 << ARRAY_SIZE(flags); set++) {
		struct sent r = { .addr = vm.gpa, .addr_name = "page" };

		r.record.status = MCI_STATUS_VAL | MCI_STATUS_UC;
		for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
			r.record.status |= set >> i & 1 ? flags[i] : 0;
		for (size_t c = 0; c < ARRAY_SIZE(codes); c++) {
			struct sent each = r;
			size_t valid;

			each.record.status |= codes[c];
			/* a corrected error raises no exception: once is enough */
			each.record.status &= ~MCI_STATUS_UC;
			each.record.mcgstatus = 0;
			each.misc = MISC_PAGE;
			if (!try_record(state, state, &each, questions))
				return false;
			each.record.status |= MCI_STATUS_UC;
			/* without MISCV, MISC is not read: one is enough */
			valid = each.record.status & MCI_STATUS_MISCV ? ARRAY_SIZE(miscs) : 1;
			for (size_t m = 0; m < valid; m++) {
				each.misc = miscs[m];
				for (unsigned long mcg = 0; mcg < BIT(4); mcg++) {
					/* MCIP is set in all below */
					if (mcg & MCG_STATUS_MCIP ||
					    (mcg & MCG_STATUS_LMCES && !local))
						continue;
					each.record.mcgstatus = mcg | MCG_STATUS_MCIP;
					if (!try_record(state, state, &each, questions))
						return false;
				}
			}
		}
	}
	return true;
}

static bool bits(void)
{
	/* a local record makes a difference only if the page stays, or stayed, mapped */
	static const struct {
		const char *name;
		bool local;
	} states[] = {
		{ "idle", false }, { "user", true }, { "load", true }, { "load-good", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		const char *const *questions = bring_into(states[i].name);

		if (!questions || !bits_about(states[i].name, states[i].local, questions))
			return false;
	}
	return true;
}

/* Addresses without memory, or with memory that cannot be offlined. */
static const struct {
	const char *name;
	unsigned long addr;
} addresses[] = {
	{ "null", 0 }, { "first", 0x1000 }, { "vga", 0xa0000 }, { "bios", 0xf0000 },
	{ "kernel-text", 16 * MB }, { "kernel-text-2", 17 * MB },
	{ "last-page", RAM - PAGE }, { "end", RAM }, { "behind", RAM + PAGE },
	{ "hole", 0x80000000 }, { "pci", 0xb0000000 }, { "io-apic", 0xfec00000 },
	{ "hpet", 0xfed00000 }, { "local-apic", 0xfee00000 }, { "flash", 0xffff0000 },
	{ "4g", 1ULL << 32 }, { "2^39", 1ULL << 39 }, { "2^40-1p", (1ULL << 40) - PAGE },
	{ "2^45", 1ULL << 45 }, { "2^46", 1ULL << 46 }, { "2^51", 1ULL << 51 },
	{ "2^52-1p", (1ULL << 52) - PAGE }, { "2^52", 1ULL << 52 }, { "2^56", 1ULL << 56 },
	{ "2^63", 1ULL << 63 }, { "all", ~0ULL }, { "odd", 0x2345677 },
	{ "zero-page", 0 }, { "page-table", 0 }, { "page+1", 1 }, { "page+4095", 4095 },
};

static unsigned long address(size_t i, unsigned long cr3)
{
	if (!strcmp(addresses[i].name, "zero-page"))
		return zero_page;
	if (!strcmp(addresses[i].name, "page-table"))
		return cr3;
	return addresses[i].addr + (strncmp(addresses[i].name, "page+", 5) ? 0 : vm.gpa);
}

/* The page of the top page table in use */
static unsigned long find_cr3(void)
{
	return read_register("CR3=") & ~(PAGE - 1);
}

static bool try_addresses(const char *state, const char *const *questions)
{
	unsigned long cr3 = find_cr3();

	for (size_t i = 0; i < 4 * ARRAY_SIZE(addresses); i++) {
		struct sent r = {
			.record = i & 2 ? action_required : action_optional,
			.misc = i & 1 ? MISC_LINE : MISC_PAGE,
			.addr = address(i / 4, cr3), .addr_name = addresses[i / 4].name,
		};

		if (!try_record(state, state, &r, questions))
			return false;
	}
	return true;
}

static bool about_addresses(void)
{
	static const char *const states[] = { "idle", "user" };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		const char *const *questions = bring_into(states[i]);

		if (!questions || !try_addresses(states[i], questions))
			return false;
	}
	return true;
}

/* In half of them, clear or set the bits that would always be fatal. */
static bool random_ones(void)
{
	const char *const *questions = bring_into("user");
	unsigned long cr3;

	if (!questions)
		return false;
	cr3 = find_cr3();
	srandom(seed);
	for (int i = 0; i < RANDOM_ONES; i++) {
		size_t a = random() % ARRAY_SIZE(addresses);
		struct sent r = {
			.addr = address(a, cr3), .addr_name = addresses[a].name,
			.misc = random() % 2 ? MISC_PAGE : (unsigned long)random() << 31 ^ random(),
		};

		r.record.status = MCI_STATUS_VAL | MCI_STATUS_UC |
				  ((unsigned long)random() << 32 ^ random());
		r.record.mcgstatus = MCG_STATUS_MCIP | random() % 4;
		if (random() % 2) {
			r.record.status &= ~(MCI_STATUS_PCC | 0xffffULL);
			r.record.status |= MCI_STATUS_EN | MCI_STATUS_ADDRV | MCI_STATUS_MISCV |
					   codes[random() % ARRAY_SIZE(codes)];
			r.record.mcgstatus |= MCG_STATUS_RIPV;
		}
		if (!try_record("user", "user", &r, questions))
			return false;
	}
	return true;
}

/* Earlier records are part of the state here, until one kills the process. */
static bool again(void)
{
	const char *const *questions = bring_into("user");

	srandom(seed);
	for (int i = 0; questions && i < AGAIN; i++) {
		struct sent r = { .addr = vm.gpa, .addr_name = "page" };

		r.record = random() % 2 ? action_optional : action_required;
		r.misc = random() % 2 ? MISC_PAGE : MISC_LINE;
		if (!try_record("user", "user", &r, questions))
			return false;
		if (at_end() || !strstr(vm.facts, "killed=0"))
			questions = bring_into("user");
		else if (!stop_in_user_mode() || !save_guest("user"))
			return false;
	}
	return questions;
}

/* ---- boot, power-off, offline CPUs and DIMMs */

static const char *const ask_ready[] = { "<", "here", "here", NULL };
static const char *const see_off[] = { "!", NULL };

/* Send sane records about a page in the middle of memory to the guest in the state @saved. */
static bool try_both(const char *saved, const char *state, const char *const *questions)
{
	struct sent r = { .misc = MISC_PAGE, .addr = RAM / 2, .addr_name = "middle" };

	r.record = action_optional;
	if (!try_record(saved, state, &r, questions))
		return false;
	r.record = action_required;
	return try_record(saved, state, &r, questions);
}

/* Records at every third line that the kernel prints while it boots */
static bool boot(void)
{
	if (!load_guest("base") || !qmp("system_reset", NULL) || !qmp("cont", NULL))
		return false;
	vm.silent = !only;
	for (unsigned int line = vm.lines + 3;; line = vm.lines + 3) {
		unsigned long cr4;

		vm.deadline_ms = now_ms() + HANG_MS;
		while (vm.lines < line && !vm.answer[0])
			if (!pump())
				return false;
		if (vm.answer[0])
			return true;
		if (!qmp("stop", NULL))
			return false;
		cr4 = read_register("CR4=");
		/* X86_CR4_MCE: without it, a machine check shuts the CPU down */
		if (!cr4 || !save_guest("boot") ||
		    !try_both("boot", cr4 & BIT(6) ? "mce" : "no-mce", ask_ready))
			return false;
		if (!load_guest("boot") || !qmp("cont", NULL))
			return false;
	}
}

/* Records at random times between the command to power off and the power-off */
static bool power_off(void)
{
	srandom(seed);
	for (int i = 0; i < OFF; i++) {
		const char *state;

		if (!load_guest("base") || !qmp("cont", NULL))
			return false;
		vm.deadline_ms = now_ms() + HANG_MS;
		if (!ask("off", "off"))
			return false;
		usleep(random() % 2000);
		if (!qmp("stop", NULL))
			return false;
		if (vm.powered_off)
			continue;
		/* the process that powers off is in user space or in the kernel */
		state = read_register("CPL=") == 3 ? "user" : "kernel";
		if (!save_guest("off") || !try_both("off", state, see_off))
			return false;
	}
	return true;
}

static bool offline(void)
{
	if (!load_guest("base") || !qmp("cont", NULL) || !ask("offline", "offline 1") ||
	    !stop_when_idle() || !save_guest("offline"))
		return false;
	for (int i = 0; i < 5; i++) {
		bool local = i < 2 || i == 4;
		struct sent r = {
			.record = i & 1 ? action_required : action_optional,
			.misc = MISC_PAGE, .cpu = 1, .addr = RAM / 2,
			.addr_name = local ? "middle-local" : "middle-broadcast",
		};

		r.record.local = local;
		if (i == 4)	/* no RIPV: the CPU cannot continue */
			r.record.mcgstatus = MCG_STATUS_MCIP;
		if (!try_record("offline", "offline", &r, ask_here))
			return false;
	}
	return true;
}

/*
 * Records about a DIMM while the guest unplugs it. They are not sent to a saved state, because
 * QEMU cannot load a state with other DIMMs than it has.
 */
static bool unplug(void)
{
	if (!load_guest("base") || !qmp("cont", NULL))
		return false;
	srandom(seed);
	for (int i = 0; i < UNPLUG; i++) {
		struct sent r = { .record = action_optional, .addr_name = "dimm" };

		vm.deadline_ms = now_ms() + HANG_MS;
		if (!plug_dimm() || !begin_to_unplug_dimm())
			return false;
		usleep(random() % 20000);
		r.addr = DIMM_START + random() % (DIMM_SIZE / PAGE) * PAGE;
		r.misc = random() % 2 ? MISC_PAGE : MISC_LINE;
		vm.facts[0] = '\0';
		if (!send_record(&r))
			return false;
		wait_for_end(ask_here);
		print_outcome("unplug", &r);
		if (at_end() || !finish_unplugging_dimm())
			return false;
	}
	return true;
}

/* fuzz.py reads the names here: those that take longest come first */
const struct scenario fuzz_scenarios[] = {
	{ .name = "bits", .run = bits },
	{ .name = "address", .run = about_addresses },
	{ .name = "random", .run = random_ones },
	{ .name = "again", .run = again },
	{ .name = "boot", .run = boot },
	{ .name = "off", .run = power_off },
	{ .name = "offline", .run = offline, .cpus = 2 },
	{ .name = "unplug", .run = unplug },
	{ }
};
