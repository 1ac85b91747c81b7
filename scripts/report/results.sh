#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# results.sh LOGS OUT
# Documentation/results.md, OUT, of what `make check` left in LOGS: a table for each tree whose
# scenarios were all run, with this version. export.sh reads it. Exit status 1 when there is no such
# tree; OUT is then as it was.
set -u

here=$(dirname "$0")
table=$here/../../tools/testing/selftests/mce/table.sh
logs=$1 out=$2
commit=$("$here/../commit.sh")

versions=$(cut -d '|' -f 2 "$logs"/*/check/version 2>/dev/null | sort -Vu)
dirs=
for version in $versions; do
	for dir in "$logs"/*/check; do
		[ "$(cat "$dir/commit" 2>/dev/null)" = "$commit" ] || continue
		grep -q "|$version\$" "$dir/version" || continue
		if grep -q 'SKIP no time left\|^not ok' "$dir/results.ktap"; then
			echo "results.sh: left out $version: $(grep -m 1 'SKIP no time left\|^not ok' \
				"$dir/results.ktap")" >&2
			continue
		fi
		dirs="$dirs $dir"
	done
done
if [ -z "$dirs" ]; then
	echo "results.sh: no tree of which all scenarios were run with $commit: run make check" >&2
	exit 1
fi

trap 'rm -f "$out.new"' EXIT
{
	cat "$here/results.head"
	# shellcheck disable=SC2086 # a list of words
	cat <<-END
		These are of version $commit, and were made with
		$(qemu-system-x86_64 --version | sed -n '1s/ *(.*//p') on $(. /etc/os-release && echo "$PRETTY_NAME"). The guests were run by:

		$(for dir in $dirs; do sed 's/ (see .*//; s/^/- /' "$dir/backend"; done | sort -u)
	END
	for dir in $dirs; do
		printf '\n## %s\n\n' "$(cut -d '|' -f 2 "$dir/version")"
		"$table" "$dir"
	done
} >"$out.new" && mv "$out.new" "$out"
