// SPDX-License-Identifier: GPL-2.0-only
/*
 * The victim's pages of files that the kernel itself accesses later, and how it is made to:
 *
 *   pread, pwrite           read(2) or write(2) the page's content through its file, which is
 *                           on a DAX mount. -> file ret= errno=
 *   truncate                cut the file off 100 bytes into the page. -> file ret= errno=
 *   punch                   punch a hole from the middle of the page to the end of its huge
 *                           page. -> file ret= errno=
 *   pin                     vmsplice(2) the page into a pipe, which then has a reference to
 *                           it. -> pin ret=
 *   drain                   read(2) that pipe. -> file ret= errno=
 *   futex                   FUTEX_WAKE_OP on the page's first word, of which the kernel
 *                           first loads the old value, in user space, and tries again
 *                           when it cannot. -> file ret= errno=
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

/* ext4 on memory that memmap=SIZE!START has made a disk, which takes a moment to appear */
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

	return fd < 0 || !reserve_huge_pages() || ftruncate(fd, len) ? MAP_FAILED :
	       map_file(fd, len);
}

static void report(ssize_t ret)
{
	answer("file ret=%zd errno=%s", ret, ret >= 0 ? "0" : strerrorname_np(errno));
}

void victim_pread(const char *args)
{
	static char buf[PAGE];

	(void)args;
	report(pread(file, buf, PAGE, page - first));
}

void victim_pwrite(const char *args)
{
	static char buf[PAGE];

	(void)args;
	report(pwrite(file, buf, PAGE, page - first));
}

void victim_truncate(const char *args)
{
	(void)args;
	report(ftruncate(file, page - first + 100));
}

void victim_punch(const char *args)
{
	off_t from = page - first + PAGE / 2;

	(void)args;
	report(fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from,
			 2 * MB - from % (2 * MB)));
}

void victim_pin(const char *args)
{
	struct iovec iov = { .iov_base = page, .iov_len = PAGE };

	(void)args;
	if (pipe(pipe_fds))
		answer("error what=pipe errno=%d", errno);
	else
		answer("pin ret=%zd", vmsplice(pipe_fds[1], &iov, 1, 0));
}

void victim_drain(const char *args)
{
	static char buf[PAGE];

	(void)args;
	report(read(pipe_fds[0], buf, PAGE));
}

void victim_futex(const char *args)
{
	static int futex;

	(void)args;
	report(syscall(SYS_futex, &futex, FUTEX_WAKE_OP, 1, 1, page,
		       FUTEX_OP(FUTEX_OP_OR, 1, FUTEX_OP_CMP_EQ, 0)));
}
