// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module of the selftest, for what no user space can have the kernel do. It
 * does what its parameters say, tells of it as the guest program does, and
 * never stays: init ends with -ECANCELED.
 *
 *   clear_pfn=PFN   call clear_mce_nospec(PFN), as the pmem driver does when
 *                   the poison of a page was overwritten. -> clear
 *
 * and with the 1:1 map's address of PA, the physical address of a page:
 *
 *   zeropad=PA      load_unaligned_zeropad() of all seven words that begin in
 *                   the page before and end in this. -> stray zeropad= (for how
 *                   many the upper bytes came back as zeroes)
 *   nofault=PA      copy_from_kernel_nofault(), what[] below. -> stray nofault=
 *                   (how many said -EFAULT), of=
 *   copyout=PA      copy_to_user() of 128 bytes, 64 of them in the page before,
 *                   and of 8 in the page. -> stray copyout= (how many bytes of
 *                   each were not copied)
 *   wanted=PA       load_unaligned_zeropad() of a word that begins at PA, in
 *                   the page. -> stray wanted=
 *   load=PA         a plain load of the byte at PA, which no fixup is for.
 *                   -> stray load=
 */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/set_memory.h>
#include <linux/uaccess.h>

#include <asm/word-at-a-time.h>

static unsigned long clear_pfn, zeropad, nofault, copyout, wanted, load;
module_param(clear_pfn, ulong, 0);
module_param(zeropad, ulong, 0);
module_param(nofault, ulong, 0);
module_param(copyout, ulong, 0);
module_param(wanted, ulong, 0);
module_param(load, ulong, 0);

/* Where copies begin, seen from the page's start, and how long they are. */
static const struct {
	short from;
	unsigned short len;
} what[] = {
	{ 0, 1 }, { 0, 2 }, { 0, 4 }, { 0, 8 }, { 0, 4096 },
	{ 1, 1 }, { 3, 2 }, { 1021, 4 }, { 2048, 8 }, { 4088, 8 }, { 4095, 1 },
	{ -1, 2 }, { -8, 16 }, { -3, 8 },
};

static u8 buffer[PAGE_SIZE];

static void try_zeropad(u8 *page)
{
	/* x86 is little endian: what comes first is in the lower bytes */
	unsigned long last = *(unsigned long *)(page - sizeof(long));
	int right = 0, i;

	for (i = 1; i < sizeof(long); i++)
		right += load_unaligned_zeropad(page - i) == last >> (sizeof(long) - i) * 8;
	pr_notice("mce-guest: stray zeropad=%d\n", right);
}

static void try_nofault(u8 *page)
{
	int right = 0, i;

	for (i = 0; i < ARRAY_SIZE(what); i++)
		right += copy_from_kernel_nofault(buffer, page + what[i].from,
						  what[i].len) == -EFAULT;
	pr_notice("mce-guest: stray nofault=%d of=%zu\n", right, ARRAY_SIZE(what));
}

static void try_copyout(u8 *page)
{
	unsigned long to = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, 0);
	unsigned long across, inside;

	if (IS_ERR_VALUE(to))
		return;
	across = copy_to_user((void __user *)to, page - 64, 128);
	inside = copy_to_user((void __user *)to, page + 256, 8);
	pr_notice("mce-guest: stray copyout=%lu,%lu\n", across, inside);
}

static int __init hook_init(void)
{
	if (clear_pfn)
		pr_notice("mce-guest: clear ret=%d\n", clear_mce_nospec(clear_pfn));
	if (zeropad)
		try_zeropad(__va(zeropad));
	if (nofault)
		try_nofault(__va(nofault));
	if (copyout)
		try_copyout(__va(copyout));
	if (wanted)
		pr_notice("mce-guest: stray wanted=%#lx\n", load_unaligned_zeropad(__va(wanted)));
	if (load)
		pr_notice("mce-guest: stray load=%#x\n", READ_ONCE(*(u8 *)__va(load)));
	return -ECANCELED;
}
module_init(hook_init);

MODULE_DESCRIPTION("Kernel-side hooks of the machine check selftest");
MODULE_LICENSE("GPL");
