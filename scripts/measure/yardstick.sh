#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# yardstick.sh
# Print the seconds that one fixed piece of work takes here, on one CPU: what times are to
# be read beside, as machines differ by a factor of four.
set -eu

start=$(date +%s%N)
seq 10000000 | gzip -9 >/dev/null
echo "$(date +%s%N) $start" | awk '{ printf "%.1f\n", ($1 - $2) / 1e9 }'
