#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kvm-broadcast.sh LAB KERNELS LOGS KERNEL SCENARIO...
# Run the scenarios of the backend bochs in L1 under this machine's KVM, as kvm.sh does. This
# needs an Intel CPU: CLFLUSH of an unmapped page faults, and machine checks are broadcast.
backend=kvm-broadcast accel=kvm l1_cpio=l1.cpio machine=broadcast \
	exec "$(dirname "$0")/qemu.sh" "$@"
