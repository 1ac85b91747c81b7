#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kernel.sh TREE IMAGE FRAGMENT...
# Build TREE in TREE/obj with each FRAGMENT (an absolute path) over tinyconfig, and
# copy the bzImage to IMAGE. A symbol of FRAGMENT that does not take is an error.
set -eu

tree=$1
image=$2
shift 2

# neither the caller's flags nor its job server: this is another build
unset MAKEFLAGS MFLAGS MAKELEVEL KBUILD_OUTPUT
cc=gcc
command -v ccache >/dev/null && cc="ccache gcc"

kmake() {
	make -C "$tree" O=obj -j"$(nproc)" CC="$cc" "$@"
}

mkdir -p "$tree/obj"
kmake -s tinyconfig
(cd "$tree" && scripts/kconfig/merge_config.sh -O obj -m obj/.config "$@" >/dev/null)
kmake -s olddefconfig

lost=$(cat "$@" | grep '^CONFIG_' | grep -Fxv -f "$tree/obj/.config" || true)
if [ -n "$lost" ]; then
	echo "kernel.sh: $tree does not take these symbols of $*" \
		"(renamed, or a dependency is missing):" >&2
	echo "$lost" >&2
	exit 1
fi

kmake bzImage
cp "$tree/obj/arch/x86/boot/bzImage" "$image.new"
mv "$image.new" "$image"
