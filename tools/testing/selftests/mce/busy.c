// SPDX-License-Identifier: GPL-2.0-only
/* Processes that keep CPUs busy, and measure for how long they did not run. */
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define CPUS_MAX 16

static struct {
	pid_t pid[CPUS_MAX];
	uint64_t *longest_ns;	/* shared: one of each process */
	int cpus;
} load;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);	/* vDSO: stays in user mode */
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void keep_busy(int cpu)
{
	uint64_t last = now_ns();

	stay_on_cpu(cpu);
	for (unsigned long i = 0;; i++) {
		uint64_t t, longest = __atomic_load_n(&load.longest_ns[cpu], __ATOMIC_RELAXED);

		if (i / 1000 % 2)
			syscall(SYS_getppid);
		t = now_ns();
		if (t - last > longest)
			__atomic_store_n(&load.longest_ns[cpu], t - last, __ATOMIC_RELAXED);
		last = t;
	}
}

static void start_load(void)
{
	load.cpus = next_number();
	load.longest_ns = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (load.cpus < 1 || load.cpus > CPUS_MAX || load.longest_ns == MAP_FAILED ||
	    sysconf(_SC_NPROCESSORS_ONLN) < load.cpus) {
		fail("%ld_cpus_online", sysconf(_SC_NPROCESSORS_ONLN));
	}
	for (int i = 0; i < load.cpus; i++) {
		load.pid[i] = fork();
		if (!load.pid[i])
			keep_busy(i);
	}
	answer("busy monarch_us=%ld",
	       read_number("/sys/devices/system/machinecheck/machinecheck0/monarch_timeout"));
}

static void report_stalls(void)
{
	uint64_t max = 0;

	for (int i = 0; i < load.cpus; i++) {
		uint64_t one = __atomic_exchange_n(&load.longest_ns[i], 0, __ATOMIC_RELAXED);

		if (one > max)
			max = one;
	}
	answer("stalls max_us=%llu", (unsigned long long)max / 1000);
}

static void stop_load(void)
{
	for (int i = 0; i < load.cpus; i++) {
		kill(load.pid[i], SIGKILL);
		waitpid(load.pid[i], NULL, 0);
	}
	load.cpus = 0;
	answer("calm");
}

const struct command busy_commands[] = {
	/*
	 * busy N: keep N CPUs busy, in user and in kernel mode.
	 * -> busy monarch_us= (how long the first CPU in a machine check waits for the others)
	 */
	{ "busy", start_load, PID_1 },
	/*
	 * stalls: report the longest time since the last report that one of the processes did
	 * not run. -> stalls max_us=
	 */
	{ "stalls", report_stalls, PID_1 },
	/* calm: end the processes. -> calm */
	{ "calm", stop_load, PID_1 },
	{ }
};
