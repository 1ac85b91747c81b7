#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
worse.py

No row of the table of scenarios may expect a patched kernel to end worse than the unpatched one,
in the order of ORDER. Of each scenario and each series that the table names, the first rows that
fit are compared. Print each that is worse; exit status 1 when there is one, or nothing to compare.
"""
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools/testing/selftests/mce"))
from rows import KERNELS, read_table, select_rows  # pylint: disable=wrong-import-position

ORDER = "lives", "warns", "killed", "oops", "panic", "hang"


def worse():
    """Yield a line for each row that is worse or has no verdict, or for a table without pairs."""
    table = list(read_table())
    for scenario, *_, expect in table:
        if not expect or expect[0] not in ORDER:
            yield f"{scenario}: no verdict {expect[:1]}"
    compared = 0
    # of a series without a row of its own, the rows are those of any
    for series in sorted({one for row in table for one in row[1]}):
        ends = {(row["scenario"], kernel): expect[0] for row in select_rows(series, [], KERNELS)
                for kernel, expect in row["expect"].items()}
        for scenario in dict.fromkeys(scenario for scenario, _ in ends):
            old, new = (ends.get((scenario, kernel)) for kernel in KERNELS)
            if {old, new} <= set(ORDER):
                compared += 1
                if ORDER.index(new) > ORDER.index(old):
                    yield f"{scenario} on {series}: patched {new}, unpatched {old}"
    if not compared:
        yield "nothing to compare"


if __name__ == "__main__":
    found = list(worse())
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(bool(found))
