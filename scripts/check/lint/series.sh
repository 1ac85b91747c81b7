#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# series.sh DIR PATCHDIR SPARSE [PART...]
# Check the series that export.sh makes of PATCHDIR for the kernel in DIR/unpatched, as its
# readers will, PART after PART; without one, all in this order:
#
#   mails	git am to Debian's source and upstream's tarball, checkpatch --strict on each
#	mail, its changelog, and where set_mce_nospec() is called
#   builds	each patch built on those before it, with gcc's W=1 and sparse
#   configs	all of it under the configurations in "configs"
#   words	kernel-doc, the documentation, and the size of what was added
#
# mails leaves DIR/mails, and builds or configs DIR/series, for those that follow. DIR has
# unpatched and patched as guest kernels built by the Makefile, and perhaps the upstream
# tarball. Prints KTAP; exit status 1 when a check fails.
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
# shellcheck disable=SC2034 # for one()
output=$log/one again="lint ${SOURCE:+SOURCE=}${SOURCE:-TREE=$tree}"
mkdir -p "$log"
trap 'exit 130' INT
trap 'exit 143' TERM HUP

cc=gcc
command -v ccache >/dev/null && cc='ccache gcc'
unset MAKEFLAGS MFLAGS MAKELEVEL

# in the series' tree; prints make's output only when it fails
kmake() {
	make -C "$work" -j"$(nproc)" CC="$cc" "$@" >"$log/make" 2>&1 || {
		# not what was built before it
		grep -vE '^  [A-Z]+( \[M\])? ' "$log/make"
		return 1
	}
}

# configure BASE: obj-BASE of the tree, as "configs" explains
configure() {
	if [ "$1" = all ]; then
		lost=$(scripts/lab/configure.sh "$work" obj-all "$here/all.config" 2>"$log/make") || {
			cat "$log/make"
			return 1
		}
		[ -z "$lost" ] || echo "scripts/check/lint/all.config: does not take:" "$lost"
	else
		mkdir -p "$work/obj-$1"
		kmake O="obj-$1" "$1" || return 1
	fi
	cp "$work/obj-$1/.config" "$work/obj-$1/base"
}

# change BASE SYMBOL=VALUE...: what configure left, with these symbols
change() {
	obj=obj-$1
	shift
	names=$(echo "$@" | sed 's/=[^ ]*//g; s/ /|/g')
	# what configure.sh left is no more what is there
	rm -f "$work/$obj/wanted.config"
	printf 'CONFIG_%s\n' "$@" | sed -n 's/\(.*\)=n$/# \1 is not set/; /_./p' >"$log/symbols"
	grep -vE "^(# )?CONFIG_(${names:-NONE})[= ]" "$work/$obj/base" | cat - "$log/symbols" \
		>"$work/$obj/.config"
	# what depends on these goes with them; when that lets something new appear, the first
	# command has a question
	kmake O="$obj" syncconfig </dev/null >"$log/question" || kmake O="$obj" olddefconfig ||
		return 1
	for name in $(echo "$@" | tr ' ' '\n' | sed -n 's/=n$//p'); do
		grep -q "^CONFIG_$name=" "$work/$obj/base" ||
			echo "scripts/check/lint/configs: $name=n changes nothing: it is not on in ${obj#obj-}"
	done
	grep -Fxv -f "$work/$obj/.config" "$log/symbols" | while read -r symbol; do
		name=$(echo "$symbol" | grep -o 'CONFIG_[A-Z0-9_]*')
		! grep -q "^$name=" "$work/$obj/.config" && [ "$symbol" != "${symbol% is not set}" ] ||
			echo "scripts/check/lint/configs: $symbol does not take"
	done
}

knows() {
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

# Debian's source is no git repository in which commits could be looked up. A BUG() is
# what a stray access ends in. 5.10's checkpatch warns of the blank in "Cc: stable... #",
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

mails() {
	read -r package version suite <"$dir/source"
	patches=$(find "$PWD/$patchdir" -name '*.patch' | sort)
	upstream=$(cat "$dir/upstream" 2>/dev/null)
	# shellcheck disable=SC2086 # lists of words
	one "git am $patchdir on $package $version" scripts/build/git-am.sh "$dir/unpatched" $patches
	if [ -n "${SOURCE:-}" ]; then
		: "there is no other than the user's own"
	elif [ -z "$upstream" ]; then
		skip "git am $patchdir on the upstream tarball of $version" \
			"the mirror has none of this series for $suite"
	else
		case $version in
		"$upstream"-*) note='' ;;
		*) note=" (the mirror does not have that of $version)" ;;
		esac
		# shellcheck disable=SC2086 # lists of words
		one "git am $patchdir on upstream's $upstream$note" \
			scripts/build/git-am.sh "$dir/upstream.tar.xz" $patches
	fi
	for mail in $mails; do
		one "changelog of $tree/$(basename "$mail")" changelog "$mail"
		one "checkpatch --strict $tree/$(basename "$mail")" checkpatch "$mail"
	done
	one "set_mce_nospec() is only called for what is not left in the direct map, $version" callers
}

# ---- builds

# What gcc with W=1 and sparse have to say when they compile what the series touches:
# without line numbers, and how often. What is in a file that the series does not touch,
# a header, is there whether one more file includes it or not.
warnings() {
	configure all >"$log/configure" || return 1
	objects=$(echo "$touched" | sed -n 's/\.c$/.o/p' | while read -r object; do
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

# new_warnings BEFORE PATCH: none that was not there
new_warnings() {
	warnings >"$log/warnings.$2" || {
		cat "$log/warnings.$2"
		return 1
	}
	grown "$log/warnings.$1" "$log/warnings.$2"
}

# grown OLD NEW: the lines, each with a number before it, that NEW has more often
grown() {
	awk '{ times = $1; $1 = "" }
		FILENAME == ARGV[1] { old[$0] = times; next }
		times > old[$0] + 0 { print times $0 }' "$1" "$2"
}

# what the patches change, but words, is as in the kernel under test
as_tested() {
	for file in $touched; do
		case $file in
		Documentation/* | MAINTAINERS | tools/*) ;;
		*) [ ! -e "$dir/unpatched/$file" ] || cmp "$work/$file" "$dir/patched/$file" 2>&1 ;;
		esac
	done
}

# fails_with LOG...: what was logged before something failed
fails_with() {
	(cd "$log" && cat "$@")
	return 1
}

builds() {
	rm -rf "$work"
	if ! scripts/build/apply.sh "$dir/unpatched" "$work" >"$log/apply" 2>&1 ||
		! scripts/lab/objects.sh "$dir/unpatched/obj" "$work/obj-guest" ||
		! warnings >"$log/warnings.0000"; then
		one "build $tree without the series" fails_with apply configure warnings.0000
		return
	fi
	[ "$(cat "$log/checked")" -gt 0 ] || skip "sparse, $tree" \
		"$sparse is not one that this tree takes, see scripts/fetch/fetch.sh sparse"
	before=0000
	# what is not for user space, nor words
	kernel=$(for mail in $mails; do
		! git apply --numstat "$mail" | cut -f 3 | grep -qv -e ^tools/ -e ^Documentation/ \
			-e ^MAINTAINERS || echo "$mail"
	done)
	last=$(echo "$kernel" | tail -n 1)
	for mail in $mails; do
		name=$(basename "$mail")
		patch=${name%%-*}
		one "git apply $tree/$name" apply "$mail"
		echo "$kernel" | grep -Fxq "$mail" || continue
		if [ "$mail" = "$last" ]; then
			one "the kernel under test is $tree up to $patch" as_tested
		else
			one "build a guest's kernel, $tree up to $patch" kmake O=obj-guest bzImage
		fi
		one "gcc W=1 and sparse, $tree/$patch" new_warnings "$before" "$patch"
		before=$patch
	done
	: >"$work/whole"
}

# ---- configs

# Where of the series there is something to compile: directories, so that it is the
# configuration that states the reason, except for large ones. pmem.c and CXL call what set_memory.h has.
targets() {
	echo "$touched" | grep '^arch.*\.c$' | sed 's|[^/]*$||' | sort -u | grep -vx arch/x86/mm/
	for pair in X86_64=arch/x86/mm/init_64.o MEMORY_FAILURE=mm/memory-failure.o \
		BLK_DEV_PMEM=drivers/nvdimm/pmem.o CXL_MCE=drivers/cxl/core/mce.o; do
		! grep -q "^CONFIG_${pair%%=*}=" "$work/$1/.config" || echo "${pair#*=}"
	done
}

# what a modular CXL calls and does not find
not_exported() (
	[ -e "$work/obj-all/drivers/cxl/core/mce.o" ] || exit 0
	cd "$work/obj-all" || exit 1
	nm -u drivers/cxl/core/mce.o | awk '$2 ~ /^mce_|^set_mce/ { print $2 }' |
		while read -r symbol; do
			grep -rqE "__(ksymtab|export_symbol)_$symbol" arch/x86/kernel/cpu/mce \
				arch/x86/mm/pat || echo "$symbol is not exported"
		done
)

# compile BASE SYMBOL=VALUE...
compile() {
	change "$@" || return 1
	# shellcheck disable=SC2046 # a list of words
	kmake O="obj-$1" $(targets "obj-$1") && not_exported
}

# the tree with the series, as builds leaves it
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
			knows "${symbol%=*}" || unknown=${symbol%=*}
		done
		if [ -n "$unknown" ]; then
			skip "compile $tree with $name" "$tree has no $unknown"
			continue
		fi
		if [ "$base" != "$configured" ]; then
			one "configure $tree for $base" configure "$base"
			configured=$base
		fi
		# shellcheck disable=SC2086 # a list of words
		one "compile $tree with $name" compile "$base" $symbols
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

# sphinx, and its warnings about the files touched
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

words() {
	one "kernel-doc has nothing new to say, $tree" new_kernel_doc
	one "make htmldocs, $tree" documentation
	bloat=$(cd "$dir/unpatched" &&
		python3 scripts/bloat-o-meter -t obj/vmlinux "$dir/patched/obj/vmlinux")
	one "bloat-o-meter, $tree" test -n "$bloat"
	echo "# text added to a guest's kernel, $tree: $(echo "$bloat" | tail -n 1)"
	rm -rf "$work" "$dir/mails"
}

echo "KTAP version 1"
for part in $parts; do
	case $part in
	configs | words) whole >"$log/apply" 2>&1 || one "apply $tree's series" fails_with apply ;;
	esac
	"$part"
done
totals
