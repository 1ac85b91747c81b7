// SPDX-License-Identifier: GPL-2.0-only
/*
 * A victim's pages of files, pipes and futexes, and commands that make the kernel access such
 * a page.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "guest.h"

static int file = -1, pipe_fds[2];
static char *first;	/* where the file is mapped */

static char *map_file(int fd, size_t len)
{
	file = fd;
	if (fd < 0)
		return MAP_FAILED;
	first = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return first;
}

/*
 * Map a file on ext4 on a disk of memory (memmap=SIZE!START). The disk appears some time after
 * the boot.
 */
char *map_dax(size_t len)
{
	static char image[2 * MB], content[PAGE];
	int from = open("/dax.img", O_RDONLY), to, fd;

	while ((to = open("/dev/pmem0", O_WRONLY)) < 0 && errno == ENOENT)
		usleep(10000);
	if (from < 0 || to < 0 || read(from, image, sizeof(image)) != sizeof(image) ||
	    write(to, image, sizeof(image)) != sizeof(image) || fsync(to))
		return MAP_FAILED;
	close(from);
	close(to);
	mkdir("/dax", 0755);
	if (mount("/dev/pmem0", "/dax", "ext4", 0, "dax"))
		return MAP_FAILED;
	fd = open("/dax/file", O_RDWR | O_CREAT, 0600);
	memset(content, 0x5a, sizeof(content));
	for (size_t i = 0; i < len; i += PAGE)
		if (fd < 0 || write(fd, content, PAGE) != (ssize_t)PAGE)
			return MAP_FAILED;
	return map_file(fd, len);
}

char *map_memfd(size_t len)
{
	int fd = memfd_create("victim", MFD_CLOEXEC);

	return fd < 0 || ftruncate(fd, len) ? MAP_FAILED : map_file(fd, len);
}

char *map_huge_memfd(size_t len)
{
	int fd = memfd_create("victim", MFD_CLOEXEC | MFD_HUGETLB);

	if (fd < 0 || !write_file("/proc/sys/vm/nr_hugepages", "8") || ftruncate(fd, len))
		return MAP_FAILED;
	return map_file(fd, len);
}

static void report(ssize_t ret)
{
	answer("file ret=%zd errno=%s", ret, ret >= 0 ? "0" : strerrorname_np(errno));
}

static void read_page(const char *args)
{
	static char buf[PAGE];

	(void)args;
	report(pread(file, buf, PAGE, page - first));
}

static void write_page(const char *args)
{
	static char buf[PAGE];

	(void)args;
	report(pwrite(file, buf, PAGE, page - first));
}

static void truncate_file(const char *args)
{
	(void)args;
	report(ftruncate(file, page - first + 100));
}

static void punch_hole(const char *args)
{
	off_t from = page - first + PAGE / 2;

	(void)args;
	report(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from,
			 2 * MB - from % (2 * MB)));
}

static void pin_page(const char *args)
{
	struct iovec iov = { .iov_base = page, .iov_len = PAGE };

	(void)args;
	if (pipe(pipe_fds))
		answer("error what=pipe errno=%d", errno);
	else
		answer("pin ret=%zd", vmsplice(pipe_fds[1], &iov, 1, 0));
}

static void drain_pipe(const char *args)
{
	static char buf[PAGE];

	(void)args;
	report(read(pipe_fds[0], buf, PAGE));
}

static void wake_futex(const char *args)
{
	static int futex;

	(void)args;
	report(syscall(SYS_futex, &futex, FUTEX_WAKE_OP, 1, 1, page,
		       FUTEX_OP(FUTEX_OP_OR, 1, FUTEX_OP_CMP_EQ, 0)));
}

const struct command file_commands[] = {
	/* pread: read(2) the content of the page through its file. -> file ret= errno= */
	{ "pread", read_page, VICTIM },
	/* pwrite: write(2) it. -> file ret= errno= */
	{ "pwrite", write_page, VICTIM },
	/* truncate: cut the file off 100 bytes into the page. -> file ret= errno= */
	{ "truncate", truncate_file, VICTIM },
	/*
	 * punch: punch a hole from the middle of the page to the end of its huge page.
	 * -> file ret= errno=
	 */
	{ "punch", punch_hole, VICTIM },
	/* pin: vmsplice(2) the page into a pipe, which takes a reference to it. -> pin ret= */
	{ "pin", pin_page, VICTIM },
	/* drain: read(2) that pipe. -> file ret= errno= */
	{ "drain", drain_pipe, VICTIM },
	/*
	 * futex: FUTEX_WAKE_OP on the page's first word. The kernel loads its old value from
	 * user space, and tries again when it cannot. -> file ret= errno=
	 */
	{ "futex", wake_futex, VICTIM },
	{ }
};
