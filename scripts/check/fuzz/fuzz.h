/* SPDX-License-Identifier: GPL-2.0-only */
/* Send a record to a guest in a known state (fuzz.c), and choose the records (fuzz-records.c) */
#ifndef SCRIPTS_FUZZ_H
#define SCRIPTS_FUZZ_H

#include "../../../tools/testing/selftests/mce/vmm.h"

#define RAM (96 * MB)

/* How long a guest may take for one record before it counts as hung */
#define HANG_MS 20000

struct sent {
	struct record record;
	unsigned long misc, addr;
	const char *addr_name;
	int cpu;
};

/* ---- fuzz.c */

extern const char *only;
extern unsigned int seed;
extern unsigned long zero_page;
extern const char *const ask_here[];

bool save_guest(const char *state);
bool load_guest(const char *state);
bool send_record(const struct sent *r);
bool at_end(void);
void wait_for_end(const char *const *questions);
void print_outcome(const char *state, const struct sent *r);
bool try_record(const char *saved, const char *state, const struct sent *r,
		const char *const *questions);
bool stop_when_idle(void);
const char *const *bring_into(const char *state);

/* ---- fuzz-records.c */

extern const struct scenario fuzz_scenarios[];	/* ends with an empty row */

#endif
