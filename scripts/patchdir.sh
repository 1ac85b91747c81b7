#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# patchdir.sh SERIES
# Print the folder with the patches for a series: its own, or else the nearest
# older one. Neither is an error that lists what there is.
set -eu

series=$1
cd "$(dirname "$0")/.."
have=$(cd patches && printf '%s\n' * | sort -V)

fail() {
	echo "TREE=$series: $1. Trees with patches:" "$(echo "$have" | tr '\n' ' ')" >&2
	exit 1
}

echo "$series" | grep -Eqx '[0-9]+\.[0-9]+' || fail "not a kernel series like 6.12"
nearest=$(printf '%s\n%s\n' "$have" "$series" | sort -V |
	awk -v series="$series" '{ print } $0 == series { exit }' |
	while read -r one; do [ ! -d "patches/$one" ] || echo "$one"; done | tail -n 1)
[ -n "$nearest" ] || fail "no patches for it, nor for an older series"
echo "patches/$nearest"
