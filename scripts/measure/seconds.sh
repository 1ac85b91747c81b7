#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# seconds.sh LOGS [TREE]
# How long the test bed itself took, as the last `make check` of all trees or of TREE and
# the last `make demo` left it in LOGS. Prints lines of words, none where nothing was run:
#
#   scenario BACKEND,SCENARIO MEAN MOST	seconds without the boot of L1, several at a time
#   command COMMAND,TREES SECONDS	of a whole command
set -u

logs=$1 tree=${2:-*}
# shellcheck disable=SC2086 # a pattern
cat "$logs"/$tree/check/seconds 2>/dev/null | awk '
	{
		key = $3 "," $1
		sum[key] += $4
		count[key]++
		if ($4 > most[key])
			most[key] = $4
	}
	END {
		for (key in sum)
			printf "scenario %s %.0f %d\n", key, sum[key] / count[key], most[key]
	}' | sort
awk '{ last[$1] = $2 } END { for (key in last) print "command", key, last[key] }' \
	"$logs/seconds" 2>/dev/null | sort
