#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch-upstream.sh DIR
# Put the upstream tarball of the kernel that fetch.sh put into DIR, the "orig"
# tarball of Debian's source package, into DIR/upstream.tar.xz, and its version
# into DIR/upstream. By the same apt root and mirror, checked by the same
# signatures. A mirror may not have it (yet, or any more): then the newest of
# the series that it has; with none at all, DIR/upstream is empty.
set -eu

# shellcheck source=scripts/apt-root.sh
. "$(dirname "$0")/apt-root.sh"

dir=$(cd "$1" && pwd)
# shellcheck disable=SC2034 # for apt-root.sh
apt=$dir/apt
with_sources

read -r package version suite <"$dir/source"
source=$(source_of "$package" "$version")
rm -rf "$dir/unpack"
mkdir "$dir/unpack"
cd "$dir/unpack"
source_package "$source" "$version $(source_versions "$source" "${package#linux-source-}")" \
	--tar-only || echo "no source package of $package in $suite that can be downloaded"
cd ..
: >upstream.new
for tarball in unpack/*.orig.tar.xz; do
	[ -e "$tarball" ] || break
	mv "$tarball" upstream.tar.xz
	basename "$tarball" .orig.tar.xz | sed 's/.*_//' >upstream.new
done
rm -rf unpack
mv upstream.new upstream
