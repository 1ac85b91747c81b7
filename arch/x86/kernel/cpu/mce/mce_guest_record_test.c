// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for memory errors in a guest: which records take the page out of the direct map
 *
 * A record of the queue, of a task, or of a stray access. Records, memory_failure() and
 * set_mce_nospec() are made up. Run these tests as a guest and on bare metal: they expect
 * different results.
 */
#include <kunit/test.h>

#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "mce_guest_test_helpers.h"

/* ---- The queue: which records lead to memory_failure(), and to set_mce_nospec() */

static const struct record_param {
	const char *desc;
	u8 vendor;
	bool recovers;		/* MCG_SER_P, or SUCCOR */
	u64 status, misc;
	int ret;		/* of memory_failure() */
	bool offlines;		/* expected: it is called */
} record_params[] = {
	{ "action optional, whole page", X86_VENDOR_INTEL, true, SRAO_SCRUB, PAGE, 0, true },
	{ "action optional, cache line", X86_VENDOR_INTEL, true, SRAO_SCRUB, LINE, 0, true },
	{ "action optional, L3 writeback", X86_VENDOR_INTEL, true, SRAO | L3_WRITEBACK, PAGE,
	  0, true },
	{ "action optional, memory_failure() fails", X86_VENDOR_INTEL, true, SRAO_SCRUB, PAGE,
	  -EBUSY, true },
	{ "action optional, no MCG_SER_P", X86_VENDOR_INTEL, false, SRAO_SCRUB, PAGE },
	{ "action optional, more than a page", X86_VENDOR_INTEL, true, SRAO_SCRUB,
	  PHYS(PAGE_SHIFT + 1) },
	{ "action optional, linear address", X86_VENDOR_INTEL, true, SRAO_SCRUB,
	  LINEAR(PAGE_SHIFT) },
	{ "action optional, MISCV clear", X86_VENDOR_INTEL, true,
	  SRAO_SCRUB & ~MCI_STATUS_MISCV, PAGE },
	{ "action optional, ADDRV clear", X86_VENDOR_INTEL, true,
	  SRAO_SCRUB & ~MCI_STATUS_ADDRV, PAGE },
	{ "action optional, unknown", X86_VENDOR_INTEL, true, SRAO | DATA_LOAD, PAGE },
	{ "no action required", X86_VENDOR_INTEL, true, UC | ADDR | DATA_LOAD, PAGE, 0, true },
	{ "no action required, cache line", X86_VENDOR_INTEL, true, UC | ADDR | DATA_LOAD, LINE,
	  0, true },
	{ "action required", X86_VENDOR_INTEL, true, SRAR_LOAD, PAGE },
	{ "corrected", X86_VENDOR_INTEL, true, SRAO_SCRUB & ~(MCI_STATUS_UC | MCI_STATUS_S), PAGE },
	{ "deferred", X86_VENDOR_AMD, true, AMD_DEFERRED, 0, 0, true },
	{ "deferred, memory_failure() fails", X86_VENDOR_AMD, true, AMD_DEFERRED, 0, -EBUSY, true },
	{ "deferred, no SUCCOR", X86_VENDOR_AMD, false, AMD_DEFERRED, 0, 0, true },
	{ "deferred, ADDRV clear", X86_VENDOR_AMD, true, AMD_DEFERRED & ~MCI_STATUS_ADDRV },
	{ "AMD, uncorrected", X86_VENDOR_AMD, true, AMD_UC },
};

KUNIT_ARRAY_PARAM_DESC(record, record_params, desc);

/* Have the notifier process a record of the queue */
static void queue_record(struct kunit *test, const struct record_param *param, bool local)
{
	struct mce m = {
		.cpuvendor = param->vendor, .bank = BANK, .status = param->status,
		.misc = param->misc, .addr = SOME_PFN << PAGE_SHIFT | BESIDES,
		.mcgstatus = mcg_status(local), .cs = __USER_CS,
	};
	bool gone = param->offlines && !param->ret, handled;
	bool stays = leaves_pages() && param->recovers &&
		     (local || param->vendor == X86_VENDOR_AMD);
	const struct mce_test_calls *offline, *taken_out;
	char *msg = NULL;
	int ret;

	pretend_cpu(param->vendor, param->recovers);
	offline = mce_test_memory_failure(test, param->ret);
	taken_out = mce_test_set_mce_nospec(test);

	m.severity = mce_severity(&m, NULL, &msg, false);
	ret = uc_decode_notifier(NULL, 0, &m);

	KUNIT_EXPECT_EQ(test, param->offlines ? NOTIFY_OK : NOTIFY_DONE, ret);
	KUNIT_EXPECT_EQ(test, param->offlines ? 1 : 0, offline->calls);
	KUNIT_EXPECT_EQ(test, gone && !stays ? 1 : 0, taken_out->calls);
	KUNIT_EXPECT_EQ(test, (int)(gone && grades_stray_accesses()), (int)mce_is_offlined(&m));
	handled = m.kflags & MCE_HANDLED_UC;
	KUNIT_EXPECT_EQ(test, gone, handled);
	if (offline->calls) {
		KUNIT_EXPECT_EQ(test, SOME_PFN, offline->pfn);
		KUNIT_EXPECT_EQ(test, 0, offline->flags);
	}
	if (taken_out->calls)
		KUNIT_EXPECT_EQ(test, SOME_PFN, taken_out->pfn);
	mce_forget_page(SOME_PFN);
}

static void nospec_queued_record(struct kunit *test)
{
	queue_record(test, test->param_value, true);
	queue_record(test, test->param_value, false);
}

/* After the machine check of a stray access, the page is taken out, but not forgotten. */
static void nospec_after_stray_access(struct kunit *test)
{
	static const struct {
		const char *what;
		u16 cs;
		u64 kflags, severity;
		bool left, out, removed, replaced;
	} records[] = {
		{ "stray access", __KERNEL_CS, 0, MCE_AR_SEVERITY, true, true },
		{ "fixup for machine checks", __KERNEL_CS, MCE_IN_KERNEL_RECOV, MCE_AR_SEVERITY,
		  true, true },
		{ "user space", __USER_CS, 0, MCE_AR_SEVERITY, true, false },
		{ "copy from user", __KERNEL_CS, MCE_IN_KERNEL_RECOV | MCE_IN_KERNEL_COPYIN,
		  MCE_AR_SEVERITY, true, false },
		{ "other page", __KERNEL_CS, 0, MCE_AR_SEVERITY, false, false },
		{ "corrected", __KERNEL_CS, 0, MCE_KEEP_SEVERITY, true, false },
		{ "removed memory", __KERNEL_CS, 0, MCE_AR_SEVERITY, true, false, true },
		{ "replaced memory", __KERNEL_CS, 0, MCE_AR_SEVERITY, true, false, false, true },
	};
	const struct mce_test_calls *offline, *taken_out;
	struct page *page = mce_test_page(PG_LEVEL_NONE);
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);

	pretend_cpu(X86_VENDOR_INTEL, true);
	offline = mce_test_memory_failure(test, 0);
	for (i = 0; i < ARRAY_SIZE(records); i++) {
		unsigned long pfn = records[i].removed ? pfn_beyond_memory() : page_to_pfn(page);
		struct mce m = {
			.cpuvendor = X86_VENDOR_INTEL, .status = SRAR_LOAD, .misc = PAGE,
			.addr = (u64)pfn << PAGE_SHIFT | BESIDES, .mcgstatus = MCG_LOCAL,
			.cs = records[i].cs, .kflags = records[i].kflags,
			.severity = records[i].severity,
		};

		taken_out = mce_test_set_mce_nospec(test);
		if (records[i].left)
			leave_mapped(pfn, true);
		/* memory hotplug initializes it */
		if (records[i].replaced)
			ClearPageHWPoison(page);
		else
			SetPageHWPoison(page);
		KUNIT_EXPECT_EQ_MSG(test, NOTIFY_DONE, stray_access_notifier(NULL, 0, &m),
				    "%s", records[i].what);
		KUNIT_EXPECT_EQ_MSG(test, (int)records[i].out, taken_out->calls,
				    "%s", records[i].what);
		/* Other CPUs may be about to have a machine check for it, too. */
		KUNIT_EXPECT_EQ_MSG(test, (int)records[i].left, (int)mce_is_offlined(&m),
				    "%s", records[i].what);
		mce_forget_page(pfn);
	}
	KUNIT_EXPECT_EQ(test, 0, offline->calls);
}

/* Only the page that is healthy again is forgotten. */
static void nospec_forget(struct kunit *test)
{
	struct mce m = {};
	int i;

	for (i = -1; i <= 1; i++)
		KUNIT_EXPECT_TRUE(test, leave_mapped(SOME_PFN + i, true));
	KUNIT_EXPECT_FALSE(test, leave_mapped(SOME_PFN + 2, false));
	mce_forget_page(SOME_PFN);
	for (i = -1; i <= 2; i++) {
		m.addr = (SOME_PFN + i) << PAGE_SHIFT;
		/* The last one could not be left in the direct map. */
		KUNIT_EXPECT_EQ(test, (int)(i == 2 ? grades_stray_accesses() : i != 0),
				(int)mce_is_offlined(&m));
		mce_forget_page(SOME_PFN + i);
	}
}

static void nospec_no_record(struct kunit *test)
{
	const struct mce_test_calls *offline = mce_test_memory_failure(test, 0);
	const struct mce_test_calls *taken_out = mce_test_set_mce_nospec(test);

	KUNIT_EXPECT_EQ(test, NOTIFY_DONE, uc_decode_notifier(NULL, 0, NULL));
	KUNIT_EXPECT_EQ(test, 0, offline->calls);
	KUNIT_EXPECT_EQ(test, 0, taken_out->calls);
}

/* ---- Task work: what a task does before it returns to user space */

/* Where the page stays after a copy, the process is killed. */
#define COPY_FLAGS	(COPIED_PAGES_STAY ? MF_ACTION_REQUIRED : 0)

static const struct task_param {
	const char *desc;
	void (*path)(struct callback_head *cb);
	bool ripv, copyin;
	int ret;		/* of memory_failure() */
	int flags;		/* expected: it gets them */
	bool killed;		/* expected: SIGBUS, from here */
} task_params[] = {
	{ "action required", kill_me_maybe, true, false, 0, MF_ACTION_REQUIRED },
	{ "action required, RIPV clear", kill_me_maybe, false, false, 0,
	  MF_ACTION_REQUIRED | MF_MUST_KILL },
	{ "action required, memory_failure() fails", kill_me_maybe, true, false, -EBUSY,
	  MF_ACTION_REQUIRED, true },
	{ "action required, killed by memory_failure()", kill_me_maybe, true, false, -EHWPOISON,
	  MF_ACTION_REQUIRED, KILLS_AGAIN },
	{ "action required, filtered by memory_failure()", kill_me_maybe, true, false, -EOPNOTSUPP,
	  MF_ACTION_REQUIRED, KILLS_AGAIN },
	{ "copy from user", kill_me_never, true, true, 0, COPY_FLAGS, COPIED_PAGES_STAY },
	{ "copy from user, memory_failure() fails", kill_me_never, true, true, -EBUSY,
	  COPY_FLAGS, COPIED_PAGES_STAY },
};

KUNIT_ARRAY_PARAM_DESC(task, task_params, desc);

static void return_to_user(struct kunit *test, const struct task_param *param, bool local)
{
	bool gone = !param->ret && !(param->copyin && COPIED_PAGES_STAY), killed;
	bool stays = leaves_pages() && local;
	const struct mce_test_calls *offline, *taken_out;
	struct mce m = { .addr = SOME_PFN << PAGE_SHIFT };

	offline = mce_test_memory_failure(test, param->ret);
	taken_out = mce_test_set_mce_nospec(test);
	mce_test_set_task(SOME_PFN, PAGE, param->copyin, local);
	current->mce_ripv = param->ripv;
	current->mce_vaddr = (void __user *)-1l;
	current->mce_count = 1;

	param->path(&current->mce_kill_me);

	KUNIT_EXPECT_EQ(test, 0, current->mce_count);
	KUNIT_EXPECT_EQ(test, 1, offline->calls);
	KUNIT_EXPECT_EQ(test, SOME_PFN, offline->pfn);
	KUNIT_EXPECT_EQ(test, param->flags, offline->flags);
	KUNIT_EXPECT_EQ(test, gone && !stays ? 1 : 0, taken_out->calls);
	KUNIT_EXPECT_EQ(test, (int)(gone && grades_stray_accesses()), (int)mce_is_offlined(&m));
	if (taken_out->calls)
		KUNIT_EXPECT_EQ(test, SOME_PFN, taken_out->pfn);
	killed = sigismember(&current->pending.signal, SIGBUS);
	KUNIT_EXPECT_EQ(test, param->killed, killed);
	flush_signals(current);
	mce_forget_page(SOME_PFN);
}

static void nospec_task_work(struct kunit *test)
{
	return_to_user(test, test->param_value, true);
	return_to_user(test, test->param_value, false);
}

static struct kunit_case mce_guest_record_cases[] = {
	KUNIT_CASE_PARAM(nospec_queued_record, record_gen_params),
	KUNIT_CASE(nospec_no_record),
	KUNIT_CASE_PARAM(nospec_task_work, task_gen_params),
	KUNIT_CASE(nospec_after_stray_access),
	KUNIT_CASE(nospec_forget),
	{}
};

static struct kunit_suite mce_guest_record_suite = {
	.name = "mce_guest_record",
	.init = mce_test_init,
	.exit = mce_test_exit,
	.test_cases = mce_guest_record_cases,
};

kunit_test_suite(mce_guest_record_suite);

MODULE_DESCRIPTION("KUnit tests for memory errors in a guest: which records take the page out");
MODULE_LICENSE("GPL");
