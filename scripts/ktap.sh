# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Results as KTAP, numbered and counted. To be read with ".". $again is what the user
# runs to have the checks that were skipped because $DEADLINE, seconds since the epoch, had
# passed; without a DEADLINE in the environment nothing is.

number=0
failed=0
skipped=0

# one LABEL COMMAND...: a check passes when the command does and prints nothing. Its
# output goes to the file $output.
one() {
	if [ -n "${DEADLINE:-}" ] && [ "$(date +%s)" -ge "$DEADLINE" ]; then
		# shellcheck disable=SC2154 # the caller's
		skip "$1" "no time left (BUDGET=$BUDGET): make $again"
		return
	fi
	number=$((number + 1))
	label=$1
	shift
	# shellcheck disable=SC2154 # the caller's
	if "$@" >"$output" 2>&1 && [ ! -s "$output" ]; then
		echo "ok $number $label"
	else
		failed=$((failed + 1))
		echo "not ok $number $label"
		tail -n 40 "$output" | sed 's/^/# /'
	fi
}

# skip LABEL REASON
skip() {
	number=$((number + 1))
	skipped=$((skipped + 1))
	echo "ok $number $1 # SKIP $2"
}

# totals: the plan and what came out; status 1 when something failed
totals() {
	echo "1..$number"
	echo "# Totals: pass:$((number - failed - skipped)) fail:$failed skip:$skipped"
	[ "$failed" -eq 0 ]
}
