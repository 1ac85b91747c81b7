// SPDX-License-Identifier: GPL-2.0-only
/*
 * A library to preload into QEMU. QEMU asks for early kill: it gets a SIGBUS as soon as its
 * guest's RAM is poisoned, and reports that to the guest. Here its prctl(PR_MCE_KILL) fails.
 * QEMU ignores the failure, and the page is only unmapped. Other calls are passed on.
 */
#include <errno.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int prctl(int option, ...)
{
	unsigned long arg[4];
	va_list ap;

	if (option == PR_MCE_KILL) {
		errno = EINVAL;
		return -1;
	}
	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		arg[i] = va_arg(ap, unsigned long);
	va_end(ap);
	return syscall(SYS_prctl, option, arg[0], arg[1], arg[2], arg[3]);
}
