#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# report.sh [-c] LOGS OUT
# One page of HTML, OUT, of what the last `make check` and `make bench` left in LOGS: it
# needs no network, no script and no other file. Exit status: 0, 1 when the results are not
# whole, or not of this commit; it prints which, and OUT is as it was. -c: what bench left
# is of no interest when it is of another commit; make check does not run it.
set -u

here=$(dirname "$0")
# shellcheck source=scripts/lib.sh
. "$here/../../lib.sh"
selftest=$here/../../../tools/testing/selftests/mce
only_check=
[ "$1" != -c ] || {
	only_check=yes
	shift
}
logs=$1 out=$2

die() {
	echo "report.sh: $*" >&2
	exit 1
}

ktap=$logs/check.ktap
[ -r "$ktap" ] || die "no $ktap: run make check first"
tail -n 1 "$ktap" | grep -q '^# [0-9]* passed, [0-9]* failed, [0-9]* skipped$' ||
	die "$ktap is truncated: make check did not come to its end. Run it again"
# each plan has its results; not all that is run has one
short=$(awk '
	function over() { if (plan != "" && plan != seen) print plan " were planned, " seen " are there" }
	/^KTAP version/ { over(); plan = ""; seen = 0 }
	/^1\.\.[0-9]+/ { plan = substr($1, 4) + 0 }
	/^(not )?ok [0-9]/ { seen++ }
	END { over() }' "$ktap" | head -n 1)
[ -z "$short" ] || die "$ktap is truncated: of its results, $short. Run make check again"

commit=$(commit_of "$here")
of=$(cat "$logs/check.commit" 2>/dev/null)
[ "$of" = "$commit" ] || die "the results in $logs are of ${of:-an unknown version}," \
	"and this is $commit: run make check again"
checked=""
benched=""
for dir in "$logs"/*/check; do
	[ -r "$dir/verdicts" ] || continue
	of=$(cat "$dir/commit" 2>/dev/null)
	[ "$of" = "$commit" ] || die "$dir is of ${of:-an unknown version}, and this is" \
		"$commit: run make check again"
	checked="$checked $dir"
done
for dir in "$logs"/*/bench; do
	[ -r "$dir/results" ] || continue
	of=$(cat "$dir/commit" 2>/dev/null)
	if [ "$of" != "$commit" ]; then
		[ -n "$only_check" ] || die "$dir is of ${of:-an unknown version}, and this is" \
			"$commit: run make bench again, or remove it"
		continue
	fi
	benched="$benched $dir"
done
[ -n "$checked" ] || die "no verdicts in $logs/*/check: run make check first"

new=$out.new
work=$(mktemp -d)
trap 'rm -rf "$work" "$new"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

escape() {
	sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'
}

# section TITLE
section() {
	printf '<h2>%s</h2>\n' "$1"
}

# term NAME, with what it is on standard input
term() {
	printf '<dt>%s</dt><dd>' "$1"
	escape
	printf '</dd>\n'
}

facts() {
	echo '<dl>'
	git -C "$here" log -1 --format='%h, %ad' --date=short 2>/dev/null | term 'Commit'
	date -u '+%Y-%m-%d %H:%M UTC' | term 'Page made'
	sed -n '$s/^# //p' "$ktap" | term 'Result of make check'
	for dir in $checked; do
		tr '|' ' ' <"$dir/version"
	done | awk '{ print (NR > 1 ? ", " : "") "Linux " $2 }' | tr -d '\n' | term 'Kernels'
	for dir in $checked; do
		sed 's/ (see .*//' "$dir/backend"
	done | sort -u | term 'L1 runs by'
	echo "$(nproc) CPUs, $(awk '/^model name/ { sub(/.*: */, ""); print; exit }' /proc/cpuinfo)," \
		"$(awk '/^MemTotal/ { print int($2 / 1048576 + 0.5) }' /proc/meminfo) GB," \
		"$(. /etc/os-release && echo "$PRETTY_NAME"), Linux $(uname -r)" | term 'Machine'
	{
		qemu-system-x86_64 --version | sed -n '1s/ *(.*//p'
		dpkg-query -W -f 'Bochs ${Version}\n' bochs 2>/dev/null
		gcc --version | sed -n '1s/gcc ([^)]*)/gcc/p'
	} | awk '{ printf "%s%s", (NR > 1 ? ", " : ""), $0 }' | term 'Tools'
	echo '</dl>'
}

# the table of scenarios, each cell with the lines of the console that prove it; the roles
# are for a narrow screen, where its parts are no longer laid out as a table
scenarios() {
	# shellcheck disable=SC2086 # a list of words
	"$selftest/table.sh" -l $checked >"$work/cells"
	for dir in $checked; do
		tree=$(cut -d '|' -f 2 "$dir/version")
		cut -d '|' -f 1,2 "$dir/verdicts" | while IFS='|' read -r scenario kernel; do
			"$selftest/table.sh" -p "$dir/$scenario.$kernel.log" | escape |
				sed "s/^/$tree|$scenario|$kernel|/"
		done
	done >"$work/proofs"
	escape <"$work/cells" | awk -F '|' -v proofs="$work/proofs" '
		BEGIN {
			while ((getline <proofs) > 0) {
				key = $1 "|" $2 "|" $3
				line = $0
				sub(/^[^|]*\|[^|]*\|[^|]*\|/, "", line)
				proof[key] = proof[key] line "\n"
			}
		}
		!($1 in trees) { trees[$1]; tree[++t] = $1 }
		!($2 in rows) { rows[$2]; row[++r] = $2 }
		{ cell[$2, $1, $3] = $5; bad[$2, $1, $3] = $4 }
		END {
			print "<table class=\"cards\" role=\"table\"><caption>What becomes of the guest. A cell opens to the lines of the console that prove it.</caption>"
			printf "<thead role=\"rowgroup\"><tr role=\"row\"><th role=\"columnheader\" scope=\"col\" rowspan=\"2\">scenario</th>"
			for (i = 1; i <= t; i++)
				printf "<th role=\"columnheader\" scope=\"colgroup\" colspan=\"2\">%s</th>", tree[i]
			printf "</tr><tr role=\"row\">"
			for (i = 1; i <= t; i++)
				printf "<th role=\"columnheader\" scope=\"col\">unpatched</th><th role=\"columnheader\" scope=\"col\">patched</th>"
			print "</tr></thead><tbody role=\"rowgroup\">"
			for (j = 1; j <= r; j++) {
				printf "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\">%s</th>", row[j]
				for (i = 1; i <= t; i++)
					for (k = 0; k < 2; k++) {
						kernel = k ? "patched" : "unpatched"
						text = cell[row[j], tree[i], kernel]
						if (text == "") {
							printf "<td role=\"cell\" class=\"empty\">not run</td>"
							continue
						}
						wrong = bad[row[j], tree[i], kernel]
						word = text
						sub(/[^a-z].*/, "", word)
						printf "<td role=\"cell\" class=\"%s%s\" data-label=\"%s %s\">", word, wrong ? " bad" : "", tree[i], kernel
						if (wrong)
							text = text " (" wrong ")"
						shown = proof[tree[i] "|" row[j] "|" kernel]
						if (shown == "")
							printf "%s</td>", text
						else
							printf "<details><summary>%s</summary><pre>%s</pre></details></td>", text, shown
					}
				print "</tr>"
			}
			print "</tbody></table>"
		}'
}

# plot RESULTS COLUMN TITLE YLABEL: how a figure of growth grows, as a picture
plot() {
	awk -v column="$2" '
		$1 == "growth" && $3 == "guest" {
			key = $4 " " $2
			if (!(key in points))
				order[++n] = key
			points[key] = points[key] $5 " " $column "\n"
		}
		END {
			for (i = 1; i <= n; i++) {
				split(order[i], w, " ")
				printf "\"%s, %s mappings\"\n%s\n\n", w[2], toupper(w[1]), points[order[i]]
			}
		}' "$1" >"$work/data"
	gnuplot -c "$here/growth.gp" "$work/data" "$3" "$4" \
		"$(grep -c '^"' "$work/data")" >"$work/svg" 2>"$work/gnuplot" ||
		die "gnuplot: $(cat "$work/gnuplot")"
	echo '<figure>'
	sed -n '/<svg/,$p' "$work/svg" | sed "1s/<svg/<svg role=\"img\" aria-label=\"$3, for 1 to 4096 bad pages; the figures are in the table below\"/" |
		grep -v '<title>Gnuplot</title>\|<desc>Produced by'
	printf '<figcaption>%s.</figcaption></figure>\n' "$3"
}

# figures CAPTION HEADINGS: lines of words on standard input as a table, LABELS words a label
figures() {
	printf '<div class="wide" role="region" tabindex="0" aria-label="%s"><table><caption>%s</caption><thead><tr>' "$1" "$1"
	printf '%s\n' "$2" | tr '|' '\n' | sed 's|.*|<th scope="col">&</th>|' | tr -d '\n'
	echo '</tr></thead><tbody>'
	escape | awk '{
		printf "<tr><th scope=\"row\">%s</th>", $1
		for (i = 2; i <= NF; i++)
			printf "<td%s>%s</td>", $i ~ /^[0-9]+$/ ? " class=\"number\"" : "", $i
		print "</tr>"
	}'
	echo '</tbody></table></div>'
}

bench() {
	if [ -z "$benched" ]; then
		echo '<p>There are no figures of this commit: run <code>make bench</code>, then <code>make report</code>.</p>'
		return
	fi
	for dir in $benched; do
		version=$(awk '$1 == "tree" { print $3 }' "$dir/results")
		printf '<h3>Linux %s</h3>\n' "$version"
		plot "$dir/results" 8 "Pages of page tables that splits take, Linux $version" "pages"
		plot "$dir/results" 11 "Function-call interrupts received, Linux $version" "interrupts"
		awk '$1 == "growth" { print $3 "," $4 "," $2, $5, $6, $7, $8, $9, $10, $11, $12 }' "$dir/results" |
			figures "Growth, Linux $version, 2 CPUs: what one of them sends the other one receives" \
			'kernel|bad pages|2M mappings split|1G mappings split|page-table pages|holes|TLB interrupts|call interrupts|machine checks'
		awk '$1 == "each" { print $3 "," $4 "," $5 "CPU," $6 "," $2, $7, $8, $9, $10, $11, $12, $13, $14, $15 }' "$dir/results" |
			figures "Instructions and interrupts of one bad page, Linux $version" \
			'guest|#MC to SIGBUS|to memory_failure()|in memory_failure()|after it|of that set_mce_nospec()|sent|received|sent after it|received after it'
		awk '$1 == "walk" { print $3 "," $4 "," $2, $5, $6, $7, $8, $9 }' "$dir/results" |
			figures "Entries of page tables loaded for a read of 64 MB, one page bad in each 2M, Linux $version" \
			'guest|pages read|level 4|level 3|level 2|level 1'
	done
}

# what the test bed itself takes
seconds() {
	"$here/../seconds.sh" "$logs" | sed -n 's/^scenario //p' |
		figures 'Seconds a scenario, without the boot of its L1, several at a time' 'backend, scenario|mean|most'
	"$here/../seconds.sh" "$logs" | sed -n 's/^command //p' |
		figures 'Seconds a command took when it was last run here' 'command|seconds'
}

others() {
	grep -E '^(not )?ok ' "$ktap" | awk '
		/^not ok/ { word = "failed" }
		/^ok/ { word = / # SKIP/ ? "skipped" : "passed" }
		word != "passed" { sub(/^(not )?ok [0-9-]* */, ""); print word ": " $0 }' | escape |
		sed 's|.*|<li>&</li>|' >"$work/others"
	if [ -s "$work/others" ]; then
		echo '<ul>'
		cat "$work/others"
		echo '</ul>'
	else
		echo '<p>All that was run has passed.</p>'
	fi
}

if ! {
	cat <<-END &&
	<!DOCTYPE html>
	<html lang="en">
	<head>
	<meta charset="utf-8">
	<meta name="viewport" content="width=device-width, initial-scale=1">
	<title>Bad memory in a guest: what was measured</title>
	<style>
	END
	sed 1d "$here/style.css" && cat <<-END &&
	</style>
	</head>
	<body>
	<h1>Bad memory in a guest: what was measured</h1>
	<p>A hypervisor takes a bad page away from its guest and forwards a machine check. These are
	guests with the kernel as Debian ships it, unpatched, beside the same with the patches that leave
	the direct map alone.</p>
	END
	facts && section 'Scenarios' && scenarios && section 'Cost' && bench &&
	section 'The test bed' && seconds && section 'Not passed' && others &&
	section 'The same again' && cat <<-END
	<p>On Debian 12, in a clone of the repository at the commit above:</p>
	<pre>make bench
	make check
	make report</pre>
	</body>
	</html>
	END
} >"$new"; then
	die "cannot write $new: is the disk full?"
fi
mv "$new" "$out"
echo "the report: $out"
