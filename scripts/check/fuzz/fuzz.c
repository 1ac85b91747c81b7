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
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"

/* How long a guest may take to boot before it counts as hung */
#define BOOT_S 120

const struct sent optional = {
	.record = { .status = MCI_STATUS_SRAO, .mcgstatus = MCG_STATUS_MCIP | MCG_STATUS_RIPV },
	.misc = MISC_PAGE,
};

const struct sent required = {
	.record = { .status = MCI_STATUS_SRAR,
		    .mcgstatus = MCG_STATUS_MCIP | MCG_STATUS_RIPV | MCG_STATUS_EIPV },
	.misc = MISC_PAGE,
};

const char *only;
unsigned int seed;
unsigned long zero_page, target;
static const char *what;

/* ---- one record */

static void forget(void)
{
	vm.panic = false;
	vm.oops = false;
	vm.oops_over = false;
	vm.warned = false;
	vm.killed = false;
	vm.reset = false;
	vm.powered_off = false;
	vm.timed_out = false;
	vm.message[0] = '\0';
	vm.rip[0] = '\0';
	vm.fault[0] = '\0';
	vm.answer[0] = '\0';
	forget_facts();
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
		.record = optional.record, .misc = MISC_PAGE, .addr = NO_MEMORY_HERE,
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
	printf("fuzz: %s %s %s -> ", what, state, id_of(r));
	if (vm.panic)
		printf("panic:%s\n", vm.message);
	else if (vm.oops)
		printf("oops:%s\n", vm.message);
	else if (vm.reset)
		printf("reset\n");
	else if (vm.timed_out)
		printf("hang\n");
	else
		printf("lives%s%s\n", vm.powered_off ? " off" : "", vm.told);
	fflush(stdout);
}

/*
 * Send @r to the guest in the saved state @saved, ask all of @questions, and print the outcome,
 * with @state as the name of the state.
 */
bool try_record_in(const char *saved, const char *state, const struct sent *r,
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

bool try_record(const char *state, const struct sent *r, const char *const *questions)
{
	return try_record_in(state, state, r, questions);
}

/* ---- the states that a guest can be in */

/* Stop the guest when its first CPU is idle. */
bool stop_when_idle(void)
{
	for (;;) {
		const char *registers;

		if (!qmp("stop", NULL))
			return false;
		registers = ask_monitor("info registers");
		if (!registers)
			return false;
		if (strstr(registers, "HLT=1"))
			return true;
		if (!qmp("cont", NULL))
			return false;
	}
}

/* Stop the guest while a process that asked for an early SIGBUS spins in user mode. */
static bool stop_in_target(void)
{
	int cpu;

	if (!ask("target", "target"))
		return false;
	target = answered("gpa=");
	return stop_in_user_mode(target, &cpu);
}

/*
 * Stop the guest while its kernel loads from the page, by an instruction that has a fixup. In
 * an unpatched kernel the page is not in the direct map, and the fixup may have run already.
 * Then *@spins is false.
 */
static bool stop_in_load(bool *spins)
{
	const char *registers;
	char r15[32];

	snprintf(r15, sizeof(r15), "R15=%016lx", target);
	vm.answer[0] = '\0';
	dprintf(vm.console, "hook spin=%#lx\n", target);
	for (;;) {
		*spins = false;
		if (!strncmp(vm.answer, "stray ", 6))
			return stop_when_idle();
		if (!qmp("stop", NULL))
			return false;
		registers = ask_monitor("info registers");
		if (!registers)
			return false;
		*spins = true;
		if (strstr(registers, r15) && strstr(registers, "CPL=0"))
			return true;
		if (!qmp("cont", NULL))
			return false;
	}
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
	bool there = load_guest("base") && qmp("cont", NULL), spins = false;

	vm.prefix = NULL;
	if (there && !strcmp(state, "user")) {
		there = stop_in_target();
		questions = ask_hit;
	} else if (there) {
		there = ask("map", "map %#llx anon early", ABOVE_4K_MAP);
		target = answered("gpa=");
	}
	if (there && !strcmp(state, "idle"))
		there = stop_when_idle();
	if (there && !strcmp(state, "load"))
		there = inject(0, optional.record, target, MISC_PAGE) && ask("sigbus", "wait") &&
			wait_until_records_handled();
	if (there && !strncmp(state, "load", strlen("load"))) {
		there = stop_in_load(&spins);
		questions = spins ? after_load : ask_here;
	}
	return there && save_guest(state) ? questions : NULL;
}

/* ---- the program */

/* fuzz.py reads the names here: those that take longest come first */
static const struct scenario all[] = {
	{ .name = "bits", .run = bits },
	{ .name = "address", .run = about_addresses },
	{ .name = "random", .run = random_ones },
	{ .name = "again", .run = again },
	{ .name = "boot", .run = boot },
	{ .name = "off", .run = power_off },
	{ .name = "offline", .run = offline, .cpus = 2 },
	{ .name = "unplug", .run = unplug },
};

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
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		fprintf(stderr, " %s", all[i].name);
	fputc('\n', stderr);
	exit(2);
}

int main(int argc, char **argv)
{
	const char *kernel = NULL, *initrd = NULL, *disk = NULL;
	char drive[256];
	const char *args[7] = { "-accel", "tcg", "-machine", "q35,memory-backend=ram" };
	struct machine machine = {
		.name = "fuzz", .qemu = "qemu-system-x86_64", .args = args,
		.cpu = "Haswell-noTSX,vendor=GenuineIntel", .ram_mb = RAM / MB, .local = true,
	};
	struct scenario s = { 0 };
	int opt;

	while ((opt = getopt(argc, argv, "v:d:s:k:i:z:")) != -1) {
		switch (opt) {
		case 'v':
			only = optarg;
			break;
		case 'd':
			disk = optarg;
			break;
		case 's':
			seed = strtoul(optarg, NULL, 10);
			break;
		case 'k':
			kernel = optarg;
			break;
		case 'i':
			initrd = optarg;
			break;
		case 'z':
			zero_page = strtoull(optarg, NULL, 0);
			break;
		default:
			bad_arguments();
		}
	}
	for (size_t i = 0; optind == argc - 1 && i < ARRAY_SIZE(all); i++)
		if (!strcmp(argv[optind], all[i].name))
			scenario = &all[i];
	if (!scenario || !disk || !kernel || !initrd)
		bad_arguments();
	args[4] = "-drive";
	args[5] = drive;
	snprintf(drive, sizeof(drive), "if=none,format=qcow2,cache=unsafe,file=%s", disk);
	s = *scenario;
	s.run = run;
	/* panic=0: no reboot after a panic; loglevel=7: "boot" counts lines */
	s.kernel_args = "panic=0 loglevel=7";
	what = s.name;
	return run_scenario(&machine, &s, kernel, initrd, BOOT_S);
}
