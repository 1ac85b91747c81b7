#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# own-tree.sh name SOURCE [CONFIG]
# own-tree.sh take SOURCE DIR
# SOURCE is the user's own kernel tree: a git work tree, an unpacked tree, or a tarball. It is
# only read. "name" prints its name here, SERIES~NAME.ID: the series is from its Makefile, and
# ID depends on the path and CONFIG. "take" copies it to DIR/unpatched, or updates the copy,
# without files that git ignores or that were built. If something has changed, it then writes
# DIR/source ("NAME VERSION PATH"), which is written last. Exit status 2 if SOURCE is no
# kernel tree.
set -eu

die() {
	echo "SOURCE=$source: $*" >&2
	exit 2
}

is_git() {
	[ -d "$source" ] && [ "$(git -C "$source" rev-parse --show-cdup 2>/dev/null)" = "" ] &&
		git -C "$source" rev-parse --verify -q HEAD >/dev/null 2>&1
}

# print the first lines of the top Makefile, which have the version
makefile() {
	if [ -d "$source" ]; then
		cat "$source/Makefile"
	else
		tar -xOf "$source" --occurrence=1 --no-wildcards-match-slash --wildcards '*/Makefile'
	fi 2>/dev/null | head -n 10
}

# print a checksum that changes with the content of SOURCE
state() {
	if is_git; then
		git -C "$source" rev-parse HEAD
		git -C "$source" diff --binary HEAD
		(cd "$source" && git ls-files -z -o --exclude-standard |
			xargs -0r stat -c '%n %s %Y' --)
	elif [ -d "$source" ]; then
		find "$source" -type f -printf '%P %s %T@\n' | LC_ALL=C sort
	else
		stat -L -c '%s %Y' "$source"
	fi | sha256sum | cut -d ' ' -f 1
}

what=${1:-}
source=${2:-}
[ -e "$source" ] || die "there is no such file or directory"
[ -r "$source" ] || die "$(id -un) cannot read it"
if [ -d "$source" ]; then
	[ -r "$source/Makefile" ] || die "there is no Makefile in it: is it the top of a kernel tree?"
else
	case $source in
	*.tar | *.tar.xz | *.tar.gz | *.tar.bz2 | *.tar.zst | *.txz | *.tgz) ;;
	*) die "neither a directory nor a tarball (.tar.xz)" ;;
	esac
fi
makefile=$(makefile)
if [ -z "$makefile" ]; then
	[ -d "$source" ] || tar -tf "$source" >/dev/null 2>&1 ||
		die "tar cannot read it: is it cut off, or not a tarball?"
	die "no Makefile, or an empty one, at the top of the tree"
fi
version=$(echo "$makefile" | awk '
	$2 == "=" { value[$1] = $3 }
	END {
		if (value["VERSION"] ~ /^[0-9]+$/ && value["PATCHLEVEL"] ~ /^[0-9]+$/)
			printf "%s.%s%s%s\n", value["VERSION"], value["PATCHLEVEL"],
				value["SUBLEVEL"] != "" ? "." value["SUBLEVEL"] : "", value["EXTRAVERSION"]
	}')
[ -n "$version" ] || die "no kernel tree: its Makefile has no VERSION and PATCHLEVEL"
series=$(echo "$version" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/')
source=$(realpath "$source")
name=$(basename "$source" | sed 's/\.t\(ar\|xz\|gz\).*//' | tr -c 'A-Za-z0-9.\n-' _)

case $what in
name)
	config=${3:-}
	why="no such file, or it cannot be read"
	[ ! -r "$config" ] || why="not a kernel configuration"
	[ -z "$config" ] || grep -qs '^CONFIG_' "$config" || {
		echo "CONFIG=$config: $why" >&2
		exit 2
	}
	id=$({ echo "$source"; [ -z "$config" ] || cat "$config"; } | cksum | cut -d ' ' -f 1)
	echo "$series~$name.$id"
	;;
take)
	dir=$(mkdir -p "$3" && cd "$3" && pwd)
	state=$(state)
	[ "$state" != "$(cat "$dir/state" 2>/dev/null)" ] || [ ! -e "$dir/source" ] || exit 0
	trap 'rm -rf "$dir/new"' EXIT
	rm -rf "$dir/new" "$dir/state"
	mkdir -p "$dir/new" "$dir/unpatched"
	from=$dir/new
	if [ -d "$source" ] && ! is_git; then
		from=$source
	elif is_git; then
		# a file in git's index may have been removed
		(cd "$source" && git ls-files -z -c -o --exclude-standard | sort -zu |
			tar -c --null -T - --ignore-failed-read --warning=no-failed-read) |
			tar -x -C "$dir/new"
	else
		tar -xf "$source" -C "$dir/new" --strip-components=1
	fi
	[ -r "$from/Kconfig" ] || die "no kernel tree: there is no Kconfig in it"
	# Only files that differ get a new time, so only these are compiled again.
	rsync -rlp --checksum --delete --exclude=/obj --exclude='/obj-*' --exclude=/.git \
		--exclude='*.o' --exclude='*.a' --exclude='.*.cmd' --exclude=/vmlinux \
		"$from/" "$dir/unpatched/"
	# kbuild refuses O= in a tree that was built in place
	if [ -e "$dir/unpatched/.config" ] || [ -e "$dir/unpatched/include/config" ] ||
		[ -e "$dir/unpatched/arch/x86/include/generated" ]; then
		make -s -C "$dir/unpatched" mrproper
	fi
	echo "$state" >"$dir/state"
	echo "$name $version $source" >"$dir/source.new"
	mv "$dir/source.new" "$dir/source"
	;;
*)
	sed -n '3,12s/^# //p' "$0" >&2
	exit 2
	;;
esac
