#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# amd.sh LAB KERNELS LOGS KERNEL SCENARIO...
# The scenarios as under tcg, with an AMD guest that has SUCCOR: another QEMU in
# L1, and another CPU model. KVM needs no patch for such a guest, and 0001 here is
# not about it; 0002 and 0003 are for TCG, which without them hangs the guest once
# in some thousand injections.
backend=amd accel=tcg l1_cpio=amd.cpio machine=amd \
	exec "$(dirname "$0")/../../tools/testing/selftests/mce/lab/qemu.sh" "$@"
