#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# tcg.sh LAB KERNELS LOGS KERNEL SCENARIO...
# The scenarios under KVM-AMD in an L1 that QEMU emulates with TCG; see qemu.sh of the selftest.
backend=tcg accel=tcg l1_cpio=l1.cpio machine=microvm \
	exec "$(dirname "$0")/../../tools/testing/selftests/mce/lab/qemu.sh" "$@"
