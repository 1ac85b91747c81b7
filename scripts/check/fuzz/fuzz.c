// SPDX-License-Identifier: GPL-2.0-only
/*
 * Send machine checks that no sane VMM sends to a guest, one at a time.
 *
 *   fuzz [-v RECORD] -d DISK -s SEED -k KERNEL -i INITRD -z ZERO WHAT
 *
 * The guest runs under QEMU TCG. It is brought into a state, which is saved on DISK, an empty
 * qcow2 image. Before each record, that state is loaded. ZERO is the physical address of the
 * kernel's zero page. For each record, print
 *
 *   fuzz: WHAT STATE RECORD -> OUTCOME
 *
 * RECORD is STATUS:MCGSTATUS:MISC:NAME-OF-ADDRESS; with -v, send only that one, and print the
 * console. OUTCOME is panic:WHY, oops:WHY, reset, hang, or lives with the guest's answers
 * (SIGBUS, death of a process). WHY is from the kernel's message. WHAT is one of:
 *
 *   bits      all combinations of the bits that grading looks at, about the one page
 *             that is in use
 *   address   sane records about unusual addresses
 *   random    random records, with any bits and addresses, from SEED
 *   again     repeated records about the same page
 *   boot      sane records while the guest boots
 *   off       sane records while the guest powers off
 *   offline   records on an offline CPU
 *   unplug    records about a DIMM while it is unplugged
 *
 * Exit status: 0, 1 after an error (which is printed), 2 for bad arguments.
 */
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"

/* How long a guest may take to boot before it counts as hung */
#define BOOT_S 120

const char *only;
unsigned int seed;
unsigned long zero_page;

/* ---- one record */

/* Forget what has become of the guest so far. */
static void forget(void)
{
	const size_t from = offsetof(struct vm, answer);

	memset((char *)&vm + from, 0, sizeof(vm) - from);
}

bool save_guest(const char *state)
{
	const char *reply = ask_monitor("savevm %s", state);

	return reply && (!reply[0] || lab_error("savevm %s: %s", state, reply));
}

/* Load the saved state of the guest, which is stopped then. */
bool load_guest(const char *state)
{
	const char *reply;

	/* a machine that is powered off must be reset first */
	if (vm.powered_off) {
		forget();
		if (!qmp("system_reset", NULL))
			return false;
		while (!vm.reset)
			if (!pump())
				return false;
	}
	forget();
	/* loadvm in a running machine would let it run at once */
	if (!qmp("stop", NULL))
		return false;
	reply = ask_monitor("loadvm %s", state);
	if (!reply || reply[0])
		return lab_error("loadvm %s: %s", state, reply ?: "no answer");
	/* discard output from before this record */
	forget();
	return drain_console();
}

/* As inject(), but ignore QEMU's reply: the guest may not have enabled machine checks yet. */
bool send_record(const struct sent *r)
{
	return ask_monitor("mce %s%d %d %#lx %#lx %#lx %#lx",
			   r->record.local ? "" : "-b ", r->cpu, MCE_BANK, r->record.status,
			   r->record.mcgstatus, r->addr, r->misc);
}

bool at_end(void)
{
	return vm.panic || vm.oops || vm.reset || vm.powered_off;
}

/*
 * Send @questions to the guest, one at a time, and wait for each answer. "<" waits for the
 * answer to an earlier question. "!" waits for the guest's power-off. "~" waits until all
 * records so far are handled, as wait_until_records_handled() does. The guest may report a
 * SIGBUS at any time.
 */
void wait_for_end(const char *const *questions)
{
	const struct sent nowhere = {
		.record = action_optional, .misc = MISC_PAGE, .addr = NO_MEMORY_HERE,
	};

	/* the answer to "<" is the result of a load, which is not compared */
	vm.prefix = **questions == '<' ? NULL : "";
	for (; *questions && !at_end() && !vm.timed_out; questions++) {
		bool asked = !strchr("<!~", **questions);

		vm.awaited = asked ? *questions : **questions == '<' ? "" : NULL;
		vm.came = false;
		if (asked)
			dprintf(vm.console, "%s\n", *questions);
		vm.outside = false;
		if (**questions == '~' && !send_record(&nowhere))
			return;
		while (!vm.came && !(**questions == '~' && vm.outside) && !at_end() && pump())
			;
	}
	vm.awaited = NULL;
}

static const char *id_of(const struct sent *r)
{
	static char id[128];

	snprintf(id, sizeof(id), "%#lx:%lx:%lx:%s", r->record.status,
		 r->record.mcgstatus, r->misc, r->addr_name);
	return id;
}

void print_outcome(const char *state, const struct sent *r)
{
	printf("fuzz: %s %s %s -> ", vm.scenario->name, state, id_of(r));
	if (vm.panic)
		printf("panic:%s\n", vm.message);
	else if (vm.oops)
		printf("oops:%s\n", vm.message);
	else if (vm.reset)
		printf("reset\n");
	else if (vm.timed_out)
		printf("hang\n");
	else
		printf("lives%s%s\n", vm.powered_off ? " off" : "", vm.facts);
	fflush(stdout);
}

/*
 * Send @r to the guest in the saved state @saved, ask all of @questions, and print the outcome,
 * with @state as the name of the state.
 */
bool try_record(const char *saved, const char *state, const struct sent *r,
		const char *const *questions)
{
	if (only && strcmp(only, id_of(r)))
		return true;
	vm.silent = !only;
	vm.deadline_ms = now_ms() + HANG_MS;
	if (!load_guest(saved) || !send_record(r) || !qmp("cont", NULL))
		return false;
	wait_for_end(questions);
	print_outcome(state, r);
	/* the outcome is printed: prepare for the next record */
	vm.oops_over = false;
	vm.timed_out = false;
	vm.deadline_ms = now_ms() + HANG_MS;
	return !vm.lab_error;
}

/* ---- the states that a guest can be in */

static bool is_idle(const char *registers)
{
	const char *halted = after(registers, "HLT=");

	return halted && *halted == '1';
}

/* Stop the guest when its first CPU is idle. */
bool stop_when_idle(void)
{
	return stop_when(is_idle);
}

const char *const ask_here[] = { "here", "here", NULL };
static const char *const ask_hit[] = { "here", "here", "~", "hit", "here", NULL };
static const char *const after_load[] = { "<", "here", "here", NULL };

/*
 * Bring the guest from the state "base" into @state, and save it by that name. Returns the
 * questions for that state, or NULL on failure.
 */
const char *const *bring_into(const char *state)
{
	const char *const *questions = ask_here;
	bool there = load_guest("base") && qmp("cont", NULL);

	vm.prefix = NULL;
	if (there && !strcmp(state, "user")) {
		/* a process that asked for an early SIGBUS spins */
		there = ask("target", "target") && stop_in_user_mode();
		questions = ask_hit;
	} else if (there) {
		there = map_page("anon early");
	}
	if (there && !strcmp(state, "idle"))
		there = stop_when_idle();
	if (there && !strcmp(state, "load"))
		there = report_optional(MISC_PAGE);
	if (there && !strncmp(state, "load", strlen("load"))) {
		/*
		 * The kernel loads from the page, by an instruction that has a fixup. In an
		 * unpatched kernel the page is not in the direct map, and the fixup may have run
		 * already.
		 */
		there = stop_in_kernel_load();
		if (!vm.answer[0])
			questions = after_load;
		else
			there = there && stop_when_idle();
	}
	return there && save_guest(state) ? questions : NULL;
}

/* ---- the program */

static const struct scenario *scenario;

/* Keep QEMU running when the guest ends. Save the guest as "base", and run the scenario. */
static bool run(void)
{
	/* wait_for_end() looks for the kernel's messages on the console */
	return qmp("set-action", "{\"reboot\":\"reset\",\"shutdown\":\"pause\"}") &&
	       ask("console", "console 7") && stop_when_idle() && save_guest("base") &&
	       scenario->run() && load_guest("base") && qmp("cont", NULL);
}

static void bad_arguments(void)
{
	fputs("usage: fuzz [-v RECORD] -d DISK -s SEED -k KERNEL -i INITRD -z ZERO WHAT\n",
	      stderr);
	fputs("what:", stderr);
	for (scenario = fuzz_scenarios; scenario->name; scenario++)
		fprintf(stderr, " %s", scenario->name);
	fputc('\n', stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	const char *option[128] = { NULL };
	char drive[256];
	const char *const args[] = {
		"-accel", "tcg", "-machine", "q35,memory-backend=ram", "-drive", drive, NULL,
	};
	struct machine machine = {
		.name = "fuzz", .qemu = "qemu-system-x86_64", .args = args,
		.cpu = "Haswell-noTSX,vendor=GenuineIntel", .ram_mb = RAM / MB, .local = true,
	};
	struct scenario s;

	if (!parse_options(argc, argv, "v:d:s:k:i:z:", option) || !option['d'])
		bad_arguments();
	for (scenario = fuzz_scenarios; strcmp(argv[optind], scenario->name); scenario++)
		if (!scenario[1].name)
			bad_arguments();
	only = option['v'];
	seed = option['s'] ? strtoul(option['s'], NULL, 10) : 0;
	zero_page = option['z'] ? strtoul(option['z'], NULL, 0) : 0;
	snprintf(drive, sizeof(drive), "if=none,format=qcow2,cache=unsafe,file=%s", option['d']);
	s = *scenario;
	s.run = run;
	/* panic=0: no reboot after a panic; loglevel=7: "boot" counts lines */
	s.kernel_args = "panic=0 loglevel=7";
	return run_scenario(&machine, &s, option['k'], option['i'], BOOT_S);
}
