#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch-upstream.sh DIR
# Put the upstream tarball of the kernel that fetch.sh put into DIR, the "orig"
# tarball of Debian's source package, into DIR/upstream.tar.xz, and its version
# into DIR/upstream. By the same apt root and mirror, checked by the same
# signatures. A mirror may not have it (yet, or any more): then the newest of
# the series that it has; with none at all, DIR/upstream is empty.
set -eu

dir=$(cd "$1" && pwd)
apt=$dir/apt
read -r package version suite <"$dir/source"


sed '/^deb-src /d; p; s/^deb /deb-src /' "$apt/sources.list" >"$apt/sources.list.new"
mv "$apt/sources.list.new" "$apt/sources.list"
apt-get -q -c "$apt/apt.conf" -o APT::Update::Error-Mode=any update || {
	echo "fetch-upstream: cannot get a list of $suite that Debian signed: check the" \
		"network, or remove $dir/source to start again with another mirror" >&2
	exit 1
}

source=$(apt-cache -c "$apt/apt.conf" show "$package=$version" |
	awk '$1 == "Source:" { print $2; exit }')
source=${source:-linux}
series=${package#linux-source-}
rm -rf "$dir/unpack"
mkdir "$dir/unpack"
cd "$dir/unpack"
for candidate in "$version" $(apt-cache -c "$apt/apt.conf" showsrc --only-source "$source" |
	sed -n "s/^Version: \($series\..*\)/\1/p" | sort -rVu); do
	if apt-get -q -c "$apt/apt.conf" source --download-only --tar-only \
		"$source=$candidate"; then
		break
	fi
done
cd ..
: >upstream.new
for tarball in unpack/*.orig.tar.xz; do
	[ -e "$tarball" ] || break
	mv "$tarball" upstream.tar.xz
	basename "$tarball" .orig.tar.xz | sed 's/.*_//' >upstream.new
done
rm -rf unpack
mv upstream.new upstream
