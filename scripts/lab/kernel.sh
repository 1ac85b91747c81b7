#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kernel.sh [-b CONFIG] TREE IMAGE FRAGMENT...
# Configure TREE with each FRAGMENT, over CONFIG if given (configure.sh), build it in TREE/obj,
# and copy the bzImage to IMAGE. A symbol of FRAGMENT that has no effect is an error. If
# TREE/obj was copied from another tree (objects.sh), only differences are built.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/../lib.sh"
base=
if [ "$1" = -b ]; then
	base=$2
	shift 2
fi
tree=$1
image=$2
shift 2

lost=$("$here/configure.sh" ${base:+-b "$base"} "$tree" obj "$@")
[ -z "$lost" ] || die "these symbols of $* have no effect in $tree" \
	"(renamed, or a dependency is missing):
$lost"
# modules_prepare: for hook/build.sh
kmake "$tree" O=obj bzImage modules_prepare
cp "$tree/obj/arch/x86/boot/bzImage" "$image.new"
mv "$image.new" "$image"
