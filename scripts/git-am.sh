#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# git-am.sh TREE|TARBALL PATCH...
# Whether git am takes the patches, without fuzz, on a kernel tree or on the
# tarball of one. Only the files that they touch are looked at. Says nothing when
# it does; exit status 1 and git's words when not.
set -eu

from=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
new=$(git apply --summary "$@" | sed -n 's/^ create mode [0-7]* //p')
files=$(git apply --numstat "$@" | cut -f 3 | sort -u | grep -Fxv "${new:-none}")

mkdir "$work/tree"
if [ -d "$from" ]; then
	for file in $files; do
		mkdir -p "$work/tree/${file%/*}"
		cp "$from/$file" "$work/tree/$file"
	done
else
	# shellcheck disable=SC2046 # a list of words
	tar -xf "$from" -C "$work/tree" --strip-components=1 --wildcards --no-wildcards-match-slash \
		$(for file in $files; do echo "*/$file"; done)
fi
cd "$work/tree"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=lint GIT_AUTHOR_EMAIL=lint@localhost
export GIT_COMMITTER_NAME=lint GIT_COMMITTER_EMAIL=lint@localhost
git init -q
git add .
git commit -q -m "$from"
git am -q "$@"
