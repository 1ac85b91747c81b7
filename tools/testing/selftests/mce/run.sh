#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# run.sh [-k KERNEL | -m MISSING] LAB KERNELS LOGS TREE [SCENARIO...]
# Run the scenarios of the table "scenarios" for TREE, all or those named (a beginning up to a
# hyphen that none is called, such as amd, is all of amd-*), on KERNELS/unpatched.bzImage
# and KERNELS/patched.bzImage, as many at a time as this machine has CPUs. LAB is where the
# Makefile here built (vmm, guest.cpio, l1.cpio, amd.cpio), with L1's kernel without and with
# the patches in lab/ (stock.bzImage, l1.bzImage); beside each kernel under test is its
# KERNEL.hook.cpio (hook/build.sh). LOGS gets the console of every run,
# SCENARIO.KERNEL.log, the verdicts, and results.ktap, which is also printed;
# table.sh makes a table of one or more LOGS.
# BACKEND= in the environment takes that one instead of the table's: kvm, or tcg so that
# kvm is not tried, or another for all. Without it, kvm is taken where it works
# (lab/kvm-lacks.sh) for what it does as well; LOGS/backend and a line of output name it.
# DEADLINE= in the environment, seconds since the epoch, is when what has no verdict yet is
# stopped and skipped; the line has BUDGET=, the minutes that the user gave.
#
# With -k, only KERNEL of the two is run. KERNEL tried is neither of them, but one to be found
# out about: its verdict is compared with what both must come to. In LOGS/verdicts, what it is
# like is in place of a mark: unpatched, patched, both, or neither. With -m, the patched kernel
# is all there is, and what is run on a backend that the file MISSING names ("BACKEND REASON")
# is skipped.
#
# Exit status: 0 when everything came out as the table has it, 1 when not, 2 when
# nothing could be run, 4 when all was skipped.
set -uf

here=$(dirname "$0")

die() {
	echo "run.sh: $*" >&2
	exit 2
}

case ${BACKEND:-tcg} in
amd | bochs | kvm | kvm-emulated | q35 | tcg) ;;
*) die "no backend $BACKEND: it is one of amd, bochs, kvm, kvm-emulated, q35, tcg" ;;
esac
missing=/dev/null
under_test='unpatched patched'
again=
if [ "${1:-}" = -k ]; then
	under_test=${2:-}
	shift 2
elif [ "${1:-}" = -m ]; then
	missing=${2:-}
	under_test=patched
	again='./mce.sh '
	[ -r "$missing" ] || die "-m: no file '$missing'"
	shift 2
fi
[ $# -ge 4 ] || die "usage: run.sh [-k KERNEL | -m MISSING] LAB KERNELS LOGS TREE [SCENARIO...]"
lab=$1 kernels=$2 logs=$3 tree=$4
shift 4
# of a tree of the user's own it is SERIES~NAME
series=${tree%%~*}
# what of make's command line names the tree
named=${SOURCE:+SOURCE=$SOURCE${CONFIG:+ CONFIG=$CONFIG}}
# as the source says it, if it was fetched by us: LINUX-PACKAGE VERSION SUITE
version=$(cut -d ' ' -f 2 "$kernels/source" 2>/dev/null) || version=$tree

rm -rf "$logs"
mkdir -p "$logs" || die "cannot make $logs"

pool=
stop() {
	[ -z "$pool" ] || kill -s TERM -- "-$pool"
	find "$logs" -name '*.initrd' -delete
} 2>/dev/null
trap 'stop; echo "interrupted; nothing is left running" >&2; exit 130' INT
trap 'stop; exit 143' TERM HUP
trap stop EXIT

# what is missing, and what is not and has to be there
lacks() {
	sed -n "s/^$1 //p" "$missing" | head -n 1
}

# SCENARIO KERNEL BACKEND EXPECT... of all that is to be run
rows=$logs/rows
awk -v tree="$series" -v only=" $* " -v under_test=" $under_test " '
	# by its name, or by what it begins with, if that is no name: amd, amd-soak
	function is_asked_for(name) {
		if (only !~ /[^ ]/ || index(only, " " name " "))
			return 1
		while (sub(/-[^-]*$/, "", name))
			if (!(name in names) && index(only, " " name " "))
				return 1
		return 0
	}
	/^#/ || !NF { next }
	NR == FNR {
		names[$1]
		next
	}
	!index("," $2 ",", "," tree ",") && $2 != "*" { next }
	!is_asked_for($1) { next }
	{
		n = split($3 == "*" ? "unpatched patched" : $3, kernel, " ")
		for (i = 1; i <= n; i++) {
			tried = under_test == " tried "
			if (seen[$1, kernel[i]]++ ||
			    !tried && !index(under_test, " " kernel[i] " "))
				continue
			line = $4
			# where a kernel oopses depends on its compiler, too
			for (f = 5; f <= NF; f++)
				if (!tried || $f !~ /^rip=/)
					line = line " " $f
			if (!tried)
				print $1, kernel[i], line
			else if ($1 in first)
				print $1, "tried", first[$1] " | " substr(line, length($4) + 2)
			else
				first[$1] = line
		}
	}' "$here/scenarios" "$here/scenarios" >"$rows" ||
	die "cannot write $rows: is the disk full?"
for scenario; do
	grep -q "^${scenario}[- ]" "$rows" || die "no scenario $scenario for $tree. There are:" \
		"$(awk '!/^#/ && NF { print $1 }' "$here/scenarios" | sort -u | tr '\n' ' ')"
done

# "BACKEND OTHER" for what another than that of the table does
instead=
case ${BACKEND:-} in
'' | kvm)
	if [ -n "$(lacks tcg)" ]; then
		reason="there is no L1 to try it with"
	elif ! grep -qE '^[^ ]* [^ ]* (amd|bochs|tcg) ' "$rows"; then
		reason="none of these scenarios is for it"
	elif reason=$("$here/lab/kvm-lacks.sh" "$lab" "$kernels" "$logs/kvm" \
		"${under_test%% *}"); then
		instead="tcg kvm"
		# the other vendor's guests need that vendor's KVM
		if grep -qw svm /proc/cpuinfo; then
			[ -n "$(lacks amd)" ] || instead="$instead amd kvm-amd"
		else
			instead="$instead bochs kvm-broadcast"
		fi
	fi
	if [ -n "$instead" ]; then
		echo "KVM of this machine, in place of: $(echo "$instead" | sed 's/ kvm[-a-z]*//g')"
	elif [ -n "${BACKEND:-}" ]; then
		die "BACKEND=kvm: $reason"
	else
		echo "emulation, as KVM cannot be taken: $reason"
	fi >"$logs/backend"
	;;
tcg) echo "emulation, as BACKEND=tcg asks for" >"$logs/backend" ;;
*)
	instead="* $BACKEND"
	echo "$BACKEND, as BACKEND= asks for" >"$logs/backend"
	;;
esac
awk -v instead="$instead" '
	BEGIN {
		n = split(instead, word, " ")
		for (i = 1; i < n; i += 2)
			other[word[i]] = word[i + 1]
	}
	"*" in other { $3 = other["*"] }
	$3 in other { $3 = other[$3] }
	{ print }' "$rows" >"$rows.new" || die "cannot write $rows: is the disk full?"
mv "$rows.new" "$rows"

for backend in kvm amd tcg kvm-amd bochs kvm-broadcast q35 kvm-emulated; do
	if ! grep -q "^[^ ]* [^ ]* $backend " "$rows" || [ -n "$(lacks "$backend")" ]; then
		continue
	fi
	case $backend in
	amd | kvm-amd) files="amd.cpio l1.bzImage" ;;
	bochs) files="l1.cpio stock.bzImage" ;;
	kvm-emulated) files="l1.cpio l1.bzImage stock.bzImage" ;;
	kvm | kvm-broadcast | tcg) files="l1.cpio l1.bzImage" ;;
	q35) files= ;;
	esac
	for file in vmm guest.cpio $files; do
		[ -r "$lab/$file" ] || die "no $lab/$file: build it first"
	done
done
for kernel in $under_test; do
	for file in "$kernels/$kernel.bzImage" "$kernels/$kernel.hook.cpio"; do
		[ -r "$file" ] || die "no $file: build it first"
	done
done

# BACKEND KERNEL SCENARIO... of each job: what one backend does with one kernel.
# Those that take longest come first.
jobs=$logs/jobs
for backend in bochs kvm-emulated amd tcg kvm-amd kvm-broadcast kvm q35; do
	[ -z "$(lacks "$backend")" ] || continue
	awk -v backend="$backend" '
		$3 == backend { list[$2] = list[$2] " " $1 }
		END { for (kernel in list) print backend, kernel list[kernel] }' "$rows" | sort -r
done >"$jobs"
for program in $(sed -n 's/^bochs .*/bochs grub-mkrescue/p' "$jobs" | head -n 1) \
	qemu-system-x86_64 setsid xargs; do
	command -v "$program" >/dev/null || die "no $program: install it first"
done
# shellcheck disable=SC2016 # expanded by the inner shell
setsid xargs -r -a "$jobs" -P "$(nproc)" -L 1 sh -c '
	here=$1 lab=$2 kernels=$3 logs=$4 backend=$5 kernel=$6
	shift 6
	"$here/lab/$backend.sh" "$lab" "$kernels" "$logs" "$kernel" "$@" \
		>"$logs/$backend.$kernel.out" 2>&1
	: >"$logs/$backend.$kernel.over"' \
	sh "$here" "$lab" "$kernels" "$logs" &
pool=$!

# Wait for a run's verdict, for the end of what should have brought it, or for that of the
# time that there is.
late=
wait_for() {
	scenario=$1 kernel=$2 backend=$3
	log=$logs/$scenario.$kernel.log
	since=$(date +%s)
	while :; do
		over=
		if [ -e "$logs/$backend.$kernel.over" ] || ! kill -0 "$pool" 2>/dev/null; then
			over=yes
		elif [ -n "${DEADLINE:-}" ] && [ "$(date +%s)" -ge "$DEADLINE" ]; then
			late=yes
			stop
			sleep 1
		fi
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
			*'<='*)
				[ "${fact%%=*}" = "${want%%<=*}" ] &&
					[ "${fact#*=}" -le "${want#*<=}" ] 2>/dev/null && found=yes
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

with=${BACKEND:+BACKEND=$BACKEND}
again=${again:-make check ${named:-TREE=$tree} SCENARIO=}
count=$(wc -l <"$rows")
passed=0
skipped=0
number=0
{
	echo "KTAP version 1"
	echo "1..$count"
	sed 's/^/# /' "$logs/backend"
} | tee "$logs/results.ktap"
echo "$tree|$version" >"$logs/version"
: >"$logs/verdicts"
while read -r scenario kernel backend expect; do
	number=$((number + 1))
	name="$scenario $tree $kernel"
	reason=$(lacks "$backend")
	if [ -n "$reason" ]; then
		skipped=$((skipped + 1))
		echo "ok $number $name # SKIP $backend: $reason" | tee -a "$logs/results.ktap"
		continue
	fi
	wait_for "$scenario" "$kernel" "$backend"
	log=$logs/$scenario.$kernel.log
	if [ -z "$verdict" ] && [ -n "$late" ] && [ ! -e "$logs/$backend.$kernel.over" ]; then
		skipped=$((skipped + 1))
		echo "ok $number $name # SKIP no time left (BUDGET=${BUDGET:-}):" \
			"$again$scenario $with" |
			tee -a "$logs/results.ktap"
		continue
	fi
	if [ -z "$verdict" ]; then
		verdict="hang at=wall_limit"
		[ -e "$log" ] ||
			verdict="none: $backend did not come to it, see $logs/$backend.$kernel.*"
	fi
	mark=
	if [ "$kernel" = tried ]; then
		as=neither
		! fits "${expect%% | *}" "$verdict" || as=unpatched
		if fits "${expect##* | }" "$verdict"; then
			[ "$as" = unpatched ] && as=both || as=patched
		fi
		passed=$((passed + 1))
		echo "ok $number $name # as $as: ${verdict%% *}" | tee -a "$logs/results.ktap"
		echo "$scenario|$kernel|$as|$verdict" >>"$logs/verdicts"
		continue
	fi
	{
		if fits "$expect" "$verdict"; then
			passed=$((passed + 1))
			echo "ok $number $name"
		else
			mark='not as expected'
			echo "not ok $number $name"
			echo "# expected: $expect"
			echo "# got:      $verdict"
			[ -s "$log" ] || log=$logs/$backend.$kernel.out
			echo "# the last lines of $log:"
			tail -n 12 "$log" 2>/dev/null | sed 's/^/#   /'
			[ ! -s "$logs/$backend.$kernel.stderr" ] ||
				grep -v 'warning: TCG' "$logs/$backend.$kernel.stderr" |
				tail -n 3 | sed 's/^/#   /'
			echo "# again: $again$scenario $with"
		fi
	} >"$logs/one" || die "cannot write $logs/one: is the disk full?"
	tee -a "$logs/results.ktap" <"$logs/one"
	echo "$scenario|$kernel|$mark|$verdict" >>"$logs/verdicts"
done <"$rows"
echo "# Totals: pass:$passed fail:$((count - passed - skipped)) skip:$skipped" |
	tee -a "$logs/results.ktap"
rm -f "$logs/one" "$rows" "$jobs"
find "$logs" -name '*.over' -delete
[ "$skipped" -lt "$count" ] || exit 4
[ $((passed + skipped)) -eq "$count" ]
