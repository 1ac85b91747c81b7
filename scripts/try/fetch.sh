#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch.sh PACKAGE DIR
# Put the kernel of Debian's package PACKAGE (linux-image-6.1.0-50-amd64) into DIR/image, its
# configuration into DIR/config, and "PACKAGE VERSION SUITE" into DIR/source, which is written
# last. With "linux-image-SERIES" (linux-image-6.12), that of the newest of the series for
# amd64, without a flavour. The suites are those that have the source of the series, see
# ../suites, the release that they belong to, and this machine's release (first, when the name
# has no series) and its backports. apt downloads and checks it in a root of its own, see
# ../apt-root.sh.
set -eu

package=$1
dir=$(mkdir -p "$2" && cd "$2" && pwd)
here=$(cd "$(dirname "$0")/.." && pwd)

# shellcheck source=scripts/apt-root.sh
. "$here/apt-root.sh"
apt=$dir/apt
trap 'rm -rf "$apt" "$dir/unpack" "$dir/image.new" "$dir/config.new" "$dir/source.new"' EXIT

series=$(echo "$package" | sed -n 's/^linux-image-\([0-9]\+\.[0-9]\+\)\($\|[^0-9].*\)/\1/p')
suites() {
	[ -n "$series" ] || echo "main $(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)"
	awk -v series="$series" '
		!/^#/ && $2 != "-" && (series == "" || $1 == series || $1 == "*") {
			print $2, $3
			if (series)
				exit
		}' "$here/suites" | while read -r mirror suite; do
		echo "$mirror $suite"
		echo "main ${suite%%-*}"
	done
	echo "main $(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)-backports"
}

# the newest amd64 kernel of a series, signed, as it is shipped
newest_image() {
	apt-cache -c "$apt/apt.conf" search --names-only "^linux-image-$1[.0-9a-z+~-]*-amd64\$" |
		sed 's/ .*//' | grep -vE -- '-(cloud|rt|unsigned)|-dbg' | sort -V | tail -n 1
}

version=
have=
while read -r mirror suite; do
	rm -rf "$apt"
	# a release that is no more has no lists: the next may do
	(apt_root "$mirror" "$suite") || continue
	name=$package
	[ "$package" != "linux-image-$series" ] || name=$(newest_image "$series")
	[ -z "$name" ] || version=$(newest "$name")
	[ -z "$version" ] || break
	have="$have $(apt-cache -c "$apt/apt.conf" search --names-only '^linux-image-[0-9].*64' |
		sed 's/ .*//' | grep "^linux-image-$series" | grep -v -- '-dbg$' | sort -V |
		tail -n 6 | tr '\n' ' ')"
done <<E_SUITES
$(suites | awk '!seen[$0]++')
E_SUITES
# shellcheck disable=SC2086 # a list of words
[ -n "$version" ] || die "no package $package in" \
	"$(suites | awk '!seen[$2]++ { printf "%s%s", sep, $2; sep = ", " }')." \
	"The newest that they have:$(printf ' %s' $have | fold -s -w 90 | sed 's/^/  /; 1s/^/\n/')"

unpack "$name" "$version" "$dir/unpack"
set -- "$dir"/unpack/boot/vmlinuz-*
if [ ! -e "$1" ]; then
	# a metapackage names one that has
	other=$(apt-cache -c "$apt/apt.conf" show "$name=$version" |
		sed -n 's/^Depends: .*\(linux-image-[a-z0-9.+~-]*\).*/\1/p' | head -n 1)
	die "the package $name $version has no kernel in it: give" \
		"${other:-a linux-image-*, or a file}"
fi
cp "$1" "$dir/image.new"
: >"$dir/config.new"
cat "$dir"/unpack/boot/config-* >"$dir/config.new" 2>/dev/null || :
mv "$dir/config.new" "$dir/config"
mv "$dir/image.new" "$dir/image"
echo "$name $version $suite" >"$dir/source.new"
mv "$dir/source.new" "$dir/source"
