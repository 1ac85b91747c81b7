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

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/lib.sh
. "$here/../lib.sh"
to=$(realpath -m "$to")
trap 'rm -rf "$to.new"' EXIT
exit_on_signals
rm -rf "$to" "$to.new"
mkdir "$to.new"
cp -al "$from/." "$to.new"
rm -rf "$to.new"/obj*

# neighbours PATCHDIR: print whether the patches of the folders before and after PATCHDIR apply
neighbours() {
	all=${1%/*}
	[ "${all##*/}" = patches ] || return 0
	(cd "$all/.." && series_with_patches) | grep -Fx -C 1 "${1##*/}" | grep -Fxv "${1##*/}" | while read -r other; do
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
	errors=$(git apply --reject "$patch" 2>&1) || {
		echo "apply: $patch does not apply to $from:"
		echo "$errors" | failed_hunks || echo "$errors"
		neighbours "${patch%/*}"
		exit 1
	} >&2
done
mv "$to.new" "$to"
