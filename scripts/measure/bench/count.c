// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU 7.2's TCG that counts the instructions of a machine check in a guest.
 *
 *   -plugin count.so,symbols=FILE,out=FILE
 *
 * symbols has a line "ADDRESS TYPE NAME" for each symbol of the kernel, as in its
 * System.map, and for on_sigbus of the guest program. The plugin writes to out:
 *
 *   each ao|ar TOTAL BEFORE MF AFTER NOSPEC SENT RECEIVED SENT_AFTER RECEIVED_AFTER
 *
 * for each machine check that led to memory_failure() and a SIGBUS. ao is action optional,
 * ar action required. The numbers of instructions are
 *   TOTAL   from the start of the machine check handler to the SIGBUS handler, on all CPUs;
 *   BEFORE  of these, those up to memory_failure();
 *   MF      in memory_failure(), on the CPU that runs it;
 *   AFTER   from its return to the return of its caller, on that CPU;
 *   NOSPEC  in set_mce_nospec() (if that is inline, in set_memory_np()).
 * The others are function call interrupts, with TLB flushes: SENT and RECEIVED in all of
 * the time, SENT_AFTER and RECEIVED_AFTER during AFTER.
 *
 *   in ao|ar before|mf|after FUNCTION N
 *
 * before that line, for each function: its part of BEFORE, MF and AFTER. The guest's timer
 * interrupts are counted, too, so use the minimum of several machine checks.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

#define CPUS 4

/* The functions that mark the progress of a machine check. */
enum place {
	MACHINE_CHECK, MEMORY_FAILURE, NOSPEC, NOTIFIER, TASK_WORK, SIGBUS_HANDLER,
	SENDS_MANY, SENDS_ONE, RECEIVES_MANY, RECEIVES_ONE, PLACES,
};

/* Alternative names: the first that exists is used. */
static const char *const names[PLACES][3] = {
	[MACHINE_CHECK] = { "asm_exc_machine_check" },
	[MEMORY_FAILURE] = { "memory_failure" },
	[NOSPEC] = { "set_mce_nospec", "set_memory_np" },
	[NOTIFIER] = { "uc_decode_notifier" },
	[TASK_WORK] = { "kill_me_maybe" },
	[SIGBUS_HANDLER] = { "on_sigbus" },
	[SENDS_MANY] = { "native_send_call_func_ipi" },
	[SENDS_ONE] = { "native_send_call_func_single_ipi" },
	[RECEIVES_MANY] = { "asm_sysvec_call_function" },
	[RECEIVES_ONE] = { "asm_sysvec_call_function_single" },
};

/* The phases of a machine check. BEFORE counts all CPUs, the others one. */
enum phase { BEFORE, MF, AFTER, PHASES };

static const char *const phase_names[PHASES] = { "before", "mf", "after" };

struct symbol {
	unsigned long addr;
	char name[64];
	unsigned long run[PHASES];	/* instructions executed in it */
};

static struct symbol *symbols;
static size_t symbol_count;
static struct symbol *places[PLACES];

/* One instruction of the guest. It is never freed. */
struct insn {
	unsigned long addr, next;
	struct symbol *symbol;
};

static FILE *out;
static unsigned long run[CPUS], sent, received;
static const struct insn *last[CPUS];

/* The progress of the newest machine check; times are instruction counts. */
static struct {
	bool checked, optional, over, signalled;
	unsigned int cpu;	/* runs memory_failure() */
	/* return addresses; 0: not in the function */
	unsigned long mf_back, nospec_back, callers_back[2];
	unsigned long start, mf_all, mf, mf_over, nospec, nospec_time, after, total;
	unsigned long sent, received, sent_mf, received_mf, sent_after, received_after;
} now;

static unsigned long run_all(void)
{
	unsigned long sum = 0;

	for (int i = 0; i < CPUS; i++)
		sum += run[i];
	return sum;
}

static void forget(void)
{
	for (size_t i = 0; i < symbol_count; i++)
		memset(symbols[i].run, 0, sizeof(symbols[i].run));
	memset(&now, 0, sizeof(now));
}

static void report(void)
{
	const char *kind = now.optional ? "ao" : "ar";

	for (size_t i = 0; i < symbol_count; i++)
		for (int p = 0; p < PHASES; p++)
			if (symbols[i].run[p])
				fprintf(out, "in %s %s %s %lu\n", kind, phase_names[p],
					symbols[i].name, symbols[i].run[p]);
	fprintf(out, "each %s %lu %lu %lu %lu %lu %lu %lu %lu %lu\n", kind, now.total,
		now.mf_all - now.start, now.mf_over - now.mf, now.after, now.nospec_time,
		sent - now.sent, received - now.received, now.sent_after, now.received_after);
	fflush(out);
	forget();
}

/* The CPU's last instruction was the call. */
static unsigned long return_address(unsigned int cpu)
{
	return last[cpu] ? last[cpu]->next : 0;
}

static void at_place(unsigned int cpu, enum place p)
{
	switch (p) {
	case MACHINE_CHECK:
		/* memory_failure() slept, and continued on another CPU: drop that machine check */
		if (now.signalled)
			forget();
		if (now.checked)
			break;
		now.checked = true;
		now.start = run_all();
		now.sent = sent;
		now.received = received;
		break;
	case NOTIFIER:
	case TASK_WORK:
		if (now.checked && !now.mf)
			now.callers_back[p == NOTIFIER] = return_address(cpu);
		break;
	case MEMORY_FAILURE:
		if (!now.checked || now.mf)
			break;
		now.cpu = cpu;
		now.optional = last[cpu]->symbol == places[NOTIFIER];
		now.mf_all = run_all();
		now.mf = run[cpu];
		now.mf_back = return_address(cpu);
		break;
	case NOSPEC:
		if (!now.mf_over || now.over || cpu != now.cpu)
			break;
		now.nospec = run[cpu];
		now.nospec_back = return_address(cpu);
		break;
	case SIGBUS_HANDLER:
		if (!now.checked || now.signalled)
			break;
		now.signalled = true;
		now.total = run_all() - now.start;
		break;
	case SENDS_MANY:
	case SENDS_ONE:
		sent++;
		break;
	case RECEIVES_MANY:
	case RECEIVES_ONE:
		received++;
		break;
	case PLACES:
		break;
	}
}

static void at_return(unsigned int cpu, unsigned long addr)
{
	if (addr == now.mf_back && !now.mf_over) {
		now.mf_over = run[cpu];
		now.sent_mf = sent;
		now.received_mf = received;
	} else if (addr == now.nospec_back && now.nospec) {
		now.nospec_time += run[cpu] - now.nospec;
		now.nospec = 0;
	} else if (addr == now.callers_back[now.optional] && now.mf_over && !now.over) {
		now.over = true;
		now.after = run[cpu] - now.mf_over;
		now.sent_after = sent - now.sent_mf;
		now.received_after = received - now.received_mf;
	}
}

/* Called before each instruction of the guest. */
static void before(unsigned int cpu, void *data)
{
	const struct insn *insn = data;

	if (insn->symbol && insn->addr == insn->symbol->addr)
		for (int p = 0; p < PLACES; p++)
			if (places[p] == insn->symbol)
				at_place(cpu, p);
	if (now.mf && cpu == now.cpu)
		at_return(cpu, insn->addr);
	if (insn->symbol && now.checked && !now.mf)
		insn->symbol->run[BEFORE]++;
	else if (insn->symbol && now.mf && !now.over && cpu == now.cpu)
		insn->symbol->run[now.mf_over ? AFTER : MF]++;
	if (now.over && now.signalled)
		report();
	run[cpu]++;
	last[cpu] = insn;
}

/* Return the symbol with the highest address up to @addr. */
static struct symbol *symbol_of(unsigned long addr)
{
	size_t low = 0, high = symbol_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (symbols[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &symbols[low - 1] : NULL;
}

static void translated(unsigned long id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		struct insn *ours = malloc(sizeof(*ours));

		if (!ours)
			abort();
		ours->addr = qemu_plugin_insn_vaddr(insn);
		ours->next = ours->addr + qemu_plugin_insn_size(insn);
		ours->symbol = symbol_of(ours->addr);
		qemu_plugin_register_vcpu_insn_exec_cb(insn, before, 0, ours);
	}
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *one = a, *other = b;

	return one->addr < other->addr ? -1 : one->addr > other->addr;
}

static bool read_symbols(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[512], type;
	struct symbol s = { 0 };

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %c %63s", &s.addr, &type, s.name) != 3 ||
		    !strchr("tTwW", type))
			continue;
		symbols = realloc(symbols, (symbol_count + 1) * sizeof(*symbols));
		if (!symbols)
			return false;
		symbols[symbol_count++] = s;
	}
	if (f)
		fclose(f);
	qsort(symbols, symbol_count, sizeof(*symbols), by_address);
	for (int p = 0; p < PLACES; p++) {
		for (int n = 0; n < 3 && names[p][n] && !places[p]; n++)
			for (size_t i = 0; i < symbol_count && !places[p]; i++)
				if (!strcmp(symbols[i].name, names[p][n]))
					places[p] = symbol_of(symbols[i].addr);
		if (!places[p])
			fprintf(stderr, "count.so: %s has no %s\n", path, names[p][0]);
		if (!places[p])
			return false;
	}
	return true;
}

int qemu_plugin_version = PLUGIN_VERSION;

int qemu_plugin_install(unsigned long id, const void *info, int argc, char **argv)
{
	const char *path = NULL;

	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "symbols=", strlen("symbols=")))
			path = argv[i] + strlen("symbols=");
		else if (!strncmp(argv[i], "out=", strlen("out=")))
			out = fopen(argv[i] + strlen("out="), "w");
	}
	if (!path || !out || !read_symbols(path)) {
		fprintf(stderr, "count.so: cannot read symbols=, or cannot write out=\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
