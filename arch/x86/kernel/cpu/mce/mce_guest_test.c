// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for memory errors in a guest
 *
 * A VMM takes a bad page away before it sends the machine check. These tests are
 * about what the kernel does then: it leaves the 1:1 map alone, and treats loads
 * that stray to the page like page faults. On bare metal it does neither. Run them
 * on both, with and without X86_FEATURE_HYPERVISOR: they expect accordingly.
 *
 * Page tables and the exception table are the real ones, and so is the handler;
 * records and memory_failure() are made up.
 */
#include <kunit/test.h>

#include <linux/console.h>
#include <linux/cpufeature.h>
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/objtool.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>
#include <linux/set_memory.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include <xen/xen.h>

#include <asm/asm.h>
#include <asm/extable.h>
#include <asm/mce.h>
#include <asm/mshyperv.h>
#include <asm/trapnr.h>

#include "internal.h"
#ifdef CONFIG_X86_SGX
#include "../sgx/sgx.h"
#endif

/* SDM vol. 3B, "Machine-Check Architecture": MCi_STATUS, in addition to mce.h */
#define DATA_LOAD	0x0134
#define INSTR_FETCH	0x0150
#define SCRUB		0x00c0
#define L3_WRITEBACK	0x017a

#define UC		(MCI_STATUS_VAL | MCI_STATUS_UC | MCI_STATUS_EN)
#define ADDR		(MCI_STATUS_ADDRV | MCI_STATUS_MISCV)
#define SRAO		(UC | MCI_STATUS_S | ADDR)
#define SRAR		(UC | MCI_STATUS_S | MCI_STATUS_AR | ADDR)

/* APM vol. 2, "Machine Check Architecture"; POISON is what makes ADDR one of memory */
#define AMD_UC		(UC | MCI_STATUS_POISON | MCI_STATUS_ADDRV)
#define AMD_DEFERRED	(MCI_STATUS_VAL | MCI_STATUS_DEFERRED | MCI_STATUS_POISON | \
			 MCI_STATUS_ADDRV)

/* MCi_MISC: the address is good down to this bit, and it is a physical one */
#define PHYS(lsb)	((u64)MCI_MISC_ADDR_PHYS << 6 | (lsb))
#define LINEAR(lsb)	((u64)MCI_MISC_ADDR_LINEAR << 6 | (lsb))
#define PAGE		PHYS(PAGE_SHIFT)
#define LINE		PHYS(6)

#define MCG_RESTART	(MCG_STATUS_MCIP | MCG_STATUS_RIPV | MCG_STATUS_EIPV)

/* MCi_ADDR has more than the page: the line and, where the tree knows that, a key's ID */
#ifdef MCI_ADDR_PHYSADDR
#define BESIDES		(BIT_ULL(60) | 0x40)
#else
#define BESIDES		0x40ULL
#endif

#define BANK		1	/* not 4, AMD's northbridge, which is a case of its own */

/* What older trees do in another way, on bare metal. They say so in kunit_compat.h. */
#ifndef LINES_STAY_UNCACHED
#define LINES_STAY_UNCACHED false	/* a page of which only lines are bad is uncacheable */
#define PAGES_COME_BACK true		/* clear_mce_nospec() has it present again */
#define COPIED_PAGES_STAY false		/* copying from user space takes none out */
#define KILLS_AGAIN false		/* SIGBUS although memory_failure() has sent it */
#endif

static bool in_guest(void)
{
	/* these own their memory, although the CPU says that there is a hypervisor */
	if (xen_initial_domain())
		return false;
#if IS_ENABLED(CONFIG_MSHV_ROOT)
	if (hv_curr_partition_type == HV_PARTITION_TYPE_ROOT)
		return false;
#endif
	return boot_cpu_has(X86_FEATURE_HYPERVISOR);
}

/* ---- The machine: what cases change in it is put back after each of them */

static struct {
	u8 vendor;
	struct mca_config cfg;
	struct mce_vendor_flags flags;
} machine;

/* order-9 blocks, and the page in the middle of the last one */
static LIST_HEAD(blocks);
static struct page *victim;
#define BLOCK_ORDER	(PMD_SHIFT - PAGE_SHIFT)
#define MIDDLE		(PTRS_PER_PTE / 2)

static void be_cpu(u8 vendor, bool recovers)
{
	boot_cpu_data.x86_vendor = vendor;
	mca_cfg.ser = vendor == X86_VENDOR_INTEL && recovers;
	mce_flags.succor = vendor == X86_VENDOR_AMD && recovers;
	mce_flags.overflow_recov = mce_flags.succor;
	mce_flags.smca = 0;
}

static int mce_guest_init(struct kunit *test)
{
	machine.vendor = boot_cpu_data.x86_vendor;
	machine.cfg = mca_cfg;
	machine.flags = mce_flags;
	return 0;
}

static void free_blocks(void)
{
	struct page *block, *next;

	if (victim) {
		unsigned int level;
		pte_t *pte = lookup_address((unsigned long)page_address(victim), &level);

		ClearPageHWPoison(victim);
		if (!pte || !(pte_flags(*pte) & _PAGE_PRESENT))
			set_direct_map_default_noflush(victim);
		victim = NULL;
	}
	list_for_each_entry_safe(block, next, &blocks, lru) {
		list_del(&block->lru);
		__free_pages(block, BLOCK_ORDER);
	}
}

static void mce_guest_exit(struct kunit *test)
{
	boot_cpu_data.x86_vendor = machine.vendor;
	mca_cfg = machine.cfg;
	mce_flags = machine.flags;
	free_blocks();
}

/* What the 1:1 map has for a page */
struct entry {
	pteval_t val;
	unsigned int level;
};

static struct entry entry_of(unsigned long pfn)
{
	struct entry entry = { .level = PG_LEVEL_NONE };
	pte_t *pte = lookup_address((unsigned long)__va((phys_addr_t)pfn << PAGE_SHIFT),
				    &entry.level);

	if (pte)
		entry.val = pte_val(*pte);
	return entry;
}

/* A page in the middle of a mapping of that size (0: any), or NULL when none is left */
static struct page *page_mapped_by(unsigned int level)
{
	struct page *block;

	free_blocks();
	while ((block = alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, BLOCK_ORDER))) {
		struct page *page = block + MIDDLE;

		list_add(&block->lru, &blocks);
		if (level == PG_LEVEL_4K) {
			/* a change in the middle splits what is larger, for good */
			set_memory_ro((unsigned long)page_address(page), 1);
			set_memory_rw((unsigned long)page_address(page), 1);
		}
		if (!level || entry_of(page_to_pfn(page)).level == level) {
			victim = page;
			return page;
		}
	}
	return NULL;
}

/* ---- Collaborators */

static struct {
	int ret, calls, flags;
	unsigned long pfn;
} offline;

static int fake_memory_failure(unsigned long pfn, int flags)
{
	offline.calls++;
	offline.pfn = pfn;
	offline.flags = flags;
	return offline.ret;
}

static struct {
	int calls;
	unsigned long pfn;
} taken_out;

static int fake_set_mce_nospec(unsigned long pfn)
{
	taken_out.calls++;
	taken_out.pfn = pfn;
	return 0;
}

static void fake_offlining(struct kunit *test, int ret)
{
	memset(&offline, 0, sizeof(offline));
	offline.ret = ret;
	kunit_activate_static_stub(test, memory_failure, fake_memory_failure);
}

static void fake_taking_out(struct kunit *test)
{
	memset(&taken_out, 0, sizeof(taken_out));
	kunit_activate_static_stub(test, set_mce_nospec, fake_set_mce_nospec);
}

/* Whether something on the console complains about the 1:1 map */
static bool heard, complained;
static int loglevel;

static void listen(struct console *con, const char *s, unsigned int n)
{
	static const char * const complaints[] = {
		"cut here", "WARNING", "BUG", "1:1 map", "memtype", "CPA:",
	};
	int i;

	heard = true;
	for (i = 0; i < ARRAY_SIZE(complaints); i++)
		complained |= !!strnstr(s, complaints[i], n);
}

static struct console ear = {
	.name	= "mceguest",
	.write	= listen,
	.index	= -1,
};

static void start_listening(struct kunit *test)
{
	heard = false;
	complained = false;
	loglevel = console_loglevel;
	console_loglevel = CONSOLE_LOGLEVEL_DEBUG;
	/* is cleared when it is unregistered */
	ear.flags = CON_ENABLED;
	register_console(&ear);
	kunit_info(test, "listening\n");
}

static void expect_no_complaint(struct kunit *test)
{
	unregister_console(&ear);
	console_loglevel = loglevel;
	KUNIT_EXPECT_TRUE(test, heard);
	KUNIT_EXPECT_FALSE(test, complained);
}

/* ---- Page tables */

/* What takes a page out of the 1:1 map, when memory_failure() has succeeded */
static void helper(unsigned long pfn, u64 misc)
{
	mce_set_nospec(pfn);
}

static void action_optional(unsigned long pfn, u64 misc)
{
	struct mce m = {
		.cpuvendor = X86_VENDOR_INTEL, .severity = MCE_AO_SEVERITY,
		.status = SRAO | SCRUB, .addr = (u64)pfn << PAGE_SHIFT, .misc = misc,
	};

	be_cpu(X86_VENDOR_INTEL, true);
	uc_decode_notifier(NULL, 0, &m);
}

static void deferred(unsigned long pfn, u64 misc)
{
	struct mce m = {
		.cpuvendor = X86_VENDOR_AMD, .severity = MCE_DEFERRED_SEVERITY, .bank = BANK,
		.status = AMD_DEFERRED, .addr = (u64)pfn << PAGE_SHIFT,
	};

	be_cpu(X86_VENDOR_AMD, true);
	uc_decode_notifier(NULL, 0, &m);
}

static void as_current(unsigned long pfn, u64 misc, bool copyin)
{
	current->mce_addr = (u64)pfn << PAGE_SHIFT | BESIDES;
	current->mce_whole_page = MCI_MISC_ADDR_LSB(misc) >= PAGE_SHIFT;
	current->mce_ripv = 1;
	current->mce_kflags = copyin ? MCE_IN_KERNEL_RECOV | MCE_IN_KERNEL_COPYIN : 0;
}

static void action_required(unsigned long pfn, u64 misc)
{
	as_current(pfn, misc, false);
	kill_me_maybe(&current->mce_kill_me);
}

static void copy_in(unsigned long pfn, u64 misc)
{
	as_current(pfn, misc, true);
	kill_me_never(&current->mce_kill_me);
}

static const struct map_param {
	const char *desc;
	unsigned int level;
	void (*path)(unsigned long pfn, u64 misc);
	u64 misc;
} map_params[] = {
	{ "helper, 4K mapping", PG_LEVEL_4K, helper, PAGE },
	{ "helper, 2M mapping", PG_LEVEL_2M, helper, PAGE },
	{ "action optional, whole page", PG_LEVEL_2M, action_optional, PAGE },
	{ "action optional, cache line", PG_LEVEL_2M, action_optional, LINE },
	{ "action optional, cache line, 4K mapping", PG_LEVEL_4K, action_optional, LINE },
	{ "deferred", PG_LEVEL_2M, deferred },
	{ "action required, whole page", PG_LEVEL_2M, action_required, PAGE },
	{ "action required, cache line", PG_LEVEL_2M, action_required, LINE },
	{ "copy from user, whole page", PG_LEVEL_2M, copy_in, PAGE },
	{ "copy from user, cache line", PG_LEVEL_2M, copy_in, LINE },
	{ "helper, 1G mapping", PG_LEVEL_1G, helper, PAGE },
};

static void map_desc(const struct map_param *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(map, map_params, map_desc);

/* What bare metal makes of a page */
enum fate { OUT, UNCACHED, STAYS };

static enum fate fate_of(const struct map_param *param)
{
	if (param->path == copy_in && COPIED_PAGES_STAY)
		return STAYS;
	if (param->misc == LINE && LINES_STAY_UNCACHED)
		return UNCACHED;
	return OUT;
}

static void nospec_page_tables(struct kunit *test)
{
	const struct map_param *param = test->param_value;
	enum fate fate = in_guest() ? STAYS : fate_of(param);
	struct page *page = page_mapped_by(param->level);
	struct entry before, next, entry;
	unsigned long pfn;

	if (!page && param->level == PG_LEVEL_1G)
		kunit_skip(test, "no 1G mapping: that takes a CPU with pdpe1gb and 3G of memory");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	pfn = page_to_pfn(page);
	before = entry_of(pfn);
	KUNIT_ASSERT_EQ(test, param->level, before.level);
	kunit_info(test, "pfn 0x%lx in a %s mapping\n", pfn,
		   param->level == PG_LEVEL_1G ? "1G" :
		   param->level == PG_LEVEL_2M ? "2M" : "4K");
	fake_offlining(test, 0);
	start_listening(test);

	param->path(pfn, param->misc);
	entry = entry_of(pfn);
	next = entry_of(pfn + 1);
	if (fate == STAYS) {
		KUNIT_EXPECT_EQ(test, before.level, entry.level);
		KUNIT_EXPECT_EQ(test, before.val, entry.val);
	} else {
		KUNIT_EXPECT_EQ(test, (unsigned int)PG_LEVEL_4K, entry.level);
		KUNIT_EXPECT_EQ(test, fate == UNCACHED, !!(entry.val & _PAGE_PRESENT));
		KUNIT_EXPECT_EQ(test, fate == UNCACHED ?
				cachemode2protval(_PAGE_CACHE_MODE_UC_MINUS) : 0UL,
				entry.val & _PAGE_CACHE_MASK);
		KUNIT_EXPECT_EQ(test, (unsigned int)PG_LEVEL_4K, next.level);
		KUNIT_EXPECT_NE(test, 0UL, next.val & _PAGE_PRESENT);
	}

	KUNIT_EXPECT_EQ(test, 0, clear_mce_nospec(pfn));
	entry = entry_of(pfn);
	if (fate == STAYS) {
		KUNIT_EXPECT_EQ(test, before.level, entry.level);
		KUNIT_EXPECT_EQ(test, before.val, entry.val);
	} else if (fate == UNCACHED || PAGES_COME_BACK) {
		/*
		 * as the next one, which was a part of the same mapping, but for what
		 * the CPU sets, and the global bit, which is lost with present
		 */
		pteval_t same = ~(PTE_PFN_MASK | _PAGE_ACCESSED | _PAGE_DIRTY | _PAGE_GLOBAL);

		KUNIT_EXPECT_EQ(test, next.val & same, entry.val & same);
		KUNIT_EXPECT_EQ(test, pfn, (entry.val & PTE_PFN_MASK) >> PAGE_SHIFT);
	}

	expect_no_complaint(test);
	flush_signals(current);
}

/* ---- Pages that are not in the 1:1 map */

static unsigned long pfn_beyond_memory(void)
{
	return max_pfn + 2 * PTRS_PER_PTE;
}

static unsigned long pfn_top(void)
{
	return (1UL << (boot_cpu_data.x86_phys_bits - PAGE_SHIFT)) - 1;
}

/* The local APIC, where no RAM is (SDM vol. 3A, "Local APIC Status and Location") */
static unsigned long pfn_mmio(void)
{
	return APIC_DEFAULT_PHYS_BASE >> PAGE_SHIFT;
}

static const struct outside_param {
	const char *desc;
	unsigned long (*pfn)(void);
} outside_params[] = {
	{ "MMIO", pfn_mmio },
	{ "beyond memory", pfn_beyond_memory },
	{ "last page of the physical address space", pfn_top },
};

static void outside_desc(const struct outside_param *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(outside, outside_params, outside_desc);

/* A page that memory_failure(), the real one, refuses is not touched by anyone. */
static void nospec_record_outside_memory(struct kunit *test)
{
	const struct outside_param *param = test->param_value;
	unsigned long pfn = param->pfn();
	struct entry before = entry_of(pfn), entry;

	fake_taking_out(test);
	start_listening(test);
	action_optional(pfn, PAGE);
	copy_in(pfn, PAGE);
	expect_no_complaint(test);
	flush_signals(current);

	entry = entry_of(pfn);
	KUNIT_EXPECT_EQ(test, 0, taken_out.calls);
	KUNIT_EXPECT_EQ(test, before.level, entry.level);
	KUNIT_EXPECT_EQ(test, before.val, entry.val);
}

static void nospec_helper_outside_memory(struct kunit *test)
{
	const struct outside_param *param = test->param_value;
	unsigned long pfn = param->pfn();
	struct entry before = entry_of(pfn), entry;

	/* which says no itself, and warns, on bare metal */
	if (!in_guest())
		fake_taking_out(test);

	start_listening(test);
	mce_set_nospec(pfn);
	expect_no_complaint(test);

	entry = entry_of(pfn);
	if (!in_guest())
		KUNIT_EXPECT_EQ(test, pfn, taken_out.pfn);
	KUNIT_EXPECT_EQ(test, before.level, entry.level);
	KUNIT_EXPECT_EQ(test, before.val, entry.val);
}

/* A page that SGX owns, of which arch_is_platform_page() knows, is left alone. */
static void nospec_platform_page(struct kunit *test)
{
#ifdef CONFIG_X86_SGX
	struct page *page = page_mapped_by(PG_LEVEL_2M);
	struct entry before, entry;
	unsigned long pfn;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	pfn = page_to_pfn(page);
	before = entry_of(pfn);
	xa_store(&sgx_epc_address_space, pfn << PAGE_SHIFT, page, GFP_KERNEL);
	start_listening(test);
	mce_set_nospec(pfn);
	expect_no_complaint(test);
	xa_erase(&sgx_epc_address_space, pfn << PAGE_SHIFT);

	entry = entry_of(pfn);
	KUNIT_EXPECT_EQ(test, before.level, entry.level);
	KUNIT_EXPECT_EQ(test, before.val, entry.val);
#else
	kunit_skip(test, "no platform page without CONFIG_X86_SGX");
#endif
}

/* ---- Which record leads where */

#define SOME_PFN	0x12345UL

static const struct record_param {
	const char *desc;
	u8 vendor;
	bool recovers;		/* MCG_SER_P, or SUCCOR */
	u64 status, misc;
	int ret;		/* of memory_failure() */
	bool offlines;		/* expected: it is called */
} record_params[] = {
	{ "action optional, whole page", X86_VENDOR_INTEL, true, SRAO | SCRUB, PAGE, 0, true },
	{ "action optional, cache line", X86_VENDOR_INTEL, true, SRAO | SCRUB, LINE, 0, true },
	{ "action optional, L3 writeback", X86_VENDOR_INTEL, true, SRAO | L3_WRITEBACK, PAGE,
	  0, true },
	{ "action optional, memory_failure() fails", X86_VENDOR_INTEL, true, SRAO | SCRUB, PAGE,
	  -EBUSY, true },
	{ "action optional, no MCG_SER_P", X86_VENDOR_INTEL, false, SRAO | SCRUB, PAGE },
	{ "action optional, more than a page", X86_VENDOR_INTEL, true, SRAO | SCRUB,
	  PHYS(PAGE_SHIFT + 1) },
	{ "action optional, linear address", X86_VENDOR_INTEL, true, SRAO | SCRUB,
	  LINEAR(PAGE_SHIFT) },
	{ "action optional, MISCV clear", X86_VENDOR_INTEL, true,
	  (SRAO | SCRUB) & ~MCI_STATUS_MISCV, PAGE },
	{ "action optional, ADDRV clear", X86_VENDOR_INTEL, true,
	  (SRAO | SCRUB) & ~MCI_STATUS_ADDRV, PAGE },
	{ "action optional, unknown", X86_VENDOR_INTEL, true, SRAO | DATA_LOAD, PAGE },
	{ "no action required", X86_VENDOR_INTEL, true, UC | ADDR | DATA_LOAD, PAGE, 0, true },
	{ "no action required, cache line", X86_VENDOR_INTEL, true, UC | ADDR | DATA_LOAD, LINE,
	  0, true },
	{ "action required", X86_VENDOR_INTEL, true, SRAR | DATA_LOAD, PAGE },
	{ "corrected", X86_VENDOR_INTEL, true,
	  (SRAO | SCRUB) & ~(MCI_STATUS_UC | MCI_STATUS_S), PAGE },
	{ "deferred", X86_VENDOR_AMD, true, AMD_DEFERRED, 0, 0, true },
	{ "deferred, memory_failure() fails", X86_VENDOR_AMD, true, AMD_DEFERRED, 0, -EBUSY, true },
	{ "deferred, no SUCCOR", X86_VENDOR_AMD, false, AMD_DEFERRED, 0, 0, true },
	{ "deferred, ADDRV clear", X86_VENDOR_AMD, true, AMD_DEFERRED & ~MCI_STATUS_ADDRV },
	{ "AMD, uncorrected", X86_VENDOR_AMD, true, AMD_UC },
};

static void record_desc(const struct record_param *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(record, record_params, record_desc);

/* Records of the queue: action optional, deferred, and what is neither */
static void nospec_queued_record(struct kunit *test)
{
	const struct record_param *param = test->param_value;
	struct mce m = {
		.cpuvendor = param->vendor, .bank = BANK, .status = param->status,
		.misc = param->misc, .addr = SOME_PFN << PAGE_SHIFT | BESIDES,
		.mcgstatus = MCG_RESTART, .cs = __USER_CS,
	};
	bool gone = param->offlines && !param->ret, handled;
	char *msg = NULL;
	int ret;

	be_cpu(param->vendor, param->recovers);
	fake_offlining(test, param->ret);
	fake_taking_out(test);

	m.severity = mce_severity(&m, NULL, &msg, false);
	ret = uc_decode_notifier(NULL, 0, &m);

	KUNIT_EXPECT_EQ(test, param->offlines ? NOTIFY_OK : NOTIFY_DONE, ret);
	KUNIT_EXPECT_EQ(test, param->offlines ? 1 : 0, offline.calls);
	KUNIT_EXPECT_EQ(test, gone && !in_guest() ? 1 : 0, taken_out.calls);
	handled = m.kflags & MCE_HANDLED_UC;
	KUNIT_EXPECT_EQ(test, gone, handled);
	if (offline.calls) {
		KUNIT_EXPECT_EQ(test, SOME_PFN, offline.pfn);
		KUNIT_EXPECT_EQ(test, 0, offline.flags);
	}
	if (taken_out.calls)
		KUNIT_EXPECT_EQ(test, SOME_PFN, taken_out.pfn);
}

static void nospec_no_record(struct kunit *test)
{
	fake_offlining(test, 0);
	fake_taking_out(test);
	KUNIT_EXPECT_EQ(test, NOTIFY_DONE, uc_decode_notifier(NULL, 0, NULL));
	KUNIT_EXPECT_EQ(test, 0, offline.calls);
	KUNIT_EXPECT_EQ(test, 0, taken_out.calls);
}

/* What knows no other way to end a copy ends the process. */
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

static void task_desc(const struct task_param *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(task, task_params, task_desc);

/* What a task has to do before it returns to user space */
static void nospec_task_work(struct kunit *test)
{
	const struct task_param *param = test->param_value;
	bool gone = !param->ret && !(param->copyin && COPIED_PAGES_STAY), killed;

	fake_offlining(test, param->ret);
	fake_taking_out(test);
	as_current(SOME_PFN, PAGE, param->copyin);
	current->mce_ripv = param->ripv;
	current->mce_vaddr = (void __user *)-1l;
	current->mce_count = 1;

	param->path(&current->mce_kill_me);

	KUNIT_EXPECT_EQ(test, 0, current->mce_count);
	KUNIT_EXPECT_EQ(test, 1, offline.calls);
	KUNIT_EXPECT_EQ(test, SOME_PFN, offline.pfn);
	KUNIT_EXPECT_EQ(test, param->flags, offline.flags);
	KUNIT_EXPECT_EQ(test, gone && !in_guest() ? 1 : 0, taken_out.calls);
	if (taken_out.calls)
		KUNIT_EXPECT_EQ(test, SOME_PFN, taken_out.pfn);
	killed = sigismember(&current->pending.signal, SIGBUS);
	KUNIT_EXPECT_EQ(test, param->killed, killed);
	flush_signals(current);
}

/* ---- Who owns the memory */

static void page_taken_by_vmm(struct kunit *test)
{
	kunit_info(test, "this is %s\n", in_guest() ? "a guest" : "bare metal");
	KUNIT_EXPECT_EQ(test, in_guest(), mce_page_taken_by_vmm());
}

static void page_taken_by_vmm_not_in_xen_dom0(struct kunit *test)
{
#ifdef CONFIG_XEN_DOM0
	enum xen_domain_type type = xen_domain_type;
	u32 start_flags = xen_start_flags;
	bool dom0, guest;

	if (system_state >= SYSTEM_RUNNING)
		kunit_skip(test, "Xen's variables are read-only after boot");

	xen_domain_type = XEN_PV_DOMAIN;
	xen_start_flags = SIF_INITDOMAIN | SIF_PRIVILEGED;
	dom0 = mce_page_taken_by_vmm();
	xen_start_flags = 0;
	guest = mce_page_taken_by_vmm();
	xen_domain_type = type;
	xen_start_flags = start_flags;

	KUNIT_EXPECT_FALSE(test, dom0);
	KUNIT_EXPECT_EQ(test, !!boot_cpu_has(X86_FEATURE_HYPERVISOR), (int)guest);
#else
	kunit_skip(test, "no Xen initial domain without CONFIG_XEN_DOM0");
#endif
}

static void page_taken_by_vmm_not_in_hyperv_root(struct kunit *test)
{
#if IS_ENABLED(CONFIG_MSHV_ROOT)
	typeof(hv_curr_partition_type) type = hv_curr_partition_type;
	bool root;

	if (system_state >= SYSTEM_RUNNING)
		kunit_skip(test, "Hyper-V's variables can be read-only after boot");

	hv_curr_partition_type = HV_PARTITION_TYPE_ROOT;
	root = mce_page_taken_by_vmm();
	hv_curr_partition_type = type;

	KUNIT_EXPECT_FALSE(test, root);
#else
	kunit_skip(test, "no Hyper-V root partition without CONFIG_MSHV_ROOT");
#endif
}

/* ---- Grading */

/*
 * Instructions that can be the one that was interrupted: a NOP for each type of
 * fixup, the ones that do not exist (yet) included. The fixup of each continues
 * with the next.
 */
#define NR_FIXUPS	32
#define SAFE_FIXUP	EX_TYPE_FAULT_MCE_SAFE
#define FAULT_FIXUP	EX_TYPE_FAULT

/* The loads that come after them: of copy_from_user(), of load_unaligned_zeropad() */
#define COPY_LOAD	NR_FIXUPS
#define ZEROPAD_LOAD	(COPY_LOAD + 3)
#define ZEROPAD_FIXUP	(ZEROPAD_LOAD + 3)

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
		     : : : "rax", "memory");
}

static noinline unsigned long instruction(int nr)
{
	unsigned long ip;

	asm("lea mce_guest_fixups(%%rip), %0" : "=r" (ip));
	return ip + nr;
}

/* The one bank that has something to say, on this CPU. Not preemptible until mute(). */
static void speak(u64 status, u64 addr, u64 misc, u64 mcgstatus)
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

static void mute(void)
{
	this_cpu_ptr(&injectm)->finished = 0;
	preempt_enable();
}

enum page_state { GOOD, POISONED, BEYOND };

enum outcome { FATAL, RECOVERS, AS_PAGE_FAULT, FATAL_PAGE_FAULT, IN_USER_SPACE, UNRECOVERED };

#define PF	(MCE_IN_KERNEL_PF | MCE_IN_KERNEL_RECOV)

/* Grades, MCE_..._SEVERITY, and flags of the record */
static const struct {
	int bare, guest;
	u64 bare_kflags, guest_kflags;
} outcomes[] = {
	[FATAL] = { MCE_PANIC_SEVERITY, MCE_PANIC_SEVERITY },
	[RECOVERS] = { MCE_AR_SEVERITY, MCE_AR_SEVERITY, MCE_IN_KERNEL_RECOV, MCE_IN_KERNEL_RECOV },
	[AS_PAGE_FAULT] = { MCE_PANIC_SEVERITY, MCE_AR_SEVERITY, 0, PF },
	/* it would be one, but for a rule that is asked later */
	[FATAL_PAGE_FAULT] = { MCE_PANIC_SEVERITY, MCE_PANIC_SEVERITY, 0, PF },
	[IN_USER_SPACE] = { MCE_AR_SEVERITY, MCE_AR_SEVERITY },
	[UNRECOVERED] = { MCE_UC_SEVERITY, MCE_UC_SEVERITY },
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

	INTEL("offlined page", SRAR | DATA_LOAD, PAGE, MCG_RESTART, FAULT_FIXUP, POISONED,
	      AS_PAGE_FAULT),
	INTEL("offlined page, cache line", SRAR | DATA_LOAD, LINE, MCG_RESTART, FAULT_FIXUP,
	      POISONED, AS_PAGE_FAULT),
	INTEL("offlined page, local machine check", SRAR | DATA_LOAD, PAGE,
	      MCG_RESTART | MCG_STATUS_LMCES, FAULT_FIXUP, POISONED, AS_PAGE_FAULT),
	INTEL("page that is not offlined", SRAR | DATA_LOAD, PAGE, MCG_RESTART, FAULT_FIXUP, GOOD,
	      FATAL),
	INTEL("beyond memory", SRAR | DATA_LOAD, PAGE, MCG_RESTART, FAULT_FIXUP, BEYOND, FATAL),
	INTEL("no fixup", SRAR | DATA_LOAD, PAGE, MCG_RESTART, 0, POISONED, FATAL),
	INTEL("fixup for machine checks", SRAR | DATA_LOAD, PAGE, MCG_RESTART, SAFE_FIXUP,
	      POISONED, RECOVERS),
	INTEL("fixup for machine checks, page that is not offlined", SRAR | DATA_LOAD, PAGE,
	      MCG_RESTART, SAFE_FIXUP, GOOD, RECOVERS),
	INTEL("instruction fetch", SRAR | INSTR_FETCH, PAGE, MCG_RESTART, FAULT_FIXUP, POISONED,
	      FATAL),
	INTEL("more than a page", SRAR | DATA_LOAD, PHYS(PAGE_SHIFT + 1), MCG_RESTART,
	      FAULT_FIXUP, POISONED, FATAL),
	INTEL("linear address", SRAR | DATA_LOAD, LINEAR(PAGE_SHIFT), MCG_RESTART, FAULT_FIXUP,
	      POISONED, FATAL),
	INTEL("ADDRV clear", (SRAR | DATA_LOAD) & ~MCI_STATUS_ADDRV, PAGE, MCG_RESTART,
	      FAULT_FIXUP, POISONED, FATAL),
	INTEL("MISCV clear", (SRAR | DATA_LOAD) & ~MCI_STATUS_MISCV, PAGE, MCG_RESTART,
	      FAULT_FIXUP, POISONED, FATAL),
	INTEL("RIPV clear", SRAR | DATA_LOAD, PAGE, MCG_STATUS_MCIP | MCG_STATUS_EIPV,
	      FAULT_FIXUP, POISONED, FATAL),
	INTEL("RIPV and EIPV clear", SRAR | DATA_LOAD, PAGE, MCG_STATUS_MCIP, FAULT_FIXUP,
	      POISONED, FATAL),
	INTEL("MCIP clear", SRAR | DATA_LOAD, PAGE, MCG_STATUS_RIPV | MCG_STATUS_EIPV,
	      FAULT_FIXUP, POISONED, FATAL_PAGE_FAULT),
	INTEL("context corrupt", SRAR | DATA_LOAD | MCI_STATUS_PCC, PAGE, MCG_RESTART, FAULT_FIXUP,
	      POISONED, FATAL_PAGE_FAULT),
	{ "no MCG_SER_P", X86_VENDOR_INTEL, false, SRAR | DATA_LOAD, PAGE, MCG_RESTART,
	  FAULT_FIXUP, POISONED, __KERNEL_CS, FATAL },
	{ "user space", X86_VENDOR_INTEL, true, SRAR | DATA_LOAD, PAGE, MCG_RESTART,
	  FAULT_FIXUP, POISONED, __USER_CS, IN_USER_SPACE },
	{ "user space, cache line", X86_VENDOR_INTEL, true, SRAR | DATA_LOAD, LINE, MCG_RESTART,
	  FAULT_FIXUP, POISONED, __USER_CS, IN_USER_SPACE },
	{ "user space, instruction fetch", X86_VENDOR_INTEL, true, SRAR | INSTR_FETCH, PAGE,
	  MCG_RESTART, FAULT_FIXUP, GOOD, __USER_CS, IN_USER_SPACE },
	{ "user space, no MCG_SER_P", X86_VENDOR_INTEL, false, SRAR | DATA_LOAD, PAGE, MCG_RESTART,
	  FAULT_FIXUP, GOOD, __USER_CS, UNRECOVERED },
	{ "AMD, user space", X86_VENDOR_AMD, true, AMD_UC, 0, MCG_RESTART, FAULT_FIXUP, GOOD,
	  __USER_CS, IN_USER_SPACE },

	AMD("AMD, offlined page", AMD_UC, MCG_RESTART, FAULT_FIXUP, POISONED, AS_PAGE_FAULT),
	AMD("AMD, page that is not offlined", AMD_UC, MCG_RESTART, FAULT_FIXUP, GOOD, FATAL),
	AMD("AMD, no fixup", AMD_UC, MCG_RESTART, 0, POISONED, FATAL),
	AMD("AMD, fixup for machine checks", AMD_UC, MCG_RESTART, SAFE_FIXUP, POISONED, RECOVERS),
	AMD("AMD, ADDRV clear", AMD_UC & ~MCI_STATUS_ADDRV, MCG_RESTART, FAULT_FIXUP, POISONED,
	    FATAL),
	AMD("AMD, RIPV clear", AMD_UC, MCG_STATUS_MCIP | MCG_STATUS_EIPV, FAULT_FIXUP, POISONED,
	    FATAL),
};

static void grade_desc(const struct grade_param *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(grade, grade_params, grade_desc);

/* Put the page in question into that state, and say where it is */
static u64 page_in_state(struct kunit *test, enum page_state state)
{
	struct page *page;

	if (state == BEYOND)
		return (u64)pfn_beyond_memory() << PAGE_SHIFT;

	page = page_mapped_by(0);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	if (state == POISONED)
		SetPageHWPoison(page);
	return (u64)page_to_pfn(page) << PAGE_SHIFT;
}

static int grade(struct mce *m, struct pt_regs *regs, u64 addr, u64 misc)
{
	char *msg = NULL;
	int severity;

	speak(m->status, addr, misc, m->mcgstatus);
	severity = mce_severity(m, regs, &msg, true);
	mute();
	return severity;
}

static void grade_kernel_load(struct kunit *test)
{
	const struct grade_param *param = test->param_value;
	struct pt_regs regs = { .ip = instruction(param->fixup) };
	struct mce m = {
		.cpuvendor = param->vendor, .bank = BANK, .status = param->status,
		.mcgstatus = param->mcgstatus, .cs = param->cs, .ip = regs.ip,
	};
	u64 addr = page_in_state(test, param->page);
	int severity;

	be_cpu(param->vendor, param->recovers);
	severity = grade(&m, &regs, addr | BESIDES, param->misc);

	KUNIT_EXPECT_EQ(test, in_guest() ? outcomes[param->outcome].guest :
					   outcomes[param->outcome].bare, severity);
	KUNIT_EXPECT_EQ(test, in_guest() ? outcomes[param->outcome].guest_kflags :
					   outcomes[param->outcome].bare_kflags, (u64)m.kflags);

	/* banks are read later, and what this one says is not for another */
	KUNIT_EXPECT_EQ(test, 0ULL, (u64)m.addr);
	KUNIT_EXPECT_EQ(test, 0ULL, (u64)m.misc);
}

/* A fixup for machine checks has them anywhere, any other for this page in a guest. */
static void grade_fixup_types(struct kunit *test)
{
	u64 addr = page_in_state(test, POISONED);
	int fixup;

	be_cpu(X86_VENDOR_INTEL, true);
	for (fixup = 0; fixup < NR_FIXUPS; fixup++) {
		struct pt_regs regs = { .ip = instruction(fixup) };
		struct mce m = {
			.cpuvendor = X86_VENDOR_INTEL, .bank = BANK, .ip = regs.ip,
			.status = SRAR | DATA_LOAD, .mcgstatus = MCG_RESTART, .cs = __KERNEL_CS,
		};
		int severity = grade(&m, &regs, addr, PAGE), expected = MCE_PANIC_SEVERITY;
		u64 kflags = 0;

		switch (fixup) {
		case EX_TYPE_NONE:
			break;
		case EX_TYPE_DEFAULT_MCE_SAFE:
		case EX_TYPE_FAULT_MCE_SAFE:
			expected = MCE_AR_SEVERITY;
			kflags = MCE_IN_KERNEL_RECOV;
			break;
		default:
			if (in_guest()) {
				expected = MCE_AR_SEVERITY;
				kflags = PF;
			}
		}
		KUNIT_EXPECT_EQ_MSG(test, expected, severity, "fixup type %d", fixup);
		KUNIT_EXPECT_EQ_MSG(test, kflags, (u64)m.kflags, "fixup type %d", fixup);
	}
}

/* A record that was found by polling is not about what the CPU is doing now. */
static void grade_without_regs(struct kunit *test)
{
	struct mce m = {
		.cpuvendor = X86_VENDOR_INTEL, .bank = BANK, .ip = instruction(FAULT_FIXUP),
		.status = SRAR | DATA_LOAD, .mcgstatus = MCG_RESTART, .cs = __KERNEL_CS,
	};

	be_cpu(X86_VENDOR_INTEL, true);
	KUNIT_EXPECT_EQ(test, (int)MCE_PANIC_SEVERITY,
			grade(&m, NULL, page_in_state(test, POISONED), PAGE));
	KUNIT_EXPECT_EQ(test, 0ULL, (u64)m.kflags);
}

static const struct copyin_param {
	const char *desc;
	enum page_state page;
	bool user;		/* where it copies from */
	int bare, guest;
	u64 bare_kflags, guest_kflags;
} copyin_params[] = {
#define COPYIN	(MCE_IN_KERNEL_COPYIN | MCE_IN_KERNEL_RECOV)
	{ "from user space, first time", GOOD, true, MCE_AR_SEVERITY, MCE_AR_SEVERITY,
	  COPYIN, COPYIN },
	{ "from user space, offlined page", POISONED, true, MCE_AR_SEVERITY, MCE_AR_SEVERITY,
	  COPYIN, PF },
	{ "from the kernel, offlined page", POISONED, false, MCE_PANIC_SEVERITY,
	  MCE_AR_SEVERITY, 0, PF },
	{ "from the kernel, page that is not offlined", GOOD, false, MCE_PANIC_SEVERITY,
	  MCE_PANIC_SEVERITY, 0, 0 },
};

static void copyin_desc(const struct copyin_param *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(copyin, copyin_params, copyin_desc);

static void grade_copy(struct kunit *test)
{
	const struct copyin_param *param = test->param_value;
	struct pt_regs regs = {
		.ip = instruction(COPY_LOAD),
		.si = param->user ? PAGE_SIZE : PAGE_OFFSET,
	};
	struct mce m = {
		.cpuvendor = X86_VENDOR_INTEL, .bank = BANK, .ip = regs.ip,
		.status = SRAR | DATA_LOAD, .mcgstatus = MCG_RESTART, .cs = __KERNEL_CS,
	};
	u64 addr = page_in_state(test, param->page);
	int severity;

	be_cpu(X86_VENDOR_INTEL, true);
	severity = grade(&m, &regs, addr, PAGE);

	KUNIT_EXPECT_EQ(test, in_guest() ? param->guest : param->bare, severity);
	KUNIT_EXPECT_EQ(test, in_guest() ? param->guest_kflags : param->bare_kflags,
			(u64)m.kflags);
}

/* ---- The handler */

/* A machine check at regs->ip, about that address. A fatal one ends the test run. */
static void machine_check(struct pt_regs *regs, u64 addr)
{
	unsigned long flags;

	/* a record that CPUs of all vendors recover from */
	mca_cfg.ser = 1;
	mca_cfg.monarch_timeout = -1;
	mce_flags.succor = 1;
	mce_flags.overflow_recov = 1;
	mce_flags.smca = 0;

	regs->cs = __KERNEL_CS;
	local_irq_save(flags);
	/* a line: no bit of the address is lost */
	speak(SRAR | MCI_STATUS_POISON | DATA_LOAD, addr, LINE, MCG_RESTART | MCG_STATUS_LMCES);
	do_machine_check(regs);
	mute();
	local_irq_restore(flags);
}

static bool can_handle(void)
{
	return boot_cpu_has(X86_FEATURE_MCA) && this_cpu_read(mce_num_banks) > BANK;
}

/* A fixup for machine checks learns that it is one. */
static void handler_runs_machine_check_fixup(struct kunit *test)
{
	struct pt_regs regs = { .ip = instruction(SAFE_FIXUP) };

	if (!can_handle())
		kunit_skip(test, "this CPU has no machine check banks");

	machine_check(&regs, page_in_state(test, POISONED));
	KUNIT_EXPECT_EQ(test, instruction(SAFE_FIXUP + 1), regs.ip);
	KUNIT_EXPECT_EQ(test, (unsigned long)X86_TRAP_MC, regs.ax);
}

/* Any other is told that it is a page fault. */
static void handler_runs_page_fault_fixup(struct kunit *test)
{
	struct pt_regs regs = { .ip = instruction(FAULT_FIXUP) };

	if (!in_guest())
		kunit_skip(test, "takes a guest: fatal on bare metal, as ever");
	if (!can_handle())
		kunit_skip(test, "this CPU has no machine check banks");

	machine_check(&regs, page_in_state(test, POISONED) | BESIDES);
	KUNIT_EXPECT_EQ(test, instruction(FAULT_FIXUP + 1), regs.ip);
	KUNIT_EXPECT_EQ(test, (unsigned long)X86_TRAP_PF, regs.ax);
}

/* load_unaligned_zeropad() gets zeroes for what is in the page, if that is where it is. */
static void handler_pads_with_zeroes(struct kunit *test)
{
	u64 addr;
	u8 *page;
	struct pt_regs regs = { .ip = instruction(ZEROPAD_LOAD) };

	if (!in_guest())
		kunit_skip(test, "takes a guest: fatal on bare metal, as ever");
	if (!can_handle())
		kunit_skip(test, "this CPU has no machine check banks");

	addr = page_in_state(test, POISONED);
	page = __va(addr);
	memset(page - 8, 0x5a, 8);
	regs.si = (unsigned long)page - 3;
	machine_check(&regs, addr | BESIDES);
	KUNIT_EXPECT_EQ(test, instruction(ZEROPAD_FIXUP), regs.ip);
#ifdef EX_TYPE_ZEROPAD
	KUNIT_EXPECT_EQ(test, 0x5a5a5aUL, regs.ax);
#endif
}

static struct kunit_case mce_guest_cases[] = {
	KUNIT_CASE(page_taken_by_vmm),
	KUNIT_CASE(page_taken_by_vmm_not_in_xen_dom0),
	KUNIT_CASE(page_taken_by_vmm_not_in_hyperv_root),
	KUNIT_CASE_PARAM(nospec_page_tables, map_gen_params),
	KUNIT_CASE_PARAM(nospec_record_outside_memory, outside_gen_params),
	KUNIT_CASE_PARAM(nospec_helper_outside_memory, outside_gen_params),
	KUNIT_CASE(nospec_platform_page),
	KUNIT_CASE_PARAM(nospec_queued_record, record_gen_params),
	KUNIT_CASE(nospec_no_record),
	KUNIT_CASE_PARAM(nospec_task_work, task_gen_params),
	KUNIT_CASE_PARAM(grade_kernel_load, grade_gen_params),
	KUNIT_CASE(grade_fixup_types),
	KUNIT_CASE(grade_without_regs),
	KUNIT_CASE_PARAM(grade_copy, copyin_gen_params),
	/* last, as a fatal machine check is the end of the run */
	KUNIT_CASE(handler_runs_machine_check_fixup),
	KUNIT_CASE(handler_runs_page_fault_fixup),
	KUNIT_CASE(handler_pads_with_zeroes),
	{}
};

static struct kunit_suite mce_guest_suite = {
	.name = "mce_guest",
	.init = mce_guest_init,
	.exit = mce_guest_exit,
	.test_cases = mce_guest_cases,
};

kunit_test_suite(mce_guest_suite);

MODULE_DESCRIPTION("KUnit tests for memory errors in a guest");
MODULE_LICENSE("GPL");
