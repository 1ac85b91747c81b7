#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# kernels.sh TREE OUT
# Build what mce.sh runs from the kernel tree TREE into OUT: the kernel under test
# (patched.bzImage), its hook module, the kernel of L1, which is the same (stock.bzImage) and
# the same with the patches in lab/ (l1.bzImage), and in "series" what series this is. What
# could not be built leaves a line in OUT/missing, "BACKEND REASON", * for all, and is no
# error: mce.sh skips it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
tree=$(cd "$1" && pwd)
out=$(mkdir -p "$2" && cd "$2" && pwd)
work=$out.build
mkdir -p "$work"
: >"$out/missing"

missing() {
	echo "$*" >>"$out/missing"
	echo "mce: $*" >&2
}

# step LOG LABEL COMMAND...: with its output in LOG
step() {
	log=$work/$1
	echo "mce: $2 ..."
	shift 2
	"$@" >"$log" 2>&1 </dev/null || {
		tail -n 15 "$log" >&2
		echo "kernels.sh: $* failed, see $log" >&2
		return 1
	}
}

# The tree without what was built in it: links, which a build in obj/ leaves alone.
# OUT can be in it.
copy() {
	rsync -a --delete --link-dest="$tree" --exclude=/.git --exclude=/obj \
		--exclude=/tools/testing/selftests --exclude="/${work#"$tree"/}" "$tree/" "$1/"
	# what the kernel's Makefile takes for built in place
	if [ -e "$1/.config" ] || [ -e "$1/include/config" ] ||
		[ -e "$1/arch/x86/include/generated" ]; then
		make -s -C "$1" mrproper
	fi
}

reason=
lacks=$("$here/lacks.sh" kernels)
if [ -n "$lacks" ]; then
	missing "* there was no $lacks to build kernels with"
	exit 0
fi
if [ ! -e "$tree/Kbuild" ]; then
	missing "* $tree is no kernel tree to build from"
	exit 0
fi

# neither the caller's flags nor its job server: these are other builds
unset MAKEFLAGS MFLAGS MAKELEVEL KBUILD_OUTPUT
version=$(make -s -C "$tree" kernelversion)
series=$(echo "$version" | sed 's/^\([0-9]*\.[0-9]*\).*/\1/')
echo "$series" >"$out/series"
echo "linux $version $(basename "$tree")" >"$out/source"

rm -f "$out/stock.bzImage" "$out/l1.bzImage"
step guest-copy.log "copy the source of $version" copy "$work/guest"
step l1-copy.log "copy it for L1, patched" copy "$work/l1"
# an old kernel may not do for L1; git must not take it for a part of the repository around it
set -- "$here/needs.config" "$here/guest.config" "$here/config"
if (cd "$work/l1" && GIT_CEILING_DIRECTORIES=$work git apply "$here"/lab/*.patch) \
	>"$work/l1-apply.log" 2>&1; then
	set -- "$@" "$here/lab/l1.config"
else
	reason="the patches in lab/ do not apply to the KVM of $version"
fi
step guest.log "build the guest kernel $version" "$here/kernel.sh" "$work/guest" \
	"$out/patched.bzImage" "$@"
step hook.log "build the hook module" "$here/hook/build.sh" "$work/guest" "$out/patched.hook.cpio"
if [ -n "$reason" ]; then
	missing "bochs the kernel of L1 is that of the guest, and this one is not built for it"
else
	cp "$out/patched.bzImage" "$out/stock.bzImage"
	"$here/objects.sh" "$work/guest/obj" "$work/l1/obj"
	# newer than what was built from the others
	(cd "$work/l1" && GIT_CEILING_DIRECTORIES=$work git apply --numstat "$here"/lab/*.patch |
		cut -f 3 | xargs touch)
	step l1.log "build L1's kernel, for Intel guests on SVM" "$here/kernel.sh" "$work/l1" \
		"$out/l1.bzImage" "$@" || reason="the kernel of L1 cannot be built from $version"
fi
for backend in ${reason:+tcg amd}; do
	missing "$backend $reason"
done
