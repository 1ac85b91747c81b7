// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scenarios soak-*: one bad page after the other, of random kinds and in random
 * ways, in a guest that works. What is random comes from soak_seed alone.
 *
 * What can be wrong: a process of the guest that dies or finds other data than
 * it wrote (died=), a victim with an unexpected SIGBUS or none (wrong=),
 * HardwareCorrupted that does not add up (corrupted=), and, between the first hundred
 * of pages and the last, a change of what the kernel uses of slab and of page tables
 * when the guest is idle (slab_kb=, pagetables_kb=). soak-leak has a guest program that
 * leaks, to see that this is noticed.
 */
#include <stdlib.h>

#include "scenarios.h"

unsigned int soak_poisons = 30, soak_seed = 1;

/* Of all that victims can own (kinds.c); only a clean page is read again. */
static const char *const kinds[] = {
	"anon", "mlock", "thp", "hugetlb", "shmem", "dirty", "clean",
};

/*
 * How the guest learns of it: by a report, with the record about a page or about a line; by
 * an access; by an access, but the record is injected, and is about a line.
 */
enum way { AO_PAGE, AO_LINE, LOAD, REQUIRED_LINE, WAYS };

static const char *const way_names[] = { "ao-page", "ao-line", "ar-load", "ar-line" };

/* Machine check and SIGBUS for the page at @gpa, or what a clean page gets instead. */
static bool use_page(uint64_t gpa, enum way way, bool clean)
{
	uint64_t misc = way == AO_PAGE ? MISC_PAGE : MISC_LINE;

	switch (way) {
	case AO_PAGE:
	case AO_LINE:
		/* an early SIGBUS is pending then, and comes before the load */
		return report_quietly(gpa, misc) && ask(clean ? "value" : "sigbus", "load");
	case REQUIRED_LINE:
		return report_required(gpa, misc);
	default:
		return ask(clean ? "value" : "sigbus", "load");
	}
}

/*
 * One page goes bad. *@right: the victim had the SIGBUS that it should have. *@late: it is of
 * hugetlbfs, and the victim had one by its access only, although it asked for an early one.
 */
static bool one_poison(const char *kind, enum way way, bool *right, bool *late)
{
	bool clean = !strcmp(kind, "clean"), hugetlb = !strcmp(kind, "hugetlb");
	bool reported = way == AO_PAGE || way == AO_LINE;
	char map[32], expected[64];
	uint64_t gpa;

	snprintf(map, sizeof(map), "%s%s", kind, reported ? " early" : "");
	snprintf(expected, sizeof(expected), "code=BUS_MCEERR_%s lsb=%d ", reported ? "AO" : "AR",
		 hugetlb ? 21 : 12);
	if (!map_victim_page_above(0, map, &gpa) || !poison_page(gpa) ||
	    !use_page(gpa, way, clean))
		return false;
	*right = clean ? answered("byte=") == 0x5a : is_sigbus(expected);
	*late = !*right && hugetlb && reported && is_sigbus("code=BUS_MCEERR_AR lsb=21 ");
	if (!*right)
		say("not what was expected: %s", vm.answer);
	return ask("gone", "leave");
}

struct usage {
	long slab_kb, pagetables_kb;
};

/*
 * A clean page is read again from the disk: there is no SIGBUS for a process that only spins.
 * And 6.6.87 sends none for a page of hugetlbfs before the process accesses it, see
 * "scenarios".
 */
static enum way way_for(const char *kind, enum way way)
{
	bool by_access = !strcmp(kind, "clean") || !strcmp(kind, "hugetlb");

	return way == REQUIRED_LINE && by_access ? LOAD : way;
}

/* What the kernel uses for itself when the guest is idle; *@died adds up. */
static bool measure(struct usage *u, unsigned int *died)
{
	if (!ask("rest", "rest"))
		return false;
	*died += answered("died=");
	if (!ask("usage", "usage"))
		return false;
	u->slab_kb = answered("slab_kb=");
	u->pagetables_kb = answered("pagetables_kb=");
	return true;
}

static bool take_poisons(bool leaks)
{
	unsigned int first = soak_poisons >= 200 ? 100 : (soak_poisons + 1) / 2;
	unsigned int done[WAYS] = { 0 }, wrong = 0, late_ones = 0, died = 0;
	struct usage before, after;

	say("soak: %u poisons, seed %u", soak_poisons, soak_seed);
	srandom(soak_seed);
	vm.prefix = NULL;
	if (!ask("tables", "tables 0") || !ask("work", "work %ld", random()))
		return false;
	for (unsigned int i = 1; i <= soak_poisons; i++) {
		const char *kind = kinds[random() % ARRAY_SIZE(kinds)];
		enum way way = way_for(kind, random() % WAYS);
		bool right, late;

		say("soak: poison %u of %u, %s %s", i, soak_poisons, way_names[way], kind);
		if (!one_poison(kind, way, &right, &late))
			return false;
		if (leaks && !ask("leak", "leak"))
			return false;
		done[way]++;
		wrong += !right && !late;
		late_ones += late;
		if (i == first && (!measure(&before, &died) || !ask("work", "work %ld", random())))
			return false;
	}
	if (!measure(&after, &died))
		return false;
	fact("poisons", "%u", soak_poisons);
	fact("seed", "%u", soak_seed);
	fact("wrong", "%u", wrong);
	fact("late", "%u", late_ones);
	fact("died", "%u", died);
	fact("slab_kb", "%ld", after.slab_kb - before.slab_kb);
	fact("pagetables_kb", "%ld", after.pagetables_kb - before.pagetables_kb);
	for (int way = 0; way < WAYS; way++)
		fact(way_names[way], "%u", done[way]);
	if (!ask("alive", "alive"))
		return false;
	fact("corrupted", "%s",
	     answered("HardwareCorrupted=") == soak_poisons * 4 ? "adds_up" : "off");
	vm.prefix = "";
	return ask("tables", "tables 0");
}

bool run_soak(void)
{
	return take_poisons(false);
}

/* Fewer pages: those that are action optional wait for the poller, twice each. */
bool run_short_soak(void)
{
	soak_poisons = 12;
	return run_soak();
}

bool run_leaking_soak(void)
{
	return take_poisons(true);
}
