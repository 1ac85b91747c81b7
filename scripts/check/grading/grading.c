// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grade every machine check record that the rules of severity.c distinguish, in every
 * context, by the unpatched and by the patched tree (grading.sh links both in).
 *
 *   grading VERSION
 *
 * Print three tests in KTAP:
 *   - on bare metal, both give the same grade, the same reason, and the same flags for
 *     do_machine_check();
 *   - in a guest, too, unless it is an access by the direct map to a page that was left
 *     there;
 *   - in a guest, for such an access, only the records of may_differ() differ. Patched, each
 *     is recoverable, without a flag.
 * The third also proves that this program can detect a difference. Exit status 1 if a test
 * fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct world world;
struct cpu boot_cpu_data;
struct cfg mca_cfg;
struct flags mce_flags;

/* ---- the CPUs, records, instructions and pages to combine */

static const struct {
	unsigned int vendor, model, stepping;
	bool ser, succor, overflow_recov, smca, mcax;
} cpus[] = {
	{ X86_VENDOR_INTEL, INTEL_SKYLAKE_X, 4, .ser = true },
	{ X86_VENDOR_INTEL, 0x3c, 1, .ser = false },
	{ X86_VENDOR_ZHAOXIN, 0x3b, 1, .ser = true },
	{ X86_VENDOR_AMD, 1, 1, .succor = false },
	{ X86_VENDOR_AMD, 1, 1, .succor = true },
	{ X86_VENDOR_AMD, 1, 1, .overflow_recov = true },
	{ X86_VENDOR_AMD, 1, 1, .succor = true, .overflow_recov = true },
	{ X86_VENDOR_AMD, 1, 1, .smca = true, .mcax = true },
	{ X86_VENDOR_AMD, 1, 1, .overflow_recov = true, .smca = true, .mcax = true },
	{ X86_VENDOR_AMD, 1, 1, .succor = true, .overflow_recov = true, .smca = true,
	  .mcax = true },
	{ X86_VENDOR_HYGON, 1, 1, .succor = true, .overflow_recov = true, .smca = true },
	/* under a VMM that gives MCG_SER_P to an AMD guest */
	{ X86_VENDOR_AMD, 1, 1, .ser = true, .succor = true, .overflow_recov = true },
};

/*
 * The bits of MCi_STATUS that each vendor's rules look at. Three bits have two meanings:
 * 55 is AR of Intel and TCC of AMD, 44 and 43 are part of Intel's counter.
 */
static const u64 intel_bits[] = {
	MCI_STATUS_VAL, MCI_STATUS_OVER, MCI_STATUS_UC, MCI_STATUS_EN, MCI_STATUS_MISCV,
	MCI_STATUS_ADDRV, MCI_STATUS_PCC, MCI_STATUS_S, MCI_STATUS_AR,
};

static const u64 amd_bits[ARRAY_SIZE(intel_bits)] = {
	MCI_STATUS_VAL, MCI_STATUS_OVER, MCI_STATUS_UC, MCI_STATUS_MISCV, MCI_STATUS_ADDRV,
	MCI_STATUS_PCC, MCI_STATUS_TCC, MCI_STATUS_DEFERRED, MCI_STATUS_POISON,
};

/*
 * Error codes of SDM Vol. 3B, "Interpreting Machine Check Error Codes": those
 * in a rule, their neighbours, and the patrol scrub code of Skylake.
 */
static const u64 codes[] = {
	0, 1, MCACOD_SCRUB, MCACOD_SCRUB | 0xf, MCACOD_L3WB, MCACOD_DATA, MCACOD_DATA + 1,
	MCACOD_INSTR, 0x0010 << 16 | MCACOD_SCRUB,
};

static const u64 mcg_bits[] = {
	MCG_STATUS_RIPV, MCG_STATUS_EIPV, MCG_STATUS_MCIP,
#ifdef MCG_STATUS_SEAM_NR
	MCG_STATUS_SEAM_NR,
#endif
};

#ifdef EX_TYPE_NONE
#define FIXUPS 24	/* EX_TYPE_*, and some that no kernel has yet */
#define NO_FIXUP EX_TYPE_NONE
#define USER_COPY EX_TYPE_UACCESS
#define SAFE_COPY EX_TYPE_DEFAULT_MCE_SAFE
#else
#define FIXUPS (EX_HANDLER_OTHER + 1)
#define NO_FIXUP EX_HANDLER_NONE
#define USER_COPY EX_HANDLER_UACCESS
#define SAFE_COPY EX_HANDLER_FAULT
#endif

/* Before Linux 6.1, AMD's rules required overflow recovery, and read an MSR for SMCA. */
#if AMD_BY_OVERFLOW
#define AMD_RECOVERS (mce_flags.overflow_recov && !mce_flags.smca)
#else
#define AMD_RECOVERS mce_flags.succor
#endif

/* The bad page, in the direct map, and the page after it */
#define BANK_ADDR 0x7654321000UL
#define PAGE_IN_MAP (BANK_ADDR + KERNEL_STARTS)
#define ELSEWHERE (PAGE_IN_MAP + PAGE_SIZE)
#define USER 0x1000UL

static const struct {
	unsigned int opcode;
	bool modrm;
	unsigned long operand, si, di;
	bool direct;		/* may access the page by the direct map */
} instructions[] = {
	{ 0x01, true, PAGE_IN_MAP + 0x123, 0, 0, true },
	{ 0x8b, true, USER, 0, 0, false },		/* MOV from user space */
	{ 0x8b, true, PAGE_IN_MAP - 7, 0, 0, true },	/* MOV from the kernel */
	{ 0x89, true, USER, 0, 0, false },		/* MOV to user space */
	{ 0xa4, false, 0, USER, ELSEWHERE, false },	/* REP MOVS from user space */
	{ 0xa4, false, 0, USER, PAGE_IN_MAP - 7, true },
	{ 0xa4, false, 0, ELSEWHERE, USER, false },	/* and to it */
	{ 0xa4, false, 0, PAGE_IN_MAP + 0xfff, USER, true },
	{ 0xa4, false, 0, PAGE_IN_MAP - 8, USER, false },
};

/* MCi_MISC: address mode physical (2) or linear (1), and the lowest valid bit */
#define MISC(mode, lsb) ((mode) << 6 | (lsb))

static const struct {
	u64 misc;
	bool left;
	bool usable;		/* the record's address is one of a page */
} pages[] = {
	{ MISC(2, 12), true, true },
	{ MISC(2, 6), true, true },
	{ MISC(2, 13), true, false },
	{ MISC(1, 12), true, false },
	{ MISC(2, 12), false, true },
};

/* ---- one record */

static struct result {
	int grade;
	const char *reason;
	u64 kflags;
} before, after;

static struct result ask(int (*grade)(struct mce *, struct pt_regs *, char **, bool),
			 struct mce record, bool has_regs, bool is_excp, int i)
{
	struct pt_regs regs = {
		.ip = record.ip, .si = instructions[i].si, .di = instructions[i].di,
	};
	char *reason = "";
	int result = grade(&record, has_regs ? &regs : NULL, &reason, is_excp);

	return (struct result){ result, reason, record.kflags };
}

static bool same(const struct result *a, const struct result *b)
{
	return a->grade == b->grade && !strcmp(a->reason, b->reason);
}

/* Zhaoxin has Intel's rules, and address modes in MCi_MISC. */
static bool is_intel(void)
{
	return boot_cpu_data.x86_vendor == X86_VENDOR_INTEL ||
	       boot_cpu_data.x86_vendor == X86_VENDOR_ZHAOXIN;
}

/* A kernel access by the direct map to a page that was left there */
static bool may_differ(const struct mce *m, bool has_regs, int i, int page)
{
	const u64 load = MCI_STATUS_VAL | MCI_STATUS_EN | MCI_STATUS_UC | MCI_STATUS_S |
		MCI_STATUS_AR | MCACOD_DATA;
	const u64 mask = load | MCI_STATUS_OVER | MCI_STATUS_PCC | MCACOD;
	const u64 mcg = MCG_STATUS_MCIP | MCG_STATUS_EIPV;

	if ((m->cs & 3) == 3 || !has_regs || (m->mcgstatus & mcg) != mcg ||
	    !instructions[i].direct || !pages[page].left || !(m->status & MCI_STATUS_ADDRV))
		return false;
	/* mce_read_aux() clears the bits below MCi_MISC's LSB, which gives another page */
	if (mca_cfg.ser && m->status & MCI_STATUS_MISCV && (pages[page].misc & 0x3f) > PAGE_SHIFT)
		return false;
	if (m->cpuvendor == X86_VENDOR_AMD ? !AMD_RECOVERS :
	    !mca_cfg.ser || (m->status & mask) != load)
		return false;
	/* trees after 6.1 use an address on AMD only if the data is marked as poison */
	if (AMD_NEEDS_POISON && m->cpuvendor == X86_VENDOR_AMD &&
	    !(m->status & MCI_STATUS_POISON))
		return false;
	return is_intel() ? pages[page].usable && m->status & MCI_STATUS_MISCV : true;
}

/* ---- all of them */

static unsigned long long walked[3], wrong[3];

static struct {
	struct result before, after;
	unsigned long long times;
} changes[64];

static void note_change(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		if (changes[i].times && !(same(&changes[i].before, &before) &&
					  same(&changes[i].after, &after)))
			continue;
		changes[i].before = before;
		changes[i].after = after;
		changes[i].times++;
		return;
	}
}

/* Reasons for a panic only in unpatched kernels. 5.10 has none for AMD. */
static const char load_in_kernel[] = "Data load in unrecoverable area of kernel";
static const char amd_in_kernel[] = "Uncorrected unrecoverable error in kernel context";

static void one(const struct mce *m, bool has_regs, bool is_excp, int i, int page)
{
	bool may = world.hypervisor && may_differ(m, has_regs, i, page);
	int test = !world.hypervisor ? 0 : may ? 2 : 1;

	before = ask(grade_unpatched, *m, has_regs, is_excp, i);
	after = ask(grade_patched, *m, has_regs, is_excp, i);
	walked[test]++;
	if (test < 2) {
		wrong[test] += !same(&before, &after) || before.kflags != after.kflags;
		return;
	}
	if (same(&before, &after)) {
		wrong[2] += (after.grade == MCE_AR_SEVERITY && after.kflags) ||
			    !strcmp(before.reason, load_in_kernel) ||
			    !strcmp(before.reason, amd_in_kernel);
		return;
	}
	note_change();
	/* some are recoverable unpatched: in SEAM mode, or with a fixup for machine checks */
	wrong[2] += before.grade < MCE_AR_SEVERITY || after.grade != MCE_AR_SEVERITY ||
		    after.kflags;
}

static void all_contexts(struct mce *m, int page, bool has_regs, bool is_excp)
{
	m->cs = 0x33;
	world.fixup = NO_FIXUP;
	one(m, has_regs, is_excp, 0, page);
	m->cs = 0x10;
	for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
		world.opcode = instructions[i].opcode;
		world.modrm = instructions[i].modrm;
		world.operand = instructions[i].operand;
		for (world.fixup = 0; world.fixup < FIXUPS; world.fixup++) {
			/* to save time, try all fixups only with the first instruction */
			if (i && world.fixup != NO_FIXUP && world.fixup != USER_COPY &&
			    world.fixup != SAFE_COPY)
				continue;
			one(m, has_regs, is_excp, i, page);
		}
	}
}

static u64 subset(const u64 *bits, size_t count, unsigned int which)
{
	u64 set = 0;

	for (size_t i = 0; i < count; i++)
		if (which & 1U << i)
			set |= bits[i];
	return set;
}

static void all_records(int page)
{
	const u64 *bits = is_intel() ? intel_bits : amd_bits;
	struct mce m = { .ip = 0x1234, .cpuvendor = boot_cpu_data.x86_vendor };

	world.bank_addr = BANK_ADDR + (pages[page].misc & 0x3f) % 12 * 64;
	world.bank_misc = pages[page].misc;
	world.left = pages[page].left;
	for (unsigned int s = 0; s < 1U << ARRAY_SIZE(intel_bits); s++) {
		for (size_t c = 0; c < ARRAY_SIZE(codes); c++) {
			m.status = subset(bits, ARRAY_SIZE(intel_bits), s) | codes[c];
			/* 13..18 are the memory controllers of the Skylake quirk */
			m.bank = c == ARRAY_SIZE(codes) - 1 ? 13 : 9;
			for (unsigned int g = 0; g < 1U << ARRAY_SIZE(mcg_bits); g++) {
				m.mcgstatus = subset(mcg_bits, ARRAY_SIZE(mcg_bits), g);
				/* the handler, the monarch, the poller */
				all_contexts(&m, page, true, true);
				all_contexts(&m, page, false, true);
				all_contexts(&m, page, false, false);
			}
		}
	}
}

static void choose_cpu(int i)
{
	boot_cpu_data = (struct cpu){ .x86_vendor = cpus[i].vendor, .x86_vfm = cpus[i].model,
		.x86_model = cpus[i].model, .x86_stepping = cpus[i].stepping,
		.x86_phys_bits = 46 };
	mca_cfg.ser = cpus[i].ser;
	mce_flags = (struct flags){ .succor = cpus[i].succor,
		.overflow_recov = cpus[i].overflow_recov, .smca = cpus[i].smca };
	world.mcax = cpus[i].mcax;
}

static const char *name_of(int grade)
{
	return grade == MCE_PANIC_SEVERITY ? "panic" : grade == MCE_AR_SEVERITY ? "recover" :
	       "other";
}

int main(int argc, char **argv)
{
	static const char *const tests[] = {
		"on bare metal: every record has the same grade, reason and flags",
		"in a guest, all other accesses: every record has the same grade, reason and flags",
		"in a guest, stray accesses to a page left in the direct map: recover, no panic",
	};
	bool failed = false;

	if (argc != 2) {
		fprintf(stderr, "usage: grading VERSION\n");
		return 2;
	}
	for (size_t cpu = 0; cpu < ARRAY_SIZE(cpus); cpu++) {
		choose_cpu(cpu);
		for (int guest = 0; guest < 2; guest++) {
			world.hypervisor = guest;
			/* bare metal ignores whether the page was left: the first is enough */
			for (size_t p = 0; p < (guest ? ARRAY_SIZE(pages) : 1); p++)
				all_records(p);
		}
	}
	printf("KTAP version 1\n1..3\n");
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		bool bad = wrong[i] || !walked[i] || (i == 2 && !changes[0].times);

		printf("%sok %zu grades %s, %s (%llu records)\n", bad ? "not " : "", i + 1, argv[1],
		       tests[i], walked[i]);
		if (bad)
			printf("# %llu of them are wrong\n", wrong[i]);
		failed |= bad;
	}
	for (size_t i = 0; i < ARRAY_SIZE(changes) && changes[i].times; i++)
		printf("# %llu times: %s, \"%s\" becomes %s, \"%s\"\n", changes[i].times,
		       name_of(changes[i].before.grade), changes[i].before.reason,
		       name_of(changes[i].after.grade), changes[i].after.reason);
	return failed;
}
