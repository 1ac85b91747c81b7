/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the KUnit suites for memory errors in a guest: constants of records, the machine
 * that they run on, pages to poison, and replacements for memory_failure() and
 * set_mce_nospec()
 */
#ifndef __X86_MCE_GUEST_TEST_HELPERS_H__
#define __X86_MCE_GUEST_TEST_HELPERS_H__

#include <kunit/test.h>

#include <linux/cpufeature.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/pgtable.h>

#include <xen/xen.h>

#include <asm/mce.h>
#include <asm/mshyperv.h>

/* Older trees have more in internal.h for the suites. */
#define MCE_GUEST_SUITE
#include "internal.h"

/* Older trees differ on bare metal. Their kunit_compat.h defines these otherwise. */
#ifndef LINES_STAY_UNCACHED
#define LINES_STAY_UNCACHED false	/* a page with bad lines becomes uncacheable instead */
#define PAGES_COME_BACK true		/* clear_mce_nospec() makes it present again */
#define COPIED_PAGES_STAY false		/* a copy from user space does not take the page out */
#define KILLS_AGAIN false		/* SIGBUS is sent although memory_failure() has sent it */
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
#define SRAO_SCRUB	(SRAO | SCRUB)
#define SRAR_LOAD	(SRAR | DATA_LOAD)

/* APM vol. 2, "Machine Check Architecture". Only with POISON is MCi_ADDR one of memory. */
#define AMD_UC		(UC | MCI_STATUS_POISON | MCI_STATUS_ADDRV)
#define AMD_DEFERRED	(MCI_STATUS_VAL | MCI_STATUS_DEFERRED | MCI_STATUS_POISON | \
			 MCI_STATUS_ADDRV)

/* MCi_MISC: the lowest valid bit of the address, and the kind of address */
#define PHYS(lsb)	((u64)MCI_MISC_ADDR_PHYS << 6 | (lsb))
#define LINEAR(lsb)	((u64)MCI_MISC_ADDR_LINEAR << 6 | (lsb))
#define PAGE		PHYS(PAGE_SHIFT)
#define LINE		PHYS(6)

#define MCG_RESTART	(MCG_STATUS_MCIP | MCG_STATUS_RIPV | MCG_STATUS_EIPV)
#define MCG_LOCAL	(MCG_RESTART | MCG_STATUS_LMCES)

/* MCi_ADDR has more than the page: the line and, in trees that mask it, the ID of a key */
#ifdef MCI_ADDR_PHYSADDR
#define BESIDES		(BIT_ULL(60) | 0x40)
#else
#define BESIDES		0x40ULL
#endif

#define BANK		1	/* not 4: that is AMD's northbridge, which is a case of its own */

#define SOME_PFN	0x12345UL

/* Whether the kernel should take this machine for a guest whose memory a VMM can unmap */
static inline bool in_guest(void)
{
	/* Partitions that own their memory. The CPU has the hypervisor bit nevertheless. */
	if (xen_initial_domain())
		return false;
#if IS_ENABLED(CONFIG_MSHV_ROOT)
	if (hv_curr_partition_type == HV_PARTITION_TYPE_ROOT)
		return false;
#endif
	return boot_cpu_has(X86_FEATURE_HYPERVISOR);
}

/* Whether the kernel should leave the page of a local record in the direct map */
static inline bool leaves_pages(void)
{
	return in_guest() && !xen_domain() && !hypervisor_needs_nospec;
}

/* Whether the kernel should grade a stray access to a page that was left like a page fault */
static inline bool grades_stray_accesses(void)
{
	return boot_cpu_has(X86_FEATURE_HYPERVISOR);
}

/* Until the case ends, pretend to be a CPU of @vendor, with MCG_SER_P or SUCCOR if it recovers */
static inline void pretend_cpu(u8 vendor, bool recovers)
{
	bool succor = vendor == X86_VENDOR_AMD || vendor == X86_VENDOR_HYGON;

	boot_cpu_data.x86_vendor = vendor;
	mca_cfg.ser = !succor && recovers;
	mce_flags.succor = succor && recovers;
	mce_flags.overflow_recov = mce_flags.succor;
	mce_flags.smca = 0;
}

/* The entry of the direct map for a page, and the size of what it maps */
struct entry {
	pteval_t val;
	unsigned int level;
};

static inline struct entry entry_of(unsigned long pfn)
{
	struct entry entry = { .level = PG_LEVEL_NONE };
	pte_t *pte = lookup_address((unsigned long)__va((phys_addr_t)pfn << PAGE_SHIFT),
				    &entry.level);

	if (pte)
		entry.val = pte_val(*pte);
	return entry;
}

static inline unsigned long pfn_beyond_memory(void)
{
	/* pfn_valid() is about sections */
	return ALIGN(max_pfn, PAGES_PER_SECTION) + 2 * PTRS_PER_PTE;
}

/* The number of calls of a replaced function, and the arguments of the last one */
struct mce_test_calls {
	int calls, flags;
	unsigned long pfn;
};

/*
 * Instructions that can be the interrupted one. First, there is a NOP for each type of
 * fixup, including types that do not exist (yet). The fixup of each continues with the
 * next instruction.
 */
#define NR_FIXUPS	32
#define SAFE_FIXUP	EX_TYPE_FAULT_MCE_SAFE
#ifndef FAULT_FIXUP
#define FAULT_FIXUP	EX_TYPE_FAULT	/* for page faults: a machine check is fatal */
#endif

/* Then, the loads of copy_from_user() and of load_unaligned_zeropad() */
#define COPY_LOAD	NR_FIXUPS
#define ZEROPAD_LOAD	(COPY_LOAD + 3)
#define ZEROPAD_FIXUP	(ZEROPAD_LOAD + 3)

/* Finally, a store as in put_user(), and a copy between user space and the kernel */
#define PUT_STORE	ZEROPAD_FIXUP
#define COPY_MOVS	(PUT_STORE + 3)

enum page_state {
	GOOD,
	MARKED,		/* memory_failure() has set the flag, and failed */
	BEYOND,		/* not in memory */
	LEFT,		/* offline, and left in the direct map */
};

/* MCG_STATUS of a local or of a broadcast machine check */
static inline u64 mcg_status(bool local)
{
	return local ? MCG_LOCAL : MCG_RESTART;
}

int mce_test_init(struct kunit *test);
void mce_test_exit(struct kunit *test);
struct page *mce_test_page(unsigned int level);
const struct mce_test_calls *mce_test_memory_failure(struct kunit *test, int ret);
const struct mce_test_calls *mce_test_set_mce_nospec(struct kunit *test);
unsigned long mce_test_instruction(int nr);
void mce_test_fill_bank(u64 status, u64 addr, u64 misc, u64 mcgstatus);
void mce_test_clear_bank(void);
u64 mce_test_page_in_state(struct kunit *test, enum page_state state);
void mce_test_set_task(unsigned long pfn, u64 misc, bool copyin, bool local);

#endif /* __X86_MCE_GUEST_TEST_HELPERS_H__ */
