#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# bochs.sh LAB KERNELS LOGS KERNEL SCENARIO...
# Run the scenarios under an unmodified KVM-Intel in L1, which Bochs emulates: of the
# emulators, only Bochs has a CLFLUSH that faults. LOGS gets SCENARIO.KERNEL.log, and
# L1's own console in bochs.KERNEL.console. bochs-lmce.sh sets $backend, $l1_kernel, the name of
# L1's kernel in LAB, and $machine, that of the VMM driver.
#
# Bochs' clock is unrelated to real time: only the limit here detects a hang.
set -u

lab=$1 kernels=$2 logs=$3 kernel=$4
shift 4
wall_limit=900
backend=${backend:-bochs}
l1_kernel=${l1_kernel:-stock}

# shellcheck source=tools/testing/selftests/mce/lab/l1.sh
. "$(dirname "$0")/../../tools/testing/selftests/mce/lab/l1.sh"
work=$(mktemp -d "$logs/$backend.$kernel.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 143' TERM HUP INT

mkdir -p "$work/iso/boot/grub"
l1_initrd "$lab" "$kernels" "$kernel" "$work/iso/boot/initrd"
cp "$lab/$l1_kernel.bzImage" "$work/iso/boot/kernel"
# noxsave: nested in Bochs, CPUID leaf 0xd is empty. reboot=t: this machine can end
# itself only by a triple fault.
params="console=ttyS0 panic=-1 reboot=t noxsave mce_lab=l1"
cat >"$work/iso/boot/grub/grub.cfg" <<EOF
linux /boot/kernel $params mce_machine=${machine:-broadcast} mce_runs="$*"
initrd /boot/initrd
boot
EOF
grub-mkrescue -o "$work/l1.iso" "$work/iso" >"$work/grub-mkrescue" 2>&1 || {
	cat "$work/grub-mkrescue" >&2
	echo "bochs.sh: grub-mkrescue failed: is xorriso, mtools, grub-pc-bin missing," \
		"or the disk full?" >&2
	exit 1
}

# error: action=ignore, as L1 probes for devices and MSRs that do not exist.
# speaker=0, as the plugin opens the machine's sound card.
cat >"$work/bochsrc" <<EOF
cpu: model=corei7_haswell_4770, count=1, ips=200000000, reset_on_triple_fault=0
clock: sync=none
memory: guest=1024, host=1024
romimage: file=/usr/share/seabios/bios.bin
vgaromimage: file=/usr/share/seabios/vgabios-stdvga.bin
display_library: rfb, options="timeout=0"
plugin_ctrl: speaker=0
ata0-master: type=cdrom, path="$work/l1.iso", status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev="$logs/$backend.$kernel.console"
com2: enabled=1, mode=file, dev="$work/runs"
panic: action=fatal
error: action=ignore
info: action=ignore
log: $logs/$backend.$kernel.bochs
EOF
mkfifo "$work/runs"
l1_split "$logs" "$kernel" "$backend" <"$work/runs" &
reader=$!

# Debian's Bochs has its debugger built in: "c" starts the machine, and Bochs exits at
# the end of its input, once the machine has stopped.
echo c | timeout --foreground -k 5 $((200 + $# * wall_limit)) bochs -q -f "$work/bochsrc" \
	>"$logs/$backend.$kernel.stderr" 2>&1
# The reader ends by itself, unless Bochs never opened the pipe.
for _ in $(seq 60); do
	kill -0 "$reader" 2>/dev/null || break
	sleep 1
done
kill "$reader" 2>/dev/null
wait "$reader" 2>/dev/null
