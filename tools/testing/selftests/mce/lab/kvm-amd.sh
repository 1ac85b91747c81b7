#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kvm-amd.sh LAB KERNELS LOGS KERNEL SCENARIO...
# Run the scenarios of the backend amd in L1 under this machine's KVM, as kvm.sh does. This
# needs an AMD CPU.
backend=kvm-amd accel=kvm l1_cpio=amd.cpio machine=amd exec "$(dirname "$0")/qemu.sh" "$@"
