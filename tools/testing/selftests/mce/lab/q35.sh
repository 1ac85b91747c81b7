#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# q35.sh LAB KERNELS LOGS KERNEL SCENARIO...
# Run the scenarios under QEMU TCG on this machine, without L1: a machine with DIMMs
# and without KVM. Machine checks are injected, and no page is unmapped. LOGS gets
# SCENARIO.KERNEL.log, and seconds.
set -u

lab=$1 kernels=$2 logs=$3 kernel=$4
shift 4
# Seconds after which a run counts as hung, by the driver and by timeout
limit=120
wall_limit=150

initrd=$logs/q35.$kernel.initrd
trap 'rm -f "$initrd"' EXIT
trap 'exit 143' TERM HUP INT
cat "$lab/guest.cpio" "$kernels/$kernel.hook.cpio" >"$initrd" || exit 1
for scenario; do
	since=$(date +%s)
	timeout --foreground -k 5 "$wall_limit" "$lab/vmm" -l "$limit" -m q35 \
		-k "$kernels/$kernel.bzImage" -i "$initrd" "$scenario" \
		</dev/null >"$logs/$scenario.$kernel.log" 2>&1
	echo "$scenario $kernel q35 $(($(date +%s) - since))" >>"$logs/seconds"
done
