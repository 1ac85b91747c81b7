#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# lint.sh TREE PATCHDIR
# Check our own C, shell and patches, with TREE's own checkpatch.pl. Prints
# KTAP; exit status 1 when a check fails.
set -u

tree=$1
patchdir=$2
number=0
failed=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
trap 'exit 130' INT TERM HUP

# one LABEL COMMAND...: a check passes when the command does and says nothing.
one() {
	label=$1
	shift
	number=$((number + 1))
	if "$@" >"$out" 2>&1 && [ ! -s "$out" ]; then
		echo "ok $number $label"
	else
		failed=$((failed + 1))
		echo "not ok $number $label"
		sed 's/^/# /' "$out"
	fi
}

compile() {
	gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -fsyntax-only "$@"
}

# Signed-off-by is added by who sends a patch; Debian's source is no git
# repository in which commits could be looked up.
checkpatch() {
	(cd "$tree" && perl scripts/checkpatch.pl --strict --no-summary --terse \
		--no-signoff --ignore UNKNOWN_COMMIT_ID "$@")
}

c=$(git ls-files '*.c')
sh=$(git ls-files | while read -r f; do
	head -n 1 "$f" | grep -q '^#!.*sh$' && echo "$f"
done)
patches=$(git ls-files "$patchdir/*.patch" 'tools/*.patch')

if [ -z "$c" ] || [ -z "$sh" ] || [ -z "$patches" ]; then
	echo "lint.sh: git ls-files finds no C, no shell or no patches: run it in a git clone" >&2
	exit 1
fi

echo "KTAP version 1"
echo "1..$(echo "$c" "$c" "$sh" "$patches" | wc -w)"
for f in $c; do
	one "compile -Wall -Wextra -Werror $f" compile "$f"
	one "checkpatch --strict $f" checkpatch --file "$PWD/$f"
done
for f in $sh; do
	one "shellcheck $f" shellcheck "$f"
done
for f in $patches; do
	one "checkpatch --strict $f" checkpatch "$PWD/$f"
done
echo "# Totals: pass:$((number - failed)) fail:$failed skip:0"
[ "$failed" -eq 0 ]
