#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# lint.sh DIR PATCHDIR
# Check our own C and shell with the tools of the kernel in DIR, which has Debian's
# source in DIR/unpatched, the same with the patches in DIR/patched and perhaps the
# upstream tarball in DIR/upstream.tar.xz; and whether the patches apply to those.
# Prints KTAP; exit status 1 when a check fails. What the patches are worth is for
# series.sh to say.
set -u

# shellcheck source=scripts/ktap.sh
. scripts/ktap.sh

dir=$(cd "$1" && pwd)
patchdir=$2
tree=$dir/unpatched
said=$(mktemp)
trap 'rm -f "$said"' EXIT
trap 'exit 130' INT TERM HUP

# what is for user space; the hook and the KUnit suite are for the kernel, which compiles
# them, and grades.c for that which grades.sh puts around it
compile() {
	gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -fsyntax-only "$@"
}

# the lab's patches are nobody's to sign off
checkpatch() {
	(cd "$tree" && perl scripts/checkpatch.pl --strict --no-summary --terse --no-signoff "$@")
}

# Each call of set_mce_nospec() in the machine check code comes right after the question
# whether the page can be left in the direct map, or whether it was.
callers() {
	awk '/(^|[^_[:alnum:]])leave_mapped\(/ { asked = NR }
		# and returns if it was not
		/xa_load\(&mapped_poison/ { asked = NR + 2 }
		/set_mce_nospec\(/ && !/^[ \t]+\*|\/\*/ {
			calls++
			if (NR > asked + 1)
				print FILENAME ":" NR ": " $0
		}
		END { if (!calls) print FILENAME ": no call" }' \
		"$dir/patched/arch/x86/kernel/cpu/mce/core.c"
}

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
echo "1..$(($(echo "$user_c" "$c" "$sh" "$lab_patches" | wc -w) + 4))"
for f in $user_c; do
	one "compile -Wall -Wextra -Werror $f" compile "$f"
done
for f in $c; do
	one "checkpatch --strict $f" checkpatch --file "$PWD/$f"
done
for f in $sh; do
	one "shellcheck $f" shellcheck -x "$f"
done
for f in $lab_patches; do
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
one "set_mce_nospec() is only called for what is not left in the direct map, $version" callers
one "no scenario is expected to end worse when patched" scripts/lint/worse.sh \
	tools/testing/selftests/mce/scenarios 5.10 5.15 6.1 6.6 6.12 6.18 7.3
totals
