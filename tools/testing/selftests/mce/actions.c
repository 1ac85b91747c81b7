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
const struct record deferred_error = {
	.status = MCI_STATUS_VAL | MCI_STATUS_EN | MCI_STATUS_MISCV | MCI_STATUS_ADDRV |
		  MCI_STATUS_DEFERRED | MCI_STATUS_POISON,
	.local = true,
};

/* ACPI 6.5, 6.3.5: source events and status codes of _OST */
enum { OST_DEVICE_CHECK = 1, OST_EJECT_REQUEST = 3 };
enum { OST_SUCCESS = 0, OST_EJECT_IN_PROGRESS = 0x84 };

static bool in_l1(void)
{
	char line[4096] = "";
	FILE *f = fopen("/proc/cmdline", "r");

	if (f) {
		if (!fgets(line, sizeof(line), f))
			line[0] = '\0';
		fclose(f);
	}
	return strstr(line, "mce_lab=l1");
}

static void sigbus_in_child(int sig)
{
	(void)sig;
	_exit(0);
}

/* Put real poison into the guest's page at @gpa, by the file that backs it. */
bool poison_page(uint64_t gpa)
{
	int status = 0;
	pid_t pid;

	vm.step = "poison";
	if (!in_l1())
		return lab_error("this is not the lab's L1: refusing to poison its memory");
	pid = fork();
	if (!pid) {
		/* the offset in the file is the gpa, as all RAM is below 2 GB */
		char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, vm.ram, gpa);

		if (p == MAP_FAILED)
			_exit(errno);
		signal(SIGBUS, sigbus_in_child);
		__atomic_load_n(p, __ATOMIC_RELAXED);
		_exit(madvise(p, PAGE, MADV_HWPOISON) ? errno : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return lab_error("child for MADV_HWPOISON: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return lab_error("MADV_HWPOISON of gpa %#llx: %s", (unsigned long long)gpa,
			      WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "child died");
	say("poisoned gpa=%#llx", (unsigned long long)gpa);
	return true;
}

/*
 * Have QEMU raise a machine check on @cpu about @gpa. @misc selects the valid bits of the
 * address: MISC_PAGE or MISC_LINE. A record that is not local goes to all CPUs, as on Intel
 * machines without LMCE. The other CPUs find nothing in their banks.
 */
bool inject(int cpu, struct record record, uint64_t gpa, uint64_t misc)
{
	const char *reply;

	if (vm.local && !record.local) {
		record.local = true;
		record.mcgstatus |= MCG_STATUS_LMCES;
	}
	vm.step = "inject";
	if (!vm.silent)
		say("injects status=%#llx mcgstatus=%#llx gpa=%#llx misc=%#llx on cpu %d",
		    (unsigned long long)record.status, (unsigned long long)record.mcgstatus,
		    (unsigned long long)gpa, (unsigned long long)misc, cpu);
	reply = ask_monitor("mce %s%d %d %#llx %#llx %#llx %#llx",
			    record.local ? "" : "-b ", cpu, MCE_BANK,
			    (unsigned long long)record.status,
			    (unsigned long long)record.mcgstatus,
			    (unsigned long long)gpa, (unsigned long long)misc);
	if (reply && reply[0])
		return lab_error("QEMU's mce command: %s", reply);
	return reply;
}

/* The record for an error that need not interrupt the guest. On AMD it raises no exception. */
struct record optional_record(void)
{
	return vm.amd ? deferred_error : action_optional;
}

/*
 * Find the CPU on which the victim spins in user mode. @registers are those of all CPUs.
 * The victim has the address of its page, @gpa, in R15 (victim.c). Returns -1 if no CPU runs
 * it.
 */
static int cpu_of_spinning(const char *registers, uint64_t gpa)
{
	const char *of_cpu = registers;
	char r15[32];

	snprintf(r15, sizeof(r15), "R15=%016llx", (unsigned long long)gpa);
	while (of_cpu) {
		const char *next = strstr(of_cpu + 1, "CPU#");
		const char *user = strstr(of_cpu, "CPL=3"), *spins = strstr(of_cpu, r15);

		if (user && spins && (!next || (user < next && spins < next)))
			return strncmp(of_cpu, "CPU#", 4) ? 0 : atoi(of_cpu + 4);
		of_cpu = next;
	}
	return -1;
}

/* Stop the guest while the victim spins in user mode, on *@cpu. */
bool stop_in_user_mode(uint64_t gpa, int *cpu)
{
	for (;;) {
		const char *registers;

		if (!qmp("stop", NULL))
			return false;
		registers = ask_monitor("info registers -a");
		if (!registers)
			return false;
		*cpu = cpu_of_spinning(registers, gpa);
		if (*cpu >= 0)
			return true;
		if (!qmp("cont", NULL))
			return false;
	}
}

/*
 * Have the hook load from @gpa through the direct map, over and over, and stop the guest in
 * that load. The page must be mapped.
 */
bool stop_in_kernel_load(uint64_t gpa)
{
	char r15[32];

	snprintf(r15, sizeof(r15), "R15=%016llx", (unsigned long long)gpa);
	vm.answer[0] = '\0';
	vm.step = "spin";
	say("asks: hook spin=%#llx", (unsigned long long)gpa);
	dprintf(vm.console, "hook spin=%#llx\n", (unsigned long long)gpa);
	for (;;) {
		const char *registers;

		if (vm.answer[0])
			return lab_error("the hook ended before it was stopped: %s", vm.answer);
		if (!qmp("stop", NULL))
			return false;
		registers = ask_monitor("info registers");
		if (!registers)
			return false;
		if (strstr(registers, r15) && strstr(registers, "CPL=0"))
			return true;
		if (!qmp("cont", NULL))
			return false;
	}
}

/*
 * An action required record is fatal if the CPU is in the kernel, even in a timer tick. So
 * stop the guest in user mode first.
 */
static bool inject_in_user_mode(struct record record, uint64_t gpa, uint64_t misc)
{
	int cpu;

	return stop_in_user_mode(gpa, &cpu) && inject(cpu, record, gpa, misc) &&
	       qmp("cont", NULL);
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
 * Have QEMU walk the guest's page tables to @gpa in the direct map. The fact @name becomes
 * "mapped" or "unmapped".
 */
bool look_at_direct_map(const char *name, uint64_t gpa)
{
	const char *reply = ask_monitor("gva2gpa %#llx", (unsigned long long)(DIRECT_MAP + gpa));
	unsigned long long found;

	if (!reply)
		return false;
	say("direct map at gpa=%#llx: %s", (unsigned long long)gpa, reply);
	if (!strncmp(reply, "Unmapped", 8))
		fact(name, "unmapped");
	else if (sscanf(reply, "gpa: %llx", &found) == 1 && found == gpa)
		fact(name, "mapped");
	else
		return lab_error("QEMU's gva2gpa command: %s", reply);
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
		 "{\"qom-type\":\"memory-backend-ram\",\"id\":\"mem1\",\"size\":%llu}", DIMM_SIZE);
	snprintf(dimm, sizeof(dimm),
		 "{\"driver\":\"pc-dimm\",\"id\":\"dimm1\",\"memdev\":\"mem1\",\"addr\":%llu}",
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

/* Have a victim map a page of @kind at or above @min. Its address goes to *@gpa. */
bool map_victim_page_above(uint64_t min, const char *kind, uint64_t *gpa)
{
	if (!ask("map", "map %#llx %s", (unsigned long long)min, kind))
		return false;
	*gpa = answered("gpa=");
	return true;
}

bool map_victim_page(const char *kind, uint64_t *gpa)
{
	return map_victim_page_above(ABOVE_4K_MAP, kind, gpa);
}

/* Return whether the newest answer is a SIGBUS with @code_lsb about the victim's page. */
bool is_sigbus(const char *code_lsb)
{
	return strstr(vm.answer, code_lsb) && strstr(vm.answer, " addr_match=yes");
}

/*
 * Send an action optional record, and do not wait for a SIGBUS. Wait only until the page
 * counts as corrupted: an AMD guest's bank holds one record until it is polled, and
 * wait_until_records_handled() sends another.
 */
bool report_quietly(uint64_t gpa, uint64_t misc)
{
	const char *prefix = vm.prefix;
	bool done;

	vm.prefix = NULL;
	done = ask("corrupted", "corrupted 0") &&
	       inject(0, optional_record(), gpa, misc) &&
	       ask("corrupted", "corrupted %llu",
		   (unsigned long long)answered("kb=") + PAGE / 1024) &&
	       wait_until_records_handled();
	vm.prefix = prefix;
	return done;
}

/* Send an action optional record for the victim's page, and wait until it is handled. */
bool report_optional(uint64_t gpa, uint64_t misc)
{
	return inject(0, optional_record(), gpa, misc) && ask("sigbus", "wait") &&
	       wait_until_records_handled();
}

/* Send an action required record while the victim is in user mode. */
bool report_required(uint64_t gpa, uint64_t misc)
{
	if (!ask("spinning", "spin"))
		return false;
	vm.answer[0] = '\0';
	return inject_in_user_mode(vm.amd ? amd_required : action_required, gpa, misc) &&
	       wait_for_answer("sigbus");
}
