# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# Functions that several programs of this repository source.

# die MESSAGE: end the program with status 1
die() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# exit_on_signals: a signal ends the program, but first a trap of EXIT is run
exit_on_signals() {
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
}

# for_kernels: prepare for make in a kernel tree. Set $cc, and do not inherit the flags and the job
# server of the calling make.
for_kernels() {
	unset MAKEFLAGS MFLAGS MAKELEVEL KBUILD_OUTPUT
	# a file that is not in the cache yet takes 4 % longer than without ccache, instead of 48 %
	export CCACHE_DEPEND=1
	cc=gcc
	! command -v ccache >/dev/null || cc='ccache gcc'
}

# kmake TREE ARGUMENT...: run make in the kernel tree TREE
kmake() (
	for_kernels
	make=$1
	shift
	exec make -C "$make" -j"$(nproc)" CC="$cc" "$@"
)

# check_number NAME LEAST VALUE: check that the user's NAME=VALUE is a number from LEAST to 999999.
# If not, print an error and return 2.
check_number() {
	case $3 in
	'' | *[!0-9]* | 0?* | ???????*) ;;
	*) [ "$3" -lt "$2" ] || return 0 ;;
	esac
	echo "$1=$3 is not a number from $2 to 999999" >&2
	return 2
}

# commit_of DIR: print the version of the repository around DIR as one word: the last commit that
# changed more than Markdown, with "-dirty" if more has changed since. No result depends on the
# Markdown, and one of these pages has the results.
commit_of() {
	(
		cd "$1" && cd "$(git rev-parse --show-cdup 2>/dev/null)." || exit
		commit=$(git log -1 --format=%h --abbrev=12 -- . ':!*.md' 2>/dev/null)
		git diff --quiet HEAD -- . ':!*.md' 2>/dev/null || commit=${commit:+$commit-dirty}
		echo "${commit:-unknown}"
	)
}

# failed_hunks: filter the output of git apply --reject, or git am, for what did not apply: FILE:LINE
failed_hunks() {
	grep '^error: ' | grep -v ' while searching for:$'
}

# series_with_patches, run at the top of the repository: print them, one a line, the newest last
series_with_patches() {
	(cd patches && printf '%s\n' * | sort -V)
}

# patchdir SERIES, run at the top of the repository: print the folder with the patches for a
# series: its own, else the next newer one, else the newest. It is an error, which lists the
# folders, if SERIES is no series or older than all. other-series.sh tests the choice.
patchdir() {
	have=$(series_with_patches)
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

# After $DEADLINE (seconds since the epoch; none if unset) checks are skipped. $again is the
# make target that runs them.
number=0
failed=0
skipped=0

# result "ok"|"not ok" LABEL [FILE]: print a result, with the end of FILE to explain it. A LABEL of
# a skip has "# SKIP REASON".
result() {
	number=$((number + 1))
	[ "$1" = ok ] || failed=$((failed + 1))
	case $2 in *' # SKIP '*) skipped=$((skipped + 1)) ;; esac
	echo "$1 $number $2"
	[ -z "${3:-}" ] || tail -n 40 "$3" | sed 's/^/# /'
}

# check LABEL COMMAND...: a check. It passes if COMMAND succeeds and prints nothing. The file
# $output gets the output.
check() {
	if [ -n "${DEADLINE:-}" ] && [ "$(date +%s)" -ge "$DEADLINE" ]; then
		# shellcheck disable=SC2154 # the caller's
		skip "$1" "no time left (BUDGET=$BUDGET): make $again"
		return
	fi
	label=$1
	shift
	# shellcheck disable=SC2154 # the caller's
	if "$@" >"$output" 2>&1 && [ ! -s "$output" ]; then
		result ok "$label"
	else
		result 'not ok' "$label" "$output"
	fi
}

# skip LABEL REASON
skip() {
	result ok "$1 # SKIP $2"
}

# totals: print the plan and the totals; return 1 if a check failed
totals() {
	echo "1..$number"
	echo "# Totals: pass:$((number - failed - skipped)) fail:$failed skip:$skipped"
	[ "$failed" -eq 0 ]
}
