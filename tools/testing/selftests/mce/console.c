// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's console: send commands, and read answers, facts, and messages of a panic, an
 * oops or a warning.
 */
#include <stdlib.h>

#include "vmm.h"

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

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

/* Return what follows @label in @text, or NULL if @label is not there. */
const char *after(const char *text, const char *label)
{
	const char *p = strstr(text, label);

	return p ? p + strlen(label) : NULL;
}

void add_fact(const char *key)
{
	size_t len = strlen(vm.facts), left = sizeof(vm.facts) - len;

	if (strchr(vm.value, ' ')) {
		lab_error("the fact %s has a blank: %s", key, vm.value);
	} else if ((size_t)snprintf(vm.facts + len, left, " %s=%s", key, vm.value) >= left) {
		vm.facts[len] = '\0';
		lab_error("too many facts, at %s", key);
	}
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
		printf("%s%s\n", starts_with(line, "vmm: ") ? "guest: " : "", line);
		fflush(stdout);
	}

	p = after(line, "mce-guest: ");
	if (p) {
		snprintf(vm.answer, sizeof(vm.answer), "%s", p);
		vm.came |= vm.awaited && starts_with(p, vm.awaited);
		keep_facts(p);
		vm.killed |= starts_with(p, "victim killed=");
		return;
	}

	/* mm/memory-failure.c, about a pfn without a struct page: up to 6.12, and 7.3 */
	if (strstr(line, ": memory outside kernel control") ||
	    strstr(line, ": recovery action for non struct page pfn"))
		vm.outside = true;

	p = after(line, "Kernel panic - not syncing: ");
	if (p) {
		vm.panic = true;
		/* a machine check has printed its reason before */
		copy_word(vm.message, sizeof(vm.message), p, "\r\n");
	}
	p = after(line, "Machine check: ");
	if (p && strstr(line, "[Hardware Error]"))
		copy_word(vm.message, sizeof(vm.message), p, "\r\n");
	p = after(line, "BUG: ");
	if (p) {
		vm.oops = true;
		copy_word(vm.message, sizeof(vm.message), p, ":\r\n");
		p = after(line, "for address: ");
		if (p)
			copy_word(vm.fault, sizeof(vm.fault), p, " \r\n");
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
	p = after(line, "RIP: 0010:");
	if (p && vm.oops)
		copy_word(vm.rip, sizeof(vm.rip), p, "+ \r\n");
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
	if (starts_with(vm.answer, "error "))
		return lab_error("the guest's command failed: %s", vm.answer);
	if (!starts_with(vm.answer, word) || !strchr(" ", vm.answer[len]))
		return lab_error("the guest answered \"%s\", expected \"%s\"", vm.answer, word);
	if (after(vm.answer, " gpa="))
		vm.gpa = answered("gpa=");
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
unsigned long answered(const char *key)
{
	const char *p = after(vm.answer, key);

	return p ? strtoul(p, NULL, 0) : 0;
}
