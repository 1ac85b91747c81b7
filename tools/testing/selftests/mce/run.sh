#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# run.sh LAB KERNELS LOGS TREE [SCENARIO...]
# Run the scenarios of the table "scenarios" for TREE, all or those named, on
# KERNELS/unpatched.bzImage and KERNELS/patched.bzImage. LAB is where the
# Makefile here built (vmm, guest.cpio, l1.cpio, l1.bzImage). LOGS gets the
# console of every run, SCENARIO.KERNEL.log, and results.ktap.
#
# Prints KTAP, a table with the two kernels side by side and the evidence.
# Exit status: 0 when everything came out as the table says, 1 when not, 2 when
# nothing could be run.
set -uf

here=$(dirname "$0")
# Seconds after which a run is taken for hung: by the driver's clock (it needs 2
# in L1, 1 on q35), and by this machine's (4 each).
l1_limit=20
q35_limit=60
wall_limit=120

die() {
	echo "run.sh: $*" >&2
	exit 2
}

[ $# -ge 4 ] || die "usage: run.sh LAB KERNELS LOGS TREE [SCENARIO...]"
lab=$1 kernels=$2 logs=$3 tree=$4
shift 4
for file in "$lab/vmm" "$lab/guest.cpio" "$lab/l1.cpio" "$lab/l1.bzImage" \
	"$kernels/unpatched.bzImage" "$kernels/patched.bzImage"; do
	[ -r "$file" ] || die "no $file: build it first"
done
command -v qemu-system-x86_64 >/dev/null || die "no qemu-system-x86_64: install qemu-system-x86"
# as the source says it, if it was fetched by us: LINUX-PACKAGE VERSION SUITE
version=$(cut -d ' ' -f 2 "$kernels/source" 2>/dev/null) || version=$tree

rm -rf "$logs"
mkdir -p "$logs" || die "cannot make $logs"

jobs=
stop() {
	for job in $jobs; do
		kill -s TERM -- "-$job"
	done 2>/dev/null
	rm -f "$logs/initrd"
}
trap 'stop; echo "interrupted; nothing is left running" >&2; exit 130' INT
trap 'stop; exit 143' TERM HUP
trap stop EXIT

# SCENARIO KERNEL BACKEND EXPECT... of all that is to be run
rows=$logs/rows
awk -v tree="$tree" -v only=" $* " '
	/^#/ || !NF || ($2 != tree && $2 != "*") { next }
	only ~ /[^ ]/ && !index(only, " " $1 " ") { next }
	{
		n = split($3 == "*" ? "unpatched patched" : $3, kernel, " ")
		for (i = 1; i <= n; i++) {
			if (seen[$1, kernel[i]]++)
				continue
			line = $1 " " kernel[i]
			for (f = 4; f <= NF; f++)
				line = line " " $f
			print line
		}
	}' "$here/scenarios" >"$rows" || die "cannot write $rows: is the disk full?"
for scenario; do
	grep -q "^$scenario " "$rows" || die "no scenario $scenario for $tree. There are:" \
		"$(awk '!/^#/ && NF { print $1 }' "$here/scenarios" | uniq | tr '\n' ' ')"
done

# ---- the backends; each runs its rows one after the other

# L1's own initramfs, with the kernels of this run in /kernels in front of it.
make_initrd() {
	mkdir "$logs/cpio" "$logs/cpio/kernels" &&
		cp "$kernels/unpatched.bzImage" "$logs/cpio/kernels/unpatched" &&
		cp "$kernels/patched.bzImage" "$logs/cpio/kernels/patched" &&
		(cd "$logs/cpio" && find kernels | cpio -o -H newc --quiet) >"$logs/initrd" &&
		cat "$lab/l1.cpio" >>"$logs/initrd" && rm -r "$logs/cpio"
}

# All runs share one L1. It writes what the driver says to $logs/l1.runs.
start_tcg() {
	list=$(awk '$3 == "tcg" { printf "%s%s:%s", sep, $1, $2; sep = " " }' "$rows")
	[ -n "$list" ] || return 0
	n=$(echo "$list" | wc -w)
	if ! make_initrd; then
		die "cannot write L1's initramfs in $logs: is the disk full?"
	fi
	# icount: L1's clock counts instructions. By a real clock a busy machine
	# makes L1 so slow that timer ticks take all of its time, for ever. Seen
	# with QEMU 7.2: at shift=1, 3 of 54 guests hung, at 0 none of 147.
	setsid timeout -k 5 $((60 + n * wall_limit)) qemu-system-x86_64 \
		-accel tcg -icount shift=0,sleep=off -machine pc -cpu EPYC -m 1024 \
		-nodefaults -no-user-config -display none -no-reboot \
		-kernel "$lab/l1.bzImage" -initrd "$logs/initrd" \
		-append "console=ttyS0 panic=-1 mce_lab=l1 mce_limit=$l1_limit mce_runs=\"$list\"" \
		-serial "file:$logs/l1.console" -serial "file:$logs/l1.runs" \
		>"$logs/l1.qemu" 2>&1 &
	tcg=$!
	jobs="$jobs $tcg"
}

start_q35() {
	grep -q '^[^ ]* [^ ]* q35 ' "$rows" || return 0
	# shellcheck disable=SC2016 # expanded by the inner shell
	setsid sh -c 'while read -r scenario kernel backend expect; do
			[ "$backend" = q35 ] || continue
			timeout --foreground -k 5 "$1" "$3/vmm" -l "$2" -i "$3/guest.cpio" \
				-k "$4/$kernel.bzImage" "$scenario" </dev/null \
				>"$5/$scenario.$kernel.log" 2>&1
		done' sh "$wall_limit" "$q35_limit" "$lab" "$kernels" "$logs" <"$rows" &
	q35=$!
	jobs="$jobs $q35"
}

# The log of one run so far, taken out of what L1 sent.
split_l1() {
	[ -r "$logs/l1.runs" ] || return 0
	awk -v run="l1: run $1 $2" '/^l1: / { on = $0 == run; next } on' "$logs/l1.runs" \
		>"$logs/$1.$2.log"
}

# Wait for a run's verdict, or for the end of what should have brought it.
wait_for() {
	scenario=$1 kernel=$2 backend=$3
	log=$logs/$scenario.$kernel.log
	eval "job=\$$backend"
	since=$(date +%s)
	while :; do
		over=
		kill -0 "$job" 2>/dev/null || over=yes
		[ "$backend" != tcg ] || split_l1 "$scenario" "$kernel"
		verdict=$(sed -n 's/^vmm: verdict \(.*\) end$/\1/p' "$log" 2>/dev/null)
		[ -z "$verdict$over" ] || break
		[ ! -t 2 ] || printf '# waiting for %s %s: %d s\r' "$scenario" "$kernel" \
			$(($(date +%s) - since)) >&2
		sleep 1
	done
	[ ! -t 2 ] || printf '%60s\r' '' >&2
}

# ---- what came out, and what should have

# fits EXPECT VERDICT: every word of EXPECT is borne out by VERDICT.
fits() {
	got=$2
	# shellcheck disable=SC2086 # words
	set -- $1
	[ "${got%% *}" = "$1" ] || return 1
	shift
	for want; do
		found=
		for fact in $got; do
			case $want in
			*'>='*)
				[ "${fact%%=*}" = "${want%%>=*}" ] &&
					[ "${fact#*=}" -ge "${want#*>=}" ] 2>/dev/null && found=yes
				;;
			*)
				# shellcheck disable=SC2254 # a pattern
				case $fact in $want) found=yes ;; esac
				;;
			esac
		done
		[ -n "$found" ] || return 1
	done
}

# The lines of a console that show what happened, without time stamps.
evidence() {
	grep -aE 'BUG: |RIP: 0010:|RIP 10:|Machine check: |Kernel panic - not|mce-guest: (sigbus|fill|alive|victim)' \
		"$1" 2>/dev/null | sed 's/^\[[^]]*\] *//' | awk '!seen[$0]++' | head -n 8
}

# What a cell of the table says: the verdict and the two or three facts in it
cell() {
	echo "$1" | awk '{
		for (i = 2; i <= NF; i++) {
			split($i, kv, "=")
			fact[kv[1]] = substr($i, length(kv[1]) + 2)
		}
		out = $1
		if ("rip" in fact) out = out " in " fact["rip"]
		if ("pages" in fact) out = out ", " fact["pages"] " DIMM pages usable"
		else if ("code" in fact && !("rip" in fact)) out = out ", " fact["code"] " lsb " fact["lsb"]
		print out
	}'
}

tcg='' q35=''
start_tcg
start_q35

count=$(wc -l <"$rows")
passed=0
number=0
{
	echo "KTAP version 1"
	echo "1..$count"
} | tee "$logs/results.ktap"
: >"$logs/cells"
: >"$logs/evidence"
while read -r scenario kernel backend expect; do
	number=$((number + 1))
	wait_for "$scenario" "$kernel" "$backend"
	name="$scenario $tree $kernel"
	log=$logs/$scenario.$kernel.log
	if [ -z "$verdict" ]; then
		verdict="hang at=wall_limit"
		if [ "$backend" = tcg ] && ! grep -qsFx "l1: run $scenario $kernel" "$logs/l1.runs"; then
			verdict="none: L1 did not come to it, see $logs/l1.console"
		fi
	fi
	mark=
	{
		if fits "$expect" "$verdict"; then
			passed=$((passed + 1))
			echo "ok $number $name"
		else
			mark=' (not as expected)'
			echo "not ok $number $name"
			echo "# expected: $expect"
			echo "# got:      $verdict"
			[ -s "$log" ] || log=$logs/l1.console
			echo "# the last lines of $log:"
			tail -n 12 "$log" 2>/dev/null | sed 's/^/#   /'
			echo "# again: make check TREE=$tree SCENARIO=$scenario"
		fi
	} >"$logs/one" || die "cannot write $logs/one: is the disk full?"
	tee -a "$logs/results.ktap" <"$logs/one"
	echo "$scenario|$kernel|$(cell "$verdict")$mark" >>"$logs/cells"
	{
		echo "$scenario, $kernel: ${verdict%% *}"
		evidence "$log" | sed 's/^/    /'
	} >>"$logs/evidence"
done <"$rows"
echo "# Totals: pass:$passed fail:$((count - passed)) skip:0" | tee -a "$logs/results.ktap"

echo
awk -F '|' -v version="$version" '
	{ if (!($1 in row)) order[++n] = $1; row[$1]; cell[$1, $2] = $3 }
	END {
		printf "| scenario | %s unpatched | %s patched |\n| --- | --- | --- |\n", version, version
		for (i = 1; i <= n; i++)
			printf "| %s | %s | %s |\n", order[i],
				cell[order[i], "unpatched"], cell[order[i], "patched"]
	}' "$logs/cells" | tee "$logs/table.md"
echo
cat "$logs/evidence"
rm -f "$logs/one" "$logs/cells" "$rows"
[ "$passed" -eq "$count" ]
