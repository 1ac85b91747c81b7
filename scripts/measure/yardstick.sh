#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# yardstick.sh
# Print how many seconds a fixed piece of work takes on one CPU of this machine. Compare other
# times with it: machines differ by a factor of four.
set -eu

start=$(date +%s%N)
seq 10000000 | gzip -9 >/dev/null
echo "$(date +%s%N) $start" | awk '{ printf "%.1f\n", ($1 - $2) / 1e9 }'
