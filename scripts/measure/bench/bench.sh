#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# bench.sh LAB KERNELS LOGS TREE
# What bad pages cost the unpatched and the patched guest of KERNELS, and both on bare
# metal, in figures of QEMU (cost.c, count.c), and whether the patched one keeps to its
# limit: in a guest nothing after memory_failure() but to decide that the page stays, and to
# remember it; on bare metal the same as unpatched to the instruction, but the test for a guest. LAB has guest.cpio and guest. LOGS
# gets the log of each run and "results", lines of words:
#
#   tree TREE VERSION
#   each KERNEL CPU MAP CPUS KIND TOTAL BEFORE MF AFTER NOSPEC SENT RECEIVED SENT_AFTER
#        RECEIVED_AFTER		the least of some poisons of each KIND, ao or ar
#   in KERNEL CPU MAP CPUS KIND PHASE FUNCTION N	the same
#   growth KERNEL CPU MAP PAGES SPLIT_2M SPLIT_1G PAGETABLE_PAGES HOLES TLB CALL MCE
#   walk KERNEL CPU MAP PAGES L4 L3 L2 L1
#
# CPU is guest or bare, MAP 2m or 1g. Prints KTAP and a table. Exit status: 0, 1 when a
# limit is not kept, 2 when nothing could be run.
set -u

here=$(dirname "$0")

die() {
	echo "bench.sh: $*" >&2
	exit 2
}

[ $# -eq 4 ] || die "usage: bench.sh LAB KERNELS LOGS TREE"
lab=$1 kernels=$2 logs=$3 tree=$4
# shellcheck source=scripts/lib.sh
. "$here/../../lib.sh"
commit=$(commit_of "$here")
version=$(cut -d ' ' -f 2 "$kernels/source" 2>/dev/null) || version=$tree
# shellcheck source=scripts/driver.sh
. "$here/../../driver.sh"
begin
driver "$here/cost.c" "$lab" "$kernels"
# the lowest version of the interface that QEMU takes, see plugin.h
major=$(qemu-system-x86_64 --version | sed -n '1s/.*version \([0-9]*\).*/\1/p')
gcc -O2 -Wall -shared -fPIC -DPLUGIN_VERSION=$((${major:-0} >= 9 ? 2 : 1)) \
	-o "$logs/count.so" "$here/count.c" || die "cannot compile count.c"
for kernel in unpatched patched; do
	{
		cat "$kernels/$kernel/obj/System.map" && nm "$logs/guest" | grep -w on_sigbus
	} >"$logs/$kernel.symbols" || die "no symbols of $kernels/$kernel or of $lab/guest"
done

# KERNEL CPU MAP CPUS WHAT, the slowest first
for row in '2 growth' '4 each' '2 each' '1 each'; do
	for map in 2m 1g; do
		for cpu in guest bare; do
			for kernel in unpatched patched; do
				echo "$kernel $cpu $map $row"
			done
		done
	done
done >"$logs/runs"
echo "# bench $tree: $(wc -l <"$logs/runs") runs of QEMU, some minutes"
# shellcheck disable=SC2016 # expanded by the inner shell
setsid xargs -a "$logs/runs" -P "$(nproc)" -L 1 sh -c '
	logs=$1 kernels=$2 kernel=$3 cpu=$4 map=$5 cpus=$6 what=$7
	name=$kernel.$cpu.$map.$cpus.$what
	set -- -c "$cpus" -l 600 -k "$kernels/$kernel.bzImage" -i "$logs/$kernel.initrd"
	[ "$cpu" = guest ] || set -- -b "$@"
	[ "$map" = 2m ] || set -- -1 "$@"
	[ "$what" = growth ] ||
		set -- "$@" -p "$logs/count.so,symbols=$logs/$kernel.symbols,out=$logs/$name.count"
	"$logs/cost" "$@" "$what" </dev/null >"$logs/$name.log" 2>&1
	exit 0' sh "$logs" "$kernels" &
pool=$!
wait "$pool"
pool=

{
	echo "tree $tree $version"
	while read -r kernel cpu map cpus what; do
		name=$kernel.$cpu.$map.$cpus.$what
		sed -n "s/^vmm: growth: /growth $kernel $cpu $map /p
			s/^vmm: walk: /walk $kernel $cpu $map /p" "$logs/$name.log"
		[ "$what" = each ] || continue
		awk -v run="$kernel $cpu $map $cpus" '
			# the first of a kind finds caches and free lists cold
			function keep(key, value) {
				if (!(key in least) || value + 0 < least[key] + 0)
					least[key] = value
				times[key]++
			}
			$1 == "in" { pending[$2 " " $3 " " $4] = $5 }
			$1 == "each" && samples[$2]++ {
				for (key in pending)
					keep(key, pending[key])
				for (i = 3; i <= NF; i++)
					keep($2 " " i, $i)
			}
			$1 == "each" { split("", pending) }
			END {
				for (key in least) {
					split(key, word, " ")
					if (3 in word && times[key] == samples[word[1]] - 1)
						print "in", run, key, least[key]
				}
				for (kind in samples) {
					line = "each " run " " kind
					for (i = 3; i <= 11; i++)
						line = line " " least[kind " " i]
					if (samples[kind] > 1)
						print line
				}
			}' "$logs/$name.count" 2>/dev/null
	done <"$logs/runs"
} >"$logs/results.new"
if ! echo "$commit" >"$logs/commit" || ! mv "$logs/results.new" "$logs/results"; then
	die "cannot write $logs/results"
fi

# The most instructions that the test for a guest may take on bare metal, and the decision
# in a guest, and to remember the page. 13, 68 and some 500 were seen on 6.12.
awk -v tree="$tree" -v logs="$logs" -v price=16 -v decision=80 -v remembering=800 '
	function result(ok, label) {
		print (ok ? "ok " : "not ok ") ++number " bench " tree " " label
		failed += !ok
	}
	# what the series adds, and is the price of it, and what it changes; 5.10 has
	# set_mce_nospec() inline, in another function then
	function is_test(f) {
		return f ~ /^(can_leave_mapped|leave_mapped|mce_left_mapped|hv_root_partition)$/ ||
			f ~ /^(intel_)?mce_usable_address$/ ||
			f ~ /^(error_context|mce_is_stray_access|is_stray_access)$/ ||
			f ~ /^(mce_severity_intel|mce_read_aux)$/ ||
			f ~ /^(uc_decode_notifier|kill_me_maybe|do_machine_check|set_mce_nospec\..*)$/
	}
	# what it takes to remember the page: an entry of an xarray, and a node for it
	function is_memory(f) {
		return f ~ /xa_|xas_|radix_tree_node|kmem_cache|slab|memset|memcg|should_failslab|xarray/
	}
	# the way to other CPUs: which of them are idle, which one this is and who waits, for a
	# lock or for the APIC, is random
	function is_sending(f) {
		return f ~ /IPI|apic|call_func|^smp_call_function|cpumask|find_next|spin_(un)?lock/
	}
	# a machine check, until it is graded and handed on
	function is_handling(f) {
		return f ~ /mce|machine_check|^error_context|fixup|stray_access/
	}
	$1 == "each" {
		run = $3 " " $4 " " $5 " " $6
		if (!(run in runs)) {
			runs[run]
			order[++count] = run
		}
		for (i = 7; i <= NF; i++)
			fig[$2, run, i - 6] = $i
		have[$2, run]
	}
	$1 == "in" {
		run = $3 " " $4 " " $5 " " $6
		n = $9
		of[$2, run, $7, $8] = n
		if (!((run, $7, $8) in listed)) {
			listed[run, $7, $8]
			functions[run, $7] = functions[run, $7] " " $8
		}
	}
	$1 == "growth" {
		run = $3 " " $4
		if (!(run in grows)) {
			grows[run]
			growing[++grow_count] = run
		}
		line = ""
		for (i = 6; i <= 9; i++)
			line = line " " $i
		grown[$2, run] = grown[$2, run] " /" line
		sum[$2, run] += $6 + $7 + $8 + $9
		largest[$2, run] = $5 " " $9
	}
	$1 == "walk" { walk[$2, $3 " " $4] = $5 " pages: " $6 " " $7 " " $8 " " $9; small[$2, $3 " " $4] = $9 }
	# names of functions that differ in a phase: of the series in "ours", others in "other",
	# and again in "handling" and "unnamed" what is neither chance nor sending
	function differ(run, phase,	n, f, i, a, b) {
		ours = other = handling = unnamed = ""
		ours_sum = 0
		n = split(functions[run, phase], f, " ")
		for (i = 1; i <= n; i++) {
			a = of["unpatched", run, phase, f[i]] + 0
			b = of["patched", run, phase, f[i]] + 0
			if (a == b)
				continue
			if (is_test(f[i])) {
				ours = ours " " f[i] (b > a ? " +" : " ") (b - a)
				ours_sum += b - a
			} else {
				other = other " " f[i] " " a "->" b
				if (is_handling(f[i]))
					handling = handling " " f[i] " " a "->" b
				if (!is_sending(f[i]))
					unnamed = unnamed " " f[i] " " a "->" b
			}
		}
	}
	END {
		print "KTAP version 1"
		for (k = 1; k <= count; k++) {
			run = order[k]
			split(run, w, " ")
			label = w[1] " " w[2] " " w[3] " CPU " w[4]
			if (!(("unpatched", run) in have) || !(("patched", run) in have)) {
				result(0, label ": a run is missing, see " logs)
				continue
			}
			result(fig["unpatched", run, 5] > 0 && (w[3] == 1 || fig["unpatched", run, 9] > 0),
				label ": unpatched takes the page out of the direct map (" \
				fig["unpatched", run, 5] " instructions, " fig["unpatched", run, 8] \
				" interrupts sent, " fig["unpatched", run, 9] " received)")
			differ(run, "after")
			if (w[1] == "guest") {
				# what is unpatched alone is set_mce_nospec(), and what it calls
				new = ""
				memory = 0
				n = split(other, f, " ")
				for (i = 1; i < n; i += 2) {
					split(f[i + 1], v, "->")
					if (v[2] > 0 && is_memory(f[i]))
						memory += v[2] - v[1]
					else if (v[2] > v[1])
						new = new " " f[i] " " f[i + 1]
				}
				result(!new && ours_sum <= decision && memory <= remembering && fig["patched", run, 5] == 0 && fig["patched", run, 8] == 0 && \
					fig["patched", run, 9] == 0, label ": patched, nothing after memory_failure() but" ours ", and " memory " to remember the page")
				if (new)
					print "# other:" new
			} else {
				# two CPUs may wait for a lock: compare the least of all
				more = fig["patched", run, 4] - fig["unpatched", run, 4]
				same = more == ours_sum
				result(ours_sum <= price && (same || (w[3] > 1 && !unnamed)), label ": after memory_failure() the same " \
					fig["unpatched", run, 4] " but" ours (same ? "" : ", and what other CPUs make of it:" other))
				if (!same && (w[3] == 1 || unnamed))
					print "# " fig["patched", run, 4] " instructions:" other
				# more CPUs wait for each other, for longer or shorter
				if (w[3] > 1)
					continue
				differ(run, "before")
				result(!handling && ours_sum <= price, label ": before memory_failure() the machine check is handled by the same" (ours ? " but" ours : ""))
				if (handling)
					print "# other:" handling
			}
		}
		for (k = 1; k <= grow_count; k++) {
			run = growing[k]
			if (run ~ /^guest/) {
				split(largest["unpatched", run], w, " ")
				result(w[1] == 4096 && w[2] == w[1], run ": unpatched has " w[2] " holes for " w[1] " pages")
				result(grown["patched", run] != "" && !sum["patched", run], \
					run ": patched, no split, no page table, no hole for as many")
				result(small["unpatched", run] > 0 && small["patched", run] == 0, \
					run ": walk, unpatched " walk["unpatched", run] ", patched " walk["patched", run])
			} else {
				result(grown["patched", run] != "" && grown["patched", run] == grown["unpatched", run] && \
					walk["patched", run] == walk["unpatched", run], run ": the same growth and walk")
			}
		}
		if (!count || !grow_count)
			result(0, "no figures, see " logs)
		print "# Totals: pass:" number - failed " fail:" failed + 0 " skip:0"
	}' "$logs/results" | tee "$logs/results.ktap"

echo
awk '
	BEGIN {
		print "| CPU, map, CPUs, kind | kernel | #MC to SIGBUS | to memory_failure() | in it | after it | of that set_mce_nospec() | IPIs sent, received | after it |"
		print "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
	}
	$1 == "each" {
		print "| " $3 " " $4 " " $5 " " $6 " | " $2 " | " $7 " | " $8 " | " $9 " | " $10 " | " $11 " | " $12 ", " $13 " | " $14 ", " $15 " |"
	}' "$logs/results"
echo
# of 14 copy_from_kernel_nofault() to a poisoned page, in L1
awk -F '|' '
	BEGIN {
		print "| stray access, ns under emulation | kernel | at first | when the page is out |"
		print "| --- | --- | --- | --- |"
	}
	$1 ~ /stray-nofault$/ && match($0, / ns=[0-9]+/) {
		first = substr($0, RSTART + 4, RLENGTH - 4)
		match($0, /again\.ns=[0-9]+/)
		print "| " $1 " | " $2 " | " first " | " substr($0, RSTART + 9, RLENGTH - 9) " |"
		seen = 1
	}
	END { if (!seen) print "| nothing yet: make check leaves it | | | |" }' \
	"$logs/../check/verdicts" /dev/null 2>/dev/null
echo
"$here/../seconds.sh" "$logs/../.." "$tree" | awk '
	BEGIN { print "| what the test bed takes | seconds, mean | most |"; print "| --- | --- | --- |" }
	$1 == "scenario" { print "| " $2 " | " $3 " | " $4 " |" }
	$1 == "command" { print "| make " $2 " | " $3 " | |" }
	END { if (!NR) print "| nothing yet: make check and make demo leave it | | |" }'
! grep -q '^not ok' "$logs/results.ktap"
