#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# qemu.sh LAB KERNELS LOGS KERNEL SCENARIO...
# Run the scenarios under KVM in L1, which is a guest of this machine's QEMU: all in one L1,
# each in a new guest. The callers (kvm*.sh, and those of run.py -b) set in the environment:
# $backend, their name; $accel, tcg or kvm; $l1_cpio, L1's initramfs; $machine, the driver's
# machine (vmm -m).
# LOGS gets SCENARIO.KERNEL.log, and L1's own console in $backend.KERNEL.console. $SOAK_N and
# $SOAK_SEED are for soak-*. $mce_timeout replaces timeout --foreground, which busybox lacks.
set -u

lab=$1 kernels=$2 logs=$3 kernel=$4
# shellcheck disable=SC2154 # the caller's
params=mce_machine=$machine
[ -z "${SOAK_N:-}" ] || params="$params mce_poisons=$SOAK_N mce_seed=${SOAK_SEED:-1}"
shift 4
# Seconds after which a run counts as hung: by L1's clock, and by this machine's
l1_limit=$((120 + ${SOAK_N:-0}))
wall_limit=$((400 + ${SOAK_N:-0} * 15))

# shellcheck source=tools/testing/selftests/mce/lab/l1.sh
. "$(dirname "$0")/l1.sh"
# shellcheck disable=SC2154 # the caller's
initrd=$logs/$backend.$kernel.initrd
# shellcheck disable=SC2034 # for l1_initrd()
l1_kernel=l1
trap 'rm -rf "$initrd" "$initrd.tree"' EXIT
trap 'exit 143' TERM HUP INT
l1_initrd "$lab" "$kernels" "$kernel" "$initrd"

# shellcheck disable=SC2154 # the caller's
if [ "$accel" = tcg ]; then
	# icount: L1's clock counts instructions. With a real clock, L1 on a busy machine can
	# be so slow that timer ticks take all of its time. nohz=off, highres=off: a periodic
	# tick. A tick that L1 programs each time is sometimes lost with four busy vCPUs, and
	# one of these then keeps L1's CPU.
	params="nohz=off highres=off $params"
	set -- "$*" -accel tcg -icount shift=0,sleep=off -cpu EPYC
else
	# L1 has one CPU here, too: QEMU before 10 can hang if vCPUs on two CPUs inject at once.
	set -- "$*" -accel kvm -cpu host
fi
runs=$1
shift
wall_limit=$((60 + $(echo "$runs" | wc -w) * wall_limit))
${mce_timeout:-timeout --foreground} -k 5 "$wall_limit" qemu-system-x86_64 "$@" \
	-machine pc -m 2560 -nodefaults -no-user-config -display none -no-reboot \
	-kernel "$lab/l1.bzImage" -initrd "$initrd" \
	-append "console=ttyS0 panic=-1 mce_lab=l1 $params mce_limit=$l1_limit mce_runs=\"$runs\"" \
	-serial "file:$logs/$backend.$kernel.console" -serial stdio \
	</dev/null 2>"$logs/$backend.$kernel.stderr" | l1_split "$logs" "$kernel" "$backend"
