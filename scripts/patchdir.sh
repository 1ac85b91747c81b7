#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# patchdir.sh SERIES
# Print the folder with the patches for a series: its own; or the next newer one, as
# far as between.sh lists the one that fits; or, for a series newer than all, the newest.
# None is an error that lists what there is.
set -eu

series=$1
cd "$(dirname "$0")/.."
have=$(cd patches && printf '%s\n' * | sort -V)

fail() {
	echo "TREE=$series: $1. Trees with patches:" "$(echo "$have" | tr '\n' ' ')" >&2
	exit 1
}

echo "$series" | grep -Eqx '[0-9]+\.[0-9]+' || fail "not a kernel series like 6.12"
oldest=$(printf '%s\n%s\n' "$have" "$series" | sort -V | head -n 1)
[ "$oldest" != "$series" ] || [ -d "patches/$series" ] ||
	fail "no patches for it, nor for an older series"
nearest=$(printf '%s\n%s\n' "$have" "$series" | sort -V | sed "0,/^$series\$/d" | head -n 1)
[ ! -d "patches/$series" ] || nearest=$series
nearest=${nearest:-$(echo "$have" | tail -n 1)}
echo "patches/$nearest"
