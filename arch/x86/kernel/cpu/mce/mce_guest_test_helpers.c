// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shared by the KUnit suites for memory errors in a guest
 */
#include <linux/gfp.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/objtool.h>
#include <linux/sched.h>
#include <linux/set_memory.h>
#include <linux/sizes.h>
#include <linux/string.h>

#include <asm/asm.h>
#include <asm/extable.h>

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
/* The pages that are left for others. Without any, the kernel panics. */
#define RESERVE		(SZ_64M >> PAGE_SHIFT)
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
	while (global_zone_page_state(NR_FREE_PAGES) > RESERVE &&
	       (block = alloc_pages(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN, BLOCK_ORDER))) {
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

/* ---- What is interrupted, and the record */

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

noinline unsigned long mce_test_instruction(int nr)
{
	unsigned long ip;

	asm("lea mce_guest_fixups(%%rip), %0" : "=r" (ip));
	return ip + nr;
}

/* Have this CPU read a record from BANK. Preemption is disabled until mce_test_clear_bank(). */
void mce_test_fill_bank(u64 status, u64 addr, u64 misc, u64 mcgstatus)
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

void mce_test_clear_bank(void)
{
	this_cpu_ptr(&injectm)->finished = 0;
	preempt_enable();
}

/* Put a page into that state. Return its physical address. */
u64 mce_test_page_in_state(struct kunit *test, enum page_state state)
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

/* Set what queue_task_work() leaves for the task */
void mce_test_set_task(unsigned long pfn, u64 misc, bool copyin, bool local)
{
	struct mce m = {
		.cpuvendor = X86_VENDOR_INTEL, .status = SRAR_LOAD, .misc = misc,
		.mcgstatus = mcg_status(local),
	};

	pretend_cpu(X86_VENDOR_INTEL, true);
	current->mce_addr = (u64)pfn << PAGE_SHIFT | BESIDES;
	/* Older trees use this. In a guest, they treat all records as about whole pages. */
	current->mce_whole_page = in_guest() || MCI_MISC_ADDR_LSB(misc) >= PAGE_SHIFT;
	current->mce_ripv = 1;
	current->mce_kflags = copyin ? MCE_IN_KERNEL_RECOV | MCE_IN_KERNEL_COPYIN : 0;
	if (can_leave_mapped(&m))
		current->mce_kflags |= MCE_LEAVE_MAPPED;
}
