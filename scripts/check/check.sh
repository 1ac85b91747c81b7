#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# check.sh TREES [SCENARIO]
# Run all tests on each of TREES, the most important first. For each tree: build, then scenarios,
# and at the same time grading rules, KUnit suite, mails. Beside the scenarios of the first tree,
# too: lint of our code, and the kvm backend. Then, for two trees at a time: gcc and sparse
# warnings of the series, configurations, documentation. With more than one tree: the series
# without a folder. On the newest: kunit.py run. With SCENARIO, run only that.
# What runs at the same time as something else often keeps less than one CPU busy. Its output is
# printed when both have ended.
# Then print a table of all trees. Without SCENARIO, write build/report.html and, for more than
# one tree, Documentation/results.md. The last line is "N passed, N failed, N skipped". Exit
# status 0 if nothing failed and something passed.
# Environment: KUNIT_TOOL is TOOL of kunit.sh. PATCHDIR replaces the patches of a tree's series.
# NO_SOURCE lists trees that Debian does not have. Tests that have not finished BUDGET minutes
# after CHECK_START (seconds since the epoch) are skipped, and the command that runs them is
# printed.
set -u

# shellcheck source=scripts/lib.sh
. scripts/lib.sh

trees=$1
scenario=${2:-}
# the part of make's command line that names the tree
named=${SOURCE:+SOURCE=$SOURCE${CONFIG:+ CONFIG=$CONFIG}}
selftest=tools/testing/selftests/mce
build=$PWD/build
results=$build/log/check.ktap
start=${CHECK_START:-$(date +%s)}
[ -z "${BUDGET:-}" ] || check_number BUDGET 1 "$BUDGET" || exit
DEADLINE=${BUDGET:+$((start + BUDGET * 60))}
export DEADLINE
mkdir -p "$build/log"
"$selftest/run.py" -n -b scripts/lab "" ${scenario:+"$scenario"} >/dev/null || exit

# remove results of another version
commit=$(commit_of .)
echo "$commit" >"$build/log/check.commit"
for dir in "$build"/log/*/check; do
	[ "$(cat "$dir/commit" 2>/dev/null)" = "$commit" ] || rm -rf "$dir"
done

# late COMMAND-OF-MAKE [REASON]: print that a step is skipped for lack of time
late() {
	echo "ok - make $1 # SKIP no time left (BUDGET=$BUDGET)${2:-}"
}

# step COMMAND-OF-MAKE COMMAND...: run COMMAND if there is time. COMMAND-OF-MAKE is how a user
# runs it. COMMAND prints its failures and exits with 1; any other status is a failure, too.
# Return 0 if it passed, 3 if there was no time. The limit has a grace of 20 s, in which a
# COMMAND can skip its remaining checks itself.
job=
step() {
	again=$1
	shift
	since=$(date +%s)
	run_step "$@"
	status=$?
	name=${1##*/}
	[ "$name" != series.sh ] || name="$name $5"
	echo "# $name, of make $again: $(($(date +%s) - since)) s"
	return "$status"
}

run_step() {
	# no limit
	limit=0
	if [ -n "$DEADLINE" ]; then
		limit=$((DEADLINE - $(date +%s) + 20))
		if [ "$limit" -le 20 ]; then
			late "$again"
			return 3
		fi
	fi
	# timeout makes a process group, which ends as a whole at the limit or on a signal
	timeout -k 20 "$limit" "$@" </dev/null &
	job=$!
	wait "$job"
	status=$?
	job=
	case $status in
	# 4: run.py skipped everything, and printed why
	0 | 1 | 4) return "$status" ;;
	124 | 137)
		if [ -n "$DEADLINE" ] && [ "$(date +%s)" -ge "$DEADLINE" ]; then
			late "$again" ": stopped before its end"
			return 3
		fi
		;;
	esac
	echo "not ok - make $again: the program exited with status $status"
	return 1
}

# has_source TREE: return whether Debian has its source
has_source() {
	case " ${NO_SOURCE:-} " in
	*" $1 "*) return 1 ;;
	esac
}

# aside FUNCTION ARGUMENT...: run FUNCTION in the background
aside=
aside() {
	(
		on_term
		"$@"
		exit 0
	) >"$build/log/aside.ktap" 2>&1 &
	aside=$!
}

# end_aside: wait for it, and print its output
end_aside() {
	[ -n "$aside" ] || return 0
	wait "$aside"
	status=$?
	aside=
	cat "$build/log/aside.ktap"
	[ "$status" -eq 0 ] || echo "not ok - the checks in the background ended with status $status"
}

# on_term: end this subshell on a signal, with what it has started
on_term() {
	job=
	aside=
	trap 'kill $job $aside 2>/dev/null; wait; exit 143' TERM HUP
}

# lint_once: check our own code with the tools of the first tree
lint_once() {
	if [ -e "$build/$tree/unpatched/scripts/checkpatch.pl" ]; then
		step "lint ${named:-TREE=$tree}" scripts/check/lint/lint.sh "$build/$tree/unpatched"
	else
		echo "ok - lint # SKIP there is no tree $tree with checkpatch.pl: make lint ${named:-TREE=$tree}"
	fi
}

# beside_scenarios TREE...: the other checks of $tree. Then fetch the first TREE that Debian has, for
# which the user would wait later. If that fails, it is tried again then.
beside_scenarios() {
	step "grading ${named:-TREE=$tree}" scripts/check/grading/grading.sh "$build/$tree"
	step "kunit ${named:-TREE=$tree}" scripts/check/kunit/kunit.sh "$build/$tree/patched" \
		"$KUNIT_TOOL" "$build/log/$tree/kunit"
	# empty: the mirror did not have the tarball, but may have it by now
	[ -s "$build/$tree/upstream" ] || rm -f "$build/$tree/upstream"
	! step "lint ${named:-TREE=$tree}" make --no-print-directory -s "$build/$tree/upstream" \
		"$build/lint/sparse" TREE="$tree" || series_of "$tree" mails
	if [ "$tree" = "${trees%% *}" ]; then
		lint_once
		# the kvm backend, in an emulated machine with KVM
		step "check ${named:-TREE=$tree} SCENARIO=ar-load BACKEND=kvm-emulated" \
			env BACKEND=kvm-emulated "$selftest/run.py" -b scripts/lab -k patched "$build/lab" \
			"$build/$tree" "$build/log/$tree/kvm-emulated" "$tree" ar-load
	fi
	for next; do
		has_source "$next" || continue
		run_step make --no-print-directory -s "$build/$next/source" TREE="$next" >/dev/null 2>&1
		break
	done
}

# tests_of TREE NEXT...: test TREE. These come next.
built=
tests_of() {
	tree=$1
	shift
	all="check ${named:-TREE=$tree}${scenario:+ SCENARIO=$scenario}"
	if ! has_source "$tree"; then
		echo "ok - $tree # SKIP Debian has no source of it: make check SOURCE=/path/to/linux-$tree"
		return
	fi
	if [ -z "${PATCHDIR:-}" ] && ! patchdir "${tree%%~*}" >/dev/null; then
		echo "not ok - $tree: there are no patches for it"
		return
	fi
	if [ -n "$scenario" ]; then
		why=$("$selftest/run.py" -n -b scripts/lab "$tree" "$scenario" 2>&1)
		# 2: there is no row. With any other status, run.py fails below, too.
		if [ $? -eq 2 ]; then
			echo "ok - $scenario $tree # SKIP ${why#run.py: }"
			return
		fi
	fi
	step "$all" make --no-print-directory -s -j2 PAIRS=yes kernels lab TREE="$tree" || return
	echo "ok - build $tree"
	built="$built $tree"
	[ -n "$scenario" ] || aside beside_scenarios "$@"
	step "$all" "$selftest/run.py" -b scripts/lab "$build/lab" "$build/$tree" "$build/log/$tree/check" \
		"$tree" ${scenario:+"$scenario"}
	end_aside
}

# series_of TREE PART
series_of() {
	step "lint ${named:-TREE=$1}" scripts/check/lint/series.sh "$build/$1" \
		"${PATCHDIR:-$(patchdir "${1%%~*}")}" "$build/lint/sparse" "$2"
}

other_series() {
	[ "${trees#* }" = "$trees" ] || step other-series scripts/check/other-series.sh "$build/other-series"
}

kunit_plain() {
	newest=$(series_with_patches | tail -n 1)
	case " $built " in
	*" $newest "*)
		step "kunit-plain TREE=$newest" scripts/check/kunit/plain.sh "$build/$newest/patched" \
			"$build/log/$newest/kunit"
		;;
	esac
}

# less_important TREES LAST: the checks of the series in TREES, then LAST
less_important() {
	for part in builds configs words; do
		for tree in $1; do
			series_of "$tree" "$part"
		done
	done
	"$2"
}

# The checks run in a background subshell, so that a signal ends them at once.
tests=
stop() {
	trap '' INT TERM HUP
	kill "$tests" 2>/dev/null
	wait
	rm -f "$build/log/check.fifo"
}
trap 'stop; echo "interrupted; nothing is left running" >&2; exit 130' INT
trap 'stop; exit 143' TERM HUP
fifo=$build/log/check.fifo
rm -f "$fifo"
mkfifo "$fifo" || exit 2
(
	trap '' HUP TERM
	exec tee -i "$results" <"$fifo"
) &
{
	on_term
	# shellcheck disable=SC2086 # a list of words
	set -- $trees
	while [ $# -gt 0 ]; do
		rm -rf "$build/log/$1/check"
		tests_of "$@"
		[ ! -d "$build/log/$1/check" ] || echo "$commit" >"$build/log/$1/check/commit"
		if [ -z "$scenario" ] && [ "$1" = "${trees%% *}" ] && [ -z "$built" ]; then
			lint_once
		fi
		shift
	done
	if [ -z "$scenario" ]; then
		# deal the trees out to two lanes
		one=
		two=
		for tree in $built; do
			other=$one
			one="$two $tree"
			two=$other
		done
		aside less_important "$two" other_series
		less_important "$one" kunit_plain
		end_aside
	fi
	exit 0
} >"$fifo" 2>&1 &
tests=$!
wait "$tests"
status=$?
# for tee
wait
rm -f "$fifo"
exit_on_signals
[ "$status" -eq 0 ] || echo "not ok - the checks ended early, with status $status" | tee -a "$results"

logs=$(for tree in $trees; do
	[ ! -r "$build/log/$tree/check/results.json" ] || echo "$build/log/$tree/check"
done)
echo
# shellcheck disable=SC2086 # a list of words
[ -z "$logs" ] || scripts/measure/report/results.py table $logs

passed=$(grep -c '^ok ' "$results")
failed=$(grep -c '^not ok ' "$results")
skipped=$(grep -c '^ok .* # SKIP' "$results")
echo "# $((passed - skipped)) passed, $failed failed, $skipped skipped" >>"$results"
seconds=$(($(date +%s) - start))
yardstick=$(scripts/measure/yardstick.sh)
echo "check,$(echo "$trees" | tr ' ' '+')${scenario:+,$scenario} $seconds" >>"$build/log/seconds"
echo "yardstick $yardstick" >>"$build/log/seconds"
echo
echo "# $seconds s, on a machine on which scripts/measure/yardstick.sh takes $yardstick s"
if [ -z "$scenario" ] && ! scripts/measure/report/report.py -c "$build/log" "$build/report.html"; then
	echo "not ok - report"
	failed=$((failed + 1))
fi
with_source=$(for tree in $trees; do
	! has_source "$tree" || echo "$build/log/$tree/check"
done | sort -V)
# shellcheck disable=SC2086 # a list of words
if [ -z "$scenario" ] && [ "${trees#* }" != "$trees" ] &&
	! scripts/measure/report/results.py page Documentation/results.md $with_source; then
	echo "not ok - results"
	failed=$((failed + 1))
fi
echo "$((passed - skipped)) passed, $failed failed, $skipped skipped"
# too short a BUDGET for any scenario is a failure
if [ -n "$DEADLINE" ] && [ -z "$scenario" ] && ! grep -q '"verdict"' "$build/log/${trees%% *}/check/results.json" 2>/dev/null; then
	echo "check.sh: BUDGET=$BUDGET was too short for any scenario of ${trees%% *}" >&2
	exit 1
fi
[ "$failed" -eq 0 ] && [ "$passed" -gt "$skipped" ]
