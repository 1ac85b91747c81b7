#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# lint.sh DIR PATCHDIR
# Check our own C, shell and patches with the tools of the kernel in DIR, which
# has Debian's source in DIR/unpatched, the same with the patches in DIR/patched
# and perhaps the upstream tarball in DIR/upstream.tar.xz. Prints KTAP; exit
# status 1 when a check fails.
set -u

dir=$(cd "$1" && pwd)
patchdir=$2
tree=$dir/unpatched
number=0
failed=0
skipped=0
out=$(mktemp)
trap 'rm -f "$out"' EXIT
trap 'exit 130' INT TERM HUP

# one LABEL COMMAND...: a check passes when the command does and says nothing.
one() {
	label=$1
	shift
	number=$((number + 1))
	if "$@" >"$out" 2>&1 && [ ! -s "$out" ]; then
		echo "ok $number $label"
	else
		failed=$((failed + 1))
		echo "not ok $number $label"
		tail -n 40 "$out" | sed 's/^/# /'
	fi
}

skip() {
	number=$((number + 1))
	skipped=$((skipped + 1))
	echo "ok $number $1 # SKIP $2"
}

# what is for user space; the hook and the KUnit suite are for the kernel, which compiles
# them, and grades.c for that which grades.sh puts around it
compile() {
	gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -fsyntax-only "$@"
}

# Signed-off-by is added by who sends a patch; Debian's source is no git
# repository in which commits could be looked up. MAINTAINERS has a file of its own here.
checkpatch() {
	(cd "$tree" && perl scripts/checkpatch.pl --strict --no-summary --terse \
		--no-signoff --ignore UNKNOWN_COMMIT_ID,FILE_PATH_CHANGES "$@")
}

# All that used to call set_mce_nospec() goes through the helper, which leaves
# nothing behind: no caller, no export and no include for those that are gone.
callers() (
	cd "$dir/patched" || exit 1
	grep -rnw 'EXPORT_SYMBOL_GPL(set_mce_nospec)' arch/x86/mm
	grep -nw 'set_mce_nospec(.*)' arch/x86/kernel/cpu/mce/core.c | tail -n +2
	cd "$tree" || exit 1
	grep -rlw set_mce_nospec drivers kernel mm arch/x86/kvm arch/x86/platform |
		while read -r file; do
			grep -Hnw -e set_mce_nospec -e 'linux/set_memory.h' "$dir/patched/$file"
		done
	true
)

# What the patches touch compiles without a warning where Xen, Hyper-V, pmem and
# CXL are, too.
objects() (
	unset MAKEFLAGS MFLAGS MAKELEVEL
	config=$PWD/scripts/lint.config
	# shellcheck disable=SC2046,SC2086 # lists of words
	set -- $(git apply --numstat $patches | cut -f 3 | sed -n 's/\.c$/.o/p' | sort -u)
	cc=gcc
	command -v ccache >/dev/null && cc='ccache gcc'
	cd "$dir/patched" || exit 1
	mkdir -p obj-lint
	kmake() {
		make -s O=obj-lint -j"$(nproc)" CC="$cc" "$@"
	}
	if ! {
		kmake tinyconfig &&
			scripts/kconfig/merge_config.sh -m -O obj-lint obj-lint/.config "$config" &&
			kmake olddefconfig && kmake prepare modules_prepare
	} >obj-lint/prepare.log 2>&1; then
		tail -n 20 obj-lint/prepare.log
		exit 1
	fi
	# what a tree does not know is no loss; what it knows must have taken
	lost=$(grep '^CONFIG_' "$config" | grep -Fxv -f obj-lint/.config)
	for symbol in $lost; do
		name=${symbol#CONFIG_}
		! grep -rqx --include='Kconfig*' "config ${name%=*}" . || {
			echo "scripts/lint.config: $symbol does not take"
			exit 1
		}
	done
	for object; do rm -f "obj-lint/$object"; done
	kmake "$@" drivers/nvdimm/pmem.o
)

c=$(git ls-files '*.c')
user_c=$(echo "$c" | grep -v -e /hook/ -e /grades/ -e '^arch/')
sh=$(git ls-files | while read -r f; do
	head -n 1 "$f" | grep -q '^#!.*sh$' && echo "$f"
done)
patches=$(git ls-files "$patchdir/*.patch")
lab_patches=$(git ls-files 'tools/*.patch')

if [ -z "$c" ] || [ -z "$sh" ] || [ -z "$patches" ]; then
	echo "lint.sh: git ls-files finds no C, no shell or no patches: run it in a git clone" >&2
	exit 1
fi
absolute=$(echo "$patches" | sed "s|^|$PWD/|")

echo "KTAP version 1"
echo "1..$(($(echo "$user_c" "$c" "$sh" "$patches" "$lab_patches" | wc -w) + 4))"
for f in $user_c; do
	one "compile -Wall -Wextra -Werror $f" compile "$f"
done
for f in $c; do
	one "checkpatch --strict $f" checkpatch --file "$PWD/$f"
done
for f in $sh; do
	one "shellcheck $f" shellcheck -x "$f"
done
for f in $patches $lab_patches; do
	one "checkpatch --strict $f" checkpatch "$PWD/$f"
done

read -r package version suite <"$dir/source"
# shellcheck disable=SC2086 # lists of words
{
	one "git am $patchdir on $package $version" scripts/git-am.sh "$tree" $absolute
	upstream=$(cat "$dir/upstream" 2>/dev/null)
	if [ -z "$upstream" ]; then
		skip "git am $patchdir on the upstream tarball of $version" \
			"the mirror has none of this series for $suite"
	else
		case $version in
		"$upstream"-*) note='' ;;
		*) note=" (the mirror does not have that of $version)" ;;
		esac
		one "git am $patchdir on upstream's $upstream$note" \
			scripts/git-am.sh "$dir/upstream.tar.xz" $absolute
	fi
}
one "all callers of set_mce_nospec() go through the helper, $version" callers
one "what $patchdir touches compiles with Xen, Hyper-V, CXL, $version" objects
echo "# Totals: pass:$((number - failed - skipped)) fail:$failed skip:$skipped"
[ "$failed" -eq 0 ]
