#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# worse.sh TABLE SERIES...
# Check that TABLE never expects a patched kernel to end worse than an unpatched one. For each
# of SERIES and each scenario, compare the verdicts of the first matching rows, in the order
# lives, warns, killed, oops, panic, hang. A row after a line "# worse: REASON" is exempt.
# Print each that is worse; exit status 1 if there is one, or nothing to compare.
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
