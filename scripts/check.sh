#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# check.sh TREES [SCENARIO]
# All tests of each of TREES: that it builds, the grading rules, the KUnit suite, the
# scenarios, and then the lint of each; for more than one, then the series between them.
# With SCENARIO, only that. BUDGET= in the environment: what has not begun after so many
# minutes is skipped, and the line tells what would run it. Ends with a table of all
# trees, and without SCENARIO with build/report.html; the last line is "N passed, N failed,
# N skipped". Exit status 0 when nothing failed and something passed. The environment has
# KUNIT_TOOL, TOOL of kunit.sh.
set -u

trees=$1
scenario=${2:-}
selftest=tools/testing/selftests/mce
build=$PWD/build
results=$build/log/check.ktap
start=$(date +%s)
mkdir -p "$build/log"
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ -n "$scenario" ] && ! grep -q "^${scenario}[-[:space:]]" "$selftest/scenarios"; then
	echo "no scenario $scenario. There are:" \
		"$(awk '!/^#/ && NF { print $1 }' "$selftest/scenarios" | uniq | tr '\n' ' ')" >&2
	exit 2
fi

# what results are of; those of another version are no part of these
commit=$(scripts/commit.sh)
echo "$commit" >"$build/log/check.commit"
for dir in "$build"/log/*/check; do
	[ "$(cat "$dir/commit" 2>/dev/null)" = "$commit" ] || rm -rf "$dir"
done

# step COMMAND-OF-MAKE COMMAND...: unless there is no time left for it
step() {
	again=$1
	shift
	if [ -n "${BUDGET:-}" ] && [ $(($(date +%s) - start)) -ge $((BUDGET * 60)) ]; then
		echo "ok - make $again # SKIP no time left (BUDGET=$BUDGET)"
		return
	fi
	"$@"
}

# What cannot be run at all has failed, too: it leaves no line behind.
tests_of() {
	tree=$1
	if ! scripts/patchdir.sh "$tree" >/dev/null; then
		echo "not ok - $tree: no patches to try"
		return
	fi
	# shellcheck disable=SC2086 # a list of words
	if ! make --no-print-directory -s kernels lab TREE="$tree" 2>&1; then
		echo "not ok - build $tree"
		return
	fi
	echo "ok - build $tree"
	[ -n "$scenario" ] || step "grades TREE=$tree" scripts/grades/grades.sh "$build/$tree" ||
		echo "# grades of $tree: failed"
	[ -n "$scenario" ] || step "kunit TREE=$tree" scripts/kunit/kunit.sh "$build/$tree/patched" \
		"$KUNIT_TOOL" "$build/log/$tree/kunit" || echo "# kunit of $tree: failed"
	step "check TREE=$tree" "$selftest/run.sh" "$build/lab" "$build/$tree" \
		"$build/log/$tree/check" "$tree" ${scenario:+"$scenario"}
	[ $? -ne 2 ] || echo "not ok - scenarios of $tree could not be run"
}

lint_of() {
	tree=$1
	patchdir=$(scripts/patchdir.sh "$tree") && [ -e "$build/$tree/patched.bzImage" ] || return
	# the mirror may have it by now
	[ -s "$build/$tree/upstream" ] || rm -f "$build/$tree/upstream"
	if ! make --no-print-directory -s "$build/$tree/upstream" "$build/lint/sparse" \
		TREE="$tree" 2>&1; then
		echo "not ok - fetch what the lint of $tree takes"
		return
	fi
	scripts/lint/lint.sh "$build/$tree" "$patchdir" || echo "# lint of $tree: failed"
	step "lint TREE=$tree" scripts/lint/series.sh "$build/$tree" "$patchdir" \
		"$build/lint/sparse" || echo "# lint of the series for $tree: failed"
}

case ${BUDGET:-1} in
*[!0-9]* | 0*)
	echo "BUDGET=$BUDGET: it is a number of minutes" >&2
	exit 2
	;;
esac
{
	for tree in $trees; do
		rm -rf "$build/log/$tree/check"
		tests_of "$tree"
		[ ! -d "$build/log/$tree/check" ] || echo "$commit" >"$build/log/$tree/check/commit"
	done
	if [ -z "$scenario" ]; then
		for tree in $trees; do
			step "lint TREE=$tree" lint_of "$tree"
		done
		[ "${trees#* }" = "$trees" ] || step between scripts/between.sh "$build/between"
	fi
} 2>&1 | tee -i "$results"

logs=
for tree in $trees; do
	[ ! -r "$build/log/$tree/check/verdicts" ] || logs="$logs $build/log/$tree/check"
done
echo
# shellcheck disable=SC2086 # a list of words
[ -z "$logs" ] || "$selftest/table.sh" $logs

passed=$(grep -c '^ok ' "$results")
failed=$(grep -c '^not ok ' "$results")
skipped=$(grep -c '^ok .* # SKIP' "$results")
echo "# $((passed - skipped)) passed, $failed failed, $skipped skipped" >>"$results"
echo "check,$(echo "$trees" | tr ' ' '+')${scenario:+,$scenario} $(($(date +%s) - start))" \
	>>"$build/log/seconds"
echo
if [ -z "$scenario" ] && ! scripts/report/report.sh -c "$build/log" "$build/report.html"; then
	echo "not ok - report"
	failed=$((failed + 1))
fi
echo "$((passed - skipped)) passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt "$skipped" ]
