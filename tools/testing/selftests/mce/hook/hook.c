// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module of the selftest, for what no user space can have the kernel do. It
 * does what its parameters say and never stays: init ends with -ECANCELED.
 *
 *   clear_pfn=PFN   call clear_mce_nospec(PFN), as the pmem driver does when
 *                   the poison of a page was overwritten
 */
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/set_memory.h>

static unsigned long clear_pfn;
module_param(clear_pfn, ulong, 0);

static int __init hook_init(void)
{
	if (clear_pfn)
		pr_info("clear_mce_nospec(%#lx) = %d\n", clear_pfn, clear_mce_nospec(clear_pfn));
	return -ECANCELED;
}
module_init(hook_init);

MODULE_DESCRIPTION("Kernel-side hooks of the machine check selftest");
MODULE_LICENSE("GPL");
