#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kvm.sh LAB KERNELS LOGS KERNEL SCENARIO...
# The scenarios in an L1 that is a guest of this machine's KVM, with nested virtualisation:
# as under tcg, at the speed of the hardware. On Intel L1's KVM is what it is without the
# lab's patches, which are to KVM-AMD. See qemu.sh, and kvm-lacks.sh for what it takes.
backend=kvm accel=kvm l1_cpio=l1.cpio machine=microvm exec "$(dirname "$0")/qemu.sh" "$@"
