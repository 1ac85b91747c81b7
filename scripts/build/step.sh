#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# step.sh LOG LABEL COMMAND...
# Run a long command with its output in LOG. Print LABEL and the time: on a
# terminal as a clock, otherwise, or with NO_CLOCK=yes, one line before and one after. If the
# command fails, print the end of LOG and a likely cause, and exit with its status.
set -u

log=$1
label=$2
shift 2

if ! mkdir -p "${log%/*}" || ! : >"$log"; then
	echo "step.sh: cannot write $log: is the disk full, or is a permission missing?" >&2
	exit 1
fi

start=$(date +%s)
clock=
erase=
command=
stop() {
	[ -z "$clock" ] || kill "$clock"
	# the whole session of the command
	[ -z "$command" ] || kill -s TERM -- "-$command"
} 2>/dev/null
trap 'stop; echo; echo "interrupted: $label (log: $log)" >&2; exit 130' INT
trap 'stop; echo "terminated: $label (log: $log)" >&2; exit 143' TERM HUP

if [ -t 1 ] && [ -z "${NO_CLOCK:-}" ]; then
	# the rest of the line: the clock of a step at the same time may be longer
	erase=$(printf '\033[K')
	while :; do
		printf '%s ... %d s%s\r' "$label" $(($(date +%s) - start)) "$erase"
		sleep 1
	done &
	clock=$!
else
	echo "$label ..."
fi

setsid "$@" >"$log" 2>&1 </dev/null &
command=$!
wait "$command"
status=$?
command=
stop

if [ $status -eq 0 ]; then
	echo "$label: done in $(($(date +%s) - start)) s$erase"
	exit 0
fi
echo "$label: FAILED$erase" >&2
tail -n 15 "$log" | sed 's/^/  | /' >&2
if grep -q 'No space left on device' "$log" || ! echo >>"$log" 2>/dev/null; then
	echo "the disk is full: build/ needs about 2.5 GB a tree" >&2
fi
echo "the whole log: $log" >&2
exit $status
