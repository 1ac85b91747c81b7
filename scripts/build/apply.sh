#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# apply.sh FROM TO PATCH...
# Copy the kernel tree FROM to TO, without the builds in FROM/obj*, and apply the
# patches to it, without fuzz. Files are hard links: git replaces those that it
# patches, and the build writes to obj only.
set -eu

from=$1
to=$2
shift 2

rm -rf "$to" "$to.new"
mkdir "$to.new"
for entry in "$from"/* "$from"/.[!.]*; do
	case $entry in
	"$from"/obj*) ;;
	*) cp -al "$entry" "$to.new/" ;;
	esac
done
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/../lib.sh"

# neighbours PATCHDIR: print whether the patches of the folders before and after PATCHDIR apply
neighbours() {
	all=${1%/*}
	[ "${all##*/}" = patches ] || return 0
	(cd "$all" && printf '%s\n' *) | sort -V | grep -Fx -C 1 "${1##*/}" | grep -Fxv "${1##*/}" | while read -r other; do
		! "$here/git-am.sh" "$source" "$all/$other"/*.patch 2>&1 ||
			echo "patches/$other applies: use PATCHDIR=patches/$other"
	done
}

source=$(cd "$from" && pwd)
# the tree is not a part of the repository around it
cd "$to.new"
GIT_CEILING_DIRECTORIES=$(cd .. && pwd)
export GIT_CEILING_DIRECTORIES
for patch; do
	echo "applying $patch"
	git apply "$patch" || {
		echo "apply: $patch does not apply to $from:" >&2
		rejects "$patch" >&2
		neighbours "${patch%/*}" >&2
		exit 1
	}
done
cd - >/dev/null
mv "$to.new" "$to"
