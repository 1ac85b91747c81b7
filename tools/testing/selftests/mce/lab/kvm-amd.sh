#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kvm-amd.sh LAB KERNELS LOGS KERNEL SCENARIO...
# What amd.sh does, in an L1 as that of kvm.sh: on a machine with an AMD CPU.
backend=kvm-amd accel=kvm l1_cpio=amd.cpio machine=amd exec "$(dirname "$0")/qemu.sh" "$@"
