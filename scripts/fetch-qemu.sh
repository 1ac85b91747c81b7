#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch-qemu.sh OUT
# Put a QEMU for microvm that can give an AMD guest SUCCOR (9.1 and later) at
# OUT: the machine's own if it can, otherwise that of Debian's backports for this
# release, which the machine's own libraries suffice for. OUT is written last.
set -eu

out=$1
own=/usr/bin/qemu-system-x86_64-microvm
trap 'rm -rf "$out.apt" "$out.unpack" "$out.new"' EXIT

# shellcheck source=scripts/apt-root.sh
. "$(dirname "$0")/apt-root.sh"

knows_succor() {
	"$1" -cpu help | grep -qw succor
}

qemu=$own
if ! knows_succor "$own"; then
	suite=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)-backports
	# shellcheck disable=SC2034 # for apt_root(), which shellcheck sees with -x only
	apt=$out.apt
	apt_root main "$suite"
	version=$(newest qemu-system-x86)
	[ -n "$version" ] || die "$suite has no qemu-system-x86, and $own is older than 9.1"
	unpack qemu-system-x86 "$version" "$out.unpack"
	qemu=$out.unpack/$own
	! ldd "$qemu" | grep 'not found' ||
		die "qemu-system-x86 $version of $suite needs the libraries above: install them"
	knows_succor "$qemu" || die "qemu-system-x86 $version of $suite has no CPU flag succor"
fi
"$qemu" --version | head -n 1
cp "$qemu" "$out.new"
mv "$out.new" "$out"
