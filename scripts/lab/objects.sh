#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# objects.sh FROM TO
# Copy the objects that kernel.sh built in FROM (TREE/obj) to TO, of the same tree or of a
# slightly changed copy, so that only changes are built again. Some of the kernel's own programs
# (objtool) record the absolute path of their source, and all objects depend on them, so these
# paths are replaced.
set -eu

from=$(cd "$1" && pwd)
to=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")

rm -rf "$to" "$to.new"
cp -a "$from" "$to.new"
# make ignores the times of .cmd files
find "$to.new/tools" -name '.*.cmd' \
	-exec sed -i "s|$from/|$to/|g; s|${from%/*}/|${to%/*}/|g" {} +
# the copy may have other exports, see hook/build.sh
rm -f "$to.new/Module.symvers"
mv "$to.new" "$to"
