#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# build.sh TREE OUT
# Build the hook module for the kernel that kernel.sh built in TREE/obj, and
# pack it into the initramfs archive OUT, as /hook.ko.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
tree=$1
out=$2
module=$tree/obj/hook

unset MAKEFLAGS MFLAGS MAKELEVEL
mkdir -p "$module"
cp "$here/hook.c" "$here/Makefile" "$module/"
module=$(cd "$module" && pwd)
# There are no other modules in the configuration: what the kernel's own image exports is
# all, and the tree need not be walked for more.
make -C "$tree" O=obj -j"$(nproc)" modules_prepare
cp "$tree/obj/vmlinux.symvers" "$tree/obj/Module.symvers"
make -C "$tree" O=obj M="$module" modules
"$here/../lab/cpio.sh" "$out" "$module/hook.ko=hook.ko"
