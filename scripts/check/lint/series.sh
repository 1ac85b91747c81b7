#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# series.sh DIR PATCHDIR SPARSE [PART...]
# Check the series that export.sh makes of PATCHDIR for the kernel in DIR/unpatched, as
# reviewers do. Run each PART, or all in this order:
#
#   mails	git am to Debian's source and upstream's tarball, checkpatch --strict on each
#	mail, its changelog, and the callers of set_mce_nospec()
#   builds	each patch built on those before it, with gcc's W=1 and sparse; then KVM
#   configs	all of it under the configurations in "configs"
#   words	kernel-doc, the documentation, and the size of what was added
#
# mails leaves DIR/mails for the next parts, and builds or configs leave DIR/series. DIR has
# the trees unpatched and patched as the Makefile built them, and perhaps the upstream
# tarball. Prints KTAP; exit status 1 if a check fails.
set -u

# shellcheck source=scripts/lib.sh
. scripts/lib.sh

dir=$(cd "$1" && pwd)
patchdir=$2
sparse=$(realpath "$3")
shift 3
parts=${*:-mails builds configs words}
here=$PWD/scripts/check/lint
tree=$(basename "$dir")
work=$dir/series
log=$PWD/build/log/$tree/lint
# shellcheck disable=SC2034 # for check()
output=$log/one again="lint ${SOURCE:+SOURCE=}${SOURCE:-TREE=$tree}"
mkdir -p "$log"
exit_on_signals

# run make in the tree of the series; print its output only if it fails
build() {
	kmake "$work" "$@" >"$log/make" 2>&1 || {
		# without the lines of successful steps
		grep -vE '^  [A-Z]+( \[M\])? ' "$log/make"
		return 1
	}
}

# configure BASE: configure obj-BASE of the tree, see "configs"
configure() {
	if [ "$1" = all ]; then
		lost=$(scripts/lab/configure.sh "$work" obj-all "$here/all.config" 2>"$log/make") || {
			cat "$log/make"
			return 1
		}
		[ -z "$lost" ] || echo "scripts/check/lint/all.config: these have no effect:" "$lost"
	else
		mkdir -p "$work/obj-$1"
		build O="obj-$1" "$1" || return 1
	fi
	cp "$work/obj-$1/.config" "$work/obj-$1/base"
}

# change BASE SYMBOL...: turn these off in the configuration from configure
change() {
	base=$1
	config=$work/obj-$1/.config
	shift
	# .config is no longer that of configure.sh
	rm -f "$work/obj-$base/wanted.config"
	cp "$work/obj-$base/base" "$config"
	for symbol; do
		grep -q "^CONFIG_$symbol=" "$config" ||
			echo "scripts/check/lint/configs: $symbol cannot be turned off: it is not on in $base"
		"$work/scripts/config" --file "$config" --disable "$symbol"
	done
	# Symbols that depend on these change, too. If a new symbol appears, syncconfig asks
	# about it and fails, and olddefconfig sets it.
	build O="obj-$base" syncconfig </dev/null >"$log/question" ||
		build O="obj-$base" olddefconfig || return 1
	for symbol; do
		! grep "^CONFIG_$symbol=" "$config" ||
			echo "scripts/check/lint/configs: $symbol stays on when it is turned off"
	done
}

has_symbol() {
	grep -rqxE --include='Kconfig*' "(menu)?config $1" "$work/arch/x86" "$work/drivers" "$work/mm" \
		"$work/lib"
}

apply() {
	(cd "$work" && GIT_CEILING_DIRECTORIES=$dir git apply --whitespace=nowarn "$1")
}

export GIT_COMMITTER_NAME=lint GIT_COMMITTER_EMAIL=lint@localhost
if [ "${parts%% *}" = mails ]; then
	rm -rf "$dir/mails" "$work"
	scripts/release/export.sh "$tree" "$patchdir" list "$dir/mails" >"$log/export" 2>&1 || {
		echo "not ok - make export TREE=$tree"
		sed 's/^/# /' "$log/export"
		exit 1
	}
fi
mails=$(find "$dir/mails/$tree" -name '0*.patch' ! -name '0000-*' | sort)
if [ -z "$mails" ]; then
	echo "not ok - no mails in $dir/mails/$tree: the part \"mails\" makes them"
	exit 1
fi
# shellcheck disable=SC2086 # a list of words
touched=$(git apply --numstat $mails | cut -f 3 | sort -u)

# ---- mails

# Ignored: commits cannot be looked up, as Debian's source is no git repository; a stray access
# ends in a BUG(). 5.10's checkpatch warns of the blank in "Cc: stable... #", which
# stable-kernel-rules.rst prescribes.
checkpatch() {
	(cd "$dir/unpatched" && perl scripts/checkpatch.pl --strict --no-summary --terse \
		--ignore UNKNOWN_COMMIT_ID,AVOID_BUG "$1") |
		grep -v "WARNING: email address 'stable@vger.kernel.org # .* might be better as"
	return 0
}

# Check the changelog by submitting-patches.rst (Fixes:, commits by 12 digits and title) and
# stable-kernel-rules.rst (Cc: stable). Print each violation.
changelog() {
	sed -e '1,/^$/d' -e '/^---$/,$d' "$1" >"$log/changelog"
	lines=$(wc -l <"$log/changelog")
	[ "$lines" -gt 0 ] || echo "no changelog in $1"
	[ "$lines" -le 60 ] || echo "the changelog has $lines lines, the limit is 60"
	grep -i '^fixes:' "$log/changelog" | grep -vE '^Fixes: [0-9a-f]{12} \(".+"\)$'
	grep -i 'stable@' "$log/changelog" |
		grep -vE '^Cc: stable@vger\.kernel\.org( # [0-9]+\.[0-9]+\.x( .+)?)?$'
	tr '\n' ' ' <"$log/changelog" |
		grep -oE '[Cc]ommit [0-9a-f]+ .{3}' | grep -vE '[Cc]ommit [0-9a-f]{12} \(".'
	return 0
}

# Each call of set_mce_nospec() in the machine check code must directly follow a test whether
# the page can be left in the direct map, or is still bad.
callers() {
	awk '/(^|[^_[:alnum:]])leave_mapped\(|is_still_bad\(/ { asked = NR }
		/set_mce_nospec\(/ && !/^[ \t]+\*|\/\*/ {
			calls++
			if (NR > asked + 1)
				print FILENAME ":" NR ": " $0
		}
		END { if (!calls) print FILENAME ": no call" }' \
		"$dir/patched/arch/x86/kernel/cpu/mce/core.c"
}

mails() {
	read -r package version suite <"$dir/source"
	patches=$(find "$(realpath "$patchdir")" -name '*.patch' | sort)
	upstream=$(cat "$dir/upstream" 2>/dev/null)
	# shellcheck disable=SC2086 # lists of words
	check "git am $patchdir on $package $version" scripts/build/git-am.sh "$dir/unpatched" $patches
	if [ -n "${SOURCE:-}" ]; then
		: "the user's own tree has no upstream tarball"
	elif [ -z "$upstream" ]; then
		skip "git am $patchdir on the upstream tarball of $version" \
			"the mirror has none of this series for $suite"
	else
		case $version in
		"$upstream"-*) note='' ;;
		*) note=" (the mirror does not have that of $version)" ;;
		esac
		# shellcheck disable=SC2086 # lists of words
		check "git am $patchdir on upstream's $upstream$note" \
			scripts/build/git-am.sh "$dir/upstream.tar.xz" $patches
	fi
	for mail in $mails; do
		check "changelog of $tree/$(basename "$mail")" changelog "$mail"
		check "checkpatch --strict $tree/$(basename "$mail")" checkpatch "$mail"
	done
	check "set_mce_nospec() is called only for pages not left in the direct map, $version" callers
}

# ---- builds

# Print the warnings of gcc W=1 and sparse for the files that the series touches, each with a
# count, without line numbers. A warning in another file, such as a header, counts once, however
# many files include it.
warnings() {
	configure all >"$log/configure" || return 1
	objects=$(echo "$touched" | sed -n 's/\.c$/.o/p' | while read -r object; do
		[ ! -e "$work/${object%.o}.c" ] || echo "$object"
	done)
	# shellcheck disable=SC2046,SC2086 # lists of words
	{
		(cd "$work/obj-all" && rm -f $objects)
		build O=obj-all W=1 C=2 CHECK="$sparse" $(echo "$objects" | grep -e '^arch' -e '^mm' -e '^drivers')
	} || return 1
	grep -c '^  CHECK ' "$log/make" >"$log/checked"
	sed -nE 's/:[0-9]+(:[0-9]+)?:/:/g; /(warning|error):/s|^(\.\./)*||p' "$log/make" |
		sort | uniq -c | while read -r times warning; do
		echo "$touched" | grep -Fxq "${warning%%:*}" || times=1
		echo "$times $warning"
	done
}

# new_warnings BEFORE PATCH: print the warnings that PATCH adds
new_warnings() {
	warnings >"$log/warnings.$2" || {
		cat "$log/warnings.$2"
		return 1
	}
	grown "$log/warnings.$1" "$log/warnings.$2"
}

# grown OLD NEW: print the lines whose leading count is higher in NEW
grown() {
	awk '{ times = $1; $1 = "" }
		FILENAME == ARGV[1] { old[$0] = times; next }
		times > old[$0] + 0 { print times $0 }' "$1" "$2"
}

# the changed code must be that of the kernel under test
as_tested() {
	for file in $touched; do
		case $file in
		Documentation/* | MAINTAINERS | tools/*) ;;
		*) [ ! -e "$dir/unpatched/$file" ] || cmp "$work/$file" "$dir/patched/$file" 2>&1 ;;
		esac
	done
}

# fails_with LOG...: print the logs of a failure
fails_with() {
	(cd "$log" && cat "$@")
	return 1
}

# KVM includes asm/mce.h. Only L1's tree has it, as modules, which bzImage does not build.
kvm() {
	build O=obj-guest olddefconfig && build O=obj-guest arch/x86/kvm/
}

builds() {
	rm -rf "$work"
	if ! scripts/build/apply.sh "$dir/unpatched" "$work" >"$log/apply" 2>&1 ||
		! scripts/lab/objects.sh "$dir/unpatched/obj" "$work/obj-guest" ||
		! warnings >"$log/warnings.0000"; then
		check "build $tree without the series" fails_with apply configure warnings.0000
		return
	fi
	[ "$(cat "$log/checked")" -gt 0 ] || skip "sparse, $tree" \
		"this tree does not accept $sparse, see scripts/fetch/fetch.sh sparse"
	before=0000
	# patches to the kernel, not to user space or documentation
	kernel=$(for mail in $mails; do
		! git apply --numstat "$mail" | cut -f 3 | grep -qv -e ^tools/ -e ^Documentation/ \
			-e ^MAINTAINERS || echo "$mail"
	done)
	last=$(echo "$kernel" | tail -n 1)
	for mail in $mails; do
		name=$(basename "$mail")
		patch=${name%%-*}
		check "git apply $tree/$name" apply "$mail"
		echo "$kernel" | grep -Fxq "$mail" || continue
		if [ "$mail" = "$last" ]; then
			check "the kernel under test is $tree up to $patch" as_tested
		else
			check "build a guest's kernel, $tree up to $patch" build O=obj-guest bzImage
		fi
		check "gcc W=1 and sparse, $tree/$patch" new_warnings "$before" "$patch"
		before=$patch
	done
	! grep -q '^CONFIG_KVM=m' "$work/obj-guest/.config" || check "compile KVM, $tree" kvm
	: >"$work/whole"
}

# ---- configs

# Print what to compile for the series: directories, so that the configuration selects the
# objects, and single objects in large ones. pmem.c and CXL call functions of set_memory.h.
targets() {
	echo "$touched" | grep '^arch.*\.c$' | sed 's|[^/]*$||' | sort -u | grep -vx arch/x86/mm/
	for pair in X86_64=arch/x86/mm/init_64.o MEMORY_FAILURE=mm/memory-failure.o \
		BLK_DEV_PMEM=drivers/nvdimm/pmem.o CXL_MCE=drivers/cxl/core/mce.o; do
		! grep -q "^CONFIG_${pair%%=*}=" "$work/$1/.config" || echo "${pair#*=}"
	done
}

# print the symbols that a modular CXL needs and that are not exported
not_exported() (
	[ -e "$work/obj-all/drivers/cxl/core/mce.o" ] || exit 0
	cd "$work/obj-all" || exit 1
	nm -u drivers/cxl/core/mce.o | awk '$2 ~ /^mce_|^set_mce/ { print $2 }' |
		while read -r symbol; do
			grep -rqE "__(ksymtab|export_symbol)_$symbol" arch/x86/kernel/cpu/mce \
				arch/x86/mm/pat || echo "$symbol is not exported"
		done
)

# compile BASE SYMBOL...
compile() {
	change "$@" || return 1
	# shellcheck disable=SC2046 # a list of words
	build O="obj-$1" $(targets "obj-$1") && not_exported
}

# make the tree with the series, unless builds has left it
whole() {
	[ ! -e "$work/whole" ] || return 0
	rm -rf "$work"
	scripts/build/apply.sh "$dir/unpatched" "$work" || return 1
	for mail in $mails; do
		apply "$mail" || return 1
	done
	: >"$work/whole"
}

configs() {
	configured=
	while read -r name base symbols; do
		case $name in '' | '#'*) continue ;; esac
		unknown=
		for symbol in $symbols; do
			has_symbol "$symbol" || unknown=$symbol
		done
		if [ -n "$unknown" ]; then
			skip "compile $tree with $name" "$tree has no $unknown"
			continue
		fi
		if [ "$base" != "$configured" ]; then
			check "configure $tree for $base" configure "$base"
			configured=$base
		fi
		# shellcheck disable=SC2086 # a list of words
		check "compile $tree with $name" compile "$base" $symbols
	done <"$here/configs"
}

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

# build the documentation; print sphinx's warnings about the files touched
documentation() {
	pages=$(echo "$touched" | grep '^Documentation/.*\.rst$')
	folder=$(echo "$pages" | sed -n 's|^Documentation/\(.*\)/index.rst$|\1|p')
	build O=obj-doc PYTHON=python3 SPHINXDIRS="$folder" htmldocs || return 1
	for page in $pages; do
		grep -F "$page" "$log/make"
		html=${page#Documentation/}
		[ -s "$work/obj-doc/Documentation/output/${html%.rst}.html" ] ||
			[ -s "$work/obj-doc/Documentation/output/$(basename "$page" .rst).html" ] ||
			echo "no $html made"
	done
}

words() {
	check "no new warnings of kernel-doc, $tree" new_kernel_doc
	check "make htmldocs, $tree" documentation
	bloat=$(cd "$dir/unpatched" &&
		python3 scripts/bloat-o-meter -t obj/vmlinux "$dir/patched/obj/vmlinux")
	check "bloat-o-meter, $tree" test -n "$bloat"
	echo "# text added to a guest's kernel, $tree: $(echo "$bloat" | tail -n 1)"
	rm -rf "$work" "$dir/mails"
}

echo "KTAP version 1"
for part in $parts; do
	case $part in
	configs | words) whole >"$log/apply" 2>&1 || check "apply $tree's series" fails_with apply ;;
	esac
	"$part"
done
totals
