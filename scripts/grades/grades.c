// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grades every machine check record that the rules of severity.c tell apart,
 * in every context, by the unpatched and by the patched tree (grades.sh links
 * both in).
 *
 *   grades VERSION
 *
 * Prints three tests in KTAP:
 *   - on bare metal, and in partitions that own their memory, both give the same
 *     grade, the same reason, and the same flags for do_machine_check();
 *   - in a guest, where the page is none that is offlined, too;
 *   - in a guest, on a page that is offlined, they differ in exactly the records
 *     of may_differ(), each of which is fatal unpatched and recoverable patched.
 * The third is also the proof that this program can see a difference. Exit
 * status 1 when one fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct world world;
bool hv_root_partition;
struct cpu boot_cpu_data;
struct cfg mca_cfg;
struct flags mce_flags;

/* ---- what is walked through */

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
};

/*
 * Bits of MCi_STATUS that either vendor's rules look at. They share three bits:
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
 * that a rule names, their neighbours, and the patrol scrub code of Skylake.
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

#ifdef EX_TYPE_ZEROPAD
#define FIXUPS 24	/* EX_TYPE_*, and some that no kernel has yet */
#define NO_FIXUP EX_TYPE_NONE
#define IS_MCE_SAFE(type) ((type) == EX_TYPE_FAULT_MCE_SAFE || (type) == EX_TYPE_DEFAULT_MCE_SAFE)
#define USER_COPY EX_TYPE_UACCESS
#define RECOVERS (mca_cfg.ser || mce_flags.succor)
#else
#define FIXUPS (EX_HANDLER_OTHER + 1)
#define NO_FIXUP EX_HANDLER_NONE
#define IS_MCE_SAFE(type) ((type) == EX_HANDLER_FAULT)
#define USER_COPY EX_HANDLER_UACCESS
#define RECOVERS (mca_cfg.ser || mce_flags.overflow_recov)
#endif

static const struct {
	unsigned int opcode;
	unsigned long operand, si;
} instructions[] = {
	{ 0x90, KERNEL_STARTS, KERNEL_STARTS },
	{ 0x8b, 0x1000, KERNEL_STARTS },	/* MOV from user space */
	{ 0x8b, KERNEL_STARTS, 0x1000 },	/* MOV from the kernel */
	{ 0xa4, KERNEL_STARTS, 0x1000 },	/* REP MOVS, likewise */
	{ 0xa4, 0x1000, KERNEL_STARTS },
};

/* Who owns the machine. Index 0 is bare metal. */
static const struct {
	bool hypervisor, initial_domain, root_partition, guest;
} owners[] = {
	{ false, false, false, false },
	{ true, true, false, false },
#ifdef EX_TYPE_ZEROPAD
	{ true, false, true, false },	/* 5.10 does not know the Hyper-V root */
#endif
	{ true, false, false, true },
};

/* MCi_MISC: address mode physical (2) or linear (1), and the lowest valid bit */
#define MISC(mode, lsb) ((mode) << 6 | (lsb))

static const struct {
	u64 misc;
	bool online, poisoned;
	bool offlined;		/* and the record says so */
} pages[] = {
	{ MISC(2, 12), true, true, true },
	{ MISC(2, 6), true, true, true },
	{ MISC(2, 13), true, true, false },
	{ MISC(1, 12), true, true, false },
	{ MISC(2, 12), true, false, false },
	{ MISC(2, 12), false, true, false },
};

/* ---- one record */

static struct result {
	int grade;
	const char *reason;
	u64 kflags;
} before, after;

static struct result ask(int (*grade)(struct mce *, struct pt_regs *, char **, bool),
			 struct mce record, bool has_regs, bool is_excp, unsigned long si)
{
	struct pt_regs regs = { .ip = record.ip, .si = si };
	char *reason = "";
	struct result r;

	r.grade = grade(&record, has_regs ? &regs : NULL, &reason, is_excp);
	r.reason = reason;
	r.kflags = record.kflags;
	return r;
}

static bool same_result(void)
{
	return before.grade == after.grade && !strcmp(before.reason, after.reason) &&
	       before.kflags == after.kflags;
}

/* Or like it: it has Intel's rules, and address modes in MCi_MISC. */
static bool is_intel(void)
{
	return boot_cpu_data.x86_vendor == X86_VENDOR_INTEL ||
	       boot_cpu_data.x86_vendor == X86_VENDOR_ZHAOXIN;
}

/* A load, in the kernel, of a page that is offlined, where a fixup is. */
static bool may_differ(const struct mce *m, bool has_regs, int page)
{
	const u64 ip_valid = MCG_STATUS_RIPV | MCG_STATUS_EIPV;

	if ((m->cs & 3) == 3 || !has_regs || (m->mcgstatus & ip_valid) != ip_valid)
		return false;
	if (world.fixup == NO_FIXUP || IS_MCE_SAFE(world.fixup))
		return false;
	if (!RECOVERS || (m->status & MCACOD) == MCACOD_INSTR || !pages[page].poisoned ||
	    !pages[page].online || !(m->status & MCI_STATUS_ADDRV))
		return false;
	/* trees after 6.1 take an address on AMD only with data that is marked as poison */
	if (AMD_NEEDS_POISON && m->cpuvendor == X86_VENDOR_AMD &&
	    !(m->status & MCI_STATUS_POISON))
		return false;
	return is_intel() ? pages[page].offlined && m->status & MCI_STATUS_MISCV : true;
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
		if (changes[i].times &&
		    (changes[i].before.grade != before.grade ||
		     changes[i].after.grade != after.grade ||
		     strcmp(changes[i].before.reason, before.reason) ||
		     strcmp(changes[i].after.reason, after.reason)))
			continue;
		changes[i].before = before;
		changes[i].after = after;
		changes[i].times++;
		return;
	}
}

/* What unpatched kernels panic with, and patched ones must not. 5.10 has no words for AMD. */
static const char load_in_kernel[] = "Data load in unrecoverable area of kernel";
static const char amd_in_kernel[] = "Uncorrected unrecoverable error in kernel context";

static void one(const struct mce *m, bool has_regs, bool is_excp, int owner, int i, int page)
{
	bool may = owners[owner].guest && may_differ(m, has_regs, page);
	int test = !owners[owner].guest ? 0 : may ? 2 : 1;

	before = ask(grade_unpatched, *m, has_regs, is_excp, instructions[i].si);
	after = ask(grade_patched, *m, has_regs, is_excp, instructions[i].si);
	walked[test]++;
	if (test < 2) {
		wrong[test] += !same_result();
		return;
	}
	if (before.grade == after.grade && !strcmp(before.reason, after.reason)) {
		wrong[2] += !strcmp(before.reason, load_in_kernel) ||
			    !strcmp(before.reason, amd_in_kernel);
		return;
	}
	note_change();
	/* in SEAM mode it was recoverable before, and is treated alike */
	wrong[2] += before.grade < MCE_AR_SEVERITY || after.grade != MCE_AR_SEVERITY ||
		    !(after.kflags & MCE_IN_KERNEL_RECOV);
}

static void all_contexts(struct mce *m, int owner, int page, bool has_regs, bool is_excp)
{
	m->cs = 0x33;
	world.fixup = NO_FIXUP;
	one(m, has_regs, is_excp, owner, 0, page);
	m->cs = 0x10;
	for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
		world.opcode = instructions[i].opcode;
		world.operand = instructions[i].operand;
		for (world.fixup = 0; world.fixup < FIXUPS; world.fixup++) {
			/* six pages take long: in a guest, not all fixups of all copies */
			if (owners[owner].guest && i && world.fixup != NO_FIXUP &&
			    world.fixup != USER_COPY)
				continue;
			one(m, has_regs, is_excp, owner, i, page);
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

static void all_records(int owner, int page)
{
	const u64 *bits = is_intel() ? intel_bits : amd_bits;
	struct mce m = { .ip = 0x1234, .cpuvendor = boot_cpu_data.x86_vendor };

	world.bank_addr = 0x7654321000 + (pages[page].misc & 0x3f) % 12 * 64;
	world.bank_misc = pages[page].misc;
	world.online = pages[page].online;
	world.poisoned = pages[page].poisoned;
	for (unsigned int s = 0; s < 1U << ARRAY_SIZE(intel_bits); s++) {
		for (size_t c = 0; c < ARRAY_SIZE(codes); c++) {
			m.status = subset(bits, ARRAY_SIZE(intel_bits), s) | codes[c];
			/* 13..18 are the memory controllers of the Skylake quirk */
			m.bank = c == ARRAY_SIZE(codes) - 1 ? 13 : 9;
			for (unsigned int g = 0; g < 1U << ARRAY_SIZE(mcg_bits); g++) {
				m.mcgstatus = subset(mcg_bits, ARRAY_SIZE(mcg_bits), g);
				/* the handler, the monarch, the poller */
				all_contexts(&m, owner, page, true, true);
				all_contexts(&m, owner, page, false, true);
				all_contexts(&m, owner, page, false, false);
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
		"not in a guest: no record is graded, explained or flagged otherwise",
		"in a guest, no load with a fixup from an offlined page: likewise",
		"in a guest, a load with a fixup from an offlined page: what panics recovers",
	};
	bool failed = false;

	if (argc != 2) {
		fprintf(stderr, "usage: grades VERSION\n");
		return 2;
	}
	for (size_t cpu = 0; cpu < ARRAY_SIZE(cpus); cpu++) {
		choose_cpu(cpu);
		for (size_t owner = 0; owner < ARRAY_SIZE(owners); owner++) {
			world.hypervisor = owners[owner].hypervisor;
			world.initial_domain = owners[owner].initial_domain;
			hv_root_partition = owners[owner].root_partition;
			/* who does not look at the page needs no more than the worst */
			for (size_t p = 0; p < (owners[owner].guest ? ARRAY_SIZE(pages) : 1); p++)
				all_records(owner, p);
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
