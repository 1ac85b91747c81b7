// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for memory errors in a guest
 *
 * A VMM unmaps a poisoned page before it injects the machine check. These tests are
 * about what the kernel does then: it leaves the page in the direct map where it can,
 * and treats stray accesses to it like page faults. On bare metal it does neither.
 * Run them on both, with and without X86_FEATURE_HYPERVISOR: they expect accordingly.
 *
 * Page tables and the exception table are the real ones, and so is the handler;
 * records and memory_failure() are made up.
 */
#include <kunit/test.h>

#include <linux/bug.h>
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
#include <linux/task_work.h>
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
#define MCG_LOCAL	(MCG_RESTART | MCG_STATUS_LMCES)

/* MCi_ADDR has more than the page: the line and, in trees that mask it, a key's ID */
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
	/* these own their memory, although the CPU has the hypervisor bit */
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
	bool succor = vendor == X86_VENDOR_AMD || vendor == X86_VENDOR_HYGON;

	boot_cpu_data.x86_vendor = vendor;
	mca_cfg.ser = !succor && recovers;
	mce_flags.succor = succor && recovers;
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
		mce_forget_pages(page_to_pfn(victim), 1);
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

/* What the direct map has for a page */
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

/* Whether the console has a warning about the direct map */
static bool captured, complained;
static int loglevel;

static void capture(struct console *con, const char *s, unsigned int n)
{
	static const char * const complaints[] = {
		"cut here", "WARNING", "BUG", "1:1 map", "memtype", "CPA:",
	};
	int i;

	captured = true;
	for (i = 0; i < ARRAY_SIZE(complaints); i++)
		complained |= !!strnstr(s, complaints[i], n);
}

static struct console capture_console = {
	.name	= "mceguest",
	.write	= capture,
	.index	= -1,
};

static void start_capture(struct kunit *test)
{
	captured = false;
	complained = false;
	loglevel = console_loglevel;
	console_loglevel = CONSOLE_LOGLEVEL_DEBUG;
	/* is cleared when it is unregistered */
	capture_console.flags = CON_ENABLED;
	register_console(&capture_console);
	kunit_info(test, "capturing\n");
}

static void expect_no_complaint(struct kunit *test)
{
	unregister_console(&capture_console);
	console_loglevel = loglevel;
	KUNIT_EXPECT_TRUE(test, captured);
	KUNIT_EXPECT_FALSE(test, complained);
}

/* ---- Page tables */

/* The machine checks that lead to memory_failure(). AMD's are never broadcast. */
static u64 mcg_status(bool local)
{
	return local ? MCG_LOCAL : MCG_RESTART;
}

static void action_optional(unsigned long pfn, u64 misc, bool local)
{
	struct mce m = {
		.cpuvendor = X86_VENDOR_INTEL, .severity = MCE_AO_SEVERITY,
		.status = SRAO | SCRUB, .addr = (u64)pfn << PAGE_SHIFT, .misc = misc,
		.mcgstatus = mcg_status(local),
	};

	be_cpu(X86_VENDOR_INTEL, true);
	uc_decode_notifier(NULL, 0, &m);
}

static void deferred(unsigned long pfn, u64 misc, bool local)
{
	struct mce m = {
		.cpuvendor = X86_VENDOR_AMD, .severity = MCE_DEFERRED_SEVERITY, .bank = BANK,
		.status = AMD_DEFERRED, .addr = (u64)pfn << PAGE_SHIFT,
	};

	be_cpu(X86_VENDOR_AMD, true);
	uc_decode_notifier(NULL, 0, &m);
}

/* What queue_task_work() leaves for the task */
static void as_current(unsigned long pfn, u64 misc, bool copyin, bool local)
{
	struct mce m = {
		.cpuvendor = X86_VENDOR_INTEL, .status = SRAR | DATA_LOAD, .misc = misc,
		.mcgstatus = mcg_status(local),
	};

	be_cpu(X86_VENDOR_INTEL, true);
	current->mce_addr = (u64)pfn << PAGE_SHIFT | BESIDES;
	/* 5.10: all of a guest's are about whole pages */
	current->mce_whole_page = in_guest() || MCI_MISC_ADDR_LSB(misc) >= PAGE_SHIFT;
	current->mce_ripv = 1;
	current->mce_kflags = copyin ? MCE_IN_KERNEL_RECOV | MCE_IN_KERNEL_COPYIN : 0;
	if (can_leave_mapped(&m))
		current->mce_kflags |= MCE_LEAVE_MAPPED;
}

static void action_required(unsigned long pfn, u64 misc, bool local)
{
	as_current(pfn, misc, false, local);
	kill_me_maybe(&current->mce_kill_me);
}

static void copy_in(unsigned long pfn, u64 misc, bool local)
{
	as_current(pfn, misc, true, local);
	kill_me_never(&current->mce_kill_me);
}

static const struct map_param {
	const char *desc;
	unsigned int level;
	void (*path)(unsigned long pfn, u64 misc, bool local);
	u64 misc;
	bool local;
} map_params[] = {
	{ "action optional, whole page", PG_LEVEL_2M, action_optional, PAGE, true },
	{ "action optional, cache line", PG_LEVEL_2M, action_optional, LINE, true },
	{ "action optional, cache line, 4K mapping", PG_LEVEL_4K, action_optional, LINE, true },
	{ "deferred", PG_LEVEL_2M, deferred, 0, true },
	{ "action required, whole page", PG_LEVEL_2M, action_required, PAGE, true },
	{ "action required, cache line", PG_LEVEL_2M, action_required, LINE, true },
	{ "copy from user, whole page", PG_LEVEL_2M, copy_in, PAGE, true },
	{ "copy from user, cache line", PG_LEVEL_2M, copy_in, LINE, true },
	{ "broadcast, action optional, whole page", PG_LEVEL_2M, action_optional, PAGE },
	{ "broadcast, action optional, cache line", PG_LEVEL_2M, action_optional, LINE },
	{ "broadcast, action optional, 4K mapping", PG_LEVEL_4K, action_optional, LINE },
	{ "broadcast, action required, whole page", PG_LEVEL_2M, action_required, PAGE },
	{ "broadcast, action required, cache line", PG_LEVEL_2M, action_required, LINE },
	{ "broadcast, copy from user", PG_LEVEL_2M, copy_in, PAGE },
	{ "action optional, 1G mapping", PG_LEVEL_1G, action_optional, PAGE, true },
	{ "broadcast, action optional, 1G mapping", PG_LEVEL_1G, action_optional, PAGE },
};

static void map_desc(const struct map_param *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(map, map_params, map_desc);

/* What becomes of a page */
enum fate { OUT, UNCACHED, STAYS };

static enum fate fate_of(const struct map_param *param)
{
	if (param->path == copy_in && COPIED_PAGES_STAY)
		return STAYS;
	if (in_guest())
		return param->local ? STAYS : OUT;
	if (param->misc == LINE && LINES_STAY_UNCACHED)
		return UNCACHED;
	return OUT;
}

static void nospec_page_tables(struct kunit *test)
{
	const struct map_param *param = test->param_value;
	enum fate fate = fate_of(param);
	bool left = fate == STAYS && in_guest() && !(param->path == copy_in && COPIED_PAGES_STAY);
	struct mce m = {};
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
	start_capture(test);

	param->path(pfn, param->misc, param->local);
	/* It is remembered, and no other page is. */
	m.addr = (u64)pfn << PAGE_SHIFT | BESIDES;
	KUNIT_EXPECT_EQ(test, (int)left, (int)mce_left_mapped(&m));
	m.addr += PAGE_SIZE;
	KUNIT_EXPECT_FALSE(test, mce_left_mapped(&m));
	m.addr -= 2 * PAGE_SIZE;
	KUNIT_EXPECT_FALSE(test, mce_left_mapped(&m));

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

	/* 5.10 warns about the memory type of any other, and does not restore it */
	if (left || fate == UNCACHED || PAGES_COME_BACK)
		KUNIT_EXPECT_EQ(test, 0, clear_mce_nospec(pfn));
	m.addr = (u64)pfn << PAGE_SHIFT;
	KUNIT_EXPECT_FALSE(test, mce_left_mapped(&m));
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

/* ---- Pages that are not in the direct map */

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
	start_capture(test);
	action_optional(pfn, PAGE, true);
	copy_in(pfn, PAGE, true);
	expect_no_complaint(test);
	flush_signals(current);

	entry = entry_of(pfn);
	KUNIT_EXPECT_EQ(test, 0, taken_out.calls);
	KUNIT_EXPECT_EQ(test, before.level, entry.level);
	KUNIT_EXPECT_EQ(test, before.val, entry.val);
}

/* A page that SGX owns (arch_is_platform_page()) is left alone. */
static void nospec_platform_page(struct kunit *test)
{
#ifdef CONFIG_X86_SGX
	struct page *page = page_mapped_by(PG_LEVEL_2M);
	struct entry before, entry;
	struct mce m = {};
	unsigned long pfn;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	pfn = page_to_pfn(page);
	before = entry_of(pfn);
	xa_store(&sgx_epc_address_space, pfn << PAGE_SHIFT, page, GFP_KERNEL);
	fake_offlining(test, 0);
	start_capture(test);
	action_optional(pfn, PAGE, false);
	action_optional(pfn, PAGE, true);
	expect_no_complaint(test);
	m.addr = (u64)pfn << PAGE_SHIFT;
	KUNIT_EXPECT_FALSE(test, mce_left_mapped(&m));
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
static void queue_record(struct kunit *test, const struct record_param *param, bool local)
{
	struct mce m = {
		.cpuvendor = param->vendor, .bank = BANK, .status = param->status,
		.misc = param->misc, .addr = SOME_PFN << PAGE_SHIFT | BESIDES,
		.mcgstatus = mcg_status(local), .cs = __USER_CS,
	};
	bool gone = param->offlines && !param->ret, handled;
	bool stays = in_guest() && param->recovers &&
		     (local || param->vendor == X86_VENDOR_AMD);
	char *msg = NULL;
	int ret;

	be_cpu(param->vendor, param->recovers);
	fake_offlining(test, param->ret);
	fake_taking_out(test);

	m.severity = mce_severity(&m, NULL, &msg, false);
	ret = uc_decode_notifier(NULL, 0, &m);

	KUNIT_EXPECT_EQ(test, param->offlines ? NOTIFY_OK : NOTIFY_DONE, ret);
	KUNIT_EXPECT_EQ(test, param->offlines ? 1 : 0, offline.calls);
	KUNIT_EXPECT_EQ(test, gone && !stays ? 1 : 0, taken_out.calls);
	KUNIT_EXPECT_EQ(test, (int)(gone && stays), (int)mce_left_mapped(&m));
	handled = m.kflags & MCE_HANDLED_UC;
	KUNIT_EXPECT_EQ(test, gone, handled);
	if (offline.calls) {
		KUNIT_EXPECT_EQ(test, SOME_PFN, offline.pfn);
		KUNIT_EXPECT_EQ(test, 0, offline.flags);
	}
	if (taken_out.calls)
		KUNIT_EXPECT_EQ(test, SOME_PFN, taken_out.pfn);
	mce_forget_pages(SOME_PFN, 1);
}

static void nospec_queued_record(struct kunit *test)
{
	queue_record(test, test->param_value, true);
	queue_record(test, test->param_value, false);
}

/* A machine check for a stray access takes the page out after all. */
static void nospec_once_bitten(struct kunit *test)
{
	static const struct {
		const char *what;
		u16 cs;
		u64 kflags, severity;
		bool left, out;
	} records[] = {
		{ "stray access", __KERNEL_CS, 0, MCE_AR_SEVERITY, true, true },
		{ "fixup for machine checks", __KERNEL_CS, MCE_IN_KERNEL_RECOV, MCE_AR_SEVERITY,
		  true, true },
		{ "user space", __USER_CS, 0, MCE_AR_SEVERITY, true, false },
		{ "copy from user", __KERNEL_CS, MCE_IN_KERNEL_RECOV | MCE_IN_KERNEL_COPYIN,
		  MCE_AR_SEVERITY, true, false },
		{ "other page", __KERNEL_CS, 0, MCE_AR_SEVERITY, false, false },
		{ "corrected", __KERNEL_CS, 0, MCE_KEEP_SEVERITY, true, false },
	};
	int i;

	be_cpu(X86_VENDOR_INTEL, true);
	fake_offlining(test, 0);
	for (i = 0; i < ARRAY_SIZE(records); i++) {
		struct mce m = {
			.cpuvendor = X86_VENDOR_INTEL, .status = SRAR | DATA_LOAD, .misc = PAGE,
			.addr = SOME_PFN << PAGE_SHIFT | BESIDES, .mcgstatus = MCG_LOCAL,
			.cs = records[i].cs, .kflags = records[i].kflags,
			.severity = records[i].severity,
		};

		fake_taking_out(test);
		if (records[i].left)
			leave_mapped(SOME_PFN, true);
		KUNIT_EXPECT_EQ_MSG(test, NOTIFY_DONE, stray_access_notifier(NULL, 0, &m),
				    "%s", records[i].what);
		KUNIT_EXPECT_EQ_MSG(test, (int)records[i].out, taken_out.calls,
				    "%s", records[i].what);
		/* other CPUs may be about to have one, too */
		KUNIT_EXPECT_EQ_MSG(test, (int)records[i].left, (int)mce_left_mapped(&m),
				    "%s", records[i].what);
		mce_forget_pages(SOME_PFN, 1);
	}
	KUNIT_EXPECT_EQ(test, 0, offline.calls);
}

static unsigned long healthy_pfn;

/* clear_mce_nospec() runs just before the page is taken out */
static int fake_late_set_mce_nospec(unsigned long pfn)
{
	healthy_pfn = pfn;
	clear_mce_nospec(pfn);
	return set_direct_map_invalid_noflush(pfn_to_page(pfn));
}

static void nospec_healthy_meanwhile(struct kunit *test)
{
	struct page *page = page_mapped_by(PG_LEVEL_2M);
	struct mce m = {
		.cpuvendor = X86_VENDOR_INTEL, .status = SRAR | DATA_LOAD, .misc = PAGE,
		.mcgstatus = MCG_LOCAL, .cs = __KERNEL_CS, .severity = MCE_AR_SEVERITY,
	};
	unsigned long pfn;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	pfn = page_to_pfn(page);
	m.addr = (u64)pfn << PAGE_SHIFT;
	be_cpu(X86_VENDOR_INTEL, true);
	healthy_pfn = 0;
	KUNIT_ASSERT_TRUE(test, leave_mapped(pfn, true));
	kunit_activate_static_stub(test, set_mce_nospec, fake_late_set_mce_nospec);
	stray_access_notifier(NULL, 0, &m);
	KUNIT_EXPECT_EQ(test, pfn, healthy_pfn);
	KUNIT_EXPECT_EQ(test, (int)(in_guest() || PAGES_COME_BACK),
			(int)(entry_of(pfn).val & _PAGE_PRESENT));
}

/* Memory that is removed takes its pages along, and no other. */
static void nospec_hot_remove(struct kunit *test)
{
	static const struct {
		unsigned long pfn;
		bool left;
	} pages[] = {
		{ SOME_PFN - 1, true }, { SOME_PFN, false }, { SOME_PFN + 511, false },
		{ SOME_PFN + 512, true },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(pages); i++)
		KUNIT_EXPECT_TRUE(test, leave_mapped(pages[i].pfn, true));
	KUNIT_EXPECT_FALSE(test, leave_mapped(SOME_PFN + 1, false));
	mce_forget_pages(SOME_PFN, 512);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		struct mce m = { .addr = (u64)pages[i].pfn << PAGE_SHIFT };

		KUNIT_EXPECT_EQ(test, (int)pages[i].left, (int)mce_left_mapped(&m));
	}
	mce_forget_pages(SOME_PFN - 1, 514);
}

static void nospec_no_record(struct kunit *test)
{
	fake_offlining(test, 0);
	fake_taking_out(test);
	KUNIT_EXPECT_EQ(test, NOTIFY_DONE, uc_decode_notifier(NULL, 0, NULL));
	KUNIT_EXPECT_EQ(test, 0, offline.calls);
	KUNIT_EXPECT_EQ(test, 0, taken_out.calls);
}

/* A copy that cannot end otherwise ends the process. */
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
static void return_to_user(struct kunit *test, const struct task_param *param, bool local)
{
	bool gone = !param->ret && !(param->copyin && COPIED_PAGES_STAY), killed;
	bool stays = in_guest() && local;
	struct mce m = { .addr = SOME_PFN << PAGE_SHIFT };

	fake_offlining(test, param->ret);
	fake_taking_out(test);
	as_current(SOME_PFN, PAGE, param->copyin, local);
	current->mce_ripv = param->ripv;
	current->mce_vaddr = (void __user *)-1l;
	current->mce_count = 1;

	param->path(&current->mce_kill_me);

	KUNIT_EXPECT_EQ(test, 0, current->mce_count);
	KUNIT_EXPECT_EQ(test, 1, offline.calls);
	KUNIT_EXPECT_EQ(test, SOME_PFN, offline.pfn);
	KUNIT_EXPECT_EQ(test, param->flags, offline.flags);
	KUNIT_EXPECT_EQ(test, gone && !stays ? 1 : 0, taken_out.calls);
	KUNIT_EXPECT_EQ(test, (int)(gone && stays), (int)mce_left_mapped(&m));
	if (taken_out.calls)
		KUNIT_EXPECT_EQ(test, SOME_PFN, taken_out.pfn);
	killed = sigismember(&current->pending.signal, SIGBUS);
	KUNIT_EXPECT_EQ(test, param->killed, killed);
	flush_signals(current);
	mce_forget_pages(SOME_PFN, 1);
}

static void nospec_task_work(struct kunit *test)
{
	return_to_user(test, test->param_value, true);
	return_to_user(test, test->param_value, false);
}

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
	void (*but)(struct mce *m);	/* in another way than the rest */
} leave_params[] = {
	{ "Intel, local", X86_VENDOR_INTEL, MCG_LOCAL, true },
	{ "Intel, broadcast", X86_VENDOR_INTEL, MCG_RESTART, false },
	{ "Intel, local, RIPV clear", X86_VENDOR_INTEL, MCG_LOCAL & ~MCG_STATUS_RIPV, false },
	{ "Intel, local, EIPV clear", X86_VENDOR_INTEL, MCG_LOCAL & ~MCG_STATUS_EIPV, true },
	{ "Intel, polled", X86_VENDOR_INTEL, 0, false },
	{ "AMD", X86_VENDOR_AMD, MCG_RESTART, true },
	{ "AMD, RIPV clear", X86_VENDOR_AMD, MCG_RESTART & ~MCG_STATUS_RIPV, false },
	{ "AMD, polled", X86_VENDOR_AMD, 0, true },
	{ "Zhaoxin, local", X86_VENDOR_ZHAOXIN, MCG_LOCAL, true },
	{ "Zhaoxin, broadcast", X86_VENDOR_ZHAOXIN, MCG_RESTART, false },
	{ "Intel, local, no MCG_SER_P", X86_VENDOR_INTEL, MCG_LOCAL, false, true },
	{ "AMD, no SUCCOR", X86_VENDOR_AMD, MCG_RESTART, false, true },
	{ "AMD, polled, no SUCCOR", X86_VENDOR_AMD, 0, false, true },
	{ "AMD, no overflow recovery", X86_VENDOR_AMD, MCG_RESTART, false, false,
	  without_overflow_recovery },
	/* the handler overlooks records without an S bit then */
	{ "AMD, with MCG_SER_P", X86_VENDOR_AMD, MCG_RESTART, false, false, with_ser },
	{ "Intel, local, two pages", X86_VENDOR_INTEL, MCG_LOCAL, false, false, about_two_pages },
	/* VMMs treat it as another Intel */
	{ "Hygon", X86_VENDOR_HYGON, MCG_RESTART, false },
};

static void leave_desc(const struct leave_param *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(leave, leave_params, leave_desc);

static void leave_by_record(struct kunit *test)
{
	const struct leave_param *param = test->param_value;
	struct mce m = {
		.cpuvendor = param->vendor, .mcgstatus = param->mcgstatus, .misc = PAGE,
		.status = SRAR | MCI_STATUS_POISON | DATA_LOAD,
	};

	be_cpu(param->vendor, !param->no_recovery);
	if (param->but)
		param->but(&m);
	KUNIT_EXPECT_EQ(test, (int)(param->leaves && in_guest()), (int)can_leave_mapped(&m));
}

static struct mce local_record = {
	.cpuvendor = X86_VENDOR_INTEL, .status = SRAR | DATA_LOAD, .misc = PAGE,
	.mcgstatus = MCG_LOCAL,
};

static void leave_in_guest(struct kunit *test)
{
	kunit_info(test, "this is %s\n", in_guest() ? "a guest" : "bare metal");
	be_cpu(X86_VENDOR_INTEL, true);
	KUNIT_EXPECT_EQ(test, in_guest(), can_leave_mapped(&local_record));
}

static void leave_not_in_xen(struct kunit *test)
{
#ifdef CONFIG_XEN
	enum xen_domain_type type = xen_domain_type;
	bool pv, hvm;

	if (system_state >= SYSTEM_RUNNING)
		kunit_skip(test, "Xen's variables are read-only after boot");

	be_cpu(X86_VENDOR_INTEL, true);
	xen_domain_type = XEN_PV_DOMAIN;
	pv = can_leave_mapped(&local_record);
	xen_domain_type = XEN_HVM_DOMAIN;
	hvm = can_leave_mapped(&local_record);
	xen_domain_type = type;

	KUNIT_EXPECT_FALSE(test, pv);
	KUNIT_EXPECT_FALSE(test, hvm);
#else
	kunit_skip(test, "no Xen domain without CONFIG_XEN");
#endif
}

static void leave_not_in_hypervisor(struct kunit *test)
{
	bool needs = hypervisor_needs_nospec, can;

	be_cpu(X86_VENDOR_INTEL, true);
	hypervisor_needs_nospec = true;
	can = can_leave_mapped(&local_record);
	hypervisor_needs_nospec = needs;

	KUNIT_EXPECT_FALSE(test, can);
}

static void leave_not_in_hyperv_root(struct kunit *test)
{
#if IS_ENABLED(CONFIG_MSHV_ROOT)
	typeof(hv_curr_partition_type) type = hv_curr_partition_type;
	bool root;

	if (system_state >= SYSTEM_RUNNING)
		kunit_skip(test, "Hyper-V's variables can be read-only after boot");

	be_cpu(X86_VENDOR_INTEL, true);
	hv_curr_partition_type = HV_PARTITION_TYPE_ROOT;
	root = can_leave_mapped(&local_record);
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
#ifndef FAULT_FIXUP
#define FAULT_FIXUP	EX_TYPE_FAULT	/* is for page faults: a machine check is fatal */
#endif

/* The loads that come after them: of copy_from_user(), of load_unaligned_zeropad() */
#define COPY_LOAD	NR_FIXUPS
#define ZEROPAD_LOAD	(COPY_LOAD + 3)
#define ZEROPAD_FIXUP	(ZEROPAD_LOAD + 3)

/* And a store, as put_user() has it, and what copies between user space and the kernel */
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

/* The one bank with a record, on this CPU. Not preemptible until clear_bank(). */
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

/* MARKED: memory_failure() has set the flag, and failed. LEFT: in the direct map, offline */
enum page_state { GOOD, MARKED, BEYOND, LEFT };

enum outcome {
	FATAL, RECOVERS, AS_PAGE_FAULT, SAFE_PAGE_FAULT, IN_USER_SPACE, UNRECOVERED,
	OPTIONAL, DEFERRED, KEPT,
};

/* Grades, MCE_..._SEVERITY, and flags of the record */
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

	INTEL("offlined page", SRAR | DATA_LOAD, PAGE, MCG_RESTART, FAULT_FIXUP, LEFT,
	      AS_PAGE_FAULT),
	INTEL("offlined page, cache line", SRAR | DATA_LOAD, LINE, MCG_RESTART, FAULT_FIXUP,
	      LEFT, AS_PAGE_FAULT),
	INTEL("offlined page, local machine check", SRAR | DATA_LOAD, PAGE,
	      MCG_RESTART | MCG_STATUS_LMCES, FAULT_FIXUP, LEFT, AS_PAGE_FAULT),
	INTEL("page that is not offlined", SRAR | DATA_LOAD, PAGE, MCG_RESTART, FAULT_FIXUP, GOOD,
	      FATAL),
	INTEL("beyond memory", SRAR | DATA_LOAD, PAGE, MCG_RESTART, FAULT_FIXUP, BEYOND, FATAL),
	INTEL("no fixup", SRAR | DATA_LOAD, PAGE, MCG_RESTART, 0, LEFT, AS_PAGE_FAULT),
	INTEL("page that is only marked", SRAR | DATA_LOAD, PAGE, MCG_RESTART, FAULT_FIXUP, MARKED,
	      FATAL),
	INTEL("page that is only marked, no fixup", SRAR | DATA_LOAD, PAGE, MCG_RESTART, 0, MARKED,
	      FATAL),
	INTEL("fixup for machine checks", SRAR | DATA_LOAD, PAGE, MCG_RESTART, SAFE_FIXUP,
	      LEFT, SAFE_PAGE_FAULT),
	INTEL("fixup for machine checks, page that is only marked", SRAR | DATA_LOAD, PAGE,
	      MCG_RESTART, SAFE_FIXUP, MARKED, RECOVERS),
	INTEL("fixup for machine checks, page that is not offlined", SRAR | DATA_LOAD, PAGE,
	      MCG_RESTART, SAFE_FIXUP, GOOD, RECOVERS),
	INTEL("instruction fetch", SRAR | INSTR_FETCH, PAGE, MCG_RESTART, FAULT_FIXUP, LEFT,
	      FATAL),
	INTEL("more than a page", SRAR | DATA_LOAD, PHYS(PAGE_SHIFT + 1), MCG_RESTART,
	      FAULT_FIXUP, LEFT, FATAL),
	INTEL("linear address", SRAR | DATA_LOAD, LINEAR(PAGE_SHIFT), MCG_RESTART, FAULT_FIXUP,
	      LEFT, FATAL),
	INTEL("ADDRV clear", (SRAR | DATA_LOAD) & ~MCI_STATUS_ADDRV, PAGE, MCG_RESTART,
	      FAULT_FIXUP, LEFT, FATAL),
	INTEL("MISCV clear", (SRAR | DATA_LOAD) & ~MCI_STATUS_MISCV, PAGE, MCG_RESTART,
	      FAULT_FIXUP, LEFT, FATAL),
	INTEL("RIPV clear", SRAR | DATA_LOAD, PAGE, MCG_STATUS_MCIP | MCG_STATUS_EIPV,
	      FAULT_FIXUP, LEFT, AS_PAGE_FAULT),
	INTEL("RIPV clear, page that is only marked", SRAR | DATA_LOAD, PAGE,
	      MCG_STATUS_MCIP | MCG_STATUS_EIPV, FAULT_FIXUP, MARKED, FATAL),
	INTEL("overflow", SRAR | DATA_LOAD | MCI_STATUS_OVER, PAGE, MCG_RESTART, FAULT_FIXUP, LEFT,
	      FATAL),
	INTEL("action optional", SRAO | SCRUB, PAGE, MCG_RESTART, FAULT_FIXUP, LEFT, OPTIONAL),
	INTEL("not signaled", (SRAR | DATA_LOAD) & ~MCI_STATUS_S, PAGE, MCG_RESTART, FAULT_FIXUP,
	      LEFT, FATAL),
	INTEL("EIPV clear", SRAR | DATA_LOAD, PAGE, MCG_STATUS_MCIP | MCG_STATUS_RIPV,
	      FAULT_FIXUP, LEFT, KEPT),
	INTEL("RIPV and EIPV clear", SRAR | DATA_LOAD, PAGE, MCG_STATUS_MCIP, FAULT_FIXUP,
	      LEFT, FATAL),
	INTEL("MCIP clear", SRAR | DATA_LOAD, PAGE, MCG_STATUS_RIPV | MCG_STATUS_EIPV,
	      FAULT_FIXUP, LEFT, FATAL),
	INTEL("context corrupt", SRAR | DATA_LOAD | MCI_STATUS_PCC, PAGE, MCG_RESTART, FAULT_FIXUP,
	      LEFT, FATAL),
	{ "no MCG_SER_P", X86_VENDOR_INTEL, false, SRAR | DATA_LOAD, PAGE, MCG_RESTART,
	  FAULT_FIXUP, LEFT, __KERNEL_CS, FATAL },
	{ "user space", X86_VENDOR_INTEL, true, SRAR | DATA_LOAD, PAGE, MCG_RESTART,
	  FAULT_FIXUP, LEFT, __USER_CS, IN_USER_SPACE },
	{ "user space, cache line", X86_VENDOR_INTEL, true, SRAR | DATA_LOAD, LINE, MCG_RESTART,
	  FAULT_FIXUP, LEFT, __USER_CS, IN_USER_SPACE },
	{ "user space, instruction fetch", X86_VENDOR_INTEL, true, SRAR | INSTR_FETCH, PAGE,
	  MCG_RESTART, FAULT_FIXUP, GOOD, __USER_CS, IN_USER_SPACE },
	{ "user space, no MCG_SER_P", X86_VENDOR_INTEL, false, SRAR | DATA_LOAD, PAGE, MCG_RESTART,
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
	AMD("AMD, EIPV clear", AMD_UC, MCG_STATUS_MCIP | MCG_STATUS_RIPV, FAULT_FIXUP, LEFT,
	    FATAL),
	AMD("AMD, context corrupt", AMD_UC | MCI_STATUS_PCC, MCG_RESTART, FAULT_FIXUP, LEFT, FATAL),
	AMD("AMD, ADDRV clear", AMD_UC & ~MCI_STATUS_ADDRV, MCG_RESTART, FAULT_FIXUP, LEFT,
	    FATAL),
	AMD("AMD, RIPV clear", AMD_UC, MCG_STATUS_MCIP | MCG_STATUS_EIPV, FAULT_FIXUP, LEFT,
	    AS_PAGE_FAULT),
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
	int severity;

	be_cpu(param->vendor, param->recovers);
	regs.si = (unsigned long)__va(addr);
	severity = grade(&m, &regs, addr | BESIDES, param->misc);

	KUNIT_EXPECT_EQ(test, in_guest() ? outcomes[param->outcome].guest :
					   outcomes[param->outcome].bare, severity);
	KUNIT_EXPECT_EQ(test, in_guest() ? outcomes[param->outcome].guest_kflags :
					   outcomes[param->outcome].bare_kflags, (u64)m.kflags);

	/* banks are read later, and this record is for this case only */
	KUNIT_EXPECT_EQ(test, 0ULL, (u64)m.addr);
	KUNIT_EXPECT_EQ(test, 0ULL, (u64)m.misc);
}

/*
 * A fixup for machine checks has them anywhere. Any other, and none, has those of a page
 * that was left in the direct map of a guest, if the access is by that.
 */
static void grade_fixups(struct kunit *test, enum page_state state, bool direct)
{
	u64 addr = page_in_state(test, state);
	unsigned long by = direct ? (unsigned long)__va(addr) : PAGE_SIZE;
	int fixup;

	be_cpu(X86_VENDOR_INTEL, true);
	for (fixup = 0; fixup < NR_FIXUPS; fixup++) {
		struct pt_regs regs = { .ip = instruction(fixup), .si = by };
		struct mce m = {
			.cpuvendor = X86_VENDOR_INTEL, .bank = BANK, .ip = regs.ip,
			.status = SRAR | DATA_LOAD, .mcgstatus = MCG_RESTART, .cs = __KERNEL_CS,
		};
		bool safe = fixup == EX_TYPE_DEFAULT_MCE_SAFE || fixup == EX_TYPE_FAULT_MCE_SAFE ||
			    (fixup == EX_TYPE_FAULT && fixup != FAULT_FIXUP);
		bool stray = state == LEFT && direct && in_guest();
		int severity = grade(&m, &regs, addr, PAGE);

		KUNIT_EXPECT_EQ_MSG(test, safe || stray ? MCE_AR_SEVERITY : MCE_PANIC_SEVERITY,
				    severity, "fixup type %d", fixup);
		KUNIT_EXPECT_EQ_MSG(test, safe && !stray ? MCE_IN_KERNEL_RECOV : 0ULL,
				    (u64)m.kflags, "fixup type %d", fixup);
	}
}

static void grade_fixup_types(struct kunit *test)
{
	grade_fixups(test, LEFT, true);
	grade_fixups(test, LEFT, false);
	grade_fixups(test, MARKED, true);
	grade_fixups(test, GOOD, true);
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
			grade(&m, NULL, page_in_state(test, LEFT), PAGE));
	KUNIT_EXPECT_EQ(test, 0ULL, (u64)m.kflags);
}

/*
 * What an access is by: user space, the page in the direct map, the last address before it
 * from which a load of 8 bytes ends in it, the one before that, the page's last one, the
 * next page, or what the kernel has elsewhere
 */
enum by { USER, DIRECT, INTO, BEFORE, LAST, NEXT, OTHER };

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

static void access_desc(const struct access_param *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(access, access_params, access_desc);

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
		.status = SRAR | DATA_LOAD, .mcgstatus = MCG_RESTART, .cs = __KERNEL_CS,
	};
	bool stray = param->stray && in_guest();
	/* what bare metal takes a MOVS for, whichever of the two it is */
	bool copyin = param->copyin || (param->stray && !in_guest() &&
					param->instruction == COPY_MOVS && param->si == USER);

	be_cpu(X86_VENDOR_INTEL, true);
	if (copyin)
		kflags = MCE_IN_KERNEL_COPYIN | MCE_IN_KERNEL_RECOV;
	KUNIT_EXPECT_EQ(test, copyin || stray ? MCE_AR_SEVERITY : MCE_PANIC_SEVERITY,
			grade(&m, &regs, addr, PAGE));
	KUNIT_EXPECT_EQ(test, kflags, (u64)m.kflags);
}

/* ---- The handler */

/*
 * A machine check at regs->ip, about that address, and what notifiers make of its record.
 * A fatal one ends the test run.
 */
static void unread_machine_check(struct pt_regs *regs, u64 addr, u64 mcgstatus)
{
	unsigned long flags;

	/* a record that CPUs of all vendors recover from */
	mca_cfg.ser = boot_cpu_data.x86_vendor != X86_VENDOR_AMD;
	mca_cfg.monarch_timeout = -1;
	mce_flags.succor = 1;
	mce_flags.overflow_recov = 1;
	mce_flags.smca = 0;

	local_irq_save(flags);
	/* a line: no bit of the address is lost */
	fill_bank(SRAR | MCI_STATUS_POISON | DATA_LOAD, addr, LINE, mcgstatus);
	do_machine_check(regs);
	clear_bank();
	local_irq_restore(flags);
}

static void machine_check(struct pt_regs *regs, u64 addr, u64 mcgstatus)
{
	unread_machine_check(regs, addr, mcgstatus);
	mce_gen_pool_process(NULL);
}

static bool can_handle(void)
{
	return boot_cpu_has(X86_FEATURE_MCA) && this_cpu_read(mce_num_banks) > BANK;
}

/* A fixup for machine checks gets the trap number of one. */
static void handler_runs_machine_check_fixup(struct kunit *test)
{
	static const enum page_state states[] = { GOOD, MARKED };
	int i;

	if (!can_handle())
		kunit_skip(test, "this CPU has no machine check banks");

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

static void fault_desc(const struct fault_param *p, char *desc)
{
	strscpy(desc, p->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fault, fault_params, fault_desc);

/* Those of a left page get the trap number of a page fault. The next access is one. */
static void handler_runs_page_fault_fixup(struct kunit *test)
{
	const struct fault_param *param = test->param_value;
	struct pt_regs regs = { .ip = instruction(param->fixup), .cs = __KERNEL_CS };
	struct entry entry;
	struct mce m = {};

	if (!in_guest())
		kunit_skip(test, "takes a guest: fatal on bare metal, as ever");
	if (!can_handle())
		kunit_skip(test, "this CPU has no machine check banks");

	m.addr = page_in_state(test, LEFT) | BESIDES;
	regs.di = (unsigned long)page_address(victim);
	be_cpu(param->vendor, true);
	machine_check(&regs, m.addr, param->mcgstatus);
	KUNIT_EXPECT_EQ(test, instruction(param->fixup + 1), regs.ip);
	KUNIT_EXPECT_EQ(test, (unsigned long)X86_TRAP_PF, regs.ax);
	/* a kernel thread does not return to user space */
	KUNIT_EXPECT_FALSE(test, !!current->task_works);

	entry = entry_of(page_to_pfn(victim));
	KUNIT_EXPECT_EQ(test, (unsigned int)PG_LEVEL_4K, entry.level);
	KUNIT_EXPECT_EQ(test, 0UL, entry.val & _PAGE_PRESENT);
	KUNIT_EXPECT_TRUE(test, mce_left_mapped(&m));
}

/* A task has the page taken out when it returns to user space, not when the record is read. */
static void handler_takes_out_at_return(struct kunit *test)
{
	int i;

	if (!in_guest())
		kunit_skip(test, "takes a guest: fatal on bare metal, as ever");
	if (!can_handle())
		kunit_skip(test, "this CPU has no machine check banks");

	be_cpu(X86_VENDOR_INTEL, true);
	for (i = 0; i < 3; i++) {
		struct pt_regs regs = { .ip = instruction(FAULT_FIXUP), .cs = __KERNEL_CS };
		bool healthy = i == 2;
		u64 addr = page_in_state(test, LEFT);

		regs.di = (unsigned long)page_address(victim);
		fake_taking_out(test);
		current->flags &= ~PF_KTHREAD;
		unread_machine_check(&regs, addr, MCG_LOCAL);
		current->flags |= PF_KTHREAD;
		KUNIT_EXPECT_TRUE(test, !!current->task_works);
		if (healthy) {
			fake_taking_out(test);
			clear_mce_nospec(page_to_pfn(victim));
		}
		task_work_run();
		KUNIT_EXPECT_EQ(test, (int)healthy, (int)!taken_out.calls);
		if (!healthy)
			KUNIT_EXPECT_EQ(test, page_to_pfn(victim), taken_out.pfn);
		mce_gen_pool_process(NULL);
	}
}

/* Where there is no fixup, it is left to the context that was interrupted to oops. */
static void handler_has_the_access_oops(struct kunit *test)
{
	struct pt_regs regs = { .ip = instruction(EX_TYPE_NONE), .cs = __KERNEL_CS };
	unsigned long stack[4] = {}, ip;
	bool bug = false;
	u64 addr;

	if (!in_guest())
		kunit_skip(test, "takes a guest: fatal on bare metal, as ever");
	if (!can_handle())
		kunit_skip(test, "this CPU has no machine check banks");

	addr = page_in_state(test, LEFT);
	regs.si = (unsigned long)__va(addr);
	regs.sp = (unsigned long)&stack[2];
	machine_check(&regs, addr, MCG_LOCAL);
	KUNIT_EXPECT_EQ(test, (unsigned long)stray_access, regs.ip);
	KUNIT_EXPECT_EQ(test, (unsigned long)&stack[1], regs.sp);
	KUNIT_EXPECT_EQ(test, 0UL, stack[0]);
	KUNIT_EXPECT_EQ(test, instruction(EX_TYPE_NONE), stack[1]);
	KUNIT_EXPECT_EQ(test, 0UL, stack[2]);

	/* what is before it is for tracing, and for the frame */
	for (ip = regs.ip; ip < regs.ip + 16; ip++)
		bug |= !!find_bug(ip);
	KUNIT_EXPECT_TRUE(test, bug);
}

/* load_unaligned_zeropad() gets zeroes for what is in the page, if that is where it is. */
static void handler_pads_with_zeroes(struct kunit *test)
{
	struct pt_regs regs = { .ip = instruction(ZEROPAD_LOAD), .cs = __KERNEL_CS };
	u64 addr;
	u8 *page;

	if (!in_guest())
		kunit_skip(test, "takes a guest: fatal on bare metal, as ever");
	if (!can_handle())
		kunit_skip(test, "this CPU has no machine check banks");

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

/* Copies from user space are counted, whatever became of the page: ten are the limit. */
static void handler_counts_copies(struct kunit *test)
{
	static const enum page_state states[] = { GOOD, MARKED, LEFT };
	int i, count;

	if (!can_handle())
		kunit_skip(test, "this CPU has no machine check banks");

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		u64 addr = page_in_state(test, states[i]);

		be_cpu(X86_VENDOR_INTEL, true);
		fake_offlining(test, 0);
		fake_taking_out(test);
		for (count = 1; count < 4; count++) {
			struct pt_regs regs = {
				.ip = instruction(COPY_LOAD), .cs = __KERNEL_CS, .si = PAGE_SIZE,
			};

			machine_check(&regs, addr, MCG_LOCAL);
			KUNIT_EXPECT_EQ(test, instruction(COPY_LOAD + 3), regs.ip);
			KUNIT_EXPECT_EQ(test, count, current->mce_count);
		}
		/* these are no stray accesses */
		KUNIT_EXPECT_EQ(test, 0, taken_out.calls);
		task_work_run();
		KUNIT_EXPECT_EQ(test, 0, current->mce_count);
		KUNIT_EXPECT_EQ(test, 1, offline.calls);
		flush_signals(current);
	}
}

/* It is by the handler's record that a page that a task hit is left, or taken out. */
static void handler_leaves_by_record(struct kunit *test)
{
	const struct leave_param *param = test->param_value;
	bool leaves = param->leaves && in_guest(), offlines;
	struct mce m = { .addr = SOME_PFN << PAGE_SHIFT | BESIDES };
	struct pt_regs regs = { .cs = __USER_CS };

	if (!can_handle())
		kunit_skip(test, "this CPU has no machine check banks");
	/* the rest are no machine checks of a task, or other CPUs would have to take it, too */
	if (!(param->mcgstatus & MCG_STATUS_EIPV) || param->no_recovery || param->but ||
	    (!(param->mcgstatus & MCG_STATUS_LMCES) && num_online_cpus() > 1))
		return;

	be_cpu(param->vendor, true);
	fake_offlining(test, 0);
	fake_taking_out(test);
	machine_check(&regs, m.addr, param->mcgstatus);
	KUNIT_EXPECT_EQ(test, 0, offline.calls);
	task_work_run();
	/* older trees do not when they have to kill */
	offlines = offline.calls || param->mcgstatus & MCG_STATUS_RIPV;
	KUNIT_EXPECT_EQ(test, (int)offlines, offline.calls);
	KUNIT_EXPECT_EQ(test, (int)(offlines && !leaves), taken_out.calls);
	KUNIT_EXPECT_EQ(test, (int)(offlines && leaves), (int)mce_left_mapped(&m));
	flush_signals(current);
	mce_forget_pages(SOME_PFN, 1);
}

static struct kunit_case mce_guest_cases[] = {
	KUNIT_CASE(leave_in_guest),
	KUNIT_CASE_PARAM(leave_by_record, leave_gen_params),
	KUNIT_CASE(leave_not_in_xen),
	KUNIT_CASE(leave_not_in_hypervisor),
	KUNIT_CASE(leave_not_in_hyperv_root),
	KUNIT_CASE_PARAM(nospec_page_tables, map_gen_params),
	KUNIT_CASE_PARAM(nospec_record_outside_memory, outside_gen_params),
	KUNIT_CASE(nospec_platform_page),
	KUNIT_CASE_PARAM(nospec_queued_record, record_gen_params),
	KUNIT_CASE(nospec_no_record),
	KUNIT_CASE_PARAM(nospec_task_work, task_gen_params),
	KUNIT_CASE(nospec_once_bitten),
	KUNIT_CASE(nospec_healthy_meanwhile),
	KUNIT_CASE(nospec_hot_remove),
	KUNIT_CASE_PARAM(grade_kernel_load, grade_gen_params),
	KUNIT_CASE(grade_fixup_types),
	KUNIT_CASE(grade_without_regs),
	KUNIT_CASE_PARAM(grade_access, access_gen_params),
	/* last, as a fatal machine check is the end of the run */
	KUNIT_CASE(handler_runs_machine_check_fixup),
	KUNIT_CASE_PARAM(handler_runs_page_fault_fixup, fault_gen_params),
	KUNIT_CASE(handler_takes_out_at_return),
	KUNIT_CASE(handler_has_the_access_oops),
	KUNIT_CASE(handler_pads_with_zeroes),
	KUNIT_CASE(handler_counts_copies),
	KUNIT_CASE_PARAM(handler_leaves_by_record, leave_gen_params),
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
