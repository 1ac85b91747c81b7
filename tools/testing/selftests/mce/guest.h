/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the guest program share: guest.c, victim.c, files.c and work.c. */
#ifndef SELFTESTS_MCE_GUEST_H
#define SELFTESTS_MCE_GUEST_H

#include <stdbool.h>
#include <stdio.h>

#define PAGE 4096UL
#define MB (1024UL * 1024)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Log @record[0..len) as one line of the console; the process ends if it cannot. */
void log_record(const char *record, int len);

/*
 * One answer to the VMM driver, critical as only that goes to the console. Ends with a newline:
 * the kernel holds back a record without.
 */
#define answer(fmt, ...) do { \
	char record_[400]; \
	log_record(record_, snprintf(record_, sizeof(record_), \
				     "<2>mce-guest: " fmt "\n", ##__VA_ARGS__)); \
} while (0)

/* Whether @line, "WORD arguments", is a command for a victim; @starts: with it one begins. */
bool is_victim_command(const char *line, bool *starts);

/* All interrupts of that row of /proc/interrupts, "MCE:" for one, on all CPUs */
unsigned long count_interrupts(const char *row);

/* Have the disk at /mnt, if it is not there yet. */
bool mount_ext2(void);

/* ---- of a victim */

/* The page that goes bad */
extern char *page;

/* Have 8 huge pages for hugetlbfs. */
bool reserve_huge_pages(void);

/* Kinds of pages, of @len bytes; MAP_FAILED and errno when it cannot be done */
char *map_dax(size_t len);
char *map_memfd(size_t len);
char *map_huge_memfd(size_t len);

/* Commands, see files.c */
void victim_pread(const char *args);
void victim_pwrite(const char *args);
void victim_truncate(const char *args);
void victim_punch(const char *args);
void victim_pin(const char *args);
void victim_drain(const char *args);
void victim_futex(const char *args);

/* Begin with what work.c does; the mix comes from @seed. */
bool start_work(unsigned int seed);

/* Stop it. How many had failed, and how many things they did. */
int end_work(unsigned long *all_rounds);

/* Shared: what a victim that is a target does all the time is to count here. */
extern unsigned long *heartbeat;

/*
 * Life of a victim: carries out the commands that come in on @commands, writes
 * a byte to @done after each, exits with the last.
 */
void victim_main(FILE *commands, int done);

#endif
