// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's page tables over the direct map, as debugfs prints them. */
#include <stddef.h>
#include <string.h>

#include "guest.h"

/* The direct map with four levels: Documentation/arch/x86/x86_64/mm.rst */
#define DIRECT_MAP 0xffff888000000000UL
#define DIRECT_MAP_END 0xffffc88000000000UL

struct tables {
	unsigned long small, large, huge, holes;
	char text[4 << 20];	/* the unchanged lines of debugfs */
};

static struct tables before, now;

/*
 * A line is "0xSTART-0xEND SIZE FLAG... LEVEL", without flags if the entry is not present
 * (printk_prot() in arch/x86/mm/dump_pagetables.c). Adjacent equal entries share a line.
 */
static bool read_tables(struct tables *t, unsigned long gpa, char *found, size_t size)
{
	FILE *f = fopen("/sys/kernel/debug/page_tables/kernel", "r");
	size_t used = 0;
	char line[256];

	memset(t, 0, offsetof(struct tables, text) + 1);
	snprintf(found, size, "level=none mapped=no cache=none");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long start, end;
		bool present;
		char *level;

		if (sscanf(line, "0x%lx-0x%lx", &start, &end) != 2 ||
		    start < DIRECT_MAP || start >= DIRECT_MAP_END)
			continue;
		line[strcspn(line, "\n")] = '\0';
		level = strrchr(line, ' ') + 1;
		present = strstr(line, " RW ") || strstr(line, " ro ");
		if (present && !strcmp(level, "pte"))
			t->small += (end - start) / PAGE;
		else if (present && !strcmp(level, "pmd"))
			t->large += (end - start) / (2 * MB);
		else if (present)
			t->huge += (end - start) / (1024 * MB);
		else if (!strcmp(level, "pte"))
			t->holes += (end - start) / PAGE;
		if (gpa + DIRECT_MAP >= start && gpa + DIRECT_MAP < end)
			snprintf(found, size, "level=%s mapped=%s cache=%s", level,
				 present ? "yes" : "no", !present ? "none" :
				 strstr(line, " PCD ") ? "uc" :
				 strstr(line, " PWT ") || strstr(line, " PAT ") ? "other" : "wb");
		used += snprintf(t->text + used, sizeof(t->text) - used, "%s\n", line);
		if (used >= sizeof(t->text))
			break;
	}
	if (f)
		fclose(f);
	return used && used < sizeof(t->text);
}

static void report_tables(void)
{
	static bool again;
	char found[64];

	if (!read_tables(again ? &now : &before, next_number(), found, sizeof(found)))
		fail("page_tables");
	if (again)
		answer("tables 4k=%lu 2m=%lu 1g=%lu holes=%lu %s same=%s split=%ld new_holes=%ld",
		       now.small, now.large, now.huge, now.holes, found,
		       strcmp(now.text, before.text) ? "no" : "yes",
		       (long)(before.large - now.large + before.huge - now.huge),
		       (long)(now.holes - before.holes));
	else
		answer("tables 4k=%lu 2m=%lu 1g=%lu holes=%lu %s",
		       before.small, before.large, before.huge, before.holes, found);
	again = true;
}

const struct command ptdump_commands[] = {
	/*
	 * tables GPA: read the page tables. -> tables 4k= 2m= 1g= holes= (how many entries of
	 * each size, and 4K pages that are not present) level= mapped= cache= (of the entry that
	 * maps GPA). From the second time on also what has changed since the first: same= (yes
	 * or no) split= (large entries lost) new_holes=
	 */
	{ "tables", report_tables, PID_1 },
	{ }
};
