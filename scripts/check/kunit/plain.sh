#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# plain.sh TREE LOG
# Run the KUnit suite as its users do: "kunit.py run" of TREE, a kernel tree with the patches,
# builds a kernel from .kunitconfig alone, from scratch, and runs it as a guest. kunit.sh
# reports single cases. Prints KTAP; LOG/plain.log is the output of kunit.py. Exit status 1 if
# a case fails or none runs.
set -u

here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../../.." && pwd)
# shellcheck source=scripts/lib.sh
. "$repo/scripts/lib.sh"
tree=$1
log=$2
exit_on_signals
for_kernels

label="kunit.py run, $(basename "$(dirname "$tree")")"
if ! { mkdir -p "$log" && log=$(cd "$log" && pwd) && cd "$tree" && rsync -rc "$repo/arch" .; }; then
	echo "not ok 1 $label: $tree does not exist, or it or $log cannot be written"
	exit 1
fi
if [ ! -e tools/testing/kunit/qemu_configs/x86_64.py ]; then
	echo "ok 1 $label # SKIP kunit.py of this tree runs User Mode Linux only"
	exit 0
fi
echo "KTAP version 1"
# shellcheck disable=SC2154 # cc is of for_kernels
if PATH=$here/tcg:$PATH ./tools/testing/kunit/kunit.py run --arch=x86_64 --build_dir=obj-plain \
	--kunitconfig=arch/x86/kernel/cpu/mce --make_options="CC=$cc" --jobs="$(nproc)" \
	>"$log/plain.log" 2>&1 </dev/null && grep -q 'Ran [0-9]* tests: passed: ' "$log/plain.log"; then
	result ok "$label: $(sed -n 's/.*\(Ran [0-9]* tests: .*\)/\1/p' "$log/plain.log")"
	rm -rf obj-plain
else
	result 'not ok' "$label" "$log/plain.log"
fi
totals
