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

broken=0
{
	[ -n "$scenario" ] || scripts/lint.sh "$build/$tree/unpatched" "$patchdir"
	tools/testing/selftests/mce/run.sh "$build/lab" "$build/$tree" \
		"$build/log/$tree/check" "$tree" ${scenario:+"$scenario"}
	echo "status $?" >"$results.status"
} | tee "$results"
# 2: the scenarios could not be run at all
case $(cat "$results.status") in
'status 0' | 'status 1') ;;
*) broken=1 ;;
esac
rm -f "$results.status"

passed=$(grep -c '^ok .*' "$results")
failed=$(($(grep -c '^not ok ' "$results") + broken))
skipped=$(grep -c '^ok .* # SKIP' "$results")
echo
echo "$((passed - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt "$skipped" ]
