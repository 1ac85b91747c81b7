// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for memory errors in a guest: how a machine check is handled
 *
 * The handler, the exception table and page tables are the real ones. Records are made up. Run
 * these tests as a guest and on bare metal: they expect different results.
 */
#include <kunit/test.h>

#include <linux/bug.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/set_memory.h>
#include <linux/string.h>
#include <linux/task_work.h>

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
	mce_test_fill_bank(SRAR | MCI_STATUS_POISON | DATA_LOAD, addr, LINE, mcgstatus);
	do_machine_check(regs);
	mce_test_clear_bank();
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
		struct pt_regs regs = { .ip = mce_test_instruction(SAFE_FIXUP), .cs = __KERNEL_CS };

		machine_check(&regs, mce_test_page_in_state(test, states[i]), MCG_LOCAL);
		KUNIT_EXPECT_EQ(test, mce_test_instruction(SAFE_FIXUP + 1), regs.ip);
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
	struct pt_regs regs = { .ip = mce_test_instruction(param->fixup), .cs = __KERNEL_CS };
	struct entry entry;
	struct mce m = {};
	u64 addr;

	needs_guest(test);

	addr = mce_test_page_in_state(test, LEFT);
	m.addr = addr | BESIDES;
	regs.di = (unsigned long)__va(addr);
	pretend_cpu(param->vendor, true);
	machine_check(&regs, m.addr, param->mcgstatus);
	KUNIT_EXPECT_EQ(test, mce_test_instruction(param->fixup + 1), regs.ip);
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
		struct pt_regs regs = {
			.ip = mce_test_instruction(FAULT_FIXUP), .cs = __KERNEL_CS,
		};
		bool healthy = i == 2;
		u64 addr = mce_test_page_in_state(test, LEFT);
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
	struct pt_regs regs = { .ip = mce_test_instruction(EX_TYPE_NONE), .cs = __KERNEL_CS };
	unsigned long stack[4] = {}, ip;
	bool bug = false;
	u64 addr;

	needs_guest(test);

	addr = mce_test_page_in_state(test, LEFT);
	regs.si = (unsigned long)__va(addr);
	regs.sp = (unsigned long)&stack[2];
	machine_check(&regs, addr, MCG_LOCAL);
	KUNIT_EXPECT_EQ(test, (unsigned long)stray_access, regs.ip);
	KUNIT_EXPECT_EQ(test, (unsigned long)&stack[1], regs.sp);
	KUNIT_EXPECT_EQ(test, 0UL, stack[0]);
	KUNIT_EXPECT_EQ(test, mce_test_instruction(EX_TYPE_NONE), stack[1]);
	KUNIT_EXPECT_EQ(test, 0UL, stack[2]);

	/* The instructions before BUG() are for tracing, and for the frame. */
	for (ip = regs.ip; ip < regs.ip + 16; ip++)
		bug |= !!find_bug(ip);
	KUNIT_EXPECT_TRUE(test, bug);
}

/* load_unaligned_zeropad() reads zeroes where its 8 bytes reach into the page. */
static void handler_pads_with_zeroes(struct kunit *test)
{
	struct pt_regs regs = { .ip = mce_test_instruction(ZEROPAD_LOAD), .cs = __KERNEL_CS };
	u64 addr;
	u8 *page;

	needs_guest(test);

	addr = mce_test_page_in_state(test, LEFT);
	page = __va(addr);
	memset(page - 8, 0x5a, 8);
	regs.si = (unsigned long)page - 3;
	machine_check(&regs, addr | BESIDES, MCG_LOCAL);
	KUNIT_EXPECT_EQ(test, mce_test_instruction(ZEROPAD_FIXUP), regs.ip);
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
		u64 addr = mce_test_page_in_state(test, states[i]);
		const struct mce_test_calls *offline = mce_test_memory_failure(test, 0);
		const struct mce_test_calls *taken_out = mce_test_set_mce_nospec(test);

		pretend_cpu(X86_VENDOR_INTEL, true);
		for (count = 1; count < 4; count++) {
			struct pt_regs regs = {
				.ip = mce_test_instruction(COPY_LOAD), .cs = __KERNEL_CS,
				.si = PAGE_SIZE,
			};

			machine_check(&regs, addr, MCG_LOCAL);
			KUNIT_EXPECT_EQ(test, mce_test_instruction(COPY_LOAD + 3), regs.ip);
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
	/* Those of AMD and Hygon are never broadcast, see do_machine_check(). */
	if ((param->vendor == X86_VENDOR_INTEL || param->vendor == X86_VENDOR_ZHAOXIN) &&
	    !(param->mcgstatus & MCG_STATUS_LMCES) && num_online_cpus() > 1)
		kunit_skip(test, "broadcast: the other CPUs would have to take part");

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
	KUNIT_EXPECT_EQ(test, (int)(offlines && grades_stray_accesses()), (int)mce_is_offlined(&m));
	flush_signals(current);
	mce_forget_page(SOME_PFN);
}

static struct kunit_case mce_guest_handler_cases[] = {
	KUNIT_CASE_PARAM(leave_by_record, leave_gen_params),
	KUNIT_CASE_PARAM(leave_by_record, leave_no_task_gen_params),
	KUNIT_CASE(handler_runs_machine_check_fixup),
	KUNIT_CASE_PARAM(handler_runs_page_fault_fixup, fault_gen_params),
	KUNIT_CASE(handler_takes_out_at_return),
	KUNIT_CASE(handler_oopses_without_fixup),
	KUNIT_CASE(handler_pads_with_zeroes),
	KUNIT_CASE(handler_counts_copies),
	KUNIT_CASE_PARAM(handler_leaves_by_record, leave_gen_params),
	{}
};

static struct kunit_suite mce_guest_handler_suite = {
	.name = "mce_guest_handler",
	.init = mce_test_init,
	.exit = mce_test_exit,
	.test_cases = mce_guest_handler_cases,
};

kunit_test_suite(mce_guest_handler_suite);

MODULE_DESCRIPTION("KUnit tests for memory errors in a guest: how they are handled");
MODULE_LICENSE("GPL");
