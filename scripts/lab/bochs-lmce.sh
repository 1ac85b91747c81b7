#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# bochs-lmce.sh LAB KERNELS LOGS KERNEL SCENARIO...
# Run the scenarios as bochs.sh does, with the lab's kernel in L1, which enables LMCE under
# KVM-Intel: as the backend kvm on an Intel CPU, without one.
backend=bochs-lmce l1_kernel=l1 machine=microvm exec "$(dirname "$0")/bochs.sh" "$@"
