// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for memory errors in a guest: how a machine check is graded and handled
 *
 * Where a page was left in the direct map of a guest, the kernel can access it by mistake.
 * Such a stray access is handled like a page fault. On bare metal it is fatal. Run these
 * tests on both, with and without X86_FEATURE_HYPERVISOR: they expect accordingly.
 *
 * The exception table is the real one, and so is the handler. Records are made up. What
 * becomes of the page is for mce_guest_test.c.
 */
#include <kunit/test.h>

#include <linux/bug.h>
#include <linux/mm.h>
#include <linux/objtool.h>
#include <linux/sched/signal.h>
#include <linux/set_memory.h>
#include <linux/string.h>
#include <linux/task_work.h>

#include <asm/asm.h>
#include <asm/extable.h>
#include <asm/trapnr.h>

#include "mce_guest_test_helpers.h"

/* ---- Which record leaves the page in the direct map of a guest */

static void with_ser(struct mce *m)
{
	mca_cfg.ser = true;
}

static void without_overflow_recovery(struct mce *m)
{
	mce_flags.overflow_recov = 0;
}

static void about_two_pages(struct mce *m)
{
	m->misc = PHYS(PAGE_SHIFT + 1);
}

static const struct leave_param {
	const char *desc;
	u8 vendor;
	u64 mcgstatus;
	bool leaves;
	bool no_recovery;	/* neither MCG_SER_P nor SUCCOR */
	void (*change)(struct mce *m);	/* what differs from the other records */
} leave_params[] = {
	{ "Intel, local", X86_VENDOR_INTEL, MCG_LOCAL, true },
	{ "Intel, broadcast", X86_VENDOR_INTEL, MCG_RESTART, false },
	{ "Intel, local, RIPV clear", X86_VENDOR_INTEL, MCG_LOCAL & ~MCG_STATUS_RIPV, false },
	{ "AMD", X86_VENDOR_AMD, MCG_RESTART, true },
	{ "AMD, RIPV clear", X86_VENDOR_AMD, MCG_RESTART & ~MCG_STATUS_RIPV, false },
	{ "Zhaoxin, local", X86_VENDOR_ZHAOXIN, MCG_LOCAL, true },
	{ "Zhaoxin, broadcast", X86_VENDOR_ZHAOXIN, MCG_RESTART, false },
	/* VMMs treat Hygon as another Intel. */
	{ "Hygon", X86_VENDOR_HYGON, MCG_RESTART, false },
}, leave_no_task_params[] = {
	/* These are no machine check of a task that can return to user space. */
	{ "Intel, local, EIPV clear", X86_VENDOR_INTEL, MCG_LOCAL & ~MCG_STATUS_EIPV, true },
	{ "Intel, polled", X86_VENDOR_INTEL, 0, false },
	{ "AMD, polled", X86_VENDOR_AMD, 0, true },
	{ "Intel, local, no MCG_SER_P", X86_VENDOR_INTEL, MCG_LOCAL, false, true },
	{ "AMD, no SUCCOR", X86_VENDOR_AMD, MCG_RESTART, false, true },
	{ "AMD, polled, no SUCCOR", X86_VENDOR_AMD, 0, false, true },
	{ "AMD, no overflow recovery", X86_VENDOR_AMD, MCG_RESTART, false, false,
	  without_overflow_recovery },
	/* With MCG_SER_P, the handler ignores AMD's records, which have no S bit. */
	{ "AMD, with MCG_SER_P", X86_VENDOR_AMD, MCG_RESTART, false, false, with_ser },
	{ "Intel, local, two pages", X86_VENDOR_INTEL, MCG_LOCAL, false, false, about_two_pages },
};

KUNIT_ARRAY_PARAM_DESC(leave, leave_params, desc);
KUNIT_ARRAY_PARAM_DESC(leave_no_task, leave_no_task_params, desc);

static void leave_by_record(struct kunit *test)
{
	const struct leave_param *param = test->param_value;
	struct mce m = {
		.cpuvendor = param->vendor, .mcgstatus = param->mcgstatus, .misc = PAGE,
		.status = SRAR | MCI_STATUS_POISON | DATA_LOAD,
	};

	pretend_cpu(param->vendor, !param->no_recovery);
	if (param->change)
		param->change(&m);
	KUNIT_EXPECT_EQ(test, (int)(param->leaves && leaves_pages()), (int)can_leave_mapped(&m));
}

/* ---- Grading */

/*
 * Instructions that can be the interrupted one. First, there is a NOP for each type of
 * fixup, including types that do not exist (yet). The fixup of each continues with the
 * next instruction.
 */
#define NR_FIXUPS	32
#define SAFE_FIXUP	EX_TYPE_FAULT_MCE_SAFE
#ifndef FAULT_FIXUP
#define FAULT_FIXUP	EX_TYPE_FAULT	/* for page faults: a machine check is fatal */
#endif

/* Then, the loads of copy_from_user() and of load_unaligned_zeropad() */
#define COPY_LOAD	NR_FIXUPS
#define ZEROPAD_LOAD	(COPY_LOAD + 3)
#define ZEROPAD_FIXUP	(ZEROPAD_LOAD + 3)

/* Finally, a store as in put_user(), and a copy between user space and the kernel */
#define PUT_STORE	ZEROPAD_FIXUP
#define COPY_MOVS	(PUT_STORE + 3)

static noinline __used void instructions(void)
{
	asm volatile("mce_guest_fixups:\n"
		     ANNOTATE_NOENDBR
		     "	.set fixup, 0\n"
		     "	.rept " __stringify(NR_FIXUPS) "\n"
		     "1:	nop\n"
		     "2:\n"
		     "	.if fixup\n"
		     _ASM_EXTABLE_TYPE(1b, 2b, fixup)
		     "	.endif\n"
		     "	.set fixup, fixup + 1\n"
		     "	.endr\n"
		     "1:	mov (%%rsi), %%rax\n"
		     "2:\n"
		     _ASM_EXTABLE_UA(1b, 2b)
		     "1:	mov (%%rsi), %%rax\n"
		     "2:\n"
#ifdef EX_TYPE_ZEROPAD
		     _ASM_EXTABLE_TYPE(1b, 2b, EX_TYPE_ZEROPAD)
#else
		     _ASM_EXTABLE(1b, 2b)
#endif
		     "1:	mov %%rax, (%%rdi)\n"
		     "2:\n"
		     _ASM_EXTABLE_UA(1b, 2b)
		     "1:	rep movsb\n"
		     "2:\n"
		     _ASM_EXTABLE_UA(1b, 2b)
		     : : : "rax", "rcx", "rsi", "rdi", "memory");
}

static noinline unsigned long instruction(int nr)
{
	unsigned long ip;

	asm("lea mce_guest_fixups(%%rip), %0" : "=r" (ip));
	return ip + nr;
}

/* Have this CPU read a record from BANK. Preemption is disabled until clear_bank(). */
static void fill_bank(u64 status, u64 addr, u64 misc, u64 mcgstatus)
{
	struct mce *bank;

	preempt_disable();
	bank = this_cpu_ptr(&injectm);
	memset(bank, 0, sizeof(*bank));
	bank->bank = BANK;
	bank->status = status;
	bank->addr = addr;
	bank->misc = misc;
	bank->mcgstatus = mcgstatus;
	bank->finished = 1;
}

static void clear_bank(void)
{
	this_cpu_ptr(&injectm)->finished = 0;
	preempt_enable();
}

enum page_state {
	GOOD,
	MARKED,		/* memory_failure() has set the flag, and failed */
	BEYOND,		/* not in memory */
	LEFT,		/* offline, and left in the direct map */
};

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

/* Put a page into that state. Returns its physical address. */
static u64 page_in_state(struct kunit *test, enum page_state state)
{
	struct page *page;

	if (state == BEYOND)
		return (u64)pfn_beyond_memory() << PAGE_SHIFT;

	page = mce_test_page(PG_LEVEL_NONE);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	if (state == MARKED || state == LEFT)
		SetPageHWPoison(page);
	if (state == LEFT)
		KUNIT_ASSERT_TRUE(test, leave_mapped(page_to_pfn(page), true));
	return (u64)page_to_pfn(page) << PAGE_SHIFT;
}

static int grade(struct mce *m, struct pt_regs *regs, u64 addr, u64 misc)
{
	char *msg = NULL;
	int severity;

	fill_bank(m->status, addr, misc, m->mcgstatus);
	severity = mce_severity(m, regs, &msg, true);
	clear_bank();
	return severity;
}

static void grade_kernel_load(struct kunit *test)
{
	const struct grade_param *param = test->param_value;
	struct pt_regs regs = { .cs = __KERNEL_CS, .ip = instruction(param->fixup) };
	struct mce m = {
		.cpuvendor = param->vendor, .bank = BANK, .status = param->status,
		.mcgstatus = param->mcgstatus, .cs = param->cs, .ip = regs.ip,
	};
	u64 addr = page_in_state(test, param->page);
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
	u64 addr = page_in_state(test, state);
	unsigned long by = direct ? (unsigned long)__va(addr) : PAGE_SIZE;
	int fixup;

	pretend_cpu(X86_VENDOR_INTEL, true);
	for (fixup = 0; fixup < NR_FIXUPS; fixup++) {
		struct pt_regs regs = { .ip = instruction(fixup), .si = by };
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
		.cpuvendor = X86_VENDOR_INTEL, .bank = BANK, .ip = instruction(FAULT_FIXUP),
		.status = SRAR_LOAD, .mcgstatus = MCG_RESTART, .cs = __KERNEL_CS,
	};

	pretend_cpu(X86_VENDOR_INTEL, true);
	KUNIT_EXPECT_EQ(test, (int)MCE_PANIC_SEVERITY,
			grade(&m, NULL, page_in_state(test, LEFT), PAGE));
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
	u64 addr = page_in_state(test, param->page), kflags = 0;
	unsigned long page = (unsigned long)__va(addr);
	unsigned long by[] = {
		[USER] = PAGE_SIZE, [DIRECT] = page, [INTO] = page - 7, [BEFORE] = page - 8,
		[LAST] = page + PAGE_SIZE - 1, [NEXT] = page + PAGE_SIZE, [OTHER] = VMALLOC_START,
	};
	struct pt_regs regs = {
		.ip = instruction(param->instruction), .cs = __KERNEL_CS,
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

/* ---- The handler */

/* Have the handler take a machine check at regs->ip. A fatal one ends the test run. */
static void unread_machine_check(struct pt_regs *regs, u64 addr, u64 mcgstatus)
{
	unsigned long flags;

	/* CPUs of all vendors recover from this record. */
	mca_cfg.ser = boot_cpu_data.x86_vendor != X86_VENDOR_AMD;
	mca_cfg.monarch_timeout = -1;
	mce_flags.succor = 1;
	mce_flags.overflow_recov = 1;
	mce_flags.smca = 0;

	local_irq_save(flags);
	/* It is about a line, so that no bit of the address is lost. */
	fill_bank(SRAR | MCI_STATUS_POISON | DATA_LOAD, addr, LINE, mcgstatus);
	do_machine_check(regs);
	clear_bank();
	local_irq_restore(flags);
}

/* The same, with the notifiers */
static void machine_check(struct pt_regs *regs, u64 addr, u64 mcgstatus)
{
	unread_machine_check(regs, addr, mcgstatus);
	mce_gen_pool_process(NULL);
}

static void needs_bank(struct kunit *test)
{
	if (!boot_cpu_has(X86_FEATURE_MCA) || this_cpu_read(mce_num_banks) <= BANK)
		kunit_skip(test, "this CPU has no machine check banks");
}

static void needs_guest(struct kunit *test)
{
	if (!grades_stray_accesses())
		kunit_skip(test, "not a guest: this would be fatal");
	needs_bank(test);
}

/* A fixup for machine checks gets the trap number of a machine check. */
static void handler_runs_machine_check_fixup(struct kunit *test)
{
	static const enum page_state states[] = { GOOD, MARKED };
	int i;

	needs_bank(test);

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		struct pt_regs regs = { .ip = instruction(SAFE_FIXUP), .cs = __KERNEL_CS };

		machine_check(&regs, page_in_state(test, states[i]), MCG_LOCAL);
		KUNIT_EXPECT_EQ(test, instruction(SAFE_FIXUP + 1), regs.ip);
		KUNIT_EXPECT_EQ(test, (unsigned long)X86_TRAP_MC, regs.ax);
	}
}

static const struct fault_param {
	const char *desc;
	u8 vendor;
	u64 mcgstatus;
	int fixup;
} fault_params[] = {
	{ "Intel", X86_VENDOR_INTEL, MCG_LOCAL, FAULT_FIXUP },
	{ "Intel, RIPV clear", X86_VENDOR_INTEL, MCG_LOCAL & ~MCG_STATUS_RIPV, FAULT_FIXUP },
	{ "Intel, fixup for machine checks", X86_VENDOR_INTEL, MCG_LOCAL, SAFE_FIXUP },
	{ "AMD", X86_VENDOR_AMD, MCG_RESTART, FAULT_FIXUP },
	{ "AMD, RIPV clear", X86_VENDOR_AMD, MCG_RESTART & ~MCG_STATUS_RIPV, FAULT_FIXUP },
};

KUNIT_ARRAY_PARAM_DESC(fault, fault_params, desc);

/*
 * A stray access has any fixup run, with the trap number of a page fault. The page is taken
 * out, so that the next access is a page fault.
 */
static void handler_runs_page_fault_fixup(struct kunit *test)
{
	const struct fault_param *param = test->param_value;
	struct pt_regs regs = { .ip = instruction(param->fixup), .cs = __KERNEL_CS };
	struct entry entry;
	struct mce m = {};
	u64 addr;

	needs_guest(test);

	addr = page_in_state(test, LEFT);
	m.addr = addr | BESIDES;
	regs.di = (unsigned long)__va(addr);
	pretend_cpu(param->vendor, true);
	machine_check(&regs, m.addr, param->mcgstatus);
	KUNIT_EXPECT_EQ(test, instruction(param->fixup + 1), regs.ip);
	KUNIT_EXPECT_EQ(test, (unsigned long)X86_TRAP_PF, regs.ax);
	/* A kernel thread does not return to user space. */
	KUNIT_EXPECT_FALSE(test, !!current->task_works);

	entry = entry_of(addr >> PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, (unsigned int)PG_LEVEL_4K, entry.level);
	KUNIT_EXPECT_EQ(test, 0UL, entry.val & _PAGE_PRESENT);
	KUNIT_EXPECT_TRUE(test, mce_is_offlined(&m));
}

/*
 * A task takes the page out when it returns to user space, and not earlier. A page that is
 * healthy by then is not taken out.
 */
static void handler_takes_out_at_return(struct kunit *test)
{
	int i;

	needs_guest(test);

	pretend_cpu(X86_VENDOR_INTEL, true);
	for (i = 0; i < 3; i++) {
		struct pt_regs regs = { .ip = instruction(FAULT_FIXUP), .cs = __KERNEL_CS };
		bool healthy = i == 2;
		u64 addr = page_in_state(test, LEFT);
		const struct mce_test_calls *taken_out = mce_test_set_mce_nospec(test);

		regs.di = (unsigned long)__va(addr);
		current->flags &= ~PF_KTHREAD;
		unread_machine_check(&regs, addr, MCG_LOCAL);
		current->flags |= PF_KTHREAD;
		KUNIT_EXPECT_TRUE(test, !!current->task_works);
		if (healthy) {
			mce_test_set_mce_nospec(test);
			clear_mce_nospec(addr >> PAGE_SHIFT);
		}
		task_work_run();
		KUNIT_EXPECT_EQ(test, (int)healthy, (int)!taken_out->calls);
		if (!healthy)
			KUNIT_EXPECT_EQ(test, (unsigned long)(addr >> PAGE_SHIFT), taken_out->pfn);
		mce_gen_pool_process(NULL);
	}
}

/* Without a fixup, the handler has the interrupted context call stray_access(), and oops. */
static void handler_oopses_without_fixup(struct kunit *test)
{
	struct pt_regs regs = { .ip = instruction(EX_TYPE_NONE), .cs = __KERNEL_CS };
	unsigned long stack[4] = {}, ip;
	bool bug = false;
	u64 addr;

	needs_guest(test);

	addr = page_in_state(test, LEFT);
	regs.si = (unsigned long)__va(addr);
	regs.sp = (unsigned long)&stack[2];
	machine_check(&regs, addr, MCG_LOCAL);
	KUNIT_EXPECT_EQ(test, (unsigned long)stray_access, regs.ip);
	KUNIT_EXPECT_EQ(test, (unsigned long)&stack[1], regs.sp);
	KUNIT_EXPECT_EQ(test, 0UL, stack[0]);
	KUNIT_EXPECT_EQ(test, instruction(EX_TYPE_NONE), stack[1]);
	KUNIT_EXPECT_EQ(test, 0UL, stack[2]);

	/* The instructions before BUG() are for tracing, and for the frame. */
	for (ip = regs.ip; ip < regs.ip + 16; ip++)
		bug |= !!find_bug(ip);
	KUNIT_EXPECT_TRUE(test, bug);
}

/* load_unaligned_zeropad() reads zeroes where its 8 bytes reach into the page. */
static void handler_pads_with_zeroes(struct kunit *test)
{
	struct pt_regs regs = { .ip = instruction(ZEROPAD_LOAD), .cs = __KERNEL_CS };
	u64 addr;
	u8 *page;

	needs_guest(test);

	addr = page_in_state(test, LEFT);
	page = __va(addr);
	memset(page - 8, 0x5a, 8);
	regs.si = (unsigned long)page - 3;
	machine_check(&regs, addr | BESIDES, MCG_LOCAL);
	KUNIT_EXPECT_EQ(test, instruction(ZEROPAD_FIXUP), regs.ip);
#ifdef EX_TYPE_ZEROPAD
	KUNIT_EXPECT_EQ(test, 0x5a5a5aUL, regs.ax);
#endif
}

/* Copies from user space are counted, for a page in any state. There is a limit of ten. */
static void handler_counts_copies(struct kunit *test)
{
	static const enum page_state states[] = { GOOD, MARKED, LEFT };
	int i, count;

	needs_bank(test);

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		u64 addr = page_in_state(test, states[i]);
		const struct mce_test_calls *offline = mce_test_memory_failure(test, 0);
		const struct mce_test_calls *taken_out = mce_test_set_mce_nospec(test);

		pretend_cpu(X86_VENDOR_INTEL, true);
		for (count = 1; count < 4; count++) {
			struct pt_regs regs = {
				.ip = instruction(COPY_LOAD), .cs = __KERNEL_CS, .si = PAGE_SIZE,
			};

			machine_check(&regs, addr, MCG_LOCAL);
			KUNIT_EXPECT_EQ(test, instruction(COPY_LOAD + 3), regs.ip);
			KUNIT_EXPECT_EQ(test, count, current->mce_count);
		}
		/* These are no stray accesses. */
		KUNIT_EXPECT_EQ(test, 0, taken_out->calls);
		task_work_run();
		KUNIT_EXPECT_EQ(test, 0, current->mce_count);
		KUNIT_EXPECT_EQ(test, 1, offline->calls);
		flush_signals(current);
	}
}

/* The record decides whether the page of a task is left, or taken out. */
static void handler_leaves_by_record(struct kunit *test)
{
	const struct leave_param *param = test->param_value;
	bool leaves = param->leaves && leaves_pages(), offlines;
	struct mce m = { .addr = SOME_PFN << PAGE_SHIFT | BESIDES };
	struct pt_regs regs = { .cs = __USER_CS };
	const struct mce_test_calls *offline, *taken_out;

	needs_bank(test);
	if (!(param->mcgstatus & MCG_STATUS_LMCES) && num_online_cpus() > 1)
		kunit_skip(test, "the other CPUs would have to take part");

	pretend_cpu(param->vendor, true);
	offline = mce_test_memory_failure(test, 0);
	taken_out = mce_test_set_mce_nospec(test);
	machine_check(&regs, m.addr, param->mcgstatus);
	KUNIT_EXPECT_EQ(test, 0, offline->calls);
	task_work_run();
	/* Older trees do not call memory_failure() when they have to kill. */
	offlines = offline->calls || param->mcgstatus & MCG_STATUS_RIPV;
	KUNIT_EXPECT_EQ(test, (int)offlines, offline->calls);
	KUNIT_EXPECT_EQ(test, (int)(offlines && !leaves), taken_out->calls);
	KUNIT_EXPECT_EQ(test, (int)(offlines && leaves_pages()), (int)mce_is_offlined(&m));
	flush_signals(current);
	mce_forget_page(SOME_PFN);
}

static struct kunit_case mce_guest_grade_cases[] = {
	KUNIT_CASE_PARAM(leave_by_record, leave_gen_params),
	KUNIT_CASE_PARAM(leave_by_record, leave_no_task_gen_params),
	KUNIT_CASE_PARAM(grade_kernel_load, grade_gen_params),
	KUNIT_CASE(grade_fixup_types),
	KUNIT_CASE(grade_without_regs),
	KUNIT_CASE_PARAM(grade_access, access_gen_params),
	/* These come last, as a fatal machine check ends the run. */
	KUNIT_CASE(handler_runs_machine_check_fixup),
	KUNIT_CASE_PARAM(handler_runs_page_fault_fixup, fault_gen_params),
	KUNIT_CASE(handler_takes_out_at_return),
	KUNIT_CASE(handler_oopses_without_fixup),
	KUNIT_CASE(handler_pads_with_zeroes),
	KUNIT_CASE(handler_counts_copies),
	KUNIT_CASE_PARAM(handler_leaves_by_record, leave_gen_params),
	{}
};

static struct kunit_suite mce_guest_grade_suite = {
	.name = "mce_guest_grade",
	.init = mce_test_init,
	.exit = mce_test_exit,
	.test_cases = mce_guest_grade_cases,
};

kunit_test_suite(mce_guest_grade_suite);

MODULE_DESCRIPTION("KUnit tests for memory errors in a guest: how they are graded and handled");
MODULE_LICENSE("GPL");
