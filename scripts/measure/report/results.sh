#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# results.sh LOGS OUT TREE...
# Documentation/results.md, OUT, of what one run of check.sh on TREEs left in LOGS: a table for
# each. export.sh reads it. When the scenarios of a TREE were not all run, or one failed, OUT stays
# as it is, and a line names the tree. Exit status 1 when OUT cannot be written.
set -u

here=$(dirname "$0")
# shellcheck source=scripts/lib.sh
. "$here/../../lib.sh"
table=$here/../../../tools/testing/selftests/mce/table.sh
logs=$1 out=$2
shift 2

die() {
	echo "results.sh: $*" >&2
	exit 1
}

dirs=
for tree in $(printf '%s\n' "$@" | sort -V); do
	dir=$logs/$tree/check
	planned=$(sed -n 's/^1\.\.//p' "$dir/results.ktap" 2>/dev/null)
	whole=$(grep -c '^ok ' "$dir/results.ktap" 2>/dev/null)
	if [ -z "$planned" ] || [ "$planned" != "$whole" ] ||
		grep -q '# SKIP' "$dir/results.ktap"; then
		echo "# $out stays as it is: of $tree, not all scenarios were run and passed"
		exit 0
	fi
	dirs="$dirs $dir"
done

trap 'rm -f "$out.new"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
{
	cat "$here/results.head" || exit 1
	cat <<-END || exit 1
		These are of version $(commit_of "$here"), and were made with
		$(qemu-system-x86_64 --version | sed -n '1s/ *(.*//p') on $(. /etc/os-release && echo "$PRETTY_NAME"). The guests were run by:

	END
	for dir in $dirs; do
		sed 's/ (see .*//; s/^/- /' "$dir/backend" || exit 1
	done | sort -u
	for dir in $dirs; do
		printf '\n## %s\n\n' "$(cut -d '|' -f 2 "$dir/version")" || exit 1
		"$table" "$dir" || exit 1
	done
} >"$out.new" || die "cannot write $out.new: is the disk full?"
mv "$out.new" "$out" || die "cannot write $out"
