/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of a kernel that severity.c of any tree needs to compile in user
 * space. Constants and small functions come from the tree itself (grading.sh puts
 * them before and after this file). struct world has the state of the machine.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#define BIT(n) (1UL << (n))
#define BIT_ULL(n) (1ULL << (n))
#define GENMASK_ULL(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))
#define PAGE_SHIFT 12
#define PAGE_SIZE 4096UL
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define __init
#define __user
#define noinstr
#define fallthrough __attribute__((__fallthrough__))
#define VISIBLE_IF_KUNIT static
#define IS_ENABLED(option) 1
#define CONFIG_MEMORY_FAILURE 1

/* Only the patrol scrub quirk of Skylake looks at the model. */
#define INTEL_SKYLAKE_X 0x55
#define INTEL_FAM6_SKYLAKE_X INTEL_SKYLAKE_X

struct pt_regs {
	unsigned long ip, si, di;
};

/* The machine, the interrupted instruction, and the page. */
struct world {
	bool hypervisor;
	int fixup;		/* EX_TYPE_..., EX_HANDLER_... of the instruction */
	unsigned int opcode;
	bool modrm;		/* it has a ModRM operand: no string instruction */
	unsigned long operand;	/* the address that it accesses */
	u64 bank_addr, bank_misc;
	bool left;		/* the page at bank_addr was left in the direct map */
	bool mcax;		/* 5.10, AMD: MCi_CONFIG can be read, with MCAX set */
};

struct cpu {
	unsigned int x86_vendor, x86_vfm, x86_model, x86_stepping, x86_phys_bits;
};

struct cfg {
	bool ser;
};

struct flags {
	bool succor, overflow_recov, smca;
};

extern struct world world;
extern struct cpu boot_cpu_data;
extern struct cfg mca_cfg;
extern struct flags mce_flags;

#define KERNEL_STARTS BIT(63)
#define __va(pa) ((void *)((pa) + KERNEL_STARTS))

struct mce;
int grade_unpatched(struct mce *m, struct pt_regs *regs, char **msg, bool is_excp);
int grade_patched(struct mce *m, struct pt_regs *regs, char **msg, bool is_excp);

#ifdef GRADES_SIDE

#define cpu_feature_enabled(feature) (world.hypervisor)	/* the only one used */

static inline void instrumentation_begin(void) { }
static inline void instrumentation_end(void) { }

static struct { void *mce_vaddr; } the_task, *current = &the_task;

/* ---- the instruction */

#define MAX_INSN_SIZE 15
struct insn {
	struct { unsigned int value; bool got; unsigned char nbytes; } opcode, modrm, sib;
};

static inline int copy_from_kernel_nofault(void *to, const void *from, size_t size)
{
	return 0;
}

static inline int insn_decode_kernel(struct insn *insn, const void *bytes)
{
	insn->opcode.value = world.opcode;
	insn->opcode.got = true;
	insn->modrm.got = true;
	insn->sib.got = true;
	insn->modrm.nbytes = world.modrm;
	return 0;
}

static inline void kernel_insn_init(struct insn *insn, const void *bytes, int len) { }

/* 5.10 decodes in steps */
#define insn_get_opcode(insn) insn_decode_kernel(insn, NULL)
#define insn_get_modrm(insn) insn_decode_kernel(insn, NULL)
#define insn_get_sib(insn) insn_decode_kernel(insn, NULL)
#define insn_get_length(insn) insn_decode_kernel(insn, NULL)
#define insn_complete(insn) true

static inline void *insn_get_addr_ref(struct insn *insn, struct pt_regs *regs)
{
	return (void *)world.operand;
}

static inline bool fault_in_kernel_space(unsigned long addr)
{
	return addr >= KERNEL_STARTS;
}

static inline int ex_get_fixup_type(unsigned long ip)
{
	return world.fixup;
}

#define ex_get_fault_handler_type ex_get_fixup_type	/* 5.10 */

/* ---- the bank */

enum mca_msr { MCA_CTL, MCA_STATUS, MCA_ADDR, MCA_MISC };

static inline u32 mca_msr_reg(int bank, enum mca_msr reg)
{
	return reg;
}

static inline u64 mce_rdmsrl(u32 msr)
{
	return msr == MCA_ADDR ? world.bank_addr : msr == MCA_MISC ? world.bank_misc : 0;
}

#define mce_rdmsrq mce_rdmsrl

/* 5.10 reads MCi_CONFIG */
static inline int rdmsr_safe(u32 msr, u32 *low, u32 *high)
{
	*low = world.mcax ? MCI_CONFIG_MCAX : 0;
	return !world.mcax;
}

struct mce_hw_err {
	struct mce m;
	struct { struct { u64 synd1, synd2; } amd; } vendor;
};

static inline void smca_extract_err_addr(struct mce *m) { }

static inline bool amd_mce_usable_address(struct mce *m)
{
	return m->status & MCI_STATUS_POISON;
}

/* ---- the page */

static inline bool mce_is_offlined(const struct mce *m)
{
	return world.left && m->addr >> PAGE_SHIFT == world.bank_addr >> PAGE_SHIFT;
}

#endif
