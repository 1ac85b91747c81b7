#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kvm-emulated.sh LAB KERNELS LOGS KERNEL SCENARIO...
# Run kvm-lacks.sh and kvm.sh in a machine with KVM that QEMU emulates with TCG, to test them
# without such a machine. The machine runs the stock kernel, for its KVM, and kvm-init. It has
# one level more than tcg.sh and is slower. CLFLUSH does not fault. LOGS gets
# SCENARIO.KERNEL.log, and the machine's console in kvm-emulated.KERNEL.console.
set -u

lab=$1 kernels=$2 logs=$3 kernel=$4
shift 4
wall_limit=600

here=$(dirname "$0")
selftest=$here/../../tools/testing/selftests/mce/lab
# shellcheck source=tools/testing/selftests/mce/lab/l1.sh
. "$selftest/l1.sh"
initrd=$logs/kvm-emulated.$kernel.initrd
trap 'rm -f "$initrd"' EXIT
trap 'exit 143' TERM HUP INT

qemu=$(command -v qemu-system-x86_64)
share=usr/share/qemu
firmware=
# the firmware that boots a kernel on a PC, from whichever directory has it
for file in bios-256k.bin kvmvapic.bin linuxboot_dma.bin; do
	for dir in /usr/share/qemu /usr/share/seabios; do
		[ ! -e "$dir/$file" ] || firmware="$firmware $dir/$file=$share/$file"
	done
done
# shellcheck disable=SC2046,SC2086 # lists of words
"$selftest/cpio.sh" "$initrd" "$here/kvm-init=init" /bin/busybox=bin/busybox \
	"$qemu=usr/bin/qemu-system-x86_64" $firmware \
	$(ldd "$qemu" | sed -n 's|[^/]*/\([^ ]*\) .*|/\1=\1|p') \
	$(for file in qemu.sh kvm.sh kvm-lacks.sh l1.sh; do echo "$selftest/$file=mce/$file"; done) \
	$(for file in l1.bzImage l1.modules.cpio l1.cpio guest.cpio; do echo "$lab/$file=lab/$file"; done) \
	$(for file in bzImage hook.cpio; do
		echo "$kernels/$kernel.$file=kernels/$kernel.$file"
	done) || exit 1
cat "$lab/stock.modules.cpio" >>"$initrd" || exit 1

timeout --foreground -k 5 $((wall_limit + $# * wall_limit)) qemu-system-x86_64 \
	-accel tcg -icount shift=0,sleep=off -machine pc -cpu EPYC -m 5120 \
	-nodefaults -no-user-config -display none -no-reboot \
	-kernel "$lab/stock.bzImage" -initrd "$initrd" \
	-append "console=ttyS0 panic=-1 nohz=off highres=off mce_kernel=$kernel mce_runs=\"$*\"" \
	-serial "file:$logs/kvm-emulated.$kernel.console" -serial stdio \
	</dev/null 2>"$logs/kvm-emulated.$kernel.stderr" | l1_split "$logs" "$kernel" kvm-emulated
