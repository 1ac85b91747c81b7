#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# other-series.sh DIR
# For each series without a folder of patches, test whether those of a neighbouring series apply,
# and whether the files that they touch compile, with the KUnit suite. The upstream tarballs are
# those in Debian's suite for new kernels that the mirror still has. They are downloaded once, to
# DIR, by an apt root there. Prints KTAP, two lines a series, and a table; exit status 1 if
# neither neighbour applies to a series, or if it does not compile.
set -eu

# shellcheck source=scripts/lib.sh
. scripts/lib.sh
# shellcheck source=scripts/fetch/apt.sh
. scripts/fetch/apt.sh

dir=$(mkdir -p "$1" && cd "$1" && pwd)
# shellcheck disable=SC2034 # for apt_root(), which shellcheck sees with -x only
apt=$dir/apt
log=$PWD/build/log/other-series.log
# shellcheck disable=SC2034 # for check()
output=$PWD/build/log/other-series.output again=other-series
mkdir -p "${log%/*}"
row=$(awk '$1 == "*" { print $2, $3 }' scripts/fetch/debian-suites)
have=$(series_with_patches)

if ! {
	apt_root "${row% *}" "${row#* }" && with_sources
} >"$log" 2>&1; then
	echo "not ok - series without a folder: cannot get the list of Debian's source packages"
	tail -n 5 "$log" | sed 's/^/# /'
	exit 1
fi

# compile TARBALL FOLDER: compile the kernel objects that the patches touch, in a guest's
# configuration
# shellcheck disable=SC2317 # check() calls it
compile() {
	rm -rf "$dir/tree"
	mkdir "$dir/tree"
	tar -xf "$1" -C "$dir/tree" --strip-components=1 || return 1
	cp -r arch "$dir/tree/"
	echo CONFIG_MCE_GUEST_KUNIT_TEST=y >"$dir/suite.config"
	objects=$(git apply --numstat "patches/$2"/*.patch | cut -f 3 | sort -u |
		sed -n '/^arch\/x86\/.*\.c$/s/c$/o/p'
		find arch -name '*.c' | sed 's/c$/o/')
	# shellcheck disable=SC2086 # a list of words
	if ! {
		GIT_CEILING_DIRECTORIES=$dir git -C "$dir/tree" apply --whitespace=nowarn "$PWD/patches/$2"/*.patch &&
			scripts/lab/configure.sh "$dir/tree" obj "$PWD/scripts/lab/needs.config" \
				"$PWD/scripts/lab/guest.config" "$PWD/tools/testing/selftests/mce/config" \
				"$dir/suite.config" >"$dir/lost" &&
			kmake "$dir/tree" -s O=obj prepare $objects
	} >"$dir/compile.log" 2>&1; then
		tail -n 15 "$dir/compile.log"
		return 1
	fi
	grep 'MCE_GUEST_KUNIT_TEST' "$dir/lost" || :
	# the compiler's only: kconfig warns of symbols that are in two fragments
	grep '\.[ch]:[0-9:]* warning:' "$dir/compile.log" || :
	rm -rf "$dir/tree"
}

# all series between the oldest and the newest folder that have no folder
all=$(source_versions linux '[0-9]*' | sed 's/^\([0-9]*\.[0-9]*\)\..*/\1/' | sort -Vu)
others=$(printf '%s\n%s\n' "$have" "$all" | sort -Vu | sed "0,/^$(echo "$have" | head -n 1)\$/d" |
	sed "/^$(echo "$have" | tail -n 1)\$/,\$d" | grep -Fxv "$have")

table=$dir/table
printf '%s\n' '| upstream | patches | |' '| --- | --- | --- |' >"$table"
echo "KTAP version 1"
for series in $others; do
	tarball=$(find "$dir" -name "linux_$series.*.orig.tar.xz" | sort -V | tail -n 1)
	if [ -z "$tarball" ] && (cd "$dir" && source_package linux \
		"$(source_versions linux "$series")" --tar-only) >>"$log" 2>&1; then
		tarball=$(find "$dir" -name "linux_$series.*.orig.tar.xz")
	fi
	if [ -z "$tarball" ]; then
		skip "patches for $series" "the mirror has no tarball of it"
		echo "| $series | | not on the mirror |" >>"$table"
		continue
	fi
	version=$(basename "$tarball" .orig.tar.xz | sed 's/.*_//')
	nearest=$(basename "$(patchdir "$series")")
	other=$(printf '%s\n' "$have" "$series" | sort -V | grep -Fx -B 1 "$series" | head -n 1)
	why=
	for folder in $nearest $other; do
		if why="$why$(scripts/build/git-am.sh "$tarball" "$PWD/patches/$folder"/*.patch 2>&1)"; then
			result ok "patches/$folder applies to upstream's $version"
			# shellcheck disable=SC2154 # of lib.sh
			before=$failed
			check "patches/$folder compiles on upstream's $version" compile "$tarball" "$folder"
			[ "$failed" -eq "$before" ] && compiles=", compiles" || compiles=
			echo "| $version | $folder | applies$compiles |" >>"$table"
			continue 2
		fi
	done
	echo "$why" >"$output"
	result 'not ok' "patches for upstream's $version: neither $nearest nor $other applies" "$output"
	echo "| $version | $nearest, $other | neither applies |" >>"$table"
done
status=0
totals || status=1
echo
cat "$table"
exit "$status"
