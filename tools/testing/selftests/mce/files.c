// SPDX-License-Identifier: GPL-2.0-only
/* Commands that make the kernel access the victim's page, by its file, a pipe or a futex. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "guest.h"

static int pipe_fds[2];
static char buf[PAGE];

static void report(ssize_t ret)
{
	answer("file ret=%zd errno=%s", ret, errno_name(ret));
}

static void read_page(void)
{
	report(pread(page_file, buf, PAGE, page_offset));
}

static void write_page(void)
{
	report(pwrite(page_file, buf, PAGE, page_offset));
}

static void truncate_file(void)
{
	report(ftruncate(page_file, page_offset + 100));
}

static void punch_hole(void)
{
	off_t from = page_offset + PAGE / 2;

	report(fallocate(page_file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from,
			 2 * MB - from % (2 * MB)));
}

static void pin_page(void)
{
	struct iovec iov = { .iov_base = page, .iov_len = PAGE };

	if (pipe(pipe_fds))
		fail("pipe errno=%d", errno);
	answer("pin ret=%zd", vmsplice(pipe_fds[1], &iov, 1, 0));
}

static void drain_pipe(void)
{
	report(read(pipe_fds[0], buf, PAGE));
}

/* Have the kernel remove the memory of the DAX disk, and add it again. It is still bad. */
static void rebind_disk(void)
{
	static const char unbind[] = "/sys/bus/nd/drivers/nd_pmem/unbind";
	static const char bind[] = "/sys/bus/nd/drivers/nd_pmem/bind";
	struct stat file;

	if (fstat(page_file, &file) || munmap(page - page_offset, file.st_size) ||
	    close(page_file) || umount("/dax") || !write_file(unbind, "namespace0.0") ||
	    !write_file(bind, "namespace0.0") || !mount_dax())
		fail("rebind errno=%d", errno);
	page_file = open("/dax/file", O_RDWR);
	answer("rebind fd=%d", page_file);
}

static void wake_futex(void)
{
	static int futex;

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
	/* rebind: unbind and bind the driver of the DAX disk. -> rebind */
	{ "rebind", rebind_disk, VICTIM },
	/* drain: read(2) that pipe. -> file ret= errno= */
	{ "drain", drain_pipe, VICTIM },
	/*
	 * futex: FUTEX_WAKE_OP on the page's first word. The kernel loads its old value from
	 * user space, and tries again when it cannot. -> file ret= errno=
	 */
	{ "futex", wake_futex, VICTIM },
	{ }
};
