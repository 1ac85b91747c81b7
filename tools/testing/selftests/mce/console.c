// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's console: send commands, and read answers, facts, and messages of a panic, an
 * oops or a warning.
 */
#include <stdlib.h>

#include <json-c/json.h>

#include "vmm.h"

/*
 * Copy @from up to any of @stop, unless @to is set: the first message is the cause, and later
 * ones are its consequences. Spaces become underscores, as the patterns in the table
 * "scenarios" are separated by spaces.
 */
static void copy_word(char *to, size_t size, const char *from, const char *stop)
{
	size_t len = strcspn(from, stop);

	if (to[0])
		return;
	if (len >= size)
		len = size - 1;
	memcpy(to, from, len);
	to[len] = '\0';
	for (char *c = to; *c; c++)
		if (*c == ' ')
			*c = '_';
}

/* All values are strings. A repeated key gets an array of all its values. */
void add_fact(const char *key)
{
	struct json_object *known, *value, *all;
	size_t len = strlen(vm.told);

	snprintf(vm.told + len, sizeof(vm.told) - len, " %s=%s", key, vm.value);
	value = json_object_new_string(vm.value);
	if (!json_object_object_get_ex(vm.facts, key, &known)) {
		json_object_object_add(vm.facts, key, value);
	} else if (json_object_is_type(known, json_type_array)) {
		json_object_array_add(known, value);
	} else {
		all = json_object_new_array();
		json_object_array_add(all, json_object_get(known));
		json_object_array_add(all, value);
		json_object_object_add(vm.facts, key, all);
	}
}

/* Return whether the only value of the fact @key is @value. */
bool is_fact(const char *key, const char *value)
{
	struct json_object *known;

	return json_object_object_get_ex(vm.facts, key, &known) &&
	       !strcmp(json_object_get_string(known), value);
}

void forget_facts(void)
{
	json_object_put(vm.facts);
	vm.facts = json_object_new_object();
	vm.told[0] = '\0';
}

/*
 * Make facts of the guest's @answer. Addresses are no facts, as the table cannot predict
 * them. Nor is a warning, which is a part of the verdict.
 */
static void keep_facts(const char *answer)
{
	static const char *const no_facts[] = { "gpa", "va", "addr", "warned" };
	char copy[sizeof(vm.answer)], key[128], *save, *word;

	snprintf(copy, sizeof(copy), "%s", answer);
	strtok_r(copy, " ", &save);
	while (vm.prefix && (word = strtok_r(NULL, " ", &save))) {
		char *value = strchr(word, '=');
		bool keep = value;

		if (value)
			*value++ = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(no_facts); i++)
			keep &= !!strcmp(word, no_facts[i]);
		if (!keep)
			continue;
		snprintf(key, sizeof(key), "%s%s", vm.prefix, word);
		fact(key, "%s", value);
	}
}

void read_console_line(const char *line)
{
	const char *p;

	vm.lines++;
	if (!vm.silent) {
		/* only the driver prints a verdict */
		printf("%s%s\n", strncmp(line, "vmm: ", strlen("vmm: ")) ? "" : "guest: ", line);
		fflush(stdout);
	}

	p = strstr(line, "mce-guest: ");
	if (p) {
		p += strlen("mce-guest: ");
		snprintf(vm.answer, sizeof(vm.answer), "%s", p);
		vm.came |= vm.awaited && !strncmp(p, vm.awaited, strlen(vm.awaited));
		keep_facts(p);
		if (!strncmp(p, "victim killed=", strlen("victim killed=")))
			vm.killed = true;
		return;
	}

	/* mm/memory-failure.c, about a pfn without a struct page: up to 6.12, and 7.3 */
	if (strstr(line, ": memory outside kernel control") ||
	    strstr(line, ": recovery action for non struct page pfn"))
		vm.outside = true;

	p = strstr(line, "Kernel panic - not syncing: ");
	if (p) {
		vm.panic = true;
		/* a machine check has printed its reason before */
		copy_word(vm.message, sizeof(vm.message),
			  p + strlen("Kernel panic - not syncing: "), "\r\n");
	}
	p = strstr(line, "Machine check: ");
	if (p && strstr(line, "[Hardware Error]"))
		copy_word(vm.message, sizeof(vm.message), p + strlen("Machine check: "), "\r\n");
	p = strstr(line, "BUG: ");
	if (p) {
		vm.oops = true;
		copy_word(vm.message, sizeof(vm.message), p + strlen("BUG: "), ":\r\n");
		p = strstr(line, "for address: ");
		if (p)
			copy_word(vm.fault, sizeof(vm.fault), p + strlen("for address: "), " \r\n");
	}
	/* BUG() prints "kernel BUG at FILE:LINE!", and on some kernels no "Oops: " */
	p = strstr(line, "kernel BUG at ");
	if (p) {
		copy_word(vm.message, sizeof(vm.message), p, ":!\r\n");
		/* a machine check record, with another RIP, can be printed first */
		vm.rip[0] = '\0';
	}
	if (p || strstr(line, "Oops: "))
		vm.oops = true;
	if (strstr(line, "[ cut here ]"))
		vm.warned = true;
	/* RIP: 0010:clear_page_erms+0x7/0x10, RIP 10:<ffff...> {func+0x1a/0x24} */
	p = strstr(line, "RIP: 0010:");
	if (p && vm.oops)
		copy_word(vm.rip, sizeof(vm.rip), p + strlen("RIP: 0010:"), "+ \r\n");
	/* "RIP !INEXACT!" of an action optional record is of no interest */
	p = strstr(line, "RIP 10:");
	if (p && strstr(line, "[Hardware Error]") && strchr(p, '{'))
		copy_word(vm.rip, sizeof(vm.rip), strchr(p, '{') + 1, "+} \r\n");
	if (vm.oops && strstr(line, "---[ end trace"))
		vm.oops_over = true;
}

/* Wait for the guest's answer @word. */
bool wait_for_answer(const char *word)
{
	size_t len = strlen(word);

	while (!vm.answer[0])
		if (!pump())
			return false;
	if (vm.killed || vm.oops)
		return false;
	if (!strncmp(vm.answer, "error ", 6))
		return lab_error("the guest's command failed: %s", vm.answer);
	if (strncmp(vm.answer, word, len) || !strchr(" ", vm.answer[len]))
		return lab_error("the guest answered \"%s\", expected \"%s\"", vm.answer, word);
	return true;
}

bool ask_question(const char *word)
{
	vm.answer[0] = '\0';
	vm.step = word;
	if (!vm.silent)
		say("asks: %s", vm.question);
	dprintf(vm.console, "%s\n", vm.question);
	return wait_for_answer(word);
}

/* The number that the guest gave for @key in its newest answer. */
uint64_t answered(const char *key)
{
	const char *p = strstr(vm.answer, key);

	return p ? strtoull(p + strlen(key), NULL, 0) : 0;
}
