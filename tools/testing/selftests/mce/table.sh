#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# table.sh [-e | -l] LOGS...
# What run.sh found in LOGS, as a table in Markdown: scenario by tree, unpatched
# beside patched. With -e, then the lines of the consoles that prove it. With -l, a
# line TREE|SCENARIO|KERNEL|MARK|CELL for each instead, for other programs.
# table.sh -p LOG
# Only what of the console LOG proves what became of its guest.
set -u

# a record that is survived has a RIP, too: that of the end is of interest
proof() {
	rip='RIP: 0010:|'
	grep -aqE 'Kernel panic|BUG: ' "$1" 2>/dev/null && rip="${rip}RIP 10:|"
	guest='mce-guest: (sigbus|write|value|fill|tables|alive|victim)'
	grep -aE "${rip}BUG: |Machine check: |Kernel panic - not|^vmm: direct map|$guest" \
		"$1" 2>/dev/null | sed 's/^\[[^]]*\] *//' | awk '!seen[$0]++' | head -n 8
}

evidence=''
list=''
case ${1:-} in
-e)
	evidence=yes
	shift
	;;
-l)
	list=yes
	shift
	;;
-p)
	proof "$2"
	exit
	;;
esac
for logs; do
	[ -r "$logs/verdicts" ] || {
		echo "table.sh: no $logs/verdicts: run.sh writes it" >&2
		exit 1
	}
done

for logs; do
	sed "s/^/$(cut -d '|' -f 2 "$logs/version")|/" "$logs/verdicts"
done | awk -F '|' -v list="$list" '
	# the verdict, and the one or two facts that the scenario is about
	function cell(verdict, mark,	n, i, word, kv, fact, stall, out) {
		n = split(verdict, word, " ")
		for (i = 2; i <= n; i++)
			if (split(word[i], kv, "=") == 2) {
				if (kv[1] ~ /^a[or]\.max_us$/ && kv[2] + 0 > stall)
					stall = kv[2] + 0
				fact[kv[1]] = kv[2]
			}
		out = word[1]
		if ("rip" in fact)
			out = out " in " fact["rip"]
		else if (stall)
			out = out ", stalls of " int(stall / 1000) " ms"
		else if ("after.split" in fact)
			out = out ", " fact["after.split"] " splits"
		else if ("split" in fact)
			out = out ", " fact["split"] " splits"
		else if ("pages" in fact)
			out = out ", " fact["pages"] " DIMM pages usable"
		else if ("direct" in fact)
			out = out ", " fact["direct"]
		else if ("ao-page.direct" in fact)
			out = out ", " fact["ao-page.direct"]
		return out (mark ? " (" mark ")" : "")
	}
	list {
		print $1 "|" $2 "|" $3 "|" $4 "|" cell($5, "")
		next
	}
	!($1 in trees) { trees[$1]; tree[++t] = $1 }
	!($2 in rows) { rows[$2]; row[++r] = $2 }
	{ is[$2, $1, $3] = cell($5, $4) }
	END {
		if (list)
			exit
		head = "| scenario |"
		rule = "| --- |"
		for (i = 1; i <= t; i++) {
			head = head " " tree[i] " unpatched | patched |"
			rule = rule " --- | --- |"
		}
		print head
		print rule
		for (j = 1; j <= r; j++) {
			line = "| " row[j] " |"
			for (i = 1; i <= t; i++)
				line = line " " is[row[j], tree[i], "unpatched"] " |" \
					" " is[row[j], tree[i], "patched"] " |"
			print line
		}
	}'
status=$?
[ -n "$evidence" ] || exit "$status"

echo
for logs; do
	while IFS='|' read -r scenario kernel mark verdict; do
		log=$logs/$scenario.$kernel.log
		echo "$scenario, $kernel: ${verdict%% *}${mark:+ ($mark)}"
		proof "$log" | sed 's/^/    /'
	done <"$logs/verdicts"
done
