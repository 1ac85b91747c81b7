#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# debian.sh DIR PATCHDIR
# Prove that Debian's kernel package takes what export.sh makes of PATCHDIR for it: that
# quilt applies it in Debian's source package, without fuzz, and that what it touches
# compiles under Debian's configuration for amd64. DIR has the kernel that fetch.sh put
# there; the source package comes by the same apt root and mirror. A mirror that has
# none of this version gets the newest of the series that it has, and with none at all it
# is tried on linux-source, which is the same with Debian's patches applied. Prints
# KTAP; exit status 1 when a check fails.
set -eu

# shellcheck source=scripts/apt-root.sh
. scripts/apt-root.sh

dir=$(cd "$1" && pwd)
series=$(basename "$dir")
# shellcheck disable=SC2034 # for apt-root.sh
apt=$dir/apt
work=$dir/debian
log=$PWD/build/log/$series/debian.log
read -r package version suite <"$dir/source"
for tool in quilt dpkg-source xz; do
	command -v "$tool" >/dev/null || die "no $tool: run make deps"
done
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

not_ok() {
	echo "not ok $*"
	tail -n 30 "$log" | sed 's/^/# /'
	exit 1
}

rm -rf "$work"
mkdir -p "$work" "${log%/*}"
: >"$log"
# whoever runs this signs nothing off
GIT_COMMITTER_NAME=debian GIT_COMMITTER_EMAIL=debian@localhost \
	scripts/export/export.sh "$series" "$2" debian "$work" >>"$log"
patches=$work/$series
touched=$(git apply --numstat "$patches"/bugfix/x86/*.patch | cut -f 3 |
	sed -n 's/\.c$/.o/p' | sort -u)
[ -n "$touched" ] || die "nothing to compile in $patches"

echo "KTAP version 1"
echo "1..2"
with_sources >>"$log"
source=$(source_of "$package" "$version")
if (cd "$work" && source_package "$source" \
	"$version $(source_versions "$source" "$series")") >>"$log" 2>&1; then
	what="source package $(basename "$work"/*.dsc .dsc | tr _ ' ')"
	case $what in
	*" $version") ;;
	*) what="$what (the mirror has not that of $version)" ;;
	esac
	dpkg-source -x "$work"/*.dsc "$work/tree" >>"$log" 2>&1 ||
		not_ok "1 unpack Debian's $what"
else
	what="$package $version, as the mirror has no source package of $series,"
	cp -al "$dir/unpatched" "$work/tree"
	rm -rf "$work/tree/obj"
fi

cd "$work/tree"
mkdir -p debian/patches
cp -r "$patches/bugfix" debian/patches/
cat "$patches/series" >>debian/patches/series
export QUILT_PATCHES=debian/patches QUILT_PC=.pc
quilt push -a --fuzz=0 >>"$log" 2>&1 || not_ok "1 quilt applies it to Debian's $what"
[ "$(quilt applied | tail -n "$(wc -l <"$patches/series")")" = "$(sed 's/^/debian\/patches\//' "$patches/series")" ] ||
	not_ok "1 quilt applies it to Debian's $what as the last of its series"
echo "ok 1 quilt applies it without fuzz to Debian's $what"

config=linux-config-$series
version=$(newest "$config")
[ -n "$version" ] || die "$suite has no $config"
unpack "$config" "$version" "$work/config" >>"$log" 2>&1
mkdir obj
xz -dc "$work/config/usr/src/$config/config.amd64_none_amd64.xz" >obj/.config
cc=gcc
command -v ccache >/dev/null && cc='ccache gcc'
unset MAKEFLAGS MFLAGS MAKELEVEL
# shellcheck disable=SC2086 # a list of words
if ! {
	make -s O=obj CC="$cc" olddefconfig >>"$log" 2>&1 &&
		make -s O=obj CC="$cc" -j"$(nproc)" $touched >>"$log" 2>&1
}; then
	not_ok "2 compile what it touches under $config $version, amd64"
fi
echo "ok 2 compile what it touches under $config $version, amd64:" "$(echo "$touched" | tr '\n' ' ')"
