#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# lint.sh TREE
# Check our own C, shell, Python and tables, which do not depend on a kernel, with the tools of
# the kernel in TREE. series.sh checks the patches. Prints KTAP; exit status 1 if a check fails.
set -u

# shellcheck source=scripts/lib.sh
. scripts/lib.sh

tree=$(cd "$1" && pwd)
# shellcheck disable=SC2034 # for check()
again="lint TREE=$(basename "$(dirname "$tree")")"
output=$(mktemp)
trap 'rm -f "$output"' EXIT
exit_on_signals

# Compile user-space programs. The modules and the KUnit suite are compiled with the kernel, and
# grading.c by grading.sh.
compile() {
	gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -fsyntax-only "$@"
}

# the lab's patches are never sent, and have no Signed-off-by
checkpatch() {
	(cd "$tree" && perl scripts/checkpatch.pl --strict --no-summary --terse --no-signoff "$@")
}

# not py_compile, which leaves a __pycache__
parse() {
	python3 -W error -c 'import ast, pathlib, sys
ast.parse(pathlib.Path(sys.argv[1]).read_bytes(), sys.argv[1])' "$1"
}

c=$(git ls-files '*.c')
py=$(git ls-files '*.py')
user_c=$(echo "$c" | grep -v -e /hook/ -e /walk.c -e /grading/ -e '^arch/')
sh=$(git grep -l -e '^#!.*sh$' -e '^# shellcheck shell=')
lab_patches=$(git ls-files 'scripts/lab/*.patch')

if [ -z "$c" ] || [ -z "$py" ] || [ -z "$sh" ] || [ -z "$lab_patches" ]; then
	echo "lint.sh: git ls-files finds no C, no Python, no shell or no patches: run it in a git clone" >&2
	exit 2
fi

echo "KTAP version 1"
for f in $user_c; do
	check "compile -Wall -Wextra -Werror $f" compile "$f"
done
for f in $c; do
	check "checkpatch --strict $f" checkpatch --file "$PWD/$f"
done
for f in $sh; do
	check "shellcheck $f" shellcheck -x "$f"
done
for f in $py; do
	check "python3 parses $f" parse "$f"
done
for f in $lab_patches; do
	check "checkpatch --strict $f" checkpatch "$PWD/$f"
done
check "no scenario is expected to end worse when patched" scripts/check/lint/worse.py
totals
