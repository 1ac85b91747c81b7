#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# amd.sh LAB KERNELS LOGS KERNEL SCENARIO...
# Run the scenarios as tcg.sh does, with an AMD guest that has SUCCOR: another QEMU in
# L1, and another CPU model. Patches 0002 and 0003 work around TCG, which otherwise
# hangs the guest once in some thousand injections. KVM needs none for AMD guests.
backend=amd accel=tcg l1_cpio=amd.cpio machine=amd \
	exec "$(dirname "$0")/../../tools/testing/selftests/mce/lab/qemu.sh" "$@"
