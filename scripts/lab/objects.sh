#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# objects.sh FROM TO
# Copy what kernel.sh built in FROM, TREE/obj, to TO, which is of the same tree or of a copy
# in which little has changed since, so that only that is built again. Some of the
# kernel's own programs (objtool) note the absolute path of their source, and all objects
# depend on such a program.
set -eu

from=$(cd "$1" && pwd)
to=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")

rm -rf "$to" "$to.new"
cp -a "$from" "$to.new"
# make does not look at the times of these
find "$to.new/tools" -name '.*.cmd' \
	-exec sed -i "s|$from/|$to/|g; s|${from%/*}/|${to%/*}/|g" {} +
mv "$to.new" "$to"
