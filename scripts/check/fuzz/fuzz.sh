#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fuzz.sh LAB KERNELS LOGS TREE SEED [WHAT...]
# Send machine checks that no sane VMM sends (fuzz.c) to the unpatched and to the patched
# guest of KERNELS, all or those of WHAT, and compare what becomes of the two: they end
# alike, or the patched one ends better in a way that the table `patched-better` has. LAB has
# guest.cpio; LOGS gets WHAT.KERNEL.log. Prints KTAP. Exit status: 0, 1 when a guest is
# worse off, 2 when nothing could be run.
# fuzz.sh -n [WHAT...]
# Run nothing, only refuse a WHAT that there is not.
set -u

here=$(dirname "$0")
known='bits address random again boot off offline unplug'

die() {
	echo "fuzz.sh: $*" >&2
	exit 2
}

first=${1:-}
if [ "$first" = -n ]; then
	shift
else
	[ $# -ge 5 ] || die "usage: fuzz.sh LAB KERNELS LOGS TREE SEED [WHAT...]"
	lab=$1 kernels=$2 logs=$3 tree=$4 seed=$5
	shift 5
fi
for what; do
	case " $known " in
	*" $what "*) ;;
	*) die "nothing is called $what. There are: $known" ;;
	esac
done
[ "$first" != -n ] || exit 0
[ $# -gt 0 ] || {
	# shellcheck disable=SC2086 # a list of words
	set -- $known
}

# shellcheck source=scripts/driver.sh
. "$here/../../driver.sh"
begin
driver "$here/fuzz.c" "$lab" "$kernels"

echo "# fuzz $tree: seed $seed"
# the slowest first
# shellcheck disable=SC2016 # expanded by the inner shell
for what; do
	for kernel in unpatched patched; do
		echo "$what $kernel"
	done
done | setsid xargs -P "$(nproc)" -L 1 sh -c '
	logs=$1 kernels=$2 seed=$3 what=$4 kernel=$5
	disk=$logs/$what.$kernel.qcow2
	# the virtual address of the kernel image is at __START_KERNEL_map, 0xffffffff80000000
	zero=$(sed -n "s/^ffffffff\(.*\) . empty_zero_page$/0x\1/p" \
		"$kernels/$kernel/obj/System.map")
	qemu-img create -q -f qcow2 "$disk" 16G &&
		timeout --foreground -k 5 7200 "$logs/fuzz" -d "$disk" -s "$seed" -z $((zero - 0x80000000)) \
			-k "$kernels/$kernel.bzImage" -i "$logs/$kernel.initrd" "$what" \
			>"$logs/$what.$kernel.log" 2>&1 </dev/null
	rm -f "$disk"' sh "$logs" "$kernels" "$seed" &
pool=$!
wait "$pool"
pool=

awk -v tree="$tree" -v logs="$logs" -v whats="$*" -v seed="$seed" '
	# A race of the kernel, ahead of all that the patches touch: memory_failure() has found
	# the page online and looks at its struct page, which goes with the DIMM. Seen on 7.3.4,
	# unpatched and patched, seed 161803. The DIMM is at 4 GB, its struct pages at
	# vmemmap_base + 4 GB / 4096 * 64.
	function lost_race(what, verdict) {
		return what == "unplug" && verdict ~ /^vmm: verdict oops / &&
			verdict ~ / rip=(get_hwpoison_page|memory_failure) fault=ffffea0004[01]/
	}
	function read_log(what, kernel,		file, line, at, key, outcome) {
		file = logs "/" what "." kernel ".log"
		over[what, kernel] = ""
		while ((getline line <file) > 0) {
			if (line ~ /^vmm: verdict /)
				over[what, kernel] = line
			if (line !~ /^fuzz: / || !(at = index(line, " -> ")))
				continue
			key = substr(line, 7, at - 7)
			outcome = substr(line, at + 4)
			# The instruction that it interrupts is random, and with it the text of the
			# panic: is_copy_from_user() takes a movzbl from register to register for a
			# load from user space when a small number is in it. "Failed kernel mode
			# recovery", then, as no fixup is found: unpatched 6.12.118 does, at
			# hrtimer_start_range_ns+0xab. And a kernel that is printing may hold a lock
			# that its panic waits for: unpatched 6.1.192 hung in 3 of 100 places of
			# its boot, patched in 1 of 84
			if (what ~ /^(boot|off)$/)
				sub(/^(panic:.*|hang)$/, "dies", outcome)
			sent[kernel]++
			if (!((key, kernel, outcome) in known)) {
				known[key, kernel, outcome]
				ends[key, kernel] = ends[key, kernel] "|" outcome
			}
			if (!(key in keys)) {
				keys[key]
				order[++count] = key
			}
		}
		close(file)
		# its record is no result of either kernel
		if (lost_race(what, over[what, kernel]))
			sub(/\|oops:[^|]*$/, "", ends[key, kernel])
	}
	# one set, in whichever order it was found
	function sorted(set,	n, part, i, j, t, out) {
		n = split(substr(set, 2), part, "|")
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && part[j - 1] > part[j]; j--) {
				t = part[j]
				part[j] = part[j - 1]
				part[j - 1] = t
			}
		for (i = 1; i <= n; i++)
			out = out (i > 1 ? "|" : "") part[i]
		return out
	}
	function result(ok, label) {
		print (ok ? "ok " : "not ok ") ++number " fuzz " tree " " label
		failed += !ok
	}
	/^#/ || !NF { next }
	{
		n = split($0, field, "\t")
		rows++
		for (i = 1; i <= n; i++)
			better[rows, i] = field[i]
	}
	END {
		print "KTAP version 1"
		n = split(whats, what, " ")
		for (i = 1; i <= n; i++) {
			read_log(what[i], "unpatched")
			read_log(what[i], "patched")
		}
		for (k = 1; k <= count; k++) {
			key = order[k]
			split(key, word, " ")
			group = word[1] "/" word[2]
			if (!(group in total))
				groups[++group_count] = group
			total[group]++
			compared[word[1]]++
			old = sorted(ends[key, "unpatched"])
			new = sorted(ends[key, "patched"])
			# chance: only one of them was in this state
			if (word[1] ~ /^(off|unplug)$/ && (old == "" || new == "")) {
				total[group]--
				compared[word[1]]--
				continue
			}
			if (old == new) {
				alike[group]++
				continue
			}
			row = 0
			for (r = 1; r <= rows && !row; r++)
				if (better[r, 1] == group && word[3] ~ "^" better[r, 2] "$" &&
				    old ~ "^" better[r, 3] "$" && new ~ "^" better[r, 4] "$")
					row = r
			if (row) {
				used[row]++
				improved[group]++
			} else {
				worse[group]++
				if (worse[group] <= 5)
					what_is_worse[group] = what_is_worse[group] "# " key \
						"\n#   unpatched: " old "\n#   patched:   " new "\n"
			}
		}
		for (i = 1; i <= n; i++)
			for (j = 0; j < 2; j++) {
				kernel = j ? "patched" : "unpatched"
				end = over[what[i], kernel]
				if (lost_race(what[i], end)) {
					result(1, what[i] " " kernel " went to where the DIMM is gone under memory_failure()")
					continue
				}
				result(end ~ /^vmm: verdict lives /, what[i] " " kernel " went to its end")
				if (end !~ /^vmm: verdict lives /)
					print "# " (end ? end : "no end") ", see " logs "/" what[i] "." kernel ".log"
			}
		for (i = 1; i <= n; i++)
			if (!compared[what[i]])
				result(0, what[i] ": no record has gone to both")
		for (g = 1; g <= group_count; g++) {
			group = groups[g]
			if (!total[group])
				continue
			result(!worse[group], group ": " total[group] " records, " alike[group] + 0 \
				" alike, " improved[group] + 0 " better, " worse[group] + 0 " otherwise")
			printf "%s", what_is_worse[group]
		}
		for (r = 1; r <= rows; r++)
			for (i = 1; i <= n; i++)
				if (better[r, 1] ~ "^" what[i] "/") {
					result(used[r] > 0, better[r, 1] ": " better[r, 5] " (" used[r] + 0 " records)")
				}
		print "# " sent["unpatched"] + 0 " records to the unpatched, " sent["patched"] + 0 \
			" to the patched guest, seed " seed
		print "# Totals: pass:" number - failed " fail:" failed + 0 " skip:0"
		exit failed > 0
	}' "$here/patched-better" | tee "$logs/results.ktap"
if grep -q '^not ok' "$logs/results.ktap" || ! grep -q '^ok' "$logs/results.ktap"; then
	echo "# the same again: make fuzz TREE=$tree SEED=$seed WHAT='$*'"
	exit 1
fi
