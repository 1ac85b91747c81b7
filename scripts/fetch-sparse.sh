#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# fetch-sparse.sh OUT
# Put a sparse that can parse kernels from 7.0 on (__typeof_unqual__,
# which their scripts/checker-valid.sh asks for) at OUT: the machine's own if it does,
# otherwise one built from the source package in Debian's testing, which has it since
# 0.6.5. Without either, the machine's own: series.sh skips where it is too old. OUT is
# written last.
set -eu

out=$1
apt=$out.apt
trap 'rm -rf "$apt" "$out.source" "$out.test.c" "$out.new"' EXIT

# shellcheck source=scripts/apt-root.sh
. "$(dirname "$0")/apt-root.sh"

echo 'static inline int f(const int *p) { __typeof_unqual__(*p) i = *p; return i; }' >"$out.test.c"
valid() {
	! "$1" "$out.test.c" 2>&1 | grep error
}

sparse=$(command -v sparse) || die "no sparse: run make deps"
if ! valid "$sparse"; then
	rm -rf "$out.source"
	mkdir "$out.source"
	if (
		cd "$out.source"
		apt_root main testing
		with_sources
		source_package sparse "$(source_versions sparse '[0-9]*')"
		# Debian's patches are about its compiler
		dpkg-source --skip-patches -x ./*.dsc tree
		make -C tree -j"$(nproc)" CC=gcc sparse
	) && valid "$out.source/tree/sparse"; then
		sparse=$out.source/tree/sparse
	else
		echo "testing's sparse cannot be had: $sparse will do for older kernels"
	fi
fi
"$sparse" --version
cp "$sparse" "$out.new"
mv "$out.new" "$out"
