// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests for memory errors in a guest: what happens to the page
 *
 * A VMM unmaps a poisoned page before it injects the machine check. The kernel then leaves
 * the page in the direct map if it can. On bare metal it takes every page out. Run these
 * tests on both, with and without X86_FEATURE_HYPERVISOR. They expect different results.
 *
 * Page tables are the real ones. Records and memory_failure() are made up.
 */
#include <kunit/test.h>

#include <linux/console.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/set_memory.h>
#include <linux/string.h>
#include <linux/xarray.h>

#include "mce_guest_test_helpers.h"
#ifdef CONFIG_X86_SGX
#include "../sgx/sgx.h"
#endif

/* ---- The console: is there a warning about the direct map? */

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
	/* The flag is cleared when the console is unregistered. */
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

/* These hand a page to memory_failure(), each in another way. */
static void action_optional(unsigned long pfn, u64 misc, bool local)
{
	struct mce m = {
		.cpuvendor = X86_VENDOR_INTEL, .severity = MCE_AO_SEVERITY,
		.status = SRAO_SCRUB, .addr = (u64)pfn << PAGE_SHIFT, .misc = misc,
		.mcgstatus = mcg_status(local),
	};

	pretend_cpu(X86_VENDOR_INTEL, true);
	uc_decode_notifier(NULL, 0, &m);
}

static void deferred(unsigned long pfn, u64 misc, bool local)
{
	struct mce m = {
		.cpuvendor = X86_VENDOR_AMD, .severity = MCE_DEFERRED_SEVERITY, .bank = BANK,
		.status = AMD_DEFERRED, .addr = (u64)pfn << PAGE_SHIFT,
	};

	pretend_cpu(X86_VENDOR_AMD, true);
	uc_decode_notifier(NULL, 0, &m);
}

static void action_required(unsigned long pfn, u64 misc, bool local)
{
	mce_test_set_task(pfn, misc, false, local);
	kill_me_maybe(&current->mce_kill_me);
}

static void copy_in(unsigned long pfn, u64 misc, bool local)
{
	mce_test_set_task(pfn, misc, true, local);
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

KUNIT_ARRAY_PARAM_DESC(map, map_params, desc);

/* What happens to a page */
enum fate { OUT, UNCACHED, STAYS };

static enum fate fate_of(const struct map_param *param)
{
	if (param->path == copy_in && COPIED_PAGES_STAY)
		return STAYS;
	if (leaves_pages())
		return param->local ? STAYS : OUT;
	if (param->misc == LINE && LINES_STAY_UNCACHED && !in_guest())
		return UNCACHED;
	return OUT;
}

static void nospec_page_tables(struct kunit *test)
{
	const struct map_param *param = test->param_value;
	enum fate fate = fate_of(param);
	bool remembered = grades_stray_accesses() && !(param->path == copy_in && COPIED_PAGES_STAY);
	bool comes_back = (remembered && in_guest()) || fate == UNCACHED || PAGES_COME_BACK;
	struct mce m = {};
	struct page *page = mce_test_page(param->level);
	struct entry before, next, entry;
	unsigned long pfn;

	if (!page && param->level == PG_LEVEL_1G)
		kunit_skip(test, "no 1G mapping: that needs a CPU with pdpe1gb and 3G of memory");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	pfn = page_to_pfn(page);
	before = entry_of(pfn);
	KUNIT_ASSERT_EQ(test, param->level, before.level);
	kunit_info(test, "pfn 0x%lx in a %s mapping\n", pfn,
		   param->level == PG_LEVEL_1G ? "1G" :
		   param->level == PG_LEVEL_2M ? "2M" : "4K");
	mce_test_memory_failure(test, 0);
	start_capture(test);

	param->path(pfn, param->misc, param->local);
	/* This page is remembered, and its neighbours are not. */
	m.addr = (u64)pfn << PAGE_SHIFT | BESIDES;
	KUNIT_EXPECT_EQ(test, (int)remembered, (int)mce_is_offlined(&m));
	m.addr += PAGE_SIZE;
	KUNIT_EXPECT_FALSE(test, mce_is_offlined(&m));
	m.addr -= 2 * PAGE_SIZE;
	KUNIT_EXPECT_FALSE(test, mce_is_offlined(&m));

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

	/* Older trees warn about the memory type of a page that is out, and do not restore it. */
	if (comes_back)
		KUNIT_EXPECT_EQ(test, 0, clear_mce_nospec(pfn));
	else
		mce_forget_page(pfn);
	m.addr = (u64)pfn << PAGE_SHIFT;
	KUNIT_EXPECT_FALSE(test, mce_is_offlined(&m));
	entry = entry_of(pfn);
	if (fate == STAYS) {
		KUNIT_EXPECT_EQ(test, before.level, entry.level);
		KUNIT_EXPECT_EQ(test, before.val, entry.val);
	} else if (comes_back) {
		/*
		 * The next page was a part of the same mapping. Its entry differs in what
		 * the CPU sets, and in the global bit, which is lost with the present bit.
		 */
		pteval_t same = ~(PTE_PFN_MASK | _PAGE_ACCESSED | _PAGE_DIRTY | _PAGE_GLOBAL);

		KUNIT_EXPECT_EQ(test, next.val & same, entry.val & same);
		KUNIT_EXPECT_EQ(test, pfn, (entry.val & PTE_PFN_MASK) >> PAGE_SHIFT);
	}

	expect_no_complaint(test);
	flush_signals(current);
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

KUNIT_ARRAY_PARAM_DESC(outside, outside_params, desc);

/* The real memory_failure() refuses such a page. Its entry stays as it is. */
static void nospec_record_outside_memory(struct kunit *test)
{
	const struct outside_param *param = test->param_value;
	unsigned long pfn = param->pfn();
	struct entry before = entry_of(pfn), entry;
	const struct mce_test_calls *taken_out = mce_test_set_mce_nospec(test);
	struct mce m = { .addr = (u64)pfn << PAGE_SHIFT };

	start_capture(test);
	action_optional(pfn, PAGE, true);
	action_optional(pfn, PAGE, false);
	copy_in(pfn, PAGE, true);
	copy_in(pfn, PAGE, false);
	expect_no_complaint(test);
	flush_signals(current);

	entry = entry_of(pfn);
	KUNIT_EXPECT_FALSE(test, mce_is_offlined(&m));
	KUNIT_EXPECT_EQ(test, 0, taken_out->calls);
	KUNIT_EXPECT_EQ(test, before.level, entry.level);
	KUNIT_EXPECT_EQ(test, before.val, entry.val);
}

/* A page that SGX owns is left alone, see arch_is_platform_page(). */
static void nospec_platform_page(struct kunit *test)
{
#ifdef CONFIG_X86_SGX
	struct page *page = mce_test_page(PG_LEVEL_2M);
	struct entry before, entry;
	struct mce m = {};
	unsigned long pfn;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, page);
	pfn = page_to_pfn(page);
	before = entry_of(pfn);
	xa_store(&sgx_epc_address_space, pfn << PAGE_SHIFT, page, GFP_KERNEL);
	mce_test_memory_failure(test, 0);
	start_capture(test);
	action_optional(pfn, PAGE, false);
	action_optional(pfn, PAGE, true);
	expect_no_complaint(test);
	m.addr = (u64)pfn << PAGE_SHIFT;
	KUNIT_EXPECT_FALSE(test, mce_is_offlined(&m));
	xa_erase(&sgx_epc_address_space, pfn << PAGE_SHIFT);

	entry = entry_of(pfn);
	KUNIT_EXPECT_EQ(test, before.level, entry.level);
	KUNIT_EXPECT_EQ(test, before.val, entry.val);
#else
	kunit_skip(test, "no platform page without CONFIG_X86_SGX");
#endif
}

/* ---- Under which hypervisor a page is left in the direct map */

static struct mce local_record = {
	.cpuvendor = X86_VENDOR_INTEL, .status = SRAR_LOAD, .misc = PAGE,
	.mcgstatus = MCG_LOCAL,
};

static void leave_in_guest(struct kunit *test)
{
	kunit_info(test, "this is %s\n", in_guest() ? "a guest" : "bare metal");
	pretend_cpu(X86_VENDOR_INTEL, true);
	KUNIT_EXPECT_EQ(test, leaves_pages(), can_leave_mapped(&local_record));
}

static void leave_not_in_xen(struct kunit *test)
{
#ifdef CONFIG_XEN
	enum xen_domain_type type = xen_domain_type;
	bool pv, hvm;

	if (system_state >= SYSTEM_RUNNING)
		kunit_skip(test, "Xen's variables are read-only after boot");

	pretend_cpu(X86_VENDOR_INTEL, true);
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

static void leave_not_if_hypervisor_needs_nospec(struct kunit *test)
{
	bool needs = hypervisor_needs_nospec, can;

	pretend_cpu(X86_VENDOR_INTEL, true);
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

	pretend_cpu(X86_VENDOR_INTEL, true);
	hv_curr_partition_type = HV_PARTITION_TYPE_ROOT;
	root = can_leave_mapped(&local_record);
	hv_curr_partition_type = type;

	KUNIT_EXPECT_FALSE(test, root);
#else
	kunit_skip(test, "no Hyper-V root partition without CONFIG_MSHV_ROOT");
#endif
}

static struct kunit_case mce_guest_cases[] = {
	KUNIT_CASE(leave_in_guest),
	KUNIT_CASE(leave_not_in_xen),
	KUNIT_CASE(leave_not_if_hypervisor_needs_nospec),
	KUNIT_CASE(leave_not_in_hyperv_root),
	KUNIT_CASE_PARAM(nospec_page_tables, map_gen_params),
	KUNIT_CASE_PARAM(nospec_record_outside_memory, outside_gen_params),
	KUNIT_CASE(nospec_platform_page),
	{}
};

static struct kunit_suite mce_guest_suite = {
	.name = "mce_guest",
	.init = mce_test_init,
	.exit = mce_test_exit,
	.test_cases = mce_guest_cases,
};

kunit_test_suite(mce_guest_suite);

MODULE_DESCRIPTION("KUnit tests for memory errors in a guest: what happens to the page");
MODULE_LICENSE("GPL");
