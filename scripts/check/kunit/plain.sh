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
tree=$1
log=$2
trap 'exit 130' INT
trap 'exit 143' TERM HUP
unset MAKEFLAGS MFLAGS MAKELEVEL

label="kunit.py run, $(basename "$(dirname "$tree")")"
if ! { mkdir -p "$log" && log=$(cd "$log" && pwd) &&
	cp --remove-destination "$repo"/arch/x86/kernel/cpu/mce/.kunitconfig \
		"$repo"/arch/x86/kernel/cpu/mce/*.[ch] "$tree/arch/x86/kernel/cpu/mce/" &&
	cd "$tree"; }; then
	echo "not ok 1 $label: $tree does not exist, or it or $log cannot be written"
	exit 1
fi
if [ ! -e tools/testing/kunit/qemu_configs/x86_64.py ]; then
	echo "ok 1 $label # SKIP kunit.py of this tree runs User Mode Linux only"
	exit 0
fi
cc=gcc
command -v ccache >/dev/null && cc='ccache gcc'
echo "KTAP version 1"
echo "1..1"
if PATH=$here/tcg:$PATH ./tools/testing/kunit/kunit.py run --arch=x86_64 --build_dir=obj-plain \
	--kunitconfig=arch/x86/kernel/cpu/mce --make_options="CC=$cc" --jobs="$(nproc)" \
	>"$log/plain.log" 2>&1 </dev/null && grep -q 'Ran [0-9]* tests: passed: ' "$log/plain.log"; then
	echo "ok 1 $label: $(sed -n 's/.*\(Ran [0-9]* tests: .*\)/\1/p' "$log/plain.log")"
	rm -rf obj-plain
else
	echo "not ok 1 $label"
	tail -n 30 "$log/plain.log" | sed 's/^/# /'
	exit 1
fi
