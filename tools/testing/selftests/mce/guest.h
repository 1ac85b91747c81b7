/* SPDX-License-Identifier: GPL-2.0-only */
/* Declarations that the files of the guest program share. main() is in guest.c. */
#ifndef SELFTESTS_MCE_GUEST_H
#define SELFTESTS_MCE_GUEST_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#define PAGE 4096UL
#define MB (1024UL * 1024)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

enum runner { PID_1, VICTIM, NEW_VICTIM /* starts one */ };

/*
 * A command. The comment before its row in a table gives the arguments, what the command does,
 * and after "->" the answer.
 */
struct command {
	const char *word;
	void (*run)(void);
	enum runner runner;
};

/* The tables of commands, one for each file. Each ends with an empty row. */
extern const struct command busy_commands[], file_commands[], kind_commands[], link_commands[],
	log_commands[], ptdump_commands[], victim_commands[], work_commands[];

/* Another test can link a file with this table to the program. It is optional. */
extern const struct command more_commands[];
#pragma weak more_commands

/* ---- guest.c */

/* Return the next number in the arguments of the running command, 0 if there is none. */
unsigned long next_number(void);

/* The arguments that have not been read, up to a newline */
extern const char *args;

/* ---- util.c */

/* Answers go to this file, /dev/kmsg, or to standard output while @quiet is set. */
extern int kmsg;
extern bool quiet;

/* Write @record[0..len) as one line to the console. Exit if that fails. */
void log_record(const char *record, int len);

/*
 * Send one answer to the VMM driver. Its level is critical, as only such messages go to the
 * console. It ends with a newline: the kernel does not print a record without one.
 */
#define answer(fmt, ...) do { \
	char record_[400]; \
	log_record(record_, snprintf(record_, sizeof(record_), \
				     "<2>mce-guest: " fmt "\n", ##__VA_ARGS__)); \
} while (0)

/* Answer that something failed, and stop: the VMM driver ends the guest then. */
#define fail(fmt, ...) do { \
	answer("error what=" fmt, ##__VA_ARGS__); \
	stop(); \
} while (0)

noreturn void stop(void);

/* Return the number at the start of the file, -1 if there is none. */
long read_number(const char *path);

/* Write a text, as by printf(), to the existing file @path. Return whether that worked. */
bool write_file(const char *path, const char *fmt, ...);

/* Sum a row of /proc/interrupts, for example "MCE:", over all CPUs. */
unsigned long count_interrupts(const char *row);

/* Keep the calling process on this CPU. */
bool stay_on_cpu(int cpu);

/*
 * Write an ext2 file system to the disk @disk, and mount it at @dir with @mount_it, unless that
 * is done. Return whether it is there; if not, errno has the reason.
 */
bool make_disk(const char *disk, const char *dir, bool (*mount_it)(void));

/* Mount /dev/ram0 at /mnt. */
bool mount_ext2(void);

/* Mount /dev/pmem0 at /dax, with DAX. */
bool mount_dax(void);

/* Return the name of errno if a call returned @ret, "0" if it did not fail. */
const char *errno_name(ssize_t ret);

/* ---- process.c: the process of the victim */

/* 0: there is none. */
extern pid_t victim;

/* Have the victim call @run(@line), and wait until it is done. @starts: start it first. */
void forward(const char *line, bool starts, void (*run)(const char *line));

/* In the victim: tell PID 1 that the command is done. */
void command_done(void);

/* ---- victim.c: the victim's page, and SIGBUS */

extern char *page;

/* Return the guest physical address of the page at @va, 0 if it is not in memory. */
unsigned long gpa_of(const void *va);

/* Install the handler of SIGBUS, and block the signal. @early: ask for early kill. */
void catch_sigbus(bool early);

/* Block or unblock SIGBUS; @how is as for sigprocmask(2). */
void mask_sigbus(int how);

/* Answer with "sigbus code= lsb= addr= addr_match=". */
void report_sigbus(const siginfo_t *si);

/* ---- kinds.c */

/* The file of the victim's page, and where the page is in it */
extern int page_file;
extern off_t page_offset;

/* ---- log.c */

/* /dev/kmsg, for reading */
extern int kernel_log;

#endif
