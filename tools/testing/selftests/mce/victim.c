// SPDX-License-Identifier: GPL-2.0-only
/*
 * The victim: the guest's process that owns the page which goes bad. It is separate from PID 1,
 * so that only the victim dies. This file has its page, its accesses, and its SIGBUS.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT 0x8000000000000000UL
#define PAGEMAP_PFN 0x007fffffffffffffUL

char *page;

unsigned long gpa_of(const void *va)
{
	static int pagemap = -1;
	unsigned long entry;
	off_t off = (uintptr_t)va / PAGE * sizeof(entry);

	/* the file is of the process that opens it, so PID 1 must not open it before fork() */
	if (pagemap < 0)
		pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pread(pagemap, &entry, sizeof(entry), off) != sizeof(entry))
		return 0;
	return entry & PAGEMAP_PRESENT ? (entry & PAGEMAP_PFN) * PAGE : 0;
}

/* ---- SIGBUS */

static sig_atomic_t got_sigbus, trying;
static siginfo_t sigbus;
static sigjmp_buf after_try;

static void on_sigbus(int sig, siginfo_t *si, void *context)
{
	(void)sig;
	(void)context;
	sigbus = *si;
	__atomic_store_n(&got_sigbus, 1, __ATOMIC_RELAXED);
	if (__atomic_load_n(&trying, __ATOMIC_RELAXED))
		siglongjmp(after_try, 1);
}

void mask_sigbus(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	sigprocmask(how, &set, NULL);
}

void catch_sigbus(bool early)
{
	struct sigaction sa = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &sa, NULL);
	/* an action optional SIGBUS stays pending until a command unblocks it */
	mask_sigbus(SIG_BLOCK);
	if (early && prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0))
		fail("PR_MCE_KILL errno=%d", errno);
}

static const char *code_name(const siginfo_t *si)
{
	return si->si_code == BUS_MCEERR_AR ? "BUS_MCEERR_AR" :
	       si->si_code == BUS_MCEERR_AO ? "BUS_MCEERR_AO" : "other";
}

/* addr_match is "yes" if addr and the page are in the same 1 << lsb bytes. */
void report_sigbus(const siginfo_t *si)
{
	uintptr_t addr = (uintptr_t)si->si_addr;

	answer("sigbus code=%s lsb=%d addr=%#lx addr_match=%s", code_name(si), si->si_addr_lsb,
	       addr, (addr ^ (uintptr_t)page) >> si->si_addr_lsb ? "no" : "yes");
}

static void report_last_sigbus(void)
{
	report_sigbus(&sigbus);
	got_sigbus = 0;
}

/* ---- the commands */

static void wait_for_sigbus(void)
{
	sigset_t none;

	sigemptyset(&none);
	while (!__atomic_load_n(&got_sigbus, __ATOMIC_RELAXED))
		sigsuspend(&none);
	report_last_sigbus();
}

static void spin_until_sigbus(void)
{
	mask_sigbus(SIG_UNBLOCK);
	answer("spinning");
	/* by R15 the VMM driver finds the CPU that runs the victim, see actions.c */
	asm volatile("mov %1, %%r15\n"
		     "1: cmpl $0, %0\n"
		     "je 1b" : : "m"(got_sigbus), "r"(gpa_of(page)) : "r15", "cc", "memory");
	mask_sigbus(SIG_BLOCK);
	report_last_sigbus();
}

/* Return whether @access finished. If not, report the SIGBUS. */
static bool try(void (*access)(void))
{
	__atomic_store_n(&trying, 1, __ATOMIC_RELAXED);
	if (!sigsetjmp(after_try, 1)) {
		mask_sigbus(SIG_UNBLOCK);
		access();
		mask_sigbus(SIG_BLOCK);
		__atomic_store_n(&trying, 0, __ATOMIC_RELAXED);
		return true;
	}
	__atomic_store_n(&trying, 0, __ATOMIC_RELAXED);
	report_last_sigbus();
	return false;
}

static unsigned char loaded;

static void load_byte(void)
{
	loaded = __atomic_load_n(page, __ATOMIC_RELAXED);
}

static void try_load(void)
{
	if (try(load_byte))
		answer("value byte=%#x", loaded);
}

static void call_page(void)
{
	((void (*)(void))page)();
}

static void try_jump(void)
{
	if (try(call_page))
		answer("returned");
}

static void write_to_pipe(void)
{
	const char *error;
	ssize_t ret;
	int fds[2];

	if (pipe(fds))
		fail("pipe errno=%d", errno);
	mask_sigbus(SIG_UNBLOCK);
	ret = write(fds[1], page, PAGE);
	error = errno_name(ret);
	mask_sigbus(SIG_BLOCK);
	answer("write ret=%zd errno=%s sigbus=%s", ret, error,
	       got_sigbus ? code_name(&sigbus) : "none");
	got_sigbus = 0;
	close(fds[0]);
	close(fds[1]);
}

static void load_hook(void)
{
	char params[64];
	int fd = open("/hook.ko", O_RDONLY);

	snprintf(params, sizeof(params), "%.*s", (int)strcspn(args, "\n"), args);
	/* the module answers by itself, and its init function ends with ECANCELED */
	if (fd < 0 || !syscall(SYS_finit_module, fd, params, 0) || errno != ECANCELED)
		fail("hook.ko errno=%d", errno);
	close(fd);
}

static void leave(void)
{
	answer("gone");
	_exit(0);
}

/* "sigbus ..." is the answer of report_sigbus(). */
const struct command victim_commands[] = {
	/* wait: sleep until SIGBUS. -> sigbus ... */
	{ "wait", wait_for_sigbus, VICTIM },
	/*
	 * spin: the same, but busy in user mode, with the physical address of the page in R15.
	 * -> spinning, then sigbus ...
	 */
	{ "spin", spin_until_sigbus, VICTIM },
	/* load: read a byte of the page. -> value byte=, or sigbus ... */
	{ "load", try_load, VICTIM },
	/* jump: run the page's first instruction. -> returned, or sigbus ... */
	{ "jump", try_jump, VICTIM },
	/*
	 * write: have the kernel read the page, by write(2) to a pipe. -> write ret= errno=
	 * sigbus= (the code of a SIGBUS that came before it returned)
	 */
	{ "write", write_to_pipe, VICTIM },
	/* hook PARAMETERS: load the hook module, see hook/hook.c. -> the module's answer */
	{ "hook", load_hook, VICTIM },
	/* leave: exit. -> gone */
	{ "leave", leave, VICTIM },
	{ }
};
