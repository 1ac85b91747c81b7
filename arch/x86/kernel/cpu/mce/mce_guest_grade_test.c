// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for memory errors in a guest: how a machine check is graded
 *
 * Where a page was left in the direct map of a guest, the kernel can access it by mistake.
 * Such a stray access is handled like a page fault. On bare metal it is fatal. Run these
 * tests on both, with and without X86_FEATURE_HYPERVISOR. They expect different results.
 *
 * The exception table is the real one. Records are made up.
 */
#include <kunit/test.h>

#include <linux/mm.h>

#include <asm/extable.h>

#include "mce_guest_test_helpers.h"

enum outcome {
	FATAL, RECOVERS, AS_PAGE_FAULT, SAFE_PAGE_FAULT, IN_USER_SPACE, UNRECOVERED,
	OPTIONAL, DEFERRED, KEPT,
};

/* The grade, which is one of MCE_..._SEVERITY, and the flags of the record */
static const struct {
	int bare, guest;
	u64 bare_kflags, guest_kflags;
} outcomes[] = {
	[FATAL] = { MCE_PANIC_SEVERITY, MCE_PANIC_SEVERITY },
	[RECOVERS] = { MCE_AR_SEVERITY, MCE_AR_SEVERITY, MCE_IN_KERNEL_RECOV, MCE_IN_KERNEL_RECOV },
	[AS_PAGE_FAULT] = { MCE_PANIC_SEVERITY, MCE_AR_SEVERITY },
	[SAFE_PAGE_FAULT] = { MCE_AR_SEVERITY, MCE_AR_SEVERITY, MCE_IN_KERNEL_RECOV, 0 },
	[IN_USER_SPACE] = { MCE_AR_SEVERITY, MCE_AR_SEVERITY },
	[UNRECOVERED] = { MCE_UC_SEVERITY, MCE_UC_SEVERITY },
	[OPTIONAL] = { MCE_AO_SEVERITY, MCE_AO_SEVERITY },
	[DEFERRED] = { MCE_DEFERRED_SEVERITY, MCE_DEFERRED_SEVERITY },
	[KEPT] = { MCE_KEEP_SEVERITY, MCE_KEEP_SEVERITY },
};

static const struct grade_param {
	const char *desc;
	u8 vendor;
	bool recovers;
	u64 status, misc, mcgstatus;
	int fixup;
	enum page_state page;
	u16 cs;
	enum outcome outcome;
} grade_params[] = {
#define INTEL(desc, bits, misc, mcg, fixup, page, outcome)		\
	{ desc, X86_VENDOR_INTEL, true, bits, misc, mcg, fixup, page, __KERNEL_CS, outcome }
#define AMD(desc, bits, mcg, fixup, page, outcome)			\
	{ desc, X86_VENDOR_AMD, true, bits, 0, mcg, fixup, page, __KERNEL_CS, outcome }

	INTEL("offlined page", SRAR_LOAD, PAGE, MCG_RESTART, FAULT_FIXUP, LEFT, AS_PAGE_FAULT),
	INTEL("offlined page, cache line", SRAR_LOAD, LINE, MCG_RESTART, FAULT_FIXUP,
	      LEFT, AS_PAGE_FAULT),
	INTEL("offlined page, local machine check", SRAR_LOAD, PAGE,
	      MCG_RESTART | MCG_STATUS_LMCES, FAULT_FIXUP, LEFT, AS_PAGE_FAULT),
	INTEL("page that is not offlined", SRAR_LOAD, PAGE, MCG_RESTART, FAULT_FIXUP, GOOD, FATAL),
	INTEL("beyond memory", SRAR_LOAD, PAGE, MCG_RESTART, FAULT_FIXUP, BEYOND, FATAL),
	INTEL("no fixup", SRAR_LOAD, PAGE, MCG_RESTART, 0, LEFT, AS_PAGE_FAULT),
	INTEL("page that is only marked", SRAR_LOAD, PAGE, MCG_RESTART, FAULT_FIXUP, MARKED, FATAL),
	INTEL("page that is only marked, no fixup", SRAR_LOAD, PAGE, MCG_RESTART, 0, MARKED, FATAL),
	INTEL("fixup for machine checks", SRAR_LOAD, PAGE, MCG_RESTART, SAFE_FIXUP,
	      LEFT, SAFE_PAGE_FAULT),
	INTEL("fixup for machine checks, page that is only marked", SRAR_LOAD, PAGE,
	      MCG_RESTART, SAFE_FIXUP, MARKED, RECOVERS),
	INTEL("fixup for machine checks, page that is not offlined", SRAR_LOAD, PAGE,
	      MCG_RESTART, SAFE_FIXUP, GOOD, RECOVERS),
	INTEL("instruction fetch", SRAR | INSTR_FETCH, PAGE, MCG_RESTART, FAULT_FIXUP, LEFT, FATAL),
	INTEL("more than a page", SRAR_LOAD, PHYS(PAGE_SHIFT + 1), MCG_RESTART,
	      FAULT_FIXUP, LEFT, FATAL),
	INTEL("linear address", SRAR_LOAD, LINEAR(PAGE_SHIFT), MCG_RESTART, FAULT_FIXUP,
	      LEFT, FATAL),
	INTEL("ADDRV clear", SRAR_LOAD & ~MCI_STATUS_ADDRV, PAGE, MCG_RESTART,
	      FAULT_FIXUP, LEFT, FATAL),
	INTEL("MISCV clear", SRAR_LOAD & ~MCI_STATUS_MISCV, PAGE, MCG_RESTART,
	      FAULT_FIXUP, LEFT, FATAL),
	INTEL("RIPV clear", SRAR_LOAD, PAGE, MCG_STATUS_MCIP | MCG_STATUS_EIPV,
	      FAULT_FIXUP, LEFT, AS_PAGE_FAULT),
	INTEL("RIPV clear, page that is only marked", SRAR_LOAD, PAGE,
	      MCG_STATUS_MCIP | MCG_STATUS_EIPV, FAULT_FIXUP, MARKED, FATAL),
	INTEL("overflow", SRAR_LOAD | MCI_STATUS_OVER, PAGE, MCG_RESTART, FAULT_FIXUP, LEFT, FATAL),
	INTEL("action optional", SRAO_SCRUB, PAGE, MCG_RESTART, FAULT_FIXUP, LEFT, OPTIONAL),
	INTEL("not signaled", SRAR_LOAD & ~MCI_STATUS_S, PAGE, MCG_RESTART, FAULT_FIXUP,
	      LEFT, FATAL),
	INTEL("EIPV clear", SRAR_LOAD, PAGE, MCG_STATUS_MCIP | MCG_STATUS_RIPV,
	      FAULT_FIXUP, LEFT, KEPT),
	INTEL("RIPV and EIPV clear", SRAR_LOAD, PAGE, MCG_STATUS_MCIP, FAULT_FIXUP, LEFT, FATAL),
	INTEL("MCIP clear", SRAR_LOAD, PAGE, MCG_STATUS_RIPV | MCG_STATUS_EIPV,
	      FAULT_FIXUP, LEFT, FATAL),
	INTEL("context corrupt", SRAR_LOAD | MCI_STATUS_PCC, PAGE, MCG_RESTART, FAULT_FIXUP,
	      LEFT, FATAL),
	{ "no MCG_SER_P", X86_VENDOR_INTEL, false, SRAR_LOAD, PAGE, MCG_RESTART,
	  FAULT_FIXUP, LEFT, __KERNEL_CS, FATAL },
	{ "user space", X86_VENDOR_INTEL, true, SRAR_LOAD, PAGE, MCG_RESTART,
	  FAULT_FIXUP, LEFT, __USER_CS, IN_USER_SPACE },
	{ "user space, cache line", X86_VENDOR_INTEL, true, SRAR_LOAD, LINE, MCG_RESTART,
	  FAULT_FIXUP, LEFT, __USER_CS, IN_USER_SPACE },
	{ "user space, instruction fetch", X86_VENDOR_INTEL, true, SRAR | INSTR_FETCH, PAGE,
	  MCG_RESTART, FAULT_FIXUP, GOOD, __USER_CS, IN_USER_SPACE },
	{ "user space, no MCG_SER_P", X86_VENDOR_INTEL, false, SRAR_LOAD, PAGE, MCG_RESTART,
	  FAULT_FIXUP, GOOD, __USER_CS, UNRECOVERED },
	{ "AMD, user space", X86_VENDOR_AMD, true, AMD_UC, 0, MCG_RESTART, FAULT_FIXUP, GOOD,
	  __USER_CS, IN_USER_SPACE },

	AMD("AMD, offlined page", AMD_UC, MCG_RESTART, FAULT_FIXUP, LEFT, AS_PAGE_FAULT),
	AMD("AMD, page that is not offlined", AMD_UC, MCG_RESTART, FAULT_FIXUP, GOOD, FATAL),
	AMD("AMD, page that is only marked", AMD_UC, MCG_RESTART, FAULT_FIXUP, MARKED, FATAL),
	AMD("AMD, no fixup", AMD_UC, MCG_RESTART, 0, LEFT, AS_PAGE_FAULT),
	AMD("AMD, fixup for machine checks", AMD_UC, MCG_RESTART, SAFE_FIXUP, LEFT,
	    SAFE_PAGE_FAULT),
	AMD("AMD, overflow", AMD_UC | MCI_STATUS_OVER, MCG_RESTART, FAULT_FIXUP, LEFT,
	    AS_PAGE_FAULT),
	AMD("AMD, deferred", AMD_DEFERRED, MCG_RESTART, FAULT_FIXUP, LEFT, DEFERRED),
	{ "AMD, no SUCCOR", X86_VENDOR_AMD, false, AMD_UC, 0, MCG_RESTART, FAULT_FIXUP, LEFT,
	  __KERNEL_CS, FATAL },
	AMD("AMD, EIPV clear", AMD_UC, MCG_STATUS_MCIP | MCG_STATUS_RIPV, FAULT_FIXUP, LEFT, FATAL),
	AMD("AMD, context corrupt", AMD_UC | MCI_STATUS_PCC, MCG_RESTART, FAULT_FIXUP, LEFT, FATAL),
	AMD("AMD, ADDRV clear", AMD_UC & ~MCI_STATUS_ADDRV, MCG_RESTART, FAULT_FIXUP, LEFT, FATAL),
	AMD("AMD, RIPV clear", AMD_UC, MCG_STATUS_MCIP | MCG_STATUS_EIPV, FAULT_FIXUP, LEFT,
	    AS_PAGE_FAULT),
};

KUNIT_ARRAY_PARAM_DESC(grade, grade_params, desc);

static int grade(struct mce *m, struct pt_regs *regs, u64 addr, u64 misc)
{
	char *msg = NULL;
	int severity;

	mce_test_fill_bank(m->status, addr, misc, m->mcgstatus);
	severity = mce_severity(m, regs, &msg, true);
	mce_test_clear_bank();
	return severity;
}

static void grade_kernel_load(struct kunit *test)
{
	const struct grade_param *param = test->param_value;
	struct pt_regs regs = { .cs = __KERNEL_CS, .ip = mce_test_instruction(param->fixup) };
	struct mce m = {
		.cpuvendor = param->vendor, .bank = BANK, .status = param->status,
		.mcgstatus = param->mcgstatus, .cs = param->cs, .ip = regs.ip,
	};
	u64 addr = mce_test_page_in_state(test, param->page);
	bool guest = grades_stray_accesses();
	int severity;

	pretend_cpu(param->vendor, param->recovers);
	regs.si = (unsigned long)__va(addr);
	severity = grade(&m, &regs, addr | BESIDES, param->misc);

	KUNIT_EXPECT_EQ(test, guest ? outcomes[param->outcome].guest :
				      outcomes[param->outcome].bare, severity);
	KUNIT_EXPECT_EQ(test, guest ? outcomes[param->outcome].guest_kflags :
				      outcomes[param->outcome].bare_kflags, (u64)m.kflags);

	/* The handler reads the bank into the record later. Grading does not. */
	KUNIT_EXPECT_EQ(test, 0ULL, (u64)m.addr);
	KUNIT_EXPECT_EQ(test, 0ULL, (u64)m.misc);
}

/*
 * With a fixup for machine checks, the kernel recovers from an access to any page. With any
 * other, or none, it recovers if the page was left in the direct map of a guest, and if the
 * access is by the direct map.
 */
static void expect_fixup_grades(struct kunit *test, enum page_state state, bool direct)
{
	u64 addr = mce_test_page_in_state(test, state);
	unsigned long by = direct ? (unsigned long)__va(addr) : PAGE_SIZE;
	int fixup;

	pretend_cpu(X86_VENDOR_INTEL, true);
	for (fixup = 0; fixup < NR_FIXUPS; fixup++) {
		struct pt_regs regs = { .ip = mce_test_instruction(fixup), .si = by };
		struct mce m = {
			.cpuvendor = X86_VENDOR_INTEL, .bank = BANK, .ip = regs.ip,
			.status = SRAR_LOAD, .mcgstatus = MCG_RESTART, .cs = __KERNEL_CS,
		};
		bool safe = fixup == EX_TYPE_DEFAULT_MCE_SAFE || fixup == EX_TYPE_FAULT_MCE_SAFE ||
			    (fixup == EX_TYPE_FAULT && fixup != FAULT_FIXUP);
		bool stray = state == LEFT && direct && grades_stray_accesses();
		int severity = grade(&m, &regs, addr, PAGE);

		KUNIT_EXPECT_EQ_MSG(test, safe || stray ? MCE_AR_SEVERITY : MCE_PANIC_SEVERITY,
				    severity, "fixup type %d", fixup);
		KUNIT_EXPECT_EQ_MSG(test, safe && !stray ? MCE_IN_KERNEL_RECOV : 0ULL,
				    (u64)m.kflags, "fixup type %d", fixup);
	}
}

static void grade_fixup_types(struct kunit *test)
{
	expect_fixup_grades(test, LEFT, true);
	expect_fixup_grades(test, LEFT, false);
	expect_fixup_grades(test, MARKED, true);
	expect_fixup_grades(test, GOOD, true);
}

/* A record that was found by polling is not about the instruction that was interrupted. */
static void grade_without_regs(struct kunit *test)
{
	struct mce m = {
		.cpuvendor = X86_VENDOR_INTEL, .bank = BANK,
		.ip = mce_test_instruction(FAULT_FIXUP),
		.status = SRAR_LOAD, .mcgstatus = MCG_RESTART, .cs = __KERNEL_CS,
	};

	pretend_cpu(X86_VENDOR_INTEL, true);
	KUNIT_EXPECT_EQ(test, (int)MCE_PANIC_SEVERITY,
			grade(&m, NULL, mce_test_page_in_state(test, LEFT), PAGE));
	KUNIT_EXPECT_EQ(test, 0ULL, (u64)m.kflags);
}

/* The address that an access is by */
enum by {
	USER,		/* of user space */
	DIRECT,		/* of the page, in the direct map */
	INTO,		/* the lowest from which 8 bytes reach into the page */
	BEFORE,		/* the highest from which they do not */
	LAST,		/* of the last byte of the page */
	NEXT,		/* of the next page */
	OTHER,		/* of the kernel, not in the direct map */
};

static const struct access_param {
	const char *desc;
	int instruction;
	enum page_state page;
	enum by si, di;
	bool copyin, stray;	/* expected */
} access_params[] = {
	{ "load from user space", COPY_LOAD, GOOD, USER, OTHER, true },
	{ "load from user space, marked page", COPY_LOAD, MARKED, USER, OTHER, true },
	{ "load from user space, left page", COPY_LOAD, LEFT, USER, OTHER, true },
	{ "load from the kernel", COPY_LOAD, GOOD, DIRECT, OTHER },
	{ "load from the kernel, marked page", COPY_LOAD, MARKED, DIRECT, OTHER },
	{ "load from the kernel, left page", COPY_LOAD, LEFT, DIRECT, OTHER, false, true },
	{ "store to user space, left page", PUT_STORE, LEFT, DIRECT, USER },
	{ "store to user space, marked page", PUT_STORE, MARKED, DIRECT, USER },
	{ "store to the kernel, left page", PUT_STORE, LEFT, OTHER, DIRECT, false, true },
	{ "store to the kernel, marked page", PUT_STORE, MARKED, OTHER, DIRECT },
	{ "movs from user space, left page there", COPY_MOVS, LEFT, USER, OTHER, true },
	{ "movs from user space into the left page", COPY_MOVS, LEFT, USER, DIRECT, false, true },
	{ "movs from user space into a marked page", COPY_MOVS, MARKED, USER, DIRECT, true },
	{ "movs to user space, left page there", COPY_MOVS, LEFT, OTHER, USER },
	{ "movs to user space from the left page", COPY_MOVS, LEFT, DIRECT, USER, false, true },
	{ "movs to user space from a marked page", COPY_MOVS, MARKED, DIRECT, USER },
	{ "movs by other mappings of the left page", COPY_MOVS, LEFT, OTHER, OTHER },
	{ "movs that runs into the left page", COPY_MOVS, LEFT, INTO, OTHER, false, true },
	{ "movs to where it runs into the left page", COPY_MOVS, LEFT, OTHER, INTO, false, true },
	{ "movs that ends before the left page", COPY_MOVS, LEFT, BEFORE, OTHER },
	{ "movs from the end of the left page", COPY_MOVS, LEFT, LAST, OTHER, false, true },
	{ "movs from behind the left page", COPY_MOVS, LEFT, NEXT, OTHER },
};

KUNIT_ARRAY_PARAM_DESC(access, access_params, desc);

static void grade_access(struct kunit *test)
{
	const struct access_param *param = test->param_value;
	u64 addr = mce_test_page_in_state(test, param->page), kflags = 0;
	unsigned long page = (unsigned long)__va(addr);
	unsigned long by[] = {
		[USER] = PAGE_SIZE, [DIRECT] = page, [INTO] = page - 7, [BEFORE] = page - 8,
		[LAST] = page + PAGE_SIZE - 1, [NEXT] = page + PAGE_SIZE, [OTHER] = VMALLOC_START,
	};
	struct pt_regs regs = {
		.ip = mce_test_instruction(param->instruction), .cs = __KERNEL_CS,
		.si = by[param->si], .di = by[param->di],
	};
	struct mce m = {
		.cpuvendor = X86_VENDOR_INTEL, .bank = BANK, .ip = regs.ip,
		.status = SRAR_LOAD, .mcgstatus = MCG_RESTART, .cs = __KERNEL_CS,
	};
	bool stray = param->stray && grades_stray_accesses();
	/* Bare metal counts a MOVS from user space as a copy, whichever page was bad. */
	bool copyin = param->copyin || (param->stray && !stray &&
					param->instruction == COPY_MOVS && param->si == USER);

	pretend_cpu(X86_VENDOR_INTEL, true);
	if (copyin)
		kflags = MCE_IN_KERNEL_COPYIN | MCE_IN_KERNEL_RECOV;
	KUNIT_EXPECT_EQ(test, copyin || stray ? MCE_AR_SEVERITY : MCE_PANIC_SEVERITY,
			grade(&m, &regs, addr, PAGE));
	KUNIT_EXPECT_EQ(test, kflags, (u64)m.kflags);
}

static struct kunit_case mce_guest_grade_cases[] = {
	KUNIT_CASE_PARAM(grade_kernel_load, grade_gen_params),
	KUNIT_CASE(grade_fixup_types),
	KUNIT_CASE(grade_without_regs),
	KUNIT_CASE_PARAM(grade_access, access_gen_params),
	{}
};

static struct kunit_suite mce_guest_grade_suite = {
	.name = "mce_guest_grade",
	.init = mce_test_init,
	.exit = mce_test_exit,
	.test_cases = mce_guest_grade_cases,
};

kunit_test_suite(mce_guest_grade_suite);

MODULE_DESCRIPTION("KUnit tests for memory errors in a guest: how they are graded");
MODULE_LICENSE("GPL");
