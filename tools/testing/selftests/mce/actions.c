// SPDX-License-Identifier: GPL-2.0-only
/*
 * The actions of scenarios on a guest: poison its memory, have QEMU report an error, stop it
 * in user mode or in a kernel load, plug and unplug a DIMM, and look at its direct map.
 *
 * Poison is madvise(MADV_HWPOISON) on the file that backs the guest's RAM. It takes a page
 * of the machine that runs this program offline. So it is refused unless that machine is the
 * lab's L1 ("mce_lab=l1" on its command line).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm.h"

/* EIPV: the interrupted instruction caused the record. */
const struct record action_optional = {
	.status = MCI_STATUS_SRAO, .mcgstatus = MCG_STATUS_MCIP | MCG_STATUS_RIPV,
};

const struct record action_required = {
	.status = MCI_STATUS_SRAR,
	.mcgstatus = MCG_STATUS_MCIP | MCG_STATUS_RIPV | MCG_STATUS_EIPV,
};

/* What QEMU sends to an AMD guest for action required */
static const struct record amd_required = {
	.status = MCI_STATUS_VAL | MCI_STATUS_UC | MCI_STATUS_EN | MCI_STATUS_MISCV |
		  MCI_STATUS_ADDRV | MCI_STATUS_POISON,
	.mcgstatus = MCG_STATUS_MCIP | MCG_STATUS_RIPV | MCG_STATUS_EIPV,
	.local = true,
};

/* A deferred error, as QEMU sends it to an AMD guest. It raises no exception. */
static const struct record deferred_error = {
	.status = MCI_STATUS_VAL | MCI_STATUS_EN | MCI_STATUS_MISCV | MCI_STATUS_ADDRV |
		  MCI_STATUS_DEFERRED | MCI_STATUS_POISON,
	.local = true,
};

/* ACPI 6.5, 6.3.5: source events and status codes of _OST */
enum { OST_DEVICE_CHECK = 1, OST_EJECT_REQUEST = 3 };
enum { OST_SUCCESS = 0, OST_EJECT_IN_PROGRESS = 0x84 };

static bool in_l1(void)
{
	char line[4096];
	FILE *f = fopen("/proc/cmdline", "r");
	bool lab = f && fgets(line, sizeof(line), f) && strstr(line, "mce_lab=l1");

	if (f)
		fclose(f);
	return lab;
}

static void sigbus_in_child(int sig)
{
	(void)sig;
	_exit(0);
}

/*
 * Have a victim map a page of @kind (map in kinds.c) above the 4K pages of the direct map. vm.gpa
 * becomes its address.
 */
bool map_page(const char *kind)
{
	return ask("map", "map %#lx %s", ABOVE_4K_MAP, kind);
}

/* Put real poison into the guest's page at vm.gpa, by the file that backs it. */
bool poison_page(void)
{
	int status = 0;
	pid_t pid;

	vm.step = "poison";
	if (!in_l1())
		return lab_error("this is not the lab's L1: refusing to poison its memory");
	pid = fork();
	if (!pid) {
		/* the offset in the file is the gpa, as all RAM is below 2 GB */
		char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vm.ram, vm.gpa);

		if (p == MAP_FAILED)
			_exit(errno);
		signal(SIGBUS, sigbus_in_child);
		__atomic_load_n(p, __ATOMIC_RELAXED);
		_exit(madvise(p, PAGE, MADV_HWPOISON) ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return lab_error("child for MADV_HWPOISON: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return lab_error("MADV_HWPOISON of gpa %#lx: %s", vm.gpa,
			      WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "child died");
	say("poisoned gpa=%#lx", vm.gpa);
	return true;
}

/*
 * Have QEMU raise a machine check on @cpu about @gpa. @misc selects the valid bits of the
 * address: MISC_PAGE or MISC_LINE. A record that is not local goes to all CPUs, as on Intel
 * machines without LMCE. The other CPUs find nothing in their banks.
 */
bool inject(int cpu, struct record record, unsigned long gpa, unsigned long misc)
{
	const char *reply;

	if (vm.local && !record.local) {
		record.local = true;
		record.mcgstatus |= MCG_STATUS_LMCES;
	}
	vm.step = "inject";
	if (!vm.silent)
		say("injects status=%#lx mcgstatus=%#lx gpa=%#lx misc=%#lx on cpu %d",
		    record.status, record.mcgstatus, gpa, misc, cpu);
	reply = ask_monitor("mce %s%d %d %#lx %#lx %#lx %#lx", record.local ? "" : "-b ", cpu,
			    MCE_BANK, record.status, record.mcgstatus, gpa, misc);
	if (reply && reply[0])
		return lab_error("QEMU's mce command: %s", reply);
	return reply;
}

/* The record for an error that need not interrupt the guest. On AMD it raises no exception. */
struct record optional_record(void)
{
	return vm.amd ? deferred_error : action_optional;
}

/* The value of a register of the guest's first CPU, 0 on failure. @name is as in "CR3=". */
unsigned long read_register(const char *name)
{
	const char *registers = ask_monitor("info registers");
	const char *value = registers ? after(registers, name) : NULL;

	if (registers && !value)
		lab_error("no %s in QEMU's registers", name);
	return value ? strtoul(value, NULL, 16) : 0;
}

/*
 * Stop the guest when it is @there, which gets the registers of all its CPUs as QEMU prints
 * them.
 */
bool stop_when(bool (*there)(const char *registers))
{
	for (;;) {
		const char *registers;

		if (!qmp("stop", NULL))
			return false;
		registers = ask_monitor("info registers -a");
		if (!registers)
			return false;
		if (there(registers))
			return true;
		if (!qmp("cont", NULL))
			return false;
	}
}

/*
 * Find the CPU that spins at the privilege level @cpl with vm.gpa in R15: the victim does
 * (victim.c), and the hook. Returns -1 if none does.
 */
static int spinning_cpu(const char *registers, int cpl)
{
	const char *at, *next;
	char r15[32];
	int cpu = 0;

	snprintf(r15, sizeof(r15), "R15=%016lx", vm.gpa);
	for (at = registers; (at = strstr(at, r15)); at++) {
		/* QEMU prints the level of a CPU after its R15 */
		const char *level = after(at, "CPL=");

		if (!level || atoi(level) != cpl)
			continue;
		for (next = registers; (next = after(next, "CPU#")) && next < at;)
			cpu = atoi(next);
		return cpu;
	}
	return -1;
}

static int victim_cpu;	/* where the victim was when it was stopped */

static bool is_in_user_mode(const char *registers)
{
	victim_cpu = spinning_cpu(registers, 3);
	return victim_cpu >= 0;
}

/* Stop the guest while the victim spins in user mode. */
bool stop_in_user_mode(void)
{
	return stop_when(is_in_user_mode);
}

static bool is_in_kernel_load(const char *registers)
{
	return vm.answer[0] || spinning_cpu(registers, 0) >= 0;
}

/*
 * Have the hook load from vm.gpa through the direct map, over and over, and stop the guest in
 * that load. If the page is not mapped, the hook ends: then its answer is in vm.answer.
 */
bool stop_in_kernel_load(void)
{
	vm.answer[0] = '\0';
	vm.step = "spin";
	if (!vm.silent)
		say("asks: hook spin=%#lx", vm.gpa);
	dprintf(vm.console, "hook spin=%#lx\n", vm.gpa);
	return stop_when(is_in_kernel_load);
}

/*
 * Wait until the guest has handled and logged all records so far. SIGBUS is too early: the
 * direct map changes after it. So send one more record, for an address without memory. It
 * goes through the same queue (mce_gen_pool_process()), so when it is in the log, all
 * earlier ones are handled. It must not come while the CPU still handles the last one.
 */
bool wait_until_records_handled(void)
{
	return ask("mark-log", "mark-log") &&
	       inject(0, optional_record(), NO_MEMORY_HERE, MISC_PAGE) &&
	       ask("wait-log", "wait-log");
}

/*
 * Have QEMU walk the guest's page tables to vm.gpa in the direct map. The fact @name becomes
 * "mapped" or "unmapped".
 */
bool look_at_direct_map(const char *name)
{
	const char *reply = ask_monitor("gva2gpa %#lx", DIRECT_MAP + vm.gpa);
	unsigned long found;

	if (!reply)
		return false;
	say("direct map at gpa=%#lx: %s", vm.gpa, reply);
	vm.mapped = sscanf(reply, "gpa: %lx", &found) == 1 && found == vm.gpa;
	if (!vm.mapped && strncmp(reply, "Unmapped", 8))
		return lab_error("QEMU's gva2gpa command: %s", reply);
	fact(name, vm.mapped ? "mapped" : "unmapped");
	return true;
}

/*
 * Wait until the guest's ACPI code has finished with the DIMM. It reports the event and its
 * status by _OST (ACPI 6.5, 6.3.5). QEMU's own DEVICE_DELETED comes too early: the guest
 * looks at the slot once more, and fails if the next DIMM is in it.
 */
static bool wait_for_ost(int source, const char *command)
{
	while (vm.ost_source != source || vm.ost_status != OST_SUCCESS) {
		if (vm.ost_source == source && vm.ost_status != OST_EJECT_IN_PROGRESS)
			return lab_error("the guest failed %s with _OST status %#x", command,
				      vm.ost_status);
		if (!pump())
			return false;
	}
	return true;
}

bool plug_dimm(void)
{
	char backend[128], dimm[128];

	vm.step = "plug";
	snprintf(backend, sizeof(backend),
		 "{\"qom-type\":\"memory-backend-ram\",\"id\":\"mem1\",\"size\":%lu}", DIMM_SIZE);
	snprintf(dimm, sizeof(dimm),
		 "{\"driver\":\"pc-dimm\",\"id\":\"dimm1\",\"memdev\":\"mem1\",\"addr\":%lu}",
		 DIMM_START);
	vm.ost_source = 0;
	return qmp("object-add", backend) && qmp("device_add", dimm) &&
	       wait_for_ost(OST_DEVICE_CHECK, "device_add");
}

bool begin_to_unplug_dimm(void)
{
	vm.step = "unplug";
	vm.ost_source = 0;
	return qmp("device_del", "{\"id\":\"dimm1\"}");
}

bool finish_unplugging_dimm(void)
{
	return wait_for_ost(OST_EJECT_REQUEST, "device_del") &&
	       qmp("object-del", "{\"id\":\"mem1\"}");
}

/* Return whether the newest answer is a SIGBUS with @code_lsb about the victim's page. */
bool is_sigbus(const char *code_lsb)
{
	return strstr(vm.answer, code_lsb) && strstr(vm.answer, " addr_match=yes");
}

/*
 * Send an action optional record for the page, and do not wait for a SIGBUS. Wait only until the
 * page counts as corrupted: an AMD guest's bank holds one record until it is polled, and
 * wait_until_records_handled() sends another.
 */
bool report_quietly(unsigned long misc)
{
	const char *prefix = vm.prefix;
	bool done;

	vm.prefix = NULL;
	done = ask("corrupted", "corrupted 0") &&
	       inject(0, optional_record(), vm.gpa, misc) &&
	       ask("corrupted", "corrupted %lu", answered("kb=") + PAGE / 1024) &&
	       wait_until_records_handled();
	vm.prefix = prefix;
	return done;
}

/* Send an action optional record for the page, and wait until it is handled. */
bool report_optional(unsigned long misc)
{
	return inject(0, optional_record(), vm.gpa, misc) && ask("sigbus", "wait") &&
	       wait_until_records_handled();
}

/*
 * Send an action required record while the victim is in user mode. It is fatal if the CPU is in
 * the kernel, even in a timer tick, so stop the guest first.
 */
bool report_required(unsigned long misc)
{
	struct record record = vm.amd ? amd_required : action_required;

	if (!ask("spinning", "spin"))
		return false;
	vm.answer[0] = '\0';
	return stop_in_user_mode() && inject(victim_cpu, record, vm.gpa, misc) &&
	       qmp("cont", NULL) && wait_for_answer("sigbus");
}
