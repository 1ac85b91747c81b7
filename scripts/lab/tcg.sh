#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# tcg.sh LAB KERNELS LOGS KERNEL SCENARIO...
# Run the scenarios under KVM-AMD in L1, which QEMU emulates with TCG; see the selftest's qemu.sh.
backend=tcg accel=tcg l1_cpio=l1.cpio machine=microvm \
	exec "$(dirname "$0")/../../tools/testing/selftests/mce/lab/qemu.sh" "$@"
