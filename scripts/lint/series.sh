#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# series.sh DIR PATCHDIR SPARSE
# Check the series that export.sh makes of PATCHDIR for the kernel in DIR/unpatched, as
# its readers will: checkpatch --strict on each mail, each patch built on its own, with
# gcc's W=1 and sparse, under the configurations in "configs", kernel-doc, and the
# documentation. DIR has unpatched and patched as guest kernels built by the Makefile.
# Prints KTAP, and what the patches add to the text of a guest's kernel; exit status 1
# when a check fails.
set -u

# shellcheck source=scripts/ktap.sh
. scripts/ktap.sh

dir=$(cd "$1" && pwd)
patchdir=$2
sparse=$(realpath "$3")
here=$PWD/scripts/lint
tree=$(basename "$dir")
work=$dir/series
log=$PWD/build/log/$tree/lint
# shellcheck disable=SC2034 # for one()
said=$log/one
mkdir -p "$log"
trap 'exit 130' INT
trap 'exit 143' TERM HUP

cc=gcc
command -v ccache >/dev/null && cc='ccache gcc'
unset MAKEFLAGS MFLAGS MAKELEVEL

# in the series' tree; says what make has to say only when that fails
kmake() {
	make -C "$work" -j"$(nproc)" CC="$cc" "$@" >"$log/make" 2>&1 || {
		# not what was built before it
		grep -vE '^  [A-Z]+( \[M\])? ' "$log/make"
		return 1
	}
}

# config BASE SYMBOL=VALUE...: configure obj-BASE of the tree, each symbol that the tree
# knows as it is asked for
config() {
	base=$1
	obj=obj-$base
	shift
	mkdir -p "$work/$obj"
	printf 'CONFIG_%s\n' "$@" | grep '=' >"$log/symbols"
	if [ "$base" = all ]; then
		kmake O="$obj" tinyconfig || return 1
		set -- "$here/all.config" "$log/symbols"
	else
		kmake O="$obj" "$base" || return 1
		set -- "$log/symbols"
	fi
	(cd "$work" && scripts/kconfig/merge_config.sh -m -O "$obj" "$obj/.config" "$@") \
		>"$log/make" 2>&1 && kmake O="$obj" olddefconfig || return 1
	# of the rest, all.config is for all trees, and a row's symbols may forbid others
	sed 's/\(.*\)=n$/# \1 is not set/' "$log/symbols" |
		grep -Fxv -f "$work/$obj/.config" | while read -r symbol; do
		name=$(echo "$symbol" | grep -o 'CONFIG_[A-Z0-9_]*')
		! grep -q "^$name=" "$work/$obj/.config" && [ "$symbol" != "${symbol% is not set}" ] ||
			echo "scripts/lint/configs: $symbol does not take"
	done
}

knows() {
	grep -rqxE --include='Kconfig*' "(menu)?config $1" "$work/arch/x86" "$work/drivers" "$work/mm" \
		"$work/lib"
}

# ---- the mails

export GIT_COMMITTER_NAME=lint GIT_COMMITTER_EMAIL=lint@localhost
rm -rf "$dir/mails"
scripts/export/export.sh "$tree" "$patchdir" list "$dir/mails" >"$log/export" 2>&1 || {
	echo "not ok - make export TREE=$tree"
	sed 's/^/# /' "$log/export"
	exit 1
}
mails=$(find "$dir/mails/$tree" -name '0*.patch' ! -name '0000-*' | sort)
# shellcheck disable=SC2086 # a list of words
touched=$(git apply --numstat $mails | cut -f 3 | sort -u)

# Debian's source is no git repository in which commits could be looked up. A BUG() is
# what a stray access ends in. 5.10's checkpatch complains of the blank in "Cc: stable... #",
# which stable-kernel-rules.rst has.
checkpatch() {
	(cd "$dir/unpatched" && perl scripts/checkpatch.pl --strict --no-summary --terse \
		--ignore UNKNOWN_COMMIT_ID,AVOID_BUG "$1") |
		grep -v "WARNING: email address 'stable@vger.kernel.org # .* might be better as"
	return 0
}

# The changelog, by submitting-patches.rst (Fixes:, commits by 12 digits and title) and
# stable-kernel-rules.rst (Cc: stable). Prints what is not as it should be.
changelog() {
	sed -e '1,/^$/d' -e '/^---$/,$d' "$1" >"$log/changelog"
	lines=$(wc -l <"$log/changelog")
	[ "$lines" -gt 0 ] || echo "no changelog in $1"
	[ "$lines" -le 60 ] || echo "$lines lines, 60 are the most"
	grep -i '^fixes:' "$log/changelog" | grep -vE '^Fixes: [0-9a-f]{12} \(".+"\)$'
	grep -i 'stable@' "$log/changelog" |
		grep -vE '^Cc: stable@vger\.kernel\.org( # [0-9]+\.[0-9]+\.x( .+)?)?$'
	tr '\n' ' ' <"$log/changelog" |
		grep -oE '[Cc]ommit [0-9a-f]+ .{3}' | grep -vE '[Cc]ommit [0-9a-f]{12} \(".'
	return 0
}

echo "KTAP version 1"
for mail in $mails; do
	one "changelog of $tree/$(basename "$mail")" changelog "$mail"
	one "checkpatch --strict $tree/$(basename "$mail")" checkpatch "$mail"
done

# ---- each patch on those before it

# Where of the series there is something to compile: directories, so that it is the
# configuration that says what; with nvdimm, which calls what set_memory.h has inline.
targets() {
	echo "$touched" | grep '^[ad].*\.c$' | sed 's|[^/]*$||' | sort -u
	echo drivers/nvdimm/
	! grep -q '^CONFIG_MEMORY_FAILURE=y' "$work/$1/.config" || echo mm/memory-failure.o
}

# What gcc with W=1 and sparse have to say when they compile what the series touches:
# without line numbers, and how often. What is in a file that the series does not touch,
# a header, is there whether one more file includes it or not.
warnings() {
	config all || return 1
	objects=$(echo "$touched" | sed -n 's/\.c$/.o/p' | while read -r object; do
		# no CXL on a tree is no object of it
		[ ! -e "$work/${object%.o}.c" ] || echo "$object"
	done)
	# shellcheck disable=SC2046,SC2086 # lists of words
	{
		(cd "$work/obj-all" && rm -f $objects)
		kmake O=obj-all W=1 C=2 CHECK="$sparse" $(echo "$objects" | grep -e '^arch' -e '^mm' -e '^drivers')
	} || return 1
	grep -c '^  CHECK ' "$log/make" >"$log/checked"
	sed -nE 's/:[0-9]+(:[0-9]+)?:/:/g; /(warning|error):/s|^(\.\./)*||p' "$log/make" |
		sort | uniq -c | while read -r times warning; do
		echo "$touched" | grep -Fxq "${warning%%:*}" || times=1
		echo "$times $warning"
	done
}

# grown OLD NEW: the lines, each with a number before it, that NEW has more often
grown() {
	awk '{ times = $1; $1 = "" }
		FILENAME == ARGV[1] { old[$0] = times; next }
		times > old[$0] + 0 { print times $0 }' "$1" "$2"
}

# the patches in the selftest have blanks before tabs, as patches do
apply() {
	(cd "$work" && GIT_CEILING_DIRECTORIES=$dir git apply --whitespace=nowarn "$1")
}

rm -rf "$work"
if ! scripts/apply.sh "$dir/unpatched" "$work" >"$log/apply" 2>&1 ||
	! cp -a "$dir/unpatched/obj" "$work/obj-guest" || ! warnings >"$log/warnings.0000"; then
	echo "not ok - build $tree without the series"
	cat "$log/apply" "$log/warnings.0000" 2>/dev/null | tail -n 20 | sed 's/^/# /'
	exit 1
fi
if [ "$(cat "$log/checked")" -eq 0 ]; then
	skip "sparse, $tree" "$sparse is not one that this tree takes, see scripts/fetch-sparse.sh"
fi
before=0000
for mail in $mails; do
	name=$(basename "$mail")
	patch=${name%%-*}
	one "git apply $tree/$name" apply "$mail"
	# what is for user space, and words
	git apply --numstat "$mail" | cut -f 3 | grep -qv -e ^tools/ -e ^Documentation/ \
		-e ^MAINTAINERS || continue
	one "build a guest's kernel, $tree up to $patch" kmake O=obj-guest bzImage
	if warnings >"$log/warnings.$patch"; then
		one "no new warning of gcc W=1 and sparse, $tree/$patch" \
			grown "$log/warnings.$before" "$log/warnings.$patch"
	else
		one "gcc W=1 and sparse, $tree/$patch" cat "$log/warnings.$patch"
	fi
	before=$patch
done

# ---- configurations

# what a modular CXL calls and does not find
not_exported() (
	cd "$work/obj-all" || exit 1
	[ -e drivers/cxl/core/cxl_core.o ] || exit 0
	nm -u drivers/cxl/core/mce.o | awk '$2 ~ /^mce_|^set_mce/ { print $2 }' |
		while read -r symbol; do
			grep -rqE "__(ksymtab|export_symbol)_$symbol" arch/x86/kernel/cpu/mce \
				arch/x86/mm/pat || echo "$symbol is not exported"
		done
)

# compile BASE SYMBOL=VALUE...
compile() {
	config "$@" || return 1
	# shellcheck disable=SC2046 # a list of words
	kmake O="obj-$1" $(targets "obj-$1") && not_exported
}

while read -r name base symbols; do
	case $name in '' | '#'*) continue ;; esac
	unknown=
	for symbol in $symbols; do
		knows "${symbol%=*}" || unknown=${symbol%=*}
	done
	if [ -n "$unknown" ]; then
		skip "compile $tree with $name" "$tree has no $unknown"
		continue
	fi
	# shellcheck disable=SC2086 # a list of words
	one "compile $tree with $name" compile "$base" $symbols
done <"$here/configs"

# ---- words

kernel_doc() {
	for file in $(echo "$touched" | grep '\.[ch]$' | grep -v ^tools/); do
		[ ! -e "$1/$file" ] || (cd "$1" && ./scripts/kernel-doc -none "$file" 2>&1)
	done | sed -E 's/:[0-9]+:? /: /' | sort | uniq -c
}

new_kernel_doc() {
	kernel_doc "$dir/unpatched" >"$log/kernel-doc.old"
	kernel_doc "$work" >"$log/kernel-doc.new"
	grown "$log/kernel-doc.old" "$log/kernel-doc.new"
}

# sphinx, and what it says of the files touched
documentation() {
	pages=$(echo "$touched" | grep '^Documentation/.*\.rst$')
	folder=$(echo "$pages" | sed -n 's|^Documentation/\(.*\)/index.rst$|\1|p')
	kmake O=obj-doc SPHINXDIRS="$folder" htmldocs || return 1
	for page in $pages; do
		grep -F "$page" "$log/make"
		html=${page#Documentation/}
		[ -s "$work/obj-doc/Documentation/output/${html%.rst}.html" ] ||
			[ -s "$work/obj-doc/Documentation/output/$(basename "$page" .rst).html" ] ||
			echo "no $html made"
	done
}

one "kernel-doc has nothing new to say, $tree" new_kernel_doc
one "make htmldocs, $tree" documentation

# ---- size

bloat=$(cd "$dir/unpatched" &&
	python3 scripts/bloat-o-meter -t obj/vmlinux "$dir/patched/obj/vmlinux")
one "bloat-o-meter, $tree" test -n "$bloat"
echo "# text added to a guest's kernel, $tree: $(echo "$bloat" | tail -n 1)"

# shellcheck disable=SC2154 # counted by one() and skip()
echo "1..$number"
rm -rf "$work" "$dir/mails"
totals
