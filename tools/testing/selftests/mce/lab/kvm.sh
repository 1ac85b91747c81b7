#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kvm.sh LAB KERNELS LOGS KERNEL SCENARIO...
# Run the scenarios in L1, a guest of this machine's KVM, with nested virtualisation: as the
# backend tcg, at hardware speed. The lab's patches to KVM-AMD have no effect on an Intel CPU.
# See qemu.sh, and kvm-lacks.sh for the requirements.
backend=kvm accel=kvm l1_cpio=l1.cpio machine=microvm exec "$(dirname "$0")/qemu.sh" "$@"
