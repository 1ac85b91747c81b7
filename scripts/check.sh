#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# check.sh TREE PATCHDIR [SCENARIO]
# All tests of a tree whose kernels are built: the lint, then the scenarios.
# With SCENARIO, only that. The last line is "N passed, N failed, N skipped";
# exit status 0 when nothing failed and something passed.
set -u

tree=$1
patchdir=$2
scenario=${3:-}
build=$PWD/build
results=$build/log/$tree/check.ktap
mkdir -p "${results%/*}"
trap 'exit 130' INT
trap 'exit 143' TERM HUP

{
	[ -n "$scenario" ] || scripts/lint.sh "$build/$tree/unpatched" "$patchdir" || lint=failed
	tools/testing/selftests/mce/run.sh "$build/lab" "$build/$tree" \
		"$build/log/$tree/check" "$tree" ${scenario:+"$scenario"}
	echo "status $? ${lint:-}" >"$results.status"
} | tee "$results"
status=$(cat "$results.status")
rm -f "$results.status"

passed=$(grep -c '^ok ' "$results")
failed=$(grep -c '^not ok ' "$results")
# what could not be run at all has failed, too: it left no line behind
if [ "$status" != 'status 0 ' ] && [ "$failed" -eq 0 ]; then
	failed=1
fi
skipped=$(grep -c '^ok .* # SKIP' "$results")
echo
echo "$((passed - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt "$skipped" ]
