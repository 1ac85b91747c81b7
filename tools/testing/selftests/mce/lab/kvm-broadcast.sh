#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kvm-broadcast.sh LAB KERNELS LOGS KERNEL SCENARIO...
# What bochs.sh does, in an L1 as that of kvm.sh: on a machine with an Intel CPU. A CLFLUSH
# of the page that is gone faults there, and machine checks are broadcast.
backend=kvm-broadcast accel=kvm l1_cpio=l1.cpio machine=broadcast \
	exec "$(dirname "$0")/qemu.sh" "$@"
