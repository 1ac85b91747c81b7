# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# What several programs of this repository share. To be read with ".".

# number NAME LEAST VALUE: whether VALUE, which the user gave as NAME=, is a number from LEAST
# to 999999; if not, prints an error, with status 2.
number() {
	case $3 in
	'' | *[!0-9]* | 0?* | ???????*) ;;
	*) [ "$3" -lt "$2" ] || return 0 ;;
	esac
	echo "$1=$3 is not a number from $2 to 999999" >&2
	return 2
}

# commit_of DIR: which version of the repository around DIR results are of, as one word: the last
# commit that changed more than pages in Markdown, and whether more has changed since. No result
# depends on these pages, and one of them has the results.
commit_of() {
	(
		cd "$1" && cd "$(git rev-parse --show-cdup 2>/dev/null)." || exit
		commit=$(git log -1 --format=%h --abbrev=12 -- . ':!*.md' 2>/dev/null)
		git diff --quiet HEAD -- . ':!*.md' 2>/dev/null || commit=${commit:+$commit-dirty}
		echo "${commit:-unknown}"
	)
}

# rejects PATCH: which hunks of which files of PATCH the kernel tree in the current directory
# does not take, one a line. Changes nothing. Nothing is printed when it takes all.
rejects() {
	LC_ALL=C patch --dry-run --batch --forward -p1 -F0 -i "$1" | awk '
		/^(checking|patching) file / { file = $3 }
		/^can.t find file|^The next patch would/ { print "  " $0 }
		/^Hunk #[0-9]+ (FAILED|ignored)/ { print "  " file ": " $0 }'
}

# patchdir SERIES, at the top of the repository: the folder with the patches for a series: its
# own; or the next newer one, as far as other-series.sh lists the one that fits; or, for a
# series newer than all, the newest. None is an error that lists what there is.
patchdir() {
	have=$(cd patches && printf '%s\n' * | sort -V)
	oldest=$(printf '%s\n%s\n' "$have" "$1" | sort -V | head -n 1)
	why=
	if ! echo "$1" | grep -Eqx '[0-9]+\.[0-9]+'; then
		why="not a kernel series like 6.12"
	elif [ "$oldest" = "$1" ] && [ ! -d "patches/$1" ]; then
		why="no patches for it, nor for an older series"
	fi
	if [ -n "$why" ]; then
		echo "TREE=$1: $why. Trees with patches:" "$(echo "$have" | tr '\n' ' ')" >&2
		return 1
	fi
	nearest=$(printf '%s\n%s\n' "$have" "$1" | sort -V | sed "0,/^$1\$/d" | head -n 1)
	[ ! -d "patches/$1" ] || nearest=$1
	echo "patches/${nearest:-$(echo "$have" | tail -n 1)}"
}

# ---- results as KTAP, numbered and counted

# $again is what the user runs to have the checks that were skipped because $DEADLINE, seconds
# since the epoch, had passed. Without a DEADLINE in the environment none is.
number=0
failed=0
skipped=0

# one LABEL COMMAND...: a check passes when the command does and prints nothing. Its
# output goes to the file $output.
one() {
	if [ -n "${DEADLINE:-}" ] && [ "$(date +%s)" -ge "$DEADLINE" ]; then
		# shellcheck disable=SC2154 # the caller's
		skip "$1" "no time left (BUDGET=$BUDGET): make $again"
		return
	fi
	number=$((number + 1))
	label=$1
	shift
	# shellcheck disable=SC2154 # the caller's
	if "$@" >"$output" 2>&1 && [ ! -s "$output" ]; then
		echo "ok $number $label"
	else
		failed=$((failed + 1))
		echo "not ok $number $label"
		tail -n 40 "$output" | sed 's/^/# /'
	fi
}

# skip LABEL REASON
skip() {
	number=$((number + 1))
	skipped=$((skipped + 1))
	echo "ok $number $1 # SKIP $2"
}

# totals: the plan and what came out; status 1 when something failed
totals() {
	echo "1..$number"
	echo "# Totals: pass:$((number - failed - skipped)) fail:$failed skip:$skipped"
	[ "$failed" -eq 0 ]
}
