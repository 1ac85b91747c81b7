/* SPDX-License-Identifier: GPL-2.0-only */
/* The functions of the scenarios; main.c has their names. */
#ifndef SELFTESTS_MCE_SCENARIOS_H
#define SELFTESTS_MCE_SCENARIOS_H

#include "vmm.h"

/* scenario clear: an address that the guest's kernel does not use as RAM */
#define NOT_RAM (112 * MB)

/* ---- scenarios.c */

bool ao_page(void);
bool ao_line(void);
bool ar_load(void);
bool ar_exec(void);
bool ar_line(void);
bool copyin(void);
bool page_kinds(void);
bool replug(void);
bool replug_la57(void);
bool replug_stray(void);
bool many_pages_reported(void);
bool many_pages_required(void);
bool deferred(void);
bool smp(void);
bool bare_metal(void);
bool clear_nospec(void);

/* ---- stray.c */

bool stray_zeropad(void);
bool stray_nofault(void);
bool stray_line(void);
bool stray_hugetlb(void);
bool stray_copyout(void);
bool stray_load(void);
bool stray_zeropad_inside(void);
bool stray_path(void);
bool stray_path_2(void);
bool truncate_page(void);
bool punch(void);
bool dax_read(void);
bool dax_write(void);
bool pinned(void);
bool not_offlined(void);
bool not_offlined_futex(void);
bool not_offlined_nofault(void);

/* ---- soak.c */

extern unsigned int soak_poisons, soak_seed;
bool run_soak(void);
bool run_short_soak(void);
bool run_leaking_soak(void);

#endif
