#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# mce.sh [SCENARIO...]
# Run the scenarios on the kernel of this tree, as a kselftest. Prints KTAP; exit status 0 if
# all runs ended as the table "scenarios" expects, 1 if not, 2 if there is no such SCENARIO, 4 if
# nothing could be run. If this machine cannot run a scenario, it is skipped, and the line names
# what is missing: most need KVM with nested virtualisation. The consoles are in logs/.
#
# The kernel under test is the one for which hook.cpio was built (see the Makefile), or KERNEL=.
# It needs the symbols in the file config. L1, the machine that runs the VMM, has the same
# kernel, or L1_KERNEL=, and also needs the symbols in lab/l1.config. MCE_BACKEND=tcg tries no KVM.
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
# run.py would take them for its own
unset SOURCE CONFIG BUDGET DEADLINE
export BACKEND="${MCE_BACKEND:-}"
./run.py -n "" "$@" >/dev/null || exit
if [ ! -x vmm ] || [ ! -r guest.cpio ]; then
	lacks=$(./lacks.sh build)
	skip "the test is not built${lacks:+: this machine lacks $lacks}"
fi
if [ ! -s hook.cpio ] || [ ! -r kernel ]; then
	skip "no hook.cpio: build a kernel with the symbols in config, and run make with KDIR=" \
		"(if that failed, see hook.cpio.log)"
fi
# written by the Makefile
read -r version image <kernel
image=${KERNEL:-$image}
[ -r "$image" ] || skip "no kernel $image: build it, or give KERNEL="

rm -rf "$kernels"
mkdir "$kernels" || skip "cannot write $PWD"
ln -s "$PWD"/vmm "$PWD"/*.cpio "$kernels/"
ln -s "$(realpath "$image")" "$kernels/patched.bzImage"
ln -s "$(realpath "${L1_KERNEL:-$image}")" "$kernels/l1.bzImage"
: >"$kernels/l1.modules.cpio"	# KVM is built in
mv "$kernels/hook.cpio" "$kernels/patched.hook.cpio"
echo "linux $version $image" >"$kernels/source"

exec ./run.py -m "$kernels" "$kernels" logs \
	"$(echo "$version" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/')" "$@"
