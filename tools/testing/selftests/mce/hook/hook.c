// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hook: a module of the selftest for kernel accesses that user space cannot
 * cause. Its parameters select the accesses. It answers as the guest program
 * does, and its init returns -ECANCELED, so that it never stays loaded.
 *
 *   clear_pfn=PFN   call clear_mce_nospec(PFN), as the pmem driver does when
 *                   the poison of a page was overwritten. -> clear
 *
 * The others access a page by its address in the direct map; PA is its physical
 * address:
 *
 *   zeropad=PA      load_unaligned_zeropad() of all seven words that begin in
 *                   the page before and end in this. -> stray zeropad= (how many
 *                   had zeroes in the upper bytes)
 *   nofault=PA      copy_from_kernel_nofault() of each of copies[]. -> stray nofault=
 *                   (how many returned -EFAULT), of=, ns= (mean time of each)
 *   copyout=PA      copy_to_user() of 128 bytes, 64 of them in the page before,
 *                   and of 8 in the page. -> stray copyout= (how many bytes of
 *                   each were not copied)
 *   inside=PA       load_unaligned_zeropad() of a word that begins at PA, in
 *                   the page. -> stray inside=
 *   spin=PA         a load of the word at PA, with a fixup, over and over, with PA in
 *                   R15. -> stray spin= (fixed, or over after a while)
 *   load=PA         a plain load of the byte at PA, without a fixup.
 *                   -> stray load=
 */
#include <linux/errno.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/set_memory.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include <asm/asm.h>
#include <asm/word-at-a-time.h>

static unsigned long clear_pfn, zeropad, nofault, copyout, inside, spin, load;
module_param(clear_pfn, ulong, 0);
module_param(zeropad, ulong, 0);
module_param(nofault, ulong, 0);
module_param(copyout, ulong, 0);
module_param(inside, ulong, 0);
module_param(spin, ulong, 0);
module_param(load, ulong, 0);

/* The copies: their offset from the start of the page, and their length. */
static const struct {
	short from;
	unsigned short len;
} copies[] = {
	{ 0, 1 }, { 0, 2 }, { 0, 4 }, { 0, 8 }, { 0, 4096 },
	{ 1, 1 }, { 3, 2 }, { 1021, 4 }, { 2048, 8 }, { 4088, 8 }, { 4095, 1 },
	{ -1, 2 }, { -8, 16 }, { -3, 8 },
};

static u8 buffer[PAGE_SIZE];

static void __init try_zeropad(u8 *page)
{
	/* x86 is little endian: the first bytes are the lower ones */
	unsigned long last = *(unsigned long *)(page - sizeof(long));
	int right = 0, i;

	for (i = 1; i < sizeof(long); i++)
		right += load_unaligned_zeropad(page - i) == last >> (sizeof(long) - i) * 8;
	pr_crit("mce-guest: stray zeropad=%d\n", right);
}

static void __init try_nofault(u8 *page)
{
	u64 start = ktime_get_ns();
	int right = 0, i;

	for (i = 0; i < ARRAY_SIZE(copies); i++)
		right += copy_from_kernel_nofault(buffer, page + copies[i].from,
						  copies[i].len) == -EFAULT;
	pr_crit("mce-guest: stray nofault=%d of=%zu ns=%llu\n", right, ARRAY_SIZE(copies),
		(ktime_get_ns() - start) / ARRAY_SIZE(copies));
}

static void __init try_copyout(u8 *page)
{
	unsigned long to = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, 0);
	unsigned long across, inside;

	if (IS_ERR_VALUE(to))
		return;
	across = copy_to_user((void __user *)to, page - 64, 128);
	inside = copy_to_user((void __user *)to, page + 256, 8);
	pr_crit("mce-guest: stray copyout=%lu,%lu\n", across, inside);
}

#define SPINS (4 * SZ_1M)

static void __init try_spin(unsigned long pa)
{
	unsigned long left = SPINS, word;

	asm volatile("mov %[pa], %%r15\n"
		     "1: mov (%[p]), %[word]\n"
		     "dec %[left]\n"
		     "jnz 1b\n"
		     "2:\n"
		     _ASM_EXTABLE(1b, 2b)
		     : [left] "+r"(left), [word] "=&r"(word)
		     : [pa] "r"(pa), [p] "r"(__va(pa)) : "r15", "memory");
	pr_crit("mce-guest: stray spin=%s\n", left ? "fixed" : "over");
}

static int __init hook_init(void)
{
	if (clear_pfn)
		pr_crit("mce-guest: clear ret=%d\n", clear_mce_nospec(clear_pfn));
	if (zeropad)
		try_zeropad(__va(zeropad));
	if (nofault)
		try_nofault(__va(nofault));
	if (copyout)
		try_copyout(__va(copyout));
	if (inside)
		pr_crit("mce-guest: stray inside=%#lx\n", load_unaligned_zeropad(__va(inside)));
	if (spin)
		try_spin(spin);
	if (load)
		pr_crit("mce-guest: stray load=%#x\n", READ_ONCE(*(u8 *)__va(load)));
	return -ECANCELED;
}
module_init(hook_init);

MODULE_DESCRIPTION("Kernel-side hooks of the machine check selftest");
MODULE_LICENSE("GPL");
