#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kernel.sh [-b CONFIG] TREE IMAGE FRAGMENT...
# Configure TREE with each FRAGMENT, over CONFIG if given (configure.sh), build it in TREE/obj,
# and copy the bzImage to IMAGE. A symbol of FRAGMENT that has no effect is an error. If
# TREE/obj was copied from another tree (objects.sh), only differences are built.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
base=
if [ "$1" = -b ]; then
	base=$2
	shift 2
fi
tree=$1
image=$2
shift 2

# do not inherit the flags and job server of the calling make
unset MAKEFLAGS MFLAGS MAKELEVEL KBUILD_OUTPUT
cc=gcc
command -v ccache >/dev/null && cc="ccache gcc"

lost=$("$here/configure.sh" ${base:+-b "$base"} "$tree" obj "$@")
if [ -n "$lost" ]; then
	echo "kernel.sh: these symbols of $* have no effect in $tree" \
		"(renamed, or a dependency is missing):" >&2
	echo "$lost" >&2
	exit 1
fi
make -C "$tree" O=obj -j"$(nproc)" CC="$cc" bzImage
cp "$tree/obj/arch/x86/boot/bzImage" "$image.new"
mv "$image.new" "$image"
