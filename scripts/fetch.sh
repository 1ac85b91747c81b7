#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch.sh SERIES DIR
# Put the newest linux-source-SERIES that Debian has into DIR/unpatched and
# "PACKAGE VERSION SUITE" into DIR/source, which is written last. apt downloads
# and checks it, in a root of its own (DIR/apt, see apt-root.sh).
set -eu

series=$1
dir=$(mkdir -p "$2" && cd "$2" && pwd)
here=$(dirname "$0")
package=linux-source-$series

# shellcheck source=scripts/apt-root.sh
. "$here/apt-root.sh"

row=$(awk -v series="$series" '!/^#/ && ($1 == series || $1 == "*") { print $2, $3; exit }' \
	"$here/suites")
suite=${row#* }
[ "$suite" != - ] || die "Debian has no source of $series: take a tree with SOURCE=/path/to/linux"
apt=$dir/apt
apt_root "${row% *}" "$suite"

version=$(newest "$package")
if [ -z "$version" ]; then
	# apt-cache's regexps: series are two numbers with a dot
	other=$(apt-cache -c "$apt/apt.conf" search --names-only '^linux-source-[0-9]+\.[0-9]+$' |
		sed 's/^linux-source-\([^ ]*\).*/\1/' | sort -V | tr '\n' ' ')
	die "$suite has no $package (any more?). It has: ${other:-none}. Try TREE= with one of these."
fi

rm -rf "$dir/unpatched" "$dir/source"
unpack "$package" "$version" "$dir/unpack"
cd "$dir/unpack"
tar -xf "usr/src/$package.tar.xz"
mv "$package" "$dir/unpatched"
cd "$dir"
rm -rf unpack
echo "$package $version $suite" >source.new
mv source.new source
