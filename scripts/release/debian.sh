#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# debian.sh DIR PATCHDIR
# Test what export.sh makes of PATCHDIR for Debian: quilt must apply it, without fuzz, in
# Debian's kernel source package, Debian's kernel for amd64 must build with it (bzImage: no
# modules, no debug information; 2703 objects for 6.12), and make try must call Debian's own
# binary affected and the new one not. DIR is a directory of fetch.sh; the source package comes
# from the same apt root and mirror. If the mirror does not have this version, the newest of
# the series is used; if it has none, linux-source, which is the same with Debian's patches
# applied. Prints KTAP; exit status 1 when a check fails.
set -eu

# shellcheck source=scripts/lib.sh
. scripts/lib.sh
# shellcheck source=scripts/fetch/apt.sh
. scripts/fetch/apt.sh

repo=$PWD
dir=$(cd "$1" && pwd)
series=$(basename "$dir")
# shellcheck disable=SC2034 # for apt.sh
apt=$dir/apt
work=$dir/debian
log=$PWD/build/log/$series/debian.log
read -r package version suite <"$dir/source"
for tool in quilt dpkg-source xz; do
	command -v "$tool" >/dev/null || die "no $tool: run make deps"
done
trap 'rm -rf "$work"' EXIT
exit_on_signals

# not_ok LABEL: nothing after it can be tested
not_ok() {
	result 'not ok' "$1" "$log"
	totals || exit
}

rm -rf "$work"
mkdir -p "$work" "${log%/*}"
: >"$log"
# the user of this script does not sign off the result
GIT_COMMITTER_NAME=debian GIT_COMMITTER_EMAIL=debian@localhost \
	scripts/release/export.sh "$series" "$2" debian "$work" >>"$log"
patches=$work/$series
touched=$(git apply --numstat "$patches"/bugfix/x86/*.patch | cut -f 3 |
	sed -n 's/\.c$/.o/p' | sort -u)
[ -n "$touched" ] || die "nothing to compile in $patches"

echo "KTAP version 1"
with_sources >>"$log"
source=$(source_of "$package" "$version")
if (cd "$work" && source_package "$source" \
	"$version $(source_versions "$source" "$series")") >>"$log" 2>&1; then
	what="source package $(basename "$work"/*.dsc .dsc | tr _ ' ')"
	case $what in
	*" $version") ;;
	*) what="$what (the mirror does not have that of $version)" ;;
	esac
	dpkg-source -x "$work"/*.dsc "$work/tree" >>"$log" 2>&1 ||
		not_ok "unpack Debian's $what"
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
quilt push -a --fuzz=0 >>"$log" 2>&1 || not_ok "quilt applies it to Debian's $what"
[ "$(quilt applied | tail -n "$(wc -l <"$patches/series")")" = "$(sed 's/^/debian\/patches\//' "$patches/series")" ] ||
	not_ok "quilt applies it to Debian's $what as the last of its series"
result ok "quilt applies it without fuzz to Debian's $what"

config=linux-config-$series
version=$(newest "$config")
[ -n "$version" ] || die "$suite has no $config"
unpack "$config" "$version" "$work/config" >>"$log" 2>&1
mkdir obj
xz -dc "$work/config/usr/src/$config/config.amd64_none_amd64.xz" >obj/.config
start=$(date +%s)
# Keys and BTF need files and programs of Debian's buildd. The kernel itself needs neither.
if ! {
	scripts/config --file obj/.config --enable DEBUG_INFO_NONE --disable DEBUG_INFO \
		--disable DEBUG_INFO_BTF --disable MODULE_SIG --set-str SYSTEM_TRUSTED_KEYS "" &&
		kmake . -s O=obj olddefconfig && kmake . O=obj bzImage
} >>"$log" 2>&1; then
	not_ok "build it under $config $version, amd64"
fi
for object in $touched; do
	[ -e "obj/$object" ] || not_ok "compile $object under $config $version, amd64"
done
result ok "build it under $config $version, amd64: $(grep -cE '^  (CC|AS) ' "$log") objects, $(($(date +%s) - start)) s"

# tried WANTED KERNEL CONFIG: the last line of make try must be WANTED
cd "$repo"
tried() {
	status=0
	scripts/check/try/try.sh "$2" "$3" >"$log.try" 2>&1 || status=$?
	cat "$log.try" >>"$log"
	verdict='not ok'
	case $status.$(tail -n 1 "$log.try") in
	"1.$1: "* | "0.$1 by "*) verdict=ok ;;
	esac
	result "$verdict" "make try: $(sed -n 's/^Linux //p' "$log.try"): $(tail -n 1 "$log.try")" "$log.try"
}
tried affected "linux-image-$series" ""
tried "not affected" "$work/tree/obj/arch/x86/boot/bzImage" "$work/tree/obj/.config"
totals
