#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kernel.sh [-b CONFIG] [-m MODULES] TREE IMAGE FRAGMENT...
# Configure TREE with each FRAGMENT, over CONFIG if given (configure.sh), build it in TREE/obj,
# and copy the bzImage to IMAGE. With -m, build its modules, too, and pack them into the initramfs
# archive MODULES, in /modules. A symbol of FRAGMENT that has no effect is an error. If TREE/obj
# was copied from another tree (objects.sh), only differences are built.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/../lib.sh"
base=
modules=
while getopts b:m: option; do
	case $option in
	b) base=$OPTARG ;;
	m) modules=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
tree=$1
image=$2
shift 2

lost=$("$here/configure.sh" ${base:+-b "$base"} "$tree" obj "$@")
[ -z "$lost" ] || die "these symbols of $* have no effect in $tree" \
	"(renamed, or a dependency is missing):
$lost"
[ -z "$modules" ] || find "$tree/obj" -name '*.ko' -delete
# modules_prepare: for hook/build.sh
kmake "$tree" O=obj bzImage ${modules:+modules} modules_prepare
# shellcheck disable=SC2046 # a list of words
[ -z "$modules" ] || "$here/../../tools/testing/selftests/mce/lab/cpio.sh" "$modules" \
	$(find "$tree/obj" -name '*.ko' -printf '%p=modules/%f\n')
cp "$tree/obj/arch/x86/boot/bzImage" "$image.new"
mv "$image.new" "$image"
