#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# worse.sh TABLE SERIES...
# A patched kernel is never expected to end worse than an unpatched one: for each of SERIES
# and each scenario of TABLE (see there), the verdict of the first row that fits, in the
# order lives, warns, killed, oops, panic, hang. The exception is a row behind a line
# "# worse: REASON". Prints each that is worse; exit status 1 when there is one, or nothing
# to compare.
set -u

table=$1
shift
awk -v all="$*" '
	BEGIN {
		n = split("lives warns killed oops panic hang", order, " ")
		for (i = 1; i <= n; i++)
			rank[order[i]] = i
		trees = split(all, tree, " ")
	}
	/^# worse: ./ { excused = NR + 1; next }
	/^#/ || !NF { next }
	{
		if (!($5 in rank)) {
			print FILENAME ":" NR ": no verdict \"" $5 "\""
			bad++
		}
		for (i = 1; i <= trees; i++) {
			if ($2 != "*" && !index("," $2 ",", "," tree[i] ","))
				continue
			split($3 == "*" ? "unpatched patched" : $3, kernel, " ")
			for (k in kernel)
				if (!(($1, tree[i], kernel[k]) in row)) {
					row[$1, tree[i], kernel[k]] = rank[$5]
					line[$1, tree[i], kernel[k]] = NR
				}
			if (NR == excused)
				excuse[$1, tree[i]]
			names[$1]
		}
	}
	END {
		for (name in names)
			for (i = 1; i <= trees; i++) {
				before = row[name, tree[i], "unpatched"]
				after = row[name, tree[i], "patched"]
				if (!before || !after)
					continue
				compared++
				if (after > before && !((name, tree[i]) in excuse)) {
					print FILENAME ":" line[name, tree[i], "patched"] ": " name " on " \
						tree[i] ": patched " order[after] \
						", unpatched " order[before]
					bad++
				}
			}
		if (!compared)
			print FILENAME ": nothing to compare"
		exit bad || !compared
	}' "$table"
