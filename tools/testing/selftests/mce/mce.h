/* SPDX-License-Identifier: GPL-2.0-only */
/* Bits of machine check records, named as in arch/x86/include/asm/mce.h */
#ifndef SELFTESTS_MCE_MCE_H
#define SELFTESTS_MCE_MCE_H

#define BIT(n) (1UL << (n))

/* SDM Vol. 3B, "IA32_MCi_STATUS MSRS" */
#define MCI_STATUS_VAL BIT(63)
#define MCI_STATUS_OVER BIT(62)
#define MCI_STATUS_UC BIT(61)
#define MCI_STATUS_EN BIT(60)
#define MCI_STATUS_MISCV BIT(59)
#define MCI_STATUS_ADDRV BIT(58)
#define MCI_STATUS_PCC BIT(57)
#define MCI_STATUS_S BIT(56)
#define MCI_STATUS_AR BIT(55)

/* APM Vol. 2, "Machine-Check Status Register" */
#define MCI_STATUS_DEFERRED BIT(44)
#define MCI_STATUS_POISON BIT(43)

/* MCACOD: "Architecturally Defined SRAO Errors" and "... SRAR Errors" of the SDM */
#define MCACOD_SCRUB 0xc0
#define MCACOD_DATA 0x134
#define MCACOD_INSTR 0x150

/*
 * Errors found by the patrol scrubber of a memory controller (action optional), and by a load
 * (action required)
 */
#define MCI_STATUS_SRAO (MCI_STATUS_VAL | MCI_STATUS_UC | MCI_STATUS_EN | MCI_STATUS_MISCV | \
			 MCI_STATUS_ADDRV | MCI_STATUS_S | MCACOD_SCRUB)
#define MCI_STATUS_SRAR ((MCI_STATUS_SRAO & ~0xffffUL) | MCI_STATUS_AR | MCACOD_DATA)

/* MCi_MISC: a physical address, valid from bit 12 or from bit 6 up */
#define MISC_PAGE 0x8cUL
#define MISC_LINE 0x86UL

/* SDM Vol. 3B, "IA32_MCG_STATUS MSR"; without MCIP there is no machine check */
#define MCG_STATUS_RIPV BIT(0)
#define MCG_STATUS_EIPV BIT(1)
#define MCG_STATUS_MCIP BIT(2)
#define MCG_STATUS_LMCES BIT(3)

#endif
