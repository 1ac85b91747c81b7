#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kvm-lacks.sh LAB KERNELS LOGS KERNEL BACKEND SCENARIO
# Test whether the backends kvm* work on this machine. If not, print why, in one line, and exit
# with 1. /dev/kvm may be unable to run a guest, or a nested guest, so run SCENARIO on
# KERNEL with BACKEND, which is one of them. LOGS gets its consoles.
set -u

lab=$1 kernels=$2 logs=$3 kernel=$4 backend=$5 scenario=$6
limit=90
if [ -n "${DEADLINE:-}" ]; then
	left=$((DEADLINE - $(date +%s)))
	[ "$left" -ge "$limit" ] || limit=$((left > 1 ? left : 1))
fi

lacks() {
	echo "$*"
	exit 1
}

[ -e /dev/kvm ] || lacks "this machine has no /dev/kvm"
if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
	lacks "$(id -un) may not use /dev/kvm: be root or in the group kvm"
fi
grep -qwE 'vmx|svm' /proc/cpuinfo || lacks "this CPU has neither VMX nor SVM in /proc/cpuinfo"
for nested in /sys/module/kvm_*/parameters/nested; do
	case $(cat "$nested" 2>/dev/null) in
	N | 0)
		module=${nested#/sys/module/}
		module=${module%%/*}
		lacks "nested virtualisation is off: modprobe -r $module; modprobe $module nested=1"
		;;
	esac
done
rm -rf "$logs"
mkdir -p "$logs" || lacks "$logs cannot be written"
# timeout makes a process group, so that all of it can be ended
timeout -k 5 "$limit" \
	"$(dirname "$0")/$backend.sh" "$lab" "$kernels" "$logs" "$kernel" "$scenario" \
	>"$logs/out" 2>&1 </dev/null &
try=$!
trap 'kill "$try" 2>/dev/null; exit 143' TERM HUP INT
# if KVM works, L1's kernel prints within a second or two
silent=0
console=$logs/$backend.$kernel.console
while [ "$silent" -lt 30 ] && [ ! -s "$console" ] && kill -0 "$try" 2>/dev/null; do
	sleep 1
	silent=$((silent + 1))
done
[ -s "$console" ] || kill "$try" 2>/dev/null
wait "$try"
trap - TERM HUP INT
! grep -q '^vmm: verdict {"what":"lives"' "$logs/$scenario.$kernel.log" 2>/dev/null || exit 0
reason=$(grep -v 'terminating on signal' "$logs/$backend.$kernel.stderr" 2>/dev/null | head -n 1)
lacks "/dev/kvm cannot run a nested guest: ${reason:-it did not finish in time}" \
	"(see $logs)"
