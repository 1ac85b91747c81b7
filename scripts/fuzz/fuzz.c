// SPDX-License-Identifier: GPL-2.0-only
/*
 * Machine checks that no sane VMM sends, at one guest, one after the other.
 *
 *   fuzz [-v RECORD] -d DISK -s SEED -k KERNEL -i INITRD -z ZERO WHAT
 *
 * DISK is an empty qcow2 image: the guest, under QEMU TCG, is brought into a state, which
 * is saved there, and gets each record in just that state. ZERO is the physical address of
 * the kernel's zero page. Prints for each record, with what became of the guest,
 *
 *   fuzz: WHAT STATE RECORD -> OUTCOME
 *
 * RECORD is STATUS:MCGSTATUS:MISC:NAME-OF-ADDRESS; with -v, only that one is sent, and the
 * console is shown. OUTCOME is panic:WHY, oops:WHY, reset, hang, or lives, with what the
 * guest told since: SIGBUS, death of a process, how a load in the kernel ended. Why is
 * that of the kernel's message. WHAT is one of:
 *
 *   bits      all combinations of the bits that grading looks at, about the one page
 *             that is in use
 *   address   sane records about addresses that are not
 *   random    random ones, of that and more, from SEED
 *   again     the same page again and again
 *   boot      sane records while the guest boots
 *   off       while it powers off
 *   offline   on a CPU that is offline
 *   unplug    about a DIMM that is being unplugged
 *
 * Exit status: 0, 1 when something went wrong (it prints what), 2 for bad arguments.
 */
#include <stdlib.h>
#include <unistd.h>

#include "../../tools/testing/selftests/mce/vmm.h"

#define RAM (96 * MB)

#define BIT(n) (1ULL << (n))

/* Bits of MCi_STATUS, SDM Vol. 3B, "IA32_MCi_STATUS MSRS" */
#define VAL BIT(63)
#define OVER BIT(62)
#define UC BIT(61)
#define EN BIT(60)
#define MISCV BIT(59)
#define ADDRV BIT(58)
#define PCC BIT(57)
#define S BIT(56)
#define AR BIT(55)

/* MCG_STATUS; without MCIP there is no machine check */
#define RIPV 1
#define EIPV 2
#define MCIP 4
#define LMCES 8

/* MCACOD: memory scrubbing, data load, instruction fetch, and one that no rule has */
static const unsigned long codes[] = { 0xc0, 0x134, 0x150, 0x005 };

/* MCi_MISC: a page, a line, what is no physical address, and more than a page */
static const unsigned long miscs[] = { MISC_PAGE, MISC_LINE, 0x4c, 0x95 };

/* How many are sent of what is random */
#define RANDOM_ONES 2000
#define AGAIN 100
#define OFF 40
#define UNPLUG 60

/* How long a guest may take over one record, or over booting, before it counts as hung */
#define HANG_MS 20000
#define BOOT_S 120

struct sent {
	struct record record;
	unsigned long misc, addr;
	const char *addr_name;
	int cpu;
};

static const struct sent optional = {
	.record = { .status = VAL | UC | EN | MISCV | ADDRV | S | 0xc0, .mcgstatus = MCIP | RIPV },
	.misc = MISC_PAGE,
};

static const struct sent required = {
	.record = { .status = VAL | UC | EN | MISCV | ADDRV | S | AR | 0x134,
		    .mcgstatus = MCIP | RIPV | EIPV },
	.misc = MISC_PAGE,
};

static const char *what, *only;
static unsigned int seed;
static unsigned long zero_page, target;

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

static bool save(const char *state)
{
	const char *reply = ask_monitor("savevm %s", state);

	return reply && (!reply[0] || lab_error("savevm %s: %s", state, reply));
}

/* The guest is stopped, as it was when it was saved. */
static bool load(const char *state)
{
	const char *reply;

	/* a machine that is powered off has to be another one first */
	if (vm.powered_off) {
		forget();
		if (!qmp("system_reset", NULL))
			return false;
		while (!vm.reset)
			if (!pump())
				return false;
	}
	forget();
	/* QEMU would have it run at once if it runs now */
	if (!qmp("stop", NULL))
		return false;
	reply = ask_monitor("loadvm %s", state);
	if (!reply || reply[0])
		return lab_error("loadvm %s: %s", state, reply ?: "no answer");
	/* earlier output is not about this record */
	forget();
	return drain_console();
}

/* As inject(), but QEMU may say what it likes: that the CPU has no machine checks yet. */
static bool send(const struct sent *r)
{
	return ask_monitor("mce %s%d %d %#lx %#lx %#lx %#lx",
			   r->record.local ? "" : "-b ", r->cpu, MCE_BANK, r->record.status,
			   r->record.mcgstatus, r->addr, r->misc);
}

static bool at_end(void)
{
	return vm.panic || vm.oops || vm.reset || vm.powered_off;
}

/*
 * Ask the guest one question after the other, and wait for the answers; "<" is one that was
 * asked before, "!" is for its power-off, "~" has it go through all records that it has put
 * off, as settle(). SIGBUS may be told of at any time.
 */
static void wait_for_end(const char *const *questions)
{
	const struct sent nowhere = {
		.record = optional.record, .misc = MISC_PAGE, .addr = NO_MEMORY_HERE,
	};

	/* how a load came to its end, or that it had before, is not what this is about */
	vm.prefix = **questions == '<' ? NULL : "";
	for (; *questions && !at_end() && !vm.timed_out; questions++) {
		bool asked = !strchr("<!~", **questions);

		vm.awaited = asked ? *questions : **questions == '<' ? "" : NULL;
		vm.came = false;
		if (asked)
			dprintf(vm.console, "%s\n", *questions);
		vm.outside = false;
		if (**questions == '~' && !send(&nowhere))
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

static void print_outcome(const char *state, const struct sent *r)
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
 * Send @r to the guest in the state that was saved as @saved, which is printed as @state,
 * and see what it does, until it has answered all of @questions.
 */
static bool try_in(const char *saved, const char *state, const struct sent *r,
		   const char *const *questions)
{
	if (only && strcmp(only, id_of(r)))
		return true;
	vm.silent = !only;
	vm.deadline_ms = now_ms() + HANG_MS;
	if (!load(saved) || !send(r) || !qmp("cont", NULL))
		return false;
	wait_for_end(questions);
	print_outcome(state, r);
	/* it did what there was to do: nothing stands in the way of the next */
	vm.oops_over = false;
	vm.timed_out = false;
	vm.deadline_ms = now_ms() + HANG_MS;
	return !vm.lab_error;
}

static bool try(const char *state, const struct sent *r, const char *const *questions)
{
	return try_in(state, state, r, questions);
}

/* ---- the states that a guest can be in */

/* No CPU has anything to do. */
static bool idle(void)
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

/* A process spins, which has asked to be told of its page. */
static bool user(void)
{
	int cpu;

	if (!ask("target", "target"))
		return false;
	target = answered("gpa=");
	return stop_in_user_mode(target, &cpu);
}

/*
 * The kernel loads from the page, by an instruction that has a fixup. An unpatched kernel
 * may have got its fixup already, as the page is not in its direct map: then *@spins is false.
 */
static bool kernel_load(bool *spins)
{
	const char *registers;
	char r15[32];

	snprintf(r15, sizeof(r15), "R15=%016lx", target);
	vm.answer[0] = '\0';
	dprintf(vm.console, "hook spin=%#lx\n", target);
	for (;;) {
		*spins = false;
		if (!strncmp(vm.answer, "stray ", 6))
			return idle();
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

static const char *const ask_here[] = { "here", "here", NULL };
static const char *const ask_hit[] = { "here", "here", "~", "hit", "here", NULL };
static const char *const after_load[] = { "<", "here", "here", NULL };

/*
 * Have a guest, saved when it had done nothing yet, be in @state, and save that by its
 * name. What to ask then; NULL: it went wrong.
 */
static const char *const *bring_into(const char *state)
{
	const char *const *questions = ask_here;
	bool there = load("base") && qmp("cont", NULL), spins = false;

	vm.prefix = NULL;
	if (there && !strcmp(state, "user")) {
		there = user();
		questions = ask_hit;
	} else if (there) {
		there = ask("map", "map %#llx anon early", ABOVE_4K_MAP);
		target = answered("gpa=");
	}
	if (there && !strcmp(state, "idle"))
		there = idle();
	if (there && !strcmp(state, "load"))
		there = inject(0, optional.record, target, MISC_PAGE) && ask("sigbus", "wait") &&
			settle();
	if (there && !strncmp(state, "load", strlen("load"))) {
		there = kernel_load(&spins);
		questions = spins ? after_load : ask_here;
	}
	return there && save(state) ? questions : NULL;
}

/* ---- what is sent */

static bool bits_about(const char *state, bool local, const char *const *questions)
{
	static const unsigned long flags[] = { OVER, EN, MISCV, ADDRV, PCC, S, AR };

	for (unsigned int set = 0; set < 1 << ARRAY_SIZE(flags); set++) {
		struct sent r = { .addr = target, .addr_name = "page" };

		r.record.status = VAL | UC;
		for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
			r.record.status |= set >> i & 1 ? flags[i] : 0;
		for (size_t c = 0; c < ARRAY_SIZE(codes); c++) {
			struct sent each = r;
			size_t valid;

			each.record.status |= codes[c];
			/* a corrected error raises no exception: once is enough */
			each.record.status &= ~UC;
			each.record.mcgstatus = 0;
			each.misc = MISC_PAGE;
			if (!try(state, &each, questions))
				return false;
			each.record.status |= UC;
			/* MISC is not read when it is not valid */
			valid = each.record.status & MISCV ? ARRAY_SIZE(miscs) : 1;
			for (size_t m = 0; m < valid; m++) {
				each.misc = miscs[m];
				for (unsigned long mcg = 0; mcg <= (LMCES | EIPV | RIPV); mcg++) {
					/* all have MCIP, which is not counted */
					if (mcg & MCIP || (mcg & LMCES && !local))
						continue;
					each.record.mcgstatus = mcg | MCIP;
					if (!try(state, &each, questions))
						return false;
				}
			}
		}
	}
	return true;
}

static bool bits(void)
{
	/* whether a record is local matters to those that a page is left after, or was */
	static const struct {
		const char *name;
		bool local;
	} states[] = {
		{ "idle", false }, { "user", true }, { "load", true }, { "load-good", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		const char *const *questions = bring_into(states[i].name);

		if (!questions || !bits_about(states[i].name, states[i].local, questions))
			return false;
	}
	return true;
}

/* Addresses without memory, or with memory that cannot be offlined. */
static const struct {
	const char *name;
	unsigned long addr;
} addresses[] = {
	{ "null", 0 }, { "first", 0x1000 }, { "vga", 0xa0000 }, { "bios", 0xf0000 },
	{ "kernel-text", 16 * MB }, { "kernel-text-2", 17 * MB },
	{ "last-page", RAM - PAGE }, { "end", RAM }, { "behind", RAM + PAGE },
	{ "hole", 0x80000000 }, { "pci", 0xb0000000 }, { "io-apic", 0xfec00000 },
	{ "hpet", 0xfed00000 }, { "local-apic", 0xfee00000 }, { "flash", 0xffff0000 },
	{ "4g", 1ULL << 32 }, { "2^39", 1ULL << 39 }, { "2^40-1p", (1ULL << 40) - PAGE },
	{ "2^45", 1ULL << 45 }, { "2^46", 1ULL << 46 }, { "2^51", 1ULL << 51 },
	{ "2^52-1p", (1ULL << 52) - PAGE }, { "2^52", 1ULL << 52 }, { "2^56", 1ULL << 56 },
	{ "2^63", 1ULL << 63 }, { "all", ~0ULL }, { "odd", 0x2345677 },
	{ "zero-page", 0 }, { "page-table", 0 }, { "page+1", 1 }, { "page+4095", 4095 },
};

static unsigned long address(size_t i, unsigned long cr3)
{
	if (!strcmp(addresses[i].name, "zero-page"))
		return zero_page;
	if (!strcmp(addresses[i].name, "page-table"))
		return cr3;
	return addresses[i].addr + (strncmp(addresses[i].name, "page+", 5) ? 0 : target);
}

static unsigned long find_cr3(void)
{
	const char *registers = ask_monitor("info registers");
	const char *p = registers ? strstr(registers, "CR3=") : NULL;

	return p ? strtoull(p + strlen("CR3="), NULL, 16) & ~(PAGE - 1) : 0;
}

static bool try_addresses(const char *state, const char *const *questions)
{
	unsigned long cr3 = find_cr3();

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct sent r[] = { optional, optional, required, required };

		for (size_t j = 0; j < ARRAY_SIZE(r); j++) {
			r[j].addr = address(i, cr3);
			r[j].addr_name = addresses[i].name;
			r[j].misc = j & 1 ? MISC_LINE : MISC_PAGE;
			if (!try(state, &r[j], questions))
				return false;
		}
	}
	return true;
}

static bool about_addresses(void)
{
	static const char *const states[] = { "idle", "user" };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		const char *const *questions = bring_into(states[i]);

		if (!questions || !try_addresses(states[i], questions))
			return false;
	}
	return true;
}

/* Half of them have to do without the bits that are fatal anyway. */
static bool random_ones(void)
{
	const char *const *questions = bring_into("user");
	unsigned long cr3;

	if (!questions)
		return false;
	cr3 = find_cr3();
	srandom(seed);
	for (int i = 0; i < RANDOM_ONES; i++) {
		size_t a = random() % ARRAY_SIZE(addresses);
		struct sent r = {
			.addr = address(a, cr3), .addr_name = addresses[a].name,
			.misc = random() % 2 ? MISC_PAGE : (unsigned long)random() << 31 ^ random(),
		};

		r.record.status = VAL | UC | ((unsigned long)random() << 32 ^ random());
		r.record.mcgstatus = MCIP | random() % 4;
		if (random() % 2) {
			r.record.status &= ~(PCC | 0xffffULL);
			r.record.status |= EN | ADDRV | MISCV | codes[random() % ARRAY_SIZE(codes)];
			r.record.mcgstatus |= RIPV;
		}
		if (!try("user", &r, questions))
			return false;
	}
	return true;
}

/* What went before is a part of the state here, until it has killed the process. */
static bool again(void)
{
	const char *const *questions = bring_into("user");

	srandom(seed);
	for (int i = 0; questions && i < AGAIN; i++) {
		struct sent r = random() % 2 ? optional : required;
		int cpu;

		r.addr = target;
		r.addr_name = "page";
		r.misc = random() % 2 ? MISC_PAGE : MISC_LINE;
		if (!try("user", &r, questions))
			return false;
		if (at_end() || !strstr(vm.told, "killed=0"))
			questions = bring_into("user");
		else if (!stop_in_user_mode(target, &cpu) || !save("user"))
			return false;
	}
	return questions;
}

/* ---- when a guest comes and goes */

static const char *const ask_ready[] = { "<", "here", "here", NULL };
static const char *const see_off[] = { "!", NULL };

/* At every third line that the kernel prints. */
static bool boot(void)
{
	if (!load("base") || !qmp("system_reset", NULL) || !qmp("cont", NULL))
		return false;
	vm.silent = !only;
	for (unsigned int line = vm.lines + 3;; line = vm.lines + 3) {
		const char *registers, *cr4, *state;
		struct sent r[] = { optional, required };

		vm.deadline_ms = now_ms() + HANG_MS;
		while (vm.lines < line && !vm.answer[0])
			if (!pump())
				return false;
		if (vm.answer[0])
			return true;
		if (!qmp("stop", NULL))
			return false;
		registers = ask_monitor("info registers");
		cr4 = registers ? strstr(registers, "CR4=") : NULL;
		if (!cr4)
			return false;
		/* X86_CR4_MCE: without it, a machine check is the end of the CPU */
		state = strtoul(cr4 + strlen("CR4="), NULL, 16) & 1 << 6 ? "mce" : "no-mce";
		if (!save("boot"))
			return false;
		for (size_t i = 0; i < ARRAY_SIZE(r); i++) {
			r[i].addr = RAM / 2;
			r[i].addr_name = "middle";
			if (!try_in("boot", state, &r[i], ask_ready))
				return false;
		}
		if (!load("boot") || !qmp("cont", NULL))
			return false;
	}
}

/* A little later each time, from the command to power off until the guest has done it. */
static bool power_off(void)
{
	srandom(seed);
	for (int i = 0; i < OFF; i++) {
		struct sent r[] = { optional, required };
		const char *registers, *state;

		if (!load("base") || !qmp("cont", NULL))
			return false;
		vm.deadline_ms = now_ms() + HANG_MS;
		dprintf(vm.console, "off\n");
		while (!vm.answer[0])
			if (!pump())
				return false;
		usleep(random() % 2000);
		if (!qmp("stop", NULL))
			return false;
		if (vm.powered_off)
			continue;
		registers = ask_monitor("info registers");
		if (!registers)
			return false;
		/* the process that asks for it has not been in the kernel, or it is */
		state = strstr(registers, "CPL=3") ? "user" : "kernel";
		if (!save("off"))
			return false;
		for (size_t j = 0; j < ARRAY_SIZE(r); j++) {
			r[j].addr = RAM / 2;
			r[j].addr_name = "middle";
			if (!try_in("off", state, &r[j], see_off))
				return false;
		}
	}
	return true;
}

static bool offline(void)
{
	struct sent r[] = { optional, required, optional, required, optional };

	if (!load("base") || !qmp("cont", NULL) || !ask("offline", "offline 1") || !idle() ||
	    !save("offline"))
		return false;
	r[4].record.mcgstatus = MCIP;	/* and what was interrupted cannot go on */
	for (size_t i = 0; i < ARRAY_SIZE(r); i++) {
		r[i].cpu = 1;
		r[i].record.local = i < 2 || i == 4;
		r[i].addr = RAM / 2;
		r[i].addr_name = i < 2 || i == 4 ? "middle-local" : "middle-broadcast";
		if (!try("offline", &r[i], ask_here))
			return false;
	}
	return true;
}

/*
 * The guest goes on unplugging it while it learns that it is bad. Not from a saved state:
 * QEMU loads none that has another DIMM than it has.
 */
static bool unplug(void)
{
	if (!load("base") || !qmp("cont", NULL))
		return false;
	srandom(seed);
	for (int i = 0; i < UNPLUG; i++) {
		struct sent r = optional;

		vm.deadline_ms = now_ms() + HANG_MS;
		if (!plug_dimm() || !begin_to_unplug_dimm())
			return false;
		usleep(random() % 20000);
		r.addr = DIMM_START + random() % (DIMM_SIZE / PAGE) * PAGE;
		r.addr_name = "dimm";
		r.misc = random() % 2 ? MISC_PAGE : MISC_LINE;
		forget_facts();
		if (!send(&r))
			return false;
		wait_for_end(ask_here);
		print_outcome("unplug", &r);
		if (at_end() || !finish_unplugging_dimm())
			return false;
	}
	return true;
}

/* ---- the program */

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

/* QEMU goes on when the guest does not, and the guest is saved as it is now. */
static bool run(void)
{
	/* wait_for_end() looks for the kernel's messages on the console */
	return qmp("set-action", "{\"reboot\":\"reset\",\"shutdown\":\"pause\"}") &&
	       ask("console", "console 7") && idle() && save("base") &&
	       scenario->run() && load("base") && qmp("cont", NULL);
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
	/* a kernel that panics stays as it is; "boot" counts lines */
	s.kernel_args = "panic=0 loglevel=7";
	what = s.name;
	return run_scenario(&machine, &s, kernel, initrd, BOOT_S);
}
