// SPDX-License-Identifier: GPL-2.0-only
/*
 * One run of a guest under QEMU, from its boot to its end, and the verdict. See vmm.h. The
 * program vmm (main.c) is one that uses this file.
 *
 * A run without a limit has no timeouts: under Bochs, this program's clock is unrelated to
 * real time.
 */
#include <signal.h>
#include <unistd.h>

#include <json-c/json.h>

#include "vmm.h"

/* How long the console is read after the end of the scenario */
#define LAST_WORDS_MS 10000

struct vm vm = { .qmp = -1, .console = -1 };

bool lab_broken(void)
{
	vm.lab_error = true;
	return false;
}

/* The guest proves that it lives, and powers off by itself. */
static bool proof_of_life(void)
{
	if (!ask("alive", "alive"))
		return false;
	vm.warned |= answered("warned=");
	if (!ask("off", "off"))
		return false;
	vm.step = "power-off";
	while (!vm.powered_off)
		if (!pump())
			return false;
	return true;
}

/* The state of the CPU, for the log. */
static void say_registers(void)
{
	const char *reply;

	vm.timed_out = false;
	vm.deadline_ms = now_ms() + LAST_WORDS_MS;
	reply = ask_monitor("info registers");
	if (reply)
		say("registers:\n%s", reply);
}

/*
 * Boot the guest. Under -icount a spinning vCPU starves the others: QEMU 7.2 gives the next
 * vCPU only the rest of a time slice. In 5.10 and 6.1 the first vCPU spins in schedule()
 * until the second is up. stop and cont rotate them.
 */
static bool boot_rotating_vcpus(void)
{
	while (!vm.answer[0]) {
		usleep(5000);
		if (!qmp("stop", NULL) || !qmp("cont", NULL) || !pump())
			return false;
	}
	return true;
}

/*
 * After an oops that killed a process, the rest of the guest should live: PID 1 answers, and
 * forks.
 */
static bool survives_oops(void)
{
	vm.oops_over = false;
	vm.timed_out = false;
	vm.deadline_ms = now_ms() + LAST_WORDS_MS;
	vm.prefix = NULL;
	vm.answer[0] = '\0';
	dprintf(vm.console, "alive\n");
	while (!vm.panic && strncmp(vm.answer, "alive ", strlen("alive ")))
		if (!pump())
			break;
	return !vm.panic && strstr(vm.answer, "alive fork=ok");
}

static const char *verdict(bool finished, bool hang)
{
	if (vm.lab_error)
		return "error";
	if (vm.panic)
		return "panic";
	if (vm.oops)
		return "oops";
	if (vm.killed)
		return "killed";
	if (finished)
		return vm.warned ? "warns" : "lives";
	return hang ? "hang" : "error";
}

static void print_verdict(const char *what)
{
	struct json_object *verdict = json_object_new_object();

	json_object_object_add(verdict, "what", json_object_new_string(what));
	json_object_object_add(verdict, "facts", json_object_get(vm.facts));
	say("verdict %s",
	    json_object_to_json_string_ext(verdict, JSON_C_TO_STRING_PLAIN |
					   JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(verdict);
}

/*
 * Run one scenario from boot to the guest's power-off, @limit seconds at most (0: no
 * limit), and print the verdict. Returns the exit status: 0 if there is a verdict, 1 if it
 * is "error".
 */
int run_scenario(const struct machine *m, const struct scenario *s, const char *kernel,
		 const char *initrd, int limit)
{
	const char *what;
	bool finished, hang, survives = false;

	signal(SIGPIPE, SIG_IGN);
	vm.deadline_ms = limit ? now_ms() + limit * 1000LL : INT64_MAX;
	vm.prefix = "";
	forget_facts();
	vm.step = "boot";
	vm.amd = m->amd;
	vm.local = m->local && !s->broadcast;
	finished = start_qemu(m, s, kernel, initrd) &&
		   qmp("qmp_capabilities", NULL) && (!m->starving || boot_rotating_vcpus()) &&
		   wait_for_answer("ready") && (!m->amd || ask("poll", "poll 1"));
	if (finished)
		finished = s->run() && proof_of_life();

	hang = vm.timed_out;
	if (hang)
		say_registers();
	if (vm.oops && !vm.panic && !vm.lab_error)
		survives = survives_oops();

	/* a dying guest still prints its trace, and QEMU sends its last event */
	if (limit && !vm.timed_out && vm.deadline_ms > now_ms() + LAST_WORDS_MS)
		vm.deadline_ms = now_ms() + LAST_WORDS_MS;
	while ((limit || vm.panic || vm.oops) && pump())
		;
	end_qemu();

	what = verdict(finished, hang);
	if (vm.message[0])
		fact("why", "%s", vm.message);
	/* each machine check prints its RIP, but only the RIP at the guest's end matters */
	if (vm.rip[0] && !finished)
		fact("rip", "%s", vm.rip);
	if (vm.fault[0])
		fact("fault", "%s", vm.fault);
	if (!finished)
		fact("at", "%s", vm.step);
	if (!strcmp(what, "oops"))
		fact("survives", "%s", survives ? "yes" : "no");
	print_verdict(what);
	return strcmp(what, "error") ? 0 : 1;
}
