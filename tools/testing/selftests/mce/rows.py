# SPDX-License-Identifier: GPL-2.0-only
"""
The table of scenarios, see the comment at the top of the file "scenarios": its rows, the
backends that they can name, and whether a verdict fits a row.
"""
import fnmatch
import os

HERE = os.path.dirname(os.path.abspath(__file__))

L1 = ["l1.bzImage", "l1.modules.cpio"]
STOCK = ["stock.bzImage", "stock.modules.cpio"]

# Of each backend: the files that it needs in LAB, and its replacement if KVM works. The slowest
# come first, because their jobs start first. tcg runs the rows of broadcast, in the same L1.
BACKENDS = {
    "bochs": (["l1.cpio", *STOCK], "kvm-broadcast"),
    "bochs-lmce": (["l1.cpio", *L1], None),
    "kvm-emulated": (["l1.cpio", *L1, *STOCK], None),
    "amd": (["amd.cpio", *L1], "kvm-amd"),
    "tcg": (["l1.cpio", *L1], "kvm"),
    "broadcast": (["l1.cpio", *L1], "kvm"),
    "kvm-amd": (["amd.cpio", *L1], None),
    "kvm-broadcast": (["l1.cpio", *L1], None),
    "kvm": (["l1.cpio", *L1], None),
    "q35": ([], None),
}

KERNELS = ["unpatched", "patched"]


class Mistake(Exception):
    """The user asks for something that does not exist: exit status 2."""


class CannotRun(Exception):
    """Nothing can be run: exit status 2, or a skip with -m."""


def read_table():
    """Yield all rows: scenario, trees, kernels, backend, expected outcome."""
    with open(os.path.join(HERE, "scenarios"), encoding="utf-8") as table:
        for line in table:
            words = line.split()
            if not words or line.startswith("#"):
                continue
            backends = words[3].split(",") if len(words) > 4 else []
            # the driver goes by the name, this program by the backend
            if not backends or not set(backends) <= set(BACKENDS) or \
               words[0].startswith("broadcast-") != (words[3] == "broadcast"):
                raise Mistake("this row of the table of scenarios has no EXPECT, an unknown "
                              f"BACKEND, or only one of broadcast-* and broadcast: {line}")
            for backend in backends:
                name = words[0] if backend == backends[0] else f"{backend}-{words[0]}"
                yield (name, words[1].split(","), KERNELS if words[2] == "*" else [words[2]],
                       backend, words[4:])


def is_asked_for(name, only, names):
    """Return whether ONLY has NAME, or a prefix of it that is no scenario (amd, amd-soak)."""
    if not only or name in only:
        return True
    while "-" in name:
        name = name.rpartition("-")[0]
        if name not in names and name in only:
            return True
    return False


def select_rows(series, only, under_test):
    """Return the rows to run: for each scenario and kernel, the first row that fits SERIES."""
    table = list(read_table())
    names = {row[0] for row in table}
    rows = {}
    for scenario, trees, kernels, backend, expect in table:
        if series and series not in trees and trees != ["*"] or \
           not is_asked_for(scenario, only, names):
            continue
        for kernel in kernels:
            if under_test == ["tried"]:
                # where a kernel oopses depends on its compiler, too
                row = rows.setdefault((scenario, "tried"), {"backend": backend, "expect": {}})
                row["expect"].setdefault(kernel, [word for word in expect
                                                  if not word.startswith("rip=")])
            elif kernel in under_test:
                rows.setdefault((scenario, kernel),
                                {"backend": backend, "expect": {kernel: expect}})
    for name in only:
        if not any(is_asked_for(scenario, [name], names) for scenario in names):
            raise Mistake(f"no scenario {name}. There are: {' '.join(sorted(names))}")
        if not any(is_asked_for(scenario, [name], names) for scenario, _ in rows):
            raise CannotRun(f"the table of scenarios has no row of {name} for {series}")
    return [{"scenario": scenario, "kernel": kernel, **row}
            for (scenario, kernel), row in rows.items()]


def fits(expect, verdict):
    """Return whether the verdict satisfies every word of EXPECT."""
    if verdict is None or verdict["what"] != expect[0]:
        return False
    facts = list(all_facts(verdict))

    def holds(want):
        for sign, compare in (">=", int.__ge__), ("<=", int.__le__):
            key, found, limit = want.partition(sign)
            if found:
                return any(k == key and v.lstrip("-").isdigit() and compare(int(v), int(limit))
                           for k, v in facts)
        return any(fnmatch.fnmatchcase(f"{k}={v}", want) for k, v in facts)

    return all(holds(want) for want in expect[1:])


def all_facts(verdict):
    """Yield pairs of key and value. A key that came more than once has a list."""
    for key, value in verdict["facts"].items():
        for one in value if isinstance(value, list) else [value]:
            yield key, one
