#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kvm.sh LAB KERNELS LOGS KERNEL SCENARIO...
# Run the scenarios in L1, a guest of this machine's KVM, with nested virtualisation. With one
# of upstream's kernels in L1, guests are Intel ones without LMCE, on an Intel CPU only: qboot
# does not enable LMCE, and KVM on AMD masks MCG_SER_P.
# See qemu.sh, and kvm-lacks.sh for the requirements.
backend=kvm accel=kvm l1_cpio=l1.cpio machine=microvm exec "$(dirname "$0")/qemu.sh" "$@"
