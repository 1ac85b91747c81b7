#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# export.sh TREE PATCHDIR list|stable|debian OUT
# Write OUT/TREE: the patches of PATCHDIR on the source of TREE, in a format for:
#
#   list    the whole series as mails for git send-email, with the new files of this
#           repository, a cover letter, and "recipients"
#   stable  the patches that are tagged for stable, as mails, with a cover letter and
#           "recipients". UPSTREAM= has mainline's commit ids, in the patches' order;
#           "none" for one that mainline does not have
#   debian  the same patches with DEP-3 headers, at the paths of Debian's kernel
#           package, and "series", the lines for its debian/patches/series
#
# Author and Signed-off-by are git's committer. SHA256SUMS lists the written files. An
# existing OUT/TREE is replaced only if it has no other files.
set -eu

# shellcheck source=scripts/lib.sh
. scripts/lib.sh

tree=$1
# the name of the user's own tree is SERIES~NAME
series=${tree%%~*}
patchdir=$(realpath "$2")
for=$3
here=$PWD/scripts/release
source=build/$tree
out=$4/$tree
new=$4/.$tree.new
work=
newest=$(series_with_patches | tail -n 1)

case $for in
list | stable | debian) ;;
*) die "FOR=$for: it is one of list, stable, debian" ;;
esac
for tool in git perl rsync sha256sum; do
	command -v "$tool" >/dev/null || die "no $tool: install it, or run make deps"
done

# NAME <MAIL> SECONDS ZONE
if ! ident=$(git -c user.useConfigOnly=true var GIT_COMMITTER_IDENT 2>/dev/null); then
	die "no name for Signed-off-by: set user.name and user.email with git config"
fi
ident=${ident% * *}

# ---- an existing OUT/TREE

if [ -e "$out" ] || [ -L "$out" ]; then
	if [ ! -d "$out" ] || [ -L "$out" ]; then
		die "$out is not a directory: move it away"
	fi
	strange=$(cd "$out" && {
		[ ! -e SHA256SUMS ] || LC_ALL=C sha256sum -c --quiet SHA256SUMS 2>/dev/null |
			sed 's/: FAILED.*//'
		find . ! -type d | sed 's|^\./||' | while read -r file; do
			[ "$file" = SHA256SUMS ] && continue
			grep -Fqs "  $file" SHA256SUMS || echo "$file"
		done
	} | sort -u | head -n 5 | tr '\n' ' ')
	[ -z "$strange" ] || die "$out has files that export did not write or that were changed" \
		"since: ${strange}- move it away and run this again"
fi

# ---- the series, as commits

# MAKELEVEL: TREE was made from SOURCE already
MAKELEVEL=${MAKELEVEL:-1} make --no-print-directory -s TREE="$tree" "$PWD/$source/source"
read -r package version suite <"$source/source"
set -- "$patchdir"/*.patch
[ "$for" = list ] || {
	# shellcheck disable=SC2046 # a list of words
	set -- $(grep -l '^Cc: stable@' "$@")
}
# shellcheck disable=SC2086 # a list of words
if [ "$for" = stable ] && [ -n "${UPSTREAM:-}" ] &&
	[ "$(printf '%s\n' $UPSTREAM | grep -Ecx '[0-9a-f]{40}|none')" -ne $# ]; then
	die "UPSTREAM='$UPSTREAM': give a commit of 40 hex digits, or none, for each of the $# patches"
fi
rm -rf "$new"
mkdir -p "$new" || die "cannot write to ${out%/*}"
clean_up() {
	# interrupted between the two moves at the end
	[ ! -e "$new.old" ] || [ -e "$out" ] || mv "$new.old" "$out"
	[ -z "$work" ] || rm -rf "$work"
	rm -rf "$new" "$new.old"
}
trap clean_up EXIT
exit_on_signals
work=$(mktemp -d)
scripts/build/git-am.sh -o "$work" "$source/unpatched" "$@" ||
	die "$patchdir is for another tree than $package $version of $suite"

# until v6.5
documentation=Documentation/arch/x86
[ -d "$source/unpatched/$documentation" ] || documentation=Documentation/x86

in_work() {
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null git -C "$work" \
		-c user.name="${ident%% <*}" -c user.email="$(expr "$ident" : '.*<\(.*\)>')" \
		-c core.excludesFile= "$@"
}

# add our entry to MAINTAINERS, in alphabetical order, without files that later patches add
maintainers() {
	while read -r tag value; do
		value=$(echo "$value" | sed "s|Documentation/arch/x86|$documentation|")
		case $tag in
		F:) [ ! -e "$work/$value" ] || printf 'F:\t%s\n' "$value" ;;
		[A-Z]:) printf '%s\t%s\n' "$tag" "$value" ;;
		*) echo "$tag $value" ;;
		esac
	done <MAINTAINERS >"$work/.git/entry"
	in_work show base:MAINTAINERS | awk -v entry="$work/.git/entry" '
		BEGIN { while ((getline line < entry) > 0) ours = ours line "\n"
			split(ours, lines, "\n") }
		/^Maintainers List$/ { list = NR }
		# a title follows an empty line, and tags follow it
		list && NR > list && !done && previous == "" && /^[A-Z0-9]/ && !/^[A-Z]:/ && $0 > lines[1] {
			printf "%s\n", ours
			done = 1
		}
		{ print; previous = $0 }' >"$work/MAINTAINERS"
}

# new_files PATCH: add the new files of PATCH from this repository
new_files() {
	folder=$(awk -v patch="$1" '!/^#/ && index(patch, $1) { print $2 }' "$here/new-files")
	[ -n "$folder" ] || return 0
	[ -n "$(git ls-files "$folder")" ] ||
		die "git ls-files finds nothing in $folder: run this in a git clone"
	git ls-files "$folder" | while read -r file; do
		to=$work/$(echo "$file" | sed "s|^Documentation/arch/x86/|$documentation/|")
		mkdir -p "$(dirname "$to")"
		cp "$file" "$to"
	done
	maintainers
}

# message COMMIT ID: print the message, with Signed-off-by before Cc:, as in maintainer-tip.rst
message() {
	in_work log -1 --pretty=format:%B "$1" | in_work interpret-trailers --trailer "Signed-off-by: $ident" |
		awk -v id="$2" '
			/^Cc: stable@/ { cc = cc $0 "\n"; next }
			{ print }
			NR == 1 && id && id != "none" { print "\ncommit " id " upstream." }
			END { printf "%s", cc }'
}

commits=$(in_work rev-list --reverse base..HEAD)
in_work checkout -q -b out base
count=0
for commit in $commits; do
	count=$((count + 1))
	patch=$(basename "$(echo "$@" | cut -d ' ' -f "$count")")
	id=
	[ "$for" != stable ] || id=$(echo "${UPSTREAM:-}" | awk -v n="$count" '{ print $n }')
	in_work cherry-pick --no-commit "$commit"
	[ "$for" != list ] || new_files "$patch"
	in_work add -f -A
	message "$commit" "$id" | in_work commit -q -F - --author="$ident" \
		--date="$(in_work log -1 --format=%aI "$commit")"
done

# ---- as mails, or as Debian's patches

# Print the tested version, and the table of this series in Documentation/results.md. A series
# without a table was not tested.
table() {
	awk -F ' *[|] *' -v series="$series" '
		/^## / {
			version = substr($0, 4)
			sub(/[-~].*/, "", version)
			here = !found && index(version ".", series ".") == 1
			if (here) {
				found = 1
				print version
			}
		}
		here && /^[|]/ && $2 !~ /^---/ {
			if ($2 == "scenario")
				$3 = "unpatched"
			printf "  %-24s  %-36s  %s\n", $2, $3, $4
		}' Documentation/results.md
}

patch_id() {
	git patch-id --stable <"$1" | cut -d ' ' -f 1
}

# the explanation of the table, which Documentation/results.md has as well
legend() {
	sed -n '/^- /,$ { s/[*][*]//g; s/\\//g; p }' scripts/measure/report/results.head
}

# same PATCH...: a line for each that is the same for other series, too
same() {
	n=0
	for patch; do
		n=$((n + 1))
		id=$(patch_id "$patch")
		all=$(for other in patches/*/"${patch##*/}"; do
			[ "$(patch_id "$other")" != "$id" ] || basename "${other%/*}"
		done | sort -V)
		[ "$(echo "$all" | wc -w)" -lt 2 ] ||
			echo "Patch $n is the same for $(echo "$all" | paste -sd, | sed 's/,/, /g')."
	done
}

# print the cover letter with the @NAMES@ replaced
cover() {
	table >"$work/.git/table"
	tested=$(head -n 1 "$work/.git/table")
	tested=${tested:-"no kernel yet: Documentation/results.md has no table of this series"}
	upstream="The first patch is not in mainline yet. Please take it once it is."
	# shellcheck disable=SC2086 # a list of words
	! printf '%s\n' ${UPSTREAM:-} | grep -Eqx '[0-9a-f]{40}' ||
		upstream=$(echo "They are these commits of mainline:" && printf '  %s\n' $UPSTREAM | sed '/^  none$/d')
	awk -v table="$work/.git/table" -v tested="$tested" \
		-v series="$series" -v upstream="$upstream" -v package="$package $version" \
		-v tag="v${version%%-*}" -v same="$same" -v legend="$(legend)" '
		/^@LEGEND@$/ { print legend; next }
		/^@TABLE@$/ { while ((getline line < table) > 0) if (++n > 1) print line; next }
		/^@BASE@$/ {
			if (package !~ /^linux-source/)
				sub(/.* /, "", package)
			print "The files are those of " (package ~ / / ? "Debian\047s " : "") package \
				", which are of:\n"
			print "base-tag: " tag; next }
		{ gsub(/@TESTED@/, tested); gsub(/@SERIES@/, series)
		  sub(/@UPSTREAM@/, upstream); sub(/@SAME@/, same); print }' "$here/cover.$for"
}

mails() {
	cover >"$work/.git/cover"
	in_work config branch.out.description "$(cat "$work/.git/cover")"
	prefix=PATCH
	[ "$for" = list ] && [ "$series" = "$newest" ] || prefix="PATCH $series"
	in_work format-patch -q --zero-commit --abbrev=12 --cover-letter --cover-from-description=subject \
		--subject-prefix="$prefix" -o "$(realpath "$new")" base ||
		die "cannot write the mails to ${out%/*}: is the disk full?"
}

# Write one option of git send-email a line. Only FOR=stable goes to stable: a series
# that is not in mainline yet does not (maintainer-tip.rst).
recipients() {
	mails=$(cd "$new" && find "$PWD" -name '0*.patch' ! -name '0000-*' | sort)
	(
		cd "$source/unpatched"
		# 5.10's get_maintainer.pl warns about missing git even with --no-git
		# shellcheck disable=SC2086 # a list of words
		perl scripts/get_maintainer.pl --no-git --no-git-fallback --roles $mails \
			2>"$work/.git/complaints"
	) | awk -v for_whom="$for" '
		BEGIN { if (for_whom == "stable") print "--to=stable@vger.kernel.org" }
		{
			to = for_whom != "stable" && / \((maintainer|supporter)/ ? "--to=" : "--cc="
			sub(/ \(.*/, "")
			print to $0
		}' >"$new/recipients"
	[ "$for" = stable ] || echo "--suppress-cc=bodycc" >>"$new/recipients"
	grep -q '^--to=' "$new/recipients" || die "get_maintainer.pl of $package finds no recipient:" \
		"$(cat "$work/.git/complaints")"
}

debian() {
	folder=bugfix/x86
	in_work format-patch -q --zero-commit --abbrev=12 -k --no-signature --add-header="Forwarded: no" \
		--add-header="Last-Update: $(date +%Y-%m-%d)" -o "$(realpath "$new")/$folder" base ||
		die "cannot write the patches to ${out%/*}: is the disk full?"
	for mail in "$new/$folder"/*.patch; do
		name=$(basename "$mail" | sed 's/^[0-9]*-//')
		mv "$mail" "$new/$folder/$name"
		echo "$folder/$name"
	done >"$new/series"
}

same=
[ "$for" != stable ] || same=$(same "$@")
case $for in
debian) debian ;;
*)
	mails
	recipients
	;;
esac
(cd "$new" && find . -type f | sed 's|^\./||' | sort | xargs -d '\n' sha256sum) \
	>"$work/.git/sums"
mv "$work/.git/sums" "$new/SHA256SUMS"

[ ! -e "$out" ] || mv "$out" "$new.old"
mv "$new" "$out"

if [ "$for" = debian ]; then
	echo "$out: $count patches for debian/patches, and series: the lines for the end of its series"
	exit
fi
cat <<EOF
$out: a cover letter and a mail for each patch ($count), signed off by $ident.
Read them, test with --dry-run, then send without it:
  xargs -d '\n' -a $out/recipients git send-email --dry-run $out/*.patch
EOF
[ -z "$same" ] || echo "$same"
[ "$for" = list ] || [ -n "${UPSTREAM:-}" ] ||
	echo "note: stable takes only commits in mainline: UPSTREAM='ID none' names them, in patch order"
