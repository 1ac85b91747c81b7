#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# amd.sh LAB KERNELS LOGS KERNEL SCENARIO...
# The scenarios as under tcg, with an AMD guest that has SUCCOR: another QEMU in
# L1, another CPU model, and a KVM that needs no patches for it.
l1_kernel=stock.bzImage l1_cpio=amd.cpio machine=amd exec "$(dirname "$0")/tcg.sh" "$@"
