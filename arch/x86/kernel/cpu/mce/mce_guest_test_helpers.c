// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared by the KUnit suites for memory errors in a guest
 */
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/set_memory.h>
#include <linux/string.h>

#include "mce_guest_test_helpers.h"

/* ---- The machine: what a case changes is restored after the case */

static struct {
	u8 vendor;
	struct mca_config cfg;
	struct mce_vendor_flags flags;
} machine;

/* Order-9 blocks, and the page in the middle of the last one */
static LIST_HEAD(blocks);
static struct page *victim;
#define BLOCK_ORDER	(PMD_SHIFT - PAGE_SHIFT)
#define MIDDLE		(PTRS_PER_PTE / 2)

static void free_blocks(void)
{
	struct page *block, *next;

	if (victim) {
		unsigned int level;
		pte_t *pte = lookup_address((unsigned long)page_address(victim), &level);

		ClearPageHWPoison(victim);
		mce_forget_page(page_to_pfn(victim));
		if (!pte || !(pte_flags(*pte) & _PAGE_PRESENT))
			set_direct_map_default_noflush(victim);
		victim = NULL;
	}
	list_for_each_entry_safe(block, next, &blocks, lru) {
		list_del(&block->lru);
		__free_pages(block, BLOCK_ORDER);
	}
}

int mce_test_init(struct kunit *test)
{
	machine.vendor = boot_cpu_data.x86_vendor;
	machine.cfg = mca_cfg;
	machine.flags = mce_flags;
	return 0;
}

void mce_test_exit(struct kunit *test)
{
	boot_cpu_data.x86_vendor = machine.vendor;
	mca_cfg = machine.cfg;
	mce_flags = machine.flags;
	free_blocks();
}

/*
 * Return a page in the middle of a mapping of that size, or of any size for PG_LEVEL_NONE.
 * Return NULL if there is none. The next call frees the page, or the end of the case.
 */
struct page *mce_test_page(unsigned int level)
{
	struct page *block;

	free_blocks();
	while ((block = alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, BLOCK_ORDER))) {
		struct page *page = block + MIDDLE;

		list_add(&block->lru, &blocks);
		if (level == PG_LEVEL_4K) {
			/* A change in the middle splits a larger mapping, for good. */
			set_memory_ro((unsigned long)page_address(page), 1);
			set_memory_rw((unsigned long)page_address(page), 1);
		}
		if (level == PG_LEVEL_NONE || entry_of(page_to_pfn(page)).level == level) {
			victim = page;
			return page;
		}
	}
	return NULL;
}

/* ---- Functions that are replaced until the case is over */

static struct mce_test_calls offline, taken_out;
static int offline_ret;

static int fake_memory_failure(unsigned long pfn, int flags)
{
	offline.calls++;
	offline.pfn = pfn;
	offline.flags = flags;
	return offline_ret;
}

static int fake_set_mce_nospec(unsigned long pfn)
{
	taken_out.calls++;
	taken_out.pfn = pfn;
	return 0;
}

const struct mce_test_calls *mce_test_memory_failure(struct kunit *test, int ret)
{
	memset(&offline, 0, sizeof(offline));
	offline_ret = ret;
	kunit_activate_static_stub(test, memory_failure, fake_memory_failure);
	return &offline;
}

const struct mce_test_calls *mce_test_set_mce_nospec(struct kunit *test)
{
	memset(&taken_out, 0, sizeof(taken_out));
	kunit_activate_static_stub(test, set_mce_nospec, fake_set_mce_nospec);
	return &taken_out;
}
