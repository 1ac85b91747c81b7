#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# soak.sh LAB KERNELS LOGS TREE N SEED
# The scenarios soak-1 and soak-4 with N poisons from SEED, on the kernels of KERNELS; see
# run.sh for the rest. Says how to have the same again. Exit status: that of run.sh.
set -u

SOAK_N=$5 SOAK_SEED=$6
export SOAK_N SOAK_SEED
echo "# soak $4: $SOAK_N poisons, seed $SOAK_SEED"
tools/testing/selftests/mce/run.sh "$1" "$2" "$3" "$4" soak-1 soak-4
status=$?
tools/testing/selftests/mce/table.sh "$3" &&
	sed -n 's/^\(soak-[0-9]*\)|\([a-z]*\)|[^|]*|\(.*\)/# \1 \2: \3/p' "$3/verdicts"
[ "$status" -eq 0 ] || echo "# the same again: make soak TREE=$4 N=$SOAK_N SEED=$SOAK_SEED"
exit "$status"
