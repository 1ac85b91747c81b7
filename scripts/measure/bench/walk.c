// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module for the guest, in place of the selftest's hook. Its init returns -ECANCELED, so that
 * it never stays loaded.
 *
 *   walk=PA         read a byte of each mapped page in the 64 MB from PA on.
 *                   -> walk pages= l4= l3= l2= l1= (how many page table entries the
 *                   CPU loaded, for each level, by their Accessed bits)
 */
#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sizes.h>

#include <asm/processor-flags.h>

static unsigned long walk;
module_param(walk, ulong, 0);

#define WALKED (64 * SZ_1M)
#define ENTRY_ADDR 0x000ffffffffff000UL

/*
 * Count the Accessed bits on the way to @va in @loaded[level], from 1, and clear them. Return
 * whether @va is mapped. SDM Vol. 3A, "4-Level Paging". An entry counts only at its first
 * address from @start on, because reading the tables sets bits, too.
 */
static bool __init take_accessed(unsigned long va, unsigned long start, unsigned int *loaded)
{
	unsigned long *table = __va(__read_cr3() & ENTRY_ADDR);
	int level;

	for (level = 4; level; level--) {
		unsigned long *entry = table + (va >> (3 + 9 * level) & 511);

		if (!(*entry & _PAGE_PRESENT))
			return false;
		if (va == start || IS_ALIGNED(va, BIT(3 + 9 * level)))
			loaded[level] += !!(*entry & _PAGE_ACCESSED);
		*entry &= ~_PAGE_ACCESSED;
		if (*entry & _PAGE_PSE && level < 4)
			return true;
		table = __va(*entry & ENTRY_ADDR);
	}
	return true;
}

/* The kernel's entries are global: clearing CR4.PGE flushes them. */
static void __init flush_tlb(void)
{
	unsigned long cr4;

	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	asm volatile("mov %0, %%cr4" : : "r"(cr4 & ~X86_CR4_PGE) : "memory");
	asm volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
}

static DECLARE_BITMAP(mapped, WALKED / PAGE_SIZE);

static void __init try_walk(u8 *start)
{
	unsigned int before[5] = {}, loaded[5] = {};
	unsigned long i, flags, from = (unsigned long)start;

	local_irq_save(flags);
	for (i = 0; i < WALKED / PAGE_SIZE; i++)
		if (take_accessed(from + i * PAGE_SIZE, from, before))
			__set_bit(i, mapped);
	flush_tlb();
	for_each_set_bit(i, mapped, WALKED / PAGE_SIZE)
		READ_ONCE(start[i * PAGE_SIZE]);
	for (i = 0; i < WALKED / PAGE_SIZE; i++)
		take_accessed(from + i * PAGE_SIZE, from, loaded);
	local_irq_restore(flags);
	pr_crit("mce-guest: walk pages=%u l4=%u l3=%u l2=%u l1=%u\n",
		bitmap_weight(mapped, WALKED / PAGE_SIZE), loaded[4], loaded[3], loaded[2],
		loaded[1]);
}

static int __init walk_init(void)
{
	try_walk(__va(walk));
	return -ECANCELED;
}
module_init(walk_init);

MODULE_DESCRIPTION("Count the loads of page table entries");
MODULE_LICENSE("GPL");
