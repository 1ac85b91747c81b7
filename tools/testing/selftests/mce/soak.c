// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scenarios soak-*: poison one page after the other, of random kinds and in all
 * ways, in a busy guest. All random choices come from soak_seed.
 *
 * They report processes of the guest that died or read wrong data (died=), victims with
 * an unexpected SIGBUS or none (wrong=), a wrong HardwareCorrupted (corrupted=), and how
 * much the idle kernel's slab and page tables grow between the first hundred pages and
 * the last (slab_kb=, pagetables_kb=). In soak-leak the guest leaks memory, to test that
 * a leak is noticed.
 */
#include <stdlib.h>

#include "vmm.h"

unsigned int soak_poisons, soak_seed;

/* A subset of kinds.c. Only a clean page is read again from the disk. */
static const char *const kinds[] = {
	"anon", "mlock", "thp", "hugetlb", "shmem", "dirty", "clean",
};

/*
 * How the guest learns of poison: by a report, with a record about a page or about a line; by
 * an access; or by an injected action required record about a line.
 */
enum way { AO_PAGE, AO_LINE, LOAD, REQUIRED_LINE, WAYS };

static const char *const way_names[] = { "ao-page", "ao-line", "ar-load", "ar-line" };

/*
 * Poison one page. *@right: the victim got the expected SIGBUS. *@late: the page is of
 * hugetlbfs, and the victim asked for an early SIGBUS, but got one only by its access.
 */
static bool one_poison(const char *kind, enum way way, bool *right, bool *late)
{
	bool clean = !strcmp(kind, "clean"), hugetlb = !strcmp(kind, "hugetlb");
	bool reported = way == AO_PAGE || way == AO_LINE;
	char expected[64];

	snprintf(expected, sizeof(expected), "code=BUS_MCEERR_%s lsb=%d ", reported ? "AO" : "AR",
		 hugetlb ? 21 : 12);
	if (!ask("map", "map 0 %s%s", kind, reported ? " early" : "") || !poison_page() ||
	    (reported && !report_quietly(way == AO_PAGE ? MISC_PAGE : MISC_LINE)))
		return false;
	/* the early SIGBUS is pending now, and comes before the load; a clean page has a value */
	if (way == REQUIRED_LINE ? !report_required(MISC_LINE) :
				   !ask(clean ? "value" : "sigbus", "load"))
		return false;
	*right = clean ? answered("byte=") == 0x5a : is_sigbus(expected);
	*late = !*right && hugetlb && reported && is_sigbus("code=BUS_MCEERR_AR lsb=21 ");
	if (!*right)
		say("unexpected answer: %s", vm.answer);
	return ask("gone", "leave");
}

struct usage {
	long slab_kb, pagetables_kb;
};

/*
 * A process that only spins gets no SIGBUS for some pages: a clean page is read again from the
 * disk, and 6.6.87 sends none for a page of hugetlbfs before an access, see "scenarios".
 */
static enum way way_for(const char *kind, enum way way)
{
	bool by_access = !strcmp(kind, "clean") || !strcmp(kind, "hugetlb");

	return way == REQUIRED_LINE && by_access ? LOAD : way;
}

/* Measure the kernel's own memory in the idle guest. Add dead processes to *@died. */
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

static bool run_soak(void)
{
	unsigned int poisons = vm.scenario->poisons ?: soak_poisons;
	unsigned int first = poisons >= 200 ? 100 : (poisons + 1) / 2;
	unsigned int done[WAYS] = { 0 }, wrong = 0, late_ones = 0, died = 0;
	const char *leak = vm.scenario->command;
	struct usage before, after;

	say("soak: %u poisons, seed %u", poisons, soak_seed);
	srandom(soak_seed);
	vm.prefix = NULL;
	if (!ask("tables", "tables 0") || !ask("work", "work %ld", random()))
		return false;
	for (unsigned int i = 1; i <= poisons; i++) {
		const char *kind = kinds[random() % ARRAY_SIZE(kinds)];
		/* each way, however few pages there are */
		enum way way = way_for(kind, i % WAYS);
		bool right, late;

		say("soak: poison %u of %u, %s %s", i, poisons, way_names[way], kind);
		if (!one_poison(kind, way, &right, &late))
			return false;
		if (leak && !ask("leak", "%s", leak))
			return false;
		done[way]++;
		wrong += !right && !late;
		late_ones += late;
		if (i == first && (!measure(&before, &died) || !ask("work", "work %ld", random())))
			return false;
	}
	if (!measure(&after, &died))
		return false;
	fact("poisons", "%u", poisons);
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
	     answered("HardwareCorrupted=") == poisons * 4 ? "adds_up" : "off");
	vm.prefix = "";
	return ask("tables", "tables 0");
}

const struct scenario soak_scenarios[] = {
	{ .name = "soak-1", .run = run_soak, .ram_mb = 1344 },
	{ .name = "soak-4", .run = run_soak, .cpus = 4, .ram_mb = 1344 },
	{ .name = "soak-leak", .run = run_soak, .command = "leak", .ram_mb = 1344 },
	/* fewer pages: each deferred error waits twice for the poller */
	{ .name = "amd-soak-1", .run = run_soak, .poisons = 6, .ram_mb = 1344 },
	{ }
};
