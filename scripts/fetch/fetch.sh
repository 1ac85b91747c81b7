#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch.sh source SERIES DIR
#   Put Debian's newest linux-source-SERIES into DIR/unpatched, and "PACKAGE VERSION SUITE"
#   into DIR/source.
# fetch.sh upstream DIR
#   Put the upstream tarball of the kernel in DIR, which is the "orig" tarball of Debian's
#   source package, into DIR/upstream.tar.xz, and its version into DIR/upstream. If the mirror
#   does not have it (yet, or any more), use the newest of the series that the mirror has. If
#   there is none, DIR/upstream is empty.
# fetch.sh image PACKAGE DIR
#   Put the kernel of Debian's PACKAGE (linux-image-6.1.0-50-amd64) into DIR/image, its
#   configuration into DIR/config, and "PACKAGE VERSION SUITE" into DIR/source. DIR/note, if
#   there is one, is for the user. For
#   "linux-image-SERIES", use the newest amd64 kernel of the series without a flavour. Search
#   the suite of the series (debian-suites), the release that it belongs to, this machine's
#   release with its security and backports, and the other suites of debian-suites. If the name
#   has no series, search this machine's release first.
# fetch.sh qemu OUT
#   Copy a QEMU for microvm that can give an AMD guest SUCCOR (9.1 or later) to OUT: the
#   machine's own, else that of Debian's backports for this release, which runs with the
#   machine's libraries.
# fetch.sh sparse OUT
#   Copy a sparse that parses kernels from 7.0 on to OUT. scripts/checker-valid.sh of these
#   requires __typeof_unqual__, which sparse has since 0.6.5. Use the machine's own, else build
#   the source of Debian's testing. If neither parses them, OUT is the machine's own, and
#   series.sh skips trees for which it is too old.
#
# apt downloads and verifies everything, in a root in DIR/apt or OUT.apt, see apt.sh. The file
# that is named last is written last.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/../lib.sh"
# shellcheck source=scripts/fetch/apt.sh
. "$here/apt.sh"

exit_on_signals
release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)

fetch_source() {
	series=$1
	dir=$(mkdir -p "$2" && cd "$2" && pwd)
	package=linux-source-$series
	row=$(awk -v series="$series" '
		!/^#/ && ($1 == series || $1 == "*") { print $2, $3; exit }' "$here/debian-suites")
	suite=${row#* }
	[ "$suite" != - ] ||
		die "Debian has no source of $series: give a tree as SOURCE=/path/to/linux"
	apt=$dir/apt
	apt_root "${row% *}" "$suite"
	version=$(newest "$package")
	if [ -z "$version" ]; then
		# apt-cache's regexps: series are two numbers with a dot
		other=$(in_root apt-cache search --names-only '^linux-source-[0-9]+\.[0-9]+$' |
			sed 's/^linux-source-\([^ ]*\).*/\1/' | sort -V | tr '\n' ' ')
		die "$suite has no $package (any more?). Try TREE= with one that it has:" \
			"${other:-none}"
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
}

fetch_upstream() {
	dir=$(cd "$1" && pwd)
	apt=$dir/apt
	with_sources
	read -r package version suite <"$dir/source"
	source=$(source_of "$package" "$version")
	rm -rf "$dir/unpack"
	mkdir "$dir/unpack"
	cd "$dir/unpack"
	source_package "$source" \
		"$version $(source_versions "$source" "${package#linux-source-}")" --tar-only ||
		echo "no source package of $package in $suite that can be downloaded"
	cd ..
	: >upstream.new
	for tarball in unpack/*.orig.tar.xz; do
		[ -e "$tarball" ] || break
		mv "$tarball" upstream.tar.xz
		basename "$tarball" .orig.tar.xz | sed 's/.*_//' >upstream.new
	done
	rm -rf unpack
	mv upstream.new upstream
}

# print MIRROR SUITE, one a line, of all suites that may have an image of $series
image_suites() {
	[ -n "$series" ] || printf '%s\n' "security $release-security" "main $release"
	awk -v series="$series" '
		!/^#/ && $2 != "-" && (series == "" || $1 == series || $1 == "*") {
			print $2, $3
			if (series)
				exit
		}' "$here/debian-suites" | while read -r mirror suite; do
		echo "$mirror $suite"
		echo "main ${suite%%-*}"
	done
	printf '%s\n' "security $release-security" "main $release" "main $release-backports"
	# bookworm-security has 6.12, too
	awk '!/^#/ && $2 != "-" { print $2, $3 }' "$here/debian-suites"
}

# newest_image SERIES: print the package with its newest signed amd64 kernel
newest_image() {
	# not 6.12 for 6.1, and no metapackage
	in_root apt-cache search --names-only "^linux-image-$1[.+~][.0-9a-z+~-]*-amd64\$" |
		sed 's/ .*//' | grep -vE -- '-(cloud|rt|unsigned)|-dbg' | sort -V | tail -n 1
}

fetch_image() {
	package=$1
	dir=$(mkdir -p "$2" && cd "$2" && pwd)
	apt=$dir/apt
	trap 'rm -rf "$apt" "$dir/unpack" "$dir/image.new" "$dir/config.new" "$dir/source.new"' EXIT
	series=$(echo "$package" |
		sed -n 's/^linux-image-\([0-9]\+\.[0-9]\+\)\($\|[^0-9].*\)/\1/p')
	version=
	have=
	unread=
	read_any=
	while read -r mirror suite; do
		rm -rf "$apt"
		# an archived release has no lists any more: try the next
		if ! (apt_root "$mirror" "$suite"); then
			unread="$unread $suite"
			continue
		fi
		read_any=yes
		name=$package
		[ "$package" != "linux-image-$series" ] || name=$(newest_image "$series")
		[ -z "$name" ] || version=$(newest "$name")
		[ -z "$version" ] || break
		have="$have $(in_root apt-cache search --names-only '^linux-image-[0-9].*64' |
			sed 's/ .*//' | grep "^linux-image-$series\($\|[^0-9]\)" |
			grep -vE -- '-(dbg|unsigned)$' |
			sort -V | tail -n 6 | tr '\n' ' ')"
	done <<-E_SUITES
		$(image_suites | awk '!seen[$0]++')
	E_SUITES
	[ -n "$read_any" ] || die "no list of packages could be read: check the network," \
		"or give other mirrors as MIRROR= and SECURITY_MIRROR="
	if [ -z "$version" ]; then
		echo "the newest of this series:"
		echo "${have:-none}" | xargs -n 2 printf '  %s %s\n'
		die "no package $package in" \
			"$(image_suites | awk '!seen[$2]++ { printf "%s%s", sep, $2; sep = ", " }')," \
			"and no file of this name"
	fi
	rm -rf "$dir/unpack"
	mkdir "$dir/unpack"
	depends=$(in_root apt-cache show "$name=$version" | sed -n 's/^Depends: //p' | tr -s ',| ' '\n')
	# since 6.19, the kernel and its configuration are in packages that linux-image-* depends on
	for part in "$name" $(echo "$depends" | grep -m 1 '^linux-binary-') \
		$(echo "$depends" | grep -m 1 '^linux-base-[0-9]'); do
		unpack "$part" "$(newest "$part")" "$dir/unpack/$part"
	done
	set -- "$dir"/unpack/*/boot/vmlinuz-* "$dir"/unpack/*/usr/lib/modules/*/vmlinuz
	[ -e "$1" ] || shift
	# a metapackage depends on the one with the kernel
	[ -e "${1:-}" ] || die "the package $name $version contains no kernel: use" \
		"$(echo "$depends" | grep -m 1 '^linux-image-' || echo 'a linux-image-*, or a file')"
	cp "$1" "$dir/image.new"
	cat "$dir"/unpack/*/boot/config-* "$dir"/unpack/*/usr/lib/modules/*/config \
		>"$dir/config.new" 2>/dev/null || :
	mv "$dir/config.new" "$dir/config"
	mv "$dir/image.new" "$dir/image"
	[ "$name" = "$package" ] || [ -z "$unread" ] || echo "note: this may not be the newest:" \
		"no list of$unread could be read, see build/log/try-$package.log" >"$dir/note"
	echo "$name $version $suite" >"$dir/source.new"
	mv "$dir/source.new" "$dir/source"
}

has_succor() {
	"$1" -cpu help | grep -qw succor
}

fetch_qemu() {
	out=$1
	own=/usr/bin/qemu-system-x86_64-microvm
	trap 'rm -rf "$out.apt" "$out.unpack" "$out.new"' EXIT
	qemu=$own
	if ! has_succor "$own"; then
		suite=$release-backports
		apt=$out.apt
		apt_root main "$suite"
		version=$(newest qemu-system-x86)
		[ -n "$version" ] || die "$suite has no qemu-system-x86, and $own is older than 9.1"
		unpack qemu-system-x86 "$version" "$out.unpack"
		qemu=$out.unpack/$own
		! ldd "$qemu" | grep 'not found' ||
			die "qemu-system-x86 $version of $suite needs the libraries above: install them"
		has_succor "$qemu" || die "qemu-system-x86 $version of $suite has no CPU flag succor"
	fi
	"$qemu" --version | head -n 1
	cp "$qemu" "$out.new"
	mv "$out.new" "$out"
}

# parses SPARSE: return whether it parses __typeof_unqual__
parses() {
	! "$1" "$out.test.c" 2>&1 | grep error
}

fetch_sparse() {
	out=$1
	apt=$out.apt
	trap 'rm -rf "$apt" "$out.source" "$out.test.c" "$out.new"' EXIT
	echo 'static inline int f(const int *p) { __typeof_unqual__(*p) i = *p; return i; }' \
		>"$out.test.c"
	sparse=$(command -v sparse) || die "no sparse: run make deps"
	if ! parses "$sparse"; then
		rm -rf "$out.source"
		mkdir "$out.source"
		if (
			cd "$out.source"
			apt_root main testing
			with_sources
			source_package sparse "$(source_versions sparse '[0-9]*')"
			# Debian's patches are about its compiler
			dpkg-source --skip-patches -x ./*.dsc tree
			make -C tree -j"$(nproc)" CC=gcc sparse
		) && parses "$out.source/tree/sparse"; then
			sparse=$out.source/tree/sparse
		else
			echo "cannot fetch or build testing's sparse: using $sparse, for older kernels only"
		fi
	fi
	"$sparse" --version
	cp "$sparse" "$out.new"
	mv "$out.new" "$out"
}

case ${1:-} in
source | upstream | image | qemu | sparse)
	what=$1
	shift
	"fetch_$what" "$@"
	;;
*)
	sed -n '3,29s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
