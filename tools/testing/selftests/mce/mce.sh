#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# mce.sh [SCENARIO...]
# The scenarios on the kernel that kernels.sh built, as a kselftest: KTAP, and exit
# status 0 when what was run came out as the table "scenarios" has it, 1 when not, 4
# when nothing could be run. A scenario that this machine cannot run is skipped, and
# the line names what is missing. Consoles of all runs are in logs/. An unpatched
# kernel beside the other is not run here.
set -u

cd "$(dirname "$0")" || exit 1
kernels=$PWD/kernels

skip() {
	echo "1..0 # SKIP $*"
	exit 4
}

[ "$(uname -m)" = x86_64 ] || skip "this is $(uname -m), and the guests are x86_64"
lacks=$(./lacks.sh run)
[ -z "$lacks" ] || skip "this machine lacks $lacks"
if [ ! -x vmm ] || [ ! -r guest.cpio ]; then
	lacks=$(./lacks.sh build)
	skip "not built${lacks:+: there was no $lacks}"
fi
reason=$(sed -n 's/^\* //p' "$kernels/missing" 2>/dev/null)
[ -z "$reason" ] || skip "no kernels: $reason"
[ -r "$kernels/patched.hook.cpio" ] ||
	skip "no kernels: build them with make -C tools/testing/selftests TARGETS=mce"

missing=$(mktemp)
trap 'rm -f "$missing"' EXIT
trap 'exit 143' TERM HUP INT
cp "$kernels/missing" "$missing"
for pair in bochs=bochs grub-mkrescue=grub-common; do
	command -v "${pair%=*}" >/dev/null ||
		echo "bochs this machine lacks ${pair%=*} (${pair#*=})" >>"$missing"
done
[ -r amd.cpio ] ||
	echo "amd QEMU was older than 9.1 and had no SUCCOR: build with QEMU_AMD=" >>"$missing"

# run.sh has the kernels of L1 beside the rest of the lab
for file in vmm *.cpio; do
	ln -sf "../$file" "$kernels/"
done
./run.sh -m "$missing" "$kernels" "$kernels" logs "$(cat "$kernels/series")" "$@"
