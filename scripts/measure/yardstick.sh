#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# yardstick.sh
# Print how many seconds a fixed piece of work takes on one CPU of this machine: half of it
# compresses, half compiles. Compare other times with it. Machines differ by a factor of four,
# and one that compresses as fast as another can take twice as long to compile.
set -eu

start=$(date +%s%N)
seq 5000000 | gzip -9 >/dev/null
seq 400 | sed 's/.*/int f&(int *a, int n) { int s = &; while (n--) s += a[n] ^ s << & % 31; return s; }/' |
	gcc -O2 -x c -c -o /dev/null -
echo "$(date +%s%N) $start" | awk '{ printf "%.1f\n", ($1 - $2) / 1e9 }'
