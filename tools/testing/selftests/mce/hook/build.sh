#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# build.sh OBJ OUT [SOURCE]
# Build the hook module (or SOURCE, another one) for the kernel that was built in OBJ (make O=,
# or the tree), and pack it into the initramfs archive OUT, as /hook.ko.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
obj=$(cd "$1" && pwd)
out=$2
module=$(mktemp -d "$(realpath "$(dirname "$out")")/hook.XXXXXX")
trap 'rm -rf "$module"' EXIT
trap 'exit 130' INT TERM HUP

unset MAKEFLAGS MFLAGS MAKELEVEL
cp "${3:-$here/hook.c}" "$module/hook.c"
cp "$here/Makefile" "$module/"
# all that modules_prepare does besides what an image needs
[ -e "$obj/scripts/module.lds" ] || make -C "$obj" -j"$(nproc)" modules_prepare
# A tree without built modules has no Module.symvers: use the exports of the image.
symbols=
[ -e "$obj/Module.symvers" ] || symbols=KBUILD_EXTRA_SYMBOLS=$obj/vmlinux.symvers
make -C "$obj" M="$module" ${symbols:+"$symbols"} modules
"$here/../lab/cpio.sh" "$out" "$module/hook.ko=hook.ko"
