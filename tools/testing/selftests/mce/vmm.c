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

bool lab_failed(void)
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
	while (!vm.panic && !after(vm.answer, "alive "))
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

/* vm.facts as JSON. All values are strings. A repeated key gets an array of all its values. */
static struct json_object *facts_by_key(void)
{
	struct json_object *facts = json_object_new_object(), *known, *all;
	char *save, *key;

	for (key = strtok_r(vm.facts, " ", &save); key; key = strtok_r(NULL, " ", &save)) {
		char *end = strchr(key, '=');
		struct json_object *value = json_object_new_string(end + 1);

		*end = '\0';
		if (!json_object_object_get_ex(facts, key, &known)) {
			json_object_object_add(facts, key, value);
		} else if (json_object_is_type(known, json_type_array)) {
			json_object_array_add(known, value);
		} else {
			all = json_object_new_array();
			json_object_array_add(all, json_object_get(known));
			json_object_array_add(all, value);
			json_object_object_add(facts, key, all);
		}
	}
	return facts;
}

static void print_verdict(const char *what)
{
	struct json_object *verdict = json_object_new_object();

	json_object_object_add(verdict, "what", json_object_new_string(what));
	json_object_object_add(verdict, "facts", facts_by_key());
	say("verdict %s",
	    json_object_to_json_string_ext(verdict, JSON_C_TO_STRING_PLAIN |
					   JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(verdict);
}

/*
 * Get the options of a driver, @letters as for getopt(3): @value[letter] becomes the argument
 * of an option, "" if it has none. Return false if that fails, or if the options -k KERNEL and
 * -i INITRD and one more argument, argv[optind], are not there.
 */
bool parse_options(int argc, char **argv, const char *letters, const char *value[128])
{
	int letter;

	while ((letter = getopt(argc, argv, letters)) != -1)
		value[letter] = optarg ?: "";
	return !value['?'] && value['k'] && value['i'] && optind == argc - 1;
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
	vm.step = "boot";
	vm.scenario = s;
	vm.amd = m->amd;
	vm.local = m->local && !s->broadcast;
	finished = start_qemu(m, s, kernel, initrd) &&
		   begin_qmp(m, s) && (!m->starving || boot_rotating_vcpus()) &&
		   wait_for_answer("ready") && (!m->amd || ask("poll", "poll 1"));
	if (finished)
		finished = s->run() && proof_of_life();

	hang = vm.timed_out;
	if (hang)
		say_registers();
	if (vm.oops && !vm.panic && !vm.lab_error)
		survives = survives_oops();
	/* nothing more will come: do not wait for it */
	if (survives)
		dprintf(vm.console, "off\n");

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
