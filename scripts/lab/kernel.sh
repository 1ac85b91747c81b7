#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kernel.sh [-b CONFIG] TREE IMAGE FRAGMENT...
# Build TREE in TREE/obj, as configure.sh configures it with each FRAGMENT, over CONFIG if it
# is given, and copy the bzImage to IMAGE. A symbol of FRAGMENT that does not take is an error.
# When TREE/obj was copied from another tree (objects.sh), only what differs is built.
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

# neither the caller's flags nor its job server: this is another build
unset MAKEFLAGS MFLAGS MAKELEVEL KBUILD_OUTPUT
cc=gcc
command -v ccache >/dev/null && cc="ccache gcc"

lost=$("$here/configure.sh" ${base:+-b "$base"} "$tree" obj "$@")
if [ -n "$lost" ]; then
	echo "kernel.sh: $tree does not take these symbols of $*" \
		"(renamed, or a dependency is missing):" >&2
	echo "$lost" >&2
	exit 1
fi
make -C "$tree" O=obj -j"$(nproc)" CC="$cc" bzImage
cp "$tree/obj/arch/x86/boot/bzImage" "$image.new"
mv "$image.new" "$image"
