/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parts of a VMM driver: one guest under QEMU, and actions on it. A function that returns
 * bool returns false if the run cannot continue: the guest died or hangs, or the lab failed.
 * vm has the cause.
 */
#ifndef SELFTESTS_MCE_VMM_H
#define SELFTESTS_MCE_VMM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "mce.h"

struct json_object;

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE 4096UL
#define MB (1024UL * 1024)

/* The first 16 MB of the direct map are always 4K pages, and the kernel's image comes next. */
#define ABOVE_4K_MAP (32 * MB)

/* The direct map with four levels: Documentation/arch/x86/x86_64/mm.rst */
#define DIRECT_MAP 0xffff888000000000UL

/* QEMU puts memory devices at 4 GB if there is less RAM than that. */
#define DIMM_START (4096 * MB)
#define DIMM_SIZE (128 * MB)

/* above all memory of any guest */
#define NO_MEMORY_HERE (64 * 1024 * MB)

/* A machine check record. QEMU does not broadcast one to an AMD CPU. */
struct record {
	unsigned long status, mcgstatus;
	bool local;
};

extern const struct record action_optional, action_required;

#define MCE_BANK 9

struct machine {
	const char *name;
	const char *qemu;
	const char *const *args;
	const char *cpu;
	unsigned int ram_mb;
	bool starving;	/* a spinning vCPU starves the others: -icount */
	bool amd;	/* AMD's records; the guest polls for deferred errors */
	bool local;	/* machine checks go to one CPU: LMCE, or AMD */
	bool nested;	/* in L1, where RAM is really poisoned */
};

struct scenario {
	const char *name;
	bool (*run)(void);
	bool reported;	/* QEMU reports poison to the guest at once */
	bool broadcast;	/* machine checks go to all CPUs, even if the machine has LMCE */
	unsigned int cpus, ram_mb;	/* 0: one, and as much as the machine has */
	const char *cpu_flags;	/* for the CPU model: ",-flag" */
	const char *kernel_args;
	/* what differs between scenarios with the same @run */
	const char *kind;	/* of the page: a row of kinds[] in kinds.c */
	bool pinned;	/* a pipe has a reference to the page */
	const char *hook;	/* the kernel's access to the page: a parameter of hook/hook.c */
	unsigned int offset;	/* of that access, in the page */
	const char *command;	/* of the guest: the access, or a leak */
	unsigned int poisons;	/* soak-*: how many pages; 0: soak_poisons */
};

/* The tables of scenarios, one for each file. Each ends with an empty row. */
extern const struct scenario page_scenarios[], stray_scenarios[], soak_scenarios[];

/* soak.c: how many pages to poison, and the seed of the random choices */
extern unsigned int soak_poisons, soak_seed;

/* The state of the guest; a process runs only one. */
extern struct vm {
	const struct scenario *scenario;
	pid_t qemu;
	int ram, qmp, console;
	const char *step;	/* of the scenario */
	int64_t deadline_ms;
	unsigned long gpa;	/* of the page that goes bad: gpa= of the newest such answer */
	bool mapped;	/* in the direct map, when look_at_direct_map() looked last */
	char question[128];
	char value[512];	/* of the newest fact */
	const char *awaited;	/* an answer; others may come before and after it */
	bool came;	/* the awaited answer has come */
	const char *prefix;	/* of the keys of facts; NULL: keep no facts */
	bool outside;	/* a record for an address without memory was handled */
	bool lab_error;
	bool amd, local;	/* of the machine, and of the scenario */
	bool silent;	/* print neither the guest's console nor the actions */
	unsigned int lines;	/* of the guest's console so far */
	struct json_object *reply;
	int ost_source, ost_status;	/* of the guest's newest report on a hotplug */

	/* what has become of the guest, up to the end */
	char answer[512];	/* the newest answer; "" until it comes */
	char facts[8192];	/* of all answers so far, see fact(): " key=value ..." */
	bool panic, oops, warned, killed, powered_off, timed_out;
	bool reset;	/* CPU shutdown: triple fault, or a machine check during another */
	bool oops_over;
	char message[256], rip[128], fault[32];
} vm;

#define say(fmt, ...) (printf("vmm: " fmt "\n", ##__VA_ARGS__), fflush(stdout))

bool lab_failed(void);

/* Report that the lab, not the guest, failed. Returns false, to be passed on. */
#define lab_error(fmt, ...) (say("error: " fmt, ##__VA_ARGS__), lab_failed())

/* ---- qemu.c */

int64_t now_ms(void);
bool start_qemu(const struct machine *m, const struct scenario *s, const char *kernel,
		const char *initrd);
bool begin_qmp(const struct machine *m, const struct scenario *s);
void end_qemu(void);
bool pump(void);
bool drain_console(void);
struct json_object *qmp(const char *command, const char *args);
const char *ask_monitor(const char *fmt, ...);

/* ---- console.c */

const char *after(const char *text, const char *label);
void read_console_line(const char *line);
void add_fact(const char *key);
/* Add @key with a value, without spaces, to the facts of the verdict. */
#define fact(key, fmt, ...) \
	(snprintf(vm.value, sizeof(vm.value), fmt, ##__VA_ARGS__), add_fact(key))
bool wait_for_answer(const char *word);
bool ask_question(const char *word);
/* Send the guest a command, and wait for the answer @word. */
#define ask(word, fmt, ...) \
	(snprintf(vm.question, sizeof(vm.question), fmt, ##__VA_ARGS__), ask_question(word))
unsigned long answered(const char *key);

/* ---- actions.c */

bool map_page(const char *kind);
bool poison_page(void);
bool inject(int cpu, struct record record, unsigned long gpa, unsigned long misc);
struct record optional_record(void);
unsigned long read_register(const char *name);
bool stop_when(bool (*there)(const char *registers));
bool stop_in_user_mode(void);
bool stop_in_kernel_load(void);
bool wait_until_records_handled(void);
bool look_at_direct_map(const char *name);
bool plug_dimm(void);
bool begin_to_unplug_dimm(void);
bool finish_unplugging_dimm(void);
bool is_sigbus(const char *code_lsb);
bool report_quietly(unsigned long misc);
bool report_optional(unsigned long misc);
bool report_required(unsigned long misc);

/* ---- vmm.c */

bool parse_options(int argc, char **argv, const char *letters, const char *value[128]);
int run_scenario(const struct machine *m, const struct scenario *s, const char *kernel,
		 const char *initrd, int limit);

#endif
