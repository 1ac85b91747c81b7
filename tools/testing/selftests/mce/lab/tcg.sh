#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# tcg.sh LAB KERNELS LOGS KERNEL SCENARIO...
# The scenarios under KVM-AMD in an L1 that QEMU emulates with TCG: all in one
# L1, each with a guest of its own. LOGS gets SCENARIO.KERNEL.log, and L1's own
# console in tcg.KERNEL.console. $l1_cpio and $machine are for amd.sh, $SOAK_N and
# $SOAK_SEED for the scenarios soak-*.
set -u

lab=$1 kernels=$2 logs=$3 kernel=$4
backend=${machine:-tcg}
params=${machine:+mce_machine=$machine}
[ -z "${SOAK_N:-}" ] || params="$params mce_poisons=$SOAK_N mce_seed=${SOAK_SEED:-1}"
shift 4
# Seconds after which a run is taken for hung: by L1's clock, and by this machine's
l1_limit=$((120 + ${SOAK_N:-0}))
wall_limit=$((400 + ${SOAK_N:-0} * 15))

# shellcheck source=tools/testing/selftests/mce/lab/l1.sh
. "$(dirname "$0")/l1.sh"
initrd=$logs/$backend.$kernel.initrd
trap 'rm -rf "$initrd" "$initrd.tree"' EXIT
trap 'exit 143' TERM HUP INT
l1_initrd "$lab" "$kernels" "$kernel" "$initrd"

# icount: L1's clock counts instructions. By a real clock a busy machine makes
# L1 so slow that timer ticks take all of its time, for ever. nohz=off, highres=off: a
# tick that comes by itself. One that L1 has to ask for each time is lost now and then
# with four busy vCPUs, and one of these then has L1's CPU for ever.
params="console=ttyS0 panic=-1 nohz=off highres=off mce_lab=l1 $params"
timeout --foreground -k 5 $((60 + $# * wall_limit)) qemu-system-x86_64 \
	-accel tcg -icount shift=0,sleep=off -machine pc -cpu EPYC -m 2560 \
	-nodefaults -no-user-config -display none -no-reboot \
	-kernel "$lab/l1.bzImage" -initrd "$initrd" \
	-append "$params mce_limit=$l1_limit mce_runs=\"$*\"" \
	-serial "file:$logs/$backend.$kernel.console" -serial stdio \
	</dev/null 2>"$logs/$backend.$kernel.stderr" | l1_split "$logs" "$kernel" "$backend"
