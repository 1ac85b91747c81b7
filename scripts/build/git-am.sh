#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# git-am.sh [-o REPOSITORY] TREE|TARBALL PATCH...
# Whether git am takes the patches, without fuzz, on a kernel tree or on the
# tarball of one. Only the files that they touch are looked at, and MAINTAINERS.
# Says nothing when it does; exit status 1 and the patch, the file and the hunk when
# not. With -o, the git repository in which that was tried stays: the tree is tagged
# base, and each patch is a commit on it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/../lib.sh"
repository=
if [ "$1" = -o ]; then
	repository=$2
	shift 2
fi
from=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
new=$(git apply --summary "$@" | sed -n 's/^ create mode [0-7]* //p')
files=$(git apply --numstat "$@" | cut -f 3 | sort -u | grep -Fxv "${new:-none}")

mkdir "$work/tree"
if [ -d "$from" ]; then
	for file in $files MAINTAINERS; do
		# what is not there is for git am to say
		[ -e "$from/$file" ] || continue
		mkdir -p "$work/tree/$(dirname "$file")"
		cp "$from/$file" "$work/tree/$file"
	done
else
	# shellcheck disable=SC2046 # a list of words
	tar -xf "$from" -C "$work/tree" --strip-components=1 --wildcards --no-wildcards-match-slash \
		$(for file in $files MAINTAINERS; do echo "*/$file"; done)
fi
cd "$work/tree"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=nobody GIT_AUTHOR_EMAIL=nobody@localhost
export GIT_COMMITTER_NAME=nobody GIT_COMMITTER_EMAIL=nobody@localhost
git init -q
git add -f .
git commit -q -m "$from"
git tag base
for patch; do
	git am -q "$patch" >"$work/error" 2>&1 || {
		echo "$patch does not apply to $from:"
		rejects=$(rejects "$patch")
		echo "${rejects:-$(cat "$work/error")}"
		exit 1
	} >&2
done
if [ -n "$repository" ]; then
	rm -rf "$repository"
	mv "$work/tree" "$repository"
fi
