// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands of the guest for bench/cost.c and fuzz/fuzz.c. driver.py links them to the selftest's
 * guest program.
 */
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "../tools/testing/selftests/mce/guest.h"

/* Shared memory: a running target counts it up. */
static unsigned long *heartbeat;

/* PID 1 must map it before it starts a victim. */
__attribute__((constructor))
static void map_heartbeat(void)
{
	heartbeat = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (heartbeat == MAP_FAILED)
		abort();
}

static void answer_sigbus(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	report_sigbus(si);
}

static void become_target(void)
{
	struct sigaction sa = { .sa_sigaction = answer_sigbus, .sa_flags = SA_SIGINFO };

	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	catch_sigbus(true);
	if (page == MAP_FAILED || sigaction(SIGBUS, &sa, NULL))
		fail("target errno=%d", errno);
	memset(page, 0x5a, PAGE);
	mask_sigbus(SIG_UNBLOCK);
	answer("target gpa=%#lx", gpa_of(page));
	command_done();
	/* R15: as in spin_until_sigbus() */
	asm volatile("mov %1, %%r15\n"
		     "1: incq (%0)\n"
		     "jmp 1b" : : "r"(heartbeat), "r"(gpa_of(page)) : "r15", "cc", "memory");
}

static void report_hit(void)
{
	unsigned long beat = __atomic_load_n(heartbeat, __ATOMIC_RELAXED);
	int status = 0;

	/* until the target counts or dies, the kernel still handles the machine check */
	while (victim && __atomic_load_n(heartbeat, __ATOMIC_RELAXED) == beat) {
		if (waitpid(victim, &status, WNOHANG) == victim)
			victim = 0;
		sched_yield();
	}
	answer("hit killed=%d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static void report_interrupts(void)
{
	answer("interrupts tlb=%lu call=%lu mce=%lu", count_interrupts("TLB:"),
	       count_interrupts("CAL:"), count_interrupts("MCE:"));
}

static void take_offline(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%lu/online", next_number());
	if (!write_file(path, "0"))
		fail("offline errno=%d", errno);
	answer("offline");
}

static void here(void)
{
	answer("here");
}

const struct command more_commands[] = {
	/*
	 * target: own a page, ask for early kill, and spin forever, with the page's physical
	 * address in R15. It accepts no other command. -> target gpa=, then "sigbus ..." for each
	 * SIGBUS
	 */
	{ "target", become_target, NEW_VICTIM },
	/*
	 * hit: wait until the target continues or dies. -> hit killed= (the signal; 0: it
	 * continues)
	 */
	{ "hit", report_hit, PID_1 },
	/*
	 * interrupts: count interrupts on all CPUs since the boot. -> interrupts tlb= (flushes of
	 * user mappings) call= (function calls, with flushes of kernel mappings) mce=
	 */
	{ "interrupts", report_interrupts, PID_1 },
	/* offline CPU: take that CPU offline. -> offline */
	{ "offline", take_offline, PID_1 },
	/* here: show that the guest runs commands. -> here */
	{ "here", here, PID_1 },
	{ }
};
