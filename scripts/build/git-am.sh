#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# git-am.sh [-o REPOSITORY] TREE|TARBALL PATCH...
# Test whether git am applies the patches, without fuzz, to a kernel tree or tarball.
# Only MAINTAINERS and the files that they touch are read. If a patch does not apply,
# print the patch, the file and the hunk; exit status 1. With -o, keep the git
# repository of the test: the tree is tagged base, and each patch is a commit on it.
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
exit_on_signals
new=$(git apply --summary "$@" | sed -n 's/^ create mode [0-7]* //p')
files=$(git apply --numstat "$@" | cut -f 3 | sort -u | grep -Fxv "${new:-none}")

mkdir "$work/tree"
if [ -d "$from" ]; then
	# git am reports a missing file
	printf '%s\n' "$files" MAINTAINERS |
		rsync -r --files-from=- --ignore-missing-args "$from/" "$work/tree/"
else
	# patterns for tar, not for the shell
	set -f
	# shellcheck disable=SC2046 # a list of words
	tar -xf "$from" -C "$work/tree" --strip-components=1 --wildcards --no-wildcards-match-slash \
		$(for file in $files MAINTAINERS; do echo "*/$file"; done)
	set +f
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
	git am -q --reject "$patch" >"$work/error" 2>&1 || {
		echo "$patch does not apply to $from:"
		failed_hunks <"$work/error" || cat "$work/error"
		exit 1
	} >&2
done
if [ -n "$repository" ]; then
	rm -rf "$repository"
	mv "$work/tree" "$repository"
fi
