#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# mce.sh [SCENARIO...]
# The scenarios on the kernel of this tree, as a kselftest: KTAP, and exit status 0 when what was
# run came out as the table "scenarios" has it, 1 when not, 4 when nothing could be run. A
# scenario that this machine cannot run is skipped, and the line names what is missing: most
# of them take KVM with nested virtualisation. Consoles of all runs are in logs/.
#
# The kernel is that for which hook.cpio was built (see the Makefile), or KERNEL=. It has what
# is in the file config. L1, which runs the VMM, has the same one, or L1_KERNEL=, and needs
# what is in lab/l1.config as well.
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
[ -r hook.cpio ] ||
	skip "no hook.cpio: there was no kernel to build it for, see config, and give KDIR= to make"
# version and image, of the Makefile
read -r version image <kernel
image=${KERNEL:-$image}
[ -r "$image" ] || skip "no kernel $image: build it, or give KERNEL="

rm -rf "$kernels"
mkdir "$kernels" || exit 1
missing=$kernels/missing
: >"$missing"
[ -r amd.cpio ] ||
	echo "kvm-amd QEMU was older than 9.1 and had no SUCCOR: build with QEMU_AMD=" >"$missing"
ln -s "$PWD"/vmm "$PWD"/*.cpio "$kernels/"
ln -s "$(realpath "$image")" "$kernels/patched.bzImage"
ln -s "$(realpath "${L1_KERNEL:-$image}")" "$kernels/l1.bzImage"
mv "$kernels/hook.cpio" "$kernels/patched.hook.cpio"
echo "linux $version $image" >"$kernels/source"

exec ./run.py -m "$missing" "$kernels" "$kernels" logs \
	"$(echo "$version" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/')" "$@"
