#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
fuzz.py LAB KERNELS LOGS TREE SEED [WHAT...]
fuzz.py -n [WHAT...]

Send machine checks that no sane VMM sends (fuzz.c) to the unpatched and to the patched
guest of KERNELS, all or those of WHAT, and compare what becomes of the two: they end
alike, or the patched one ends better in a way that the table `patched-better` has. LAB has
guest.cpio. LOGS gets WHAT.KERNEL.log and results.ktap, which is also printed. With -n,
run nothing, only refuse a WHAT that there is not.

Exit status: 0, 1 when a guest is worse off, 2 when nothing could be run, 130 or 143 when
interrupted.
"""
import re
import subprocess
import sys
from collections import Counter, defaultdict, namedtuple
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parents[1]))
from driver import (KERNELS, begin, compile_driver, die, lines_of, make_initrds,
                    print_ktap, run, run_all, start)
from run import verdict_in

# the driver has the slowest first
TABLE = (HERE / "fuzz-records.c").read_text().partition("fuzz_scenarios[] = {")[2]
WHATS = re.findall(r'\.name = "([^"]+)"', TABLE)
if not WHATS or len(WHATS) != TABLE.count(".run ="):
    die("fuzz-records.c: a row of fuzz_scenarios[] cannot be read")
# in these it is by chance that a guest is in the state for a record
CHANCE = ("off", "unplug")
# __START_KERNEL_map: the virtual address of physical 0 in the kernel image
START_KERNEL_MAP = 0xffffffff80000000

# sent: how many records went to the guest. records: (KEY, OUTCOME) of those that count.
# end: the line with the verdict
Log = namedtuple("Log", "sent records end verdict")
# a row of patched-better
Better = namedtuple("Better", "group record unpatched patched way")


def zero_page(system_map):
    """Return the physical address of the kernel's zero page."""
    match = re.search(r"^([0-9a-f]+) . empty_zero_page$", system_map.read_text(), re.M)
    return int(match[1], 16) - START_KERNEL_MAP if match else die(f"no zero page in {system_map}")


def send(fuzz, kernels, logs, seed, whats):
    """Run FUZZ, the driver, on each guest. It writes LOGS/WHAT.KERNEL.log."""
    zero = {kernel: zero_page(kernels / kernel / "obj/System.map") for kernel in KERNELS}

    def job(guest):
        what, kernel = guest
        disk = logs / f"{what}.{kernel}.qcow2"
        if subprocess.call(["qemu-img", "create", "-q", "-f", "qcow2", disk, "16G"]) == 0:
            run([fuzz, "-d", disk, "-s", seed, "-z", str(zero[kernel]),
                 "-k", kernels / f"{kernel}.bzImage", "-i", logs / f"{kernel}.initrd", what],
                logs / f"{what}.{kernel}.log", seconds=7200)
        disk.unlink(missing_ok=True)

    run_all(job, [(what, kernel) for what in whats for kernel in KERNELS])


def lost_race(what, verdict):
    """
    Return whether the guest lost a race of the kernel, in code that the patches do not touch:
    memory_failure() uses the struct page of a DIMM that is being removed. Seen on 7.3.4,
    unpatched and patched, seed 161803. The DIMM is at 4 GB, its struct pages at
    vmemmap_base + 4 GB / 4096 * 64.
    """
    facts = verdict["facts"]
    return (what == "unplug" and verdict["what"] == "oops" and
            facts.get("rip") in ("get_hwpoison_page", "memory_failure") and
            re.match("ffffea0004[01]", str(facts.get("fault"))))


def read_log(path, what):
    records = []
    end, verdict = "", {"what": None, "facts": {}}
    for line in lines_of(path):
        if verdict_in(line):
            end, verdict = line, verdict_in(line)
        match = re.match("fuzz: (.*?) -> (.*)", line)
        if not match:
            continue
        key, outcome = match.groups()
        # The instruction that it interrupts is random, and with it the text of the
        # panic: is_copy_from_user() takes a movzbl from register to register for a
        # load from user space when a small number is in it. "Failed kernel mode
        # recovery", then, as no fixup is found: unpatched 6.12.118 does, at
        # hrtimer_start_range_ns+0xab. And a kernel that is printing may hold a lock
        # that its panic waits for: unpatched 6.1.192 hung in 3 of 100 places of
        # its boot, patched in 1 of 84
        if what in ("boot", "off") and re.fullmatch("panic:.*|hang", outcome):
            outcome = "dies"
        records.append((key, outcome))
    sent = len(records)
    # its record is no result of either kernel
    if lost_race(what, verdict) and records and records[-1][1].startswith("oops:"):
        records.pop()
    return Log(sent, records, end, verdict)


def outcomes(logs):
    """Return the outcome of both kernels for each key, in the order of the logs."""
    ends = defaultdict(lambda: {kernel: set() for kernel in KERNELS})
    for (_, kernel), log in logs.items():
        for key, outcome in log.records:
            ends[key][kernel].add(outcome)
    return {key: ["|".join(sorted(outcomes)) for outcomes in end.values()]
            for key, end in ends.items()}


def row_for(table, *end):
    """Return the first row of TABLE that lists END (group, record, both outcomes) as better."""
    for row in table:
        if row.group == end[0] and all(map(re.fullmatch, row[1:4], end[1:])):
            return row
    return None


def guest_result(what, kernel, log, path):
    if lost_race(what, log.verdict):
        return True, f"{what} {kernel} stopped at the known race of memory_failure() with unplug"
    ok = log.verdict["what"] == "lives"
    return ok, f"{what} {kernel} went to its end", not ok and f"{log.end or 'no end'}, see {path}"


def compare(whats, directory):
    """Return the results for print_ktap(), and how many records each guest was sent."""
    paths = {(what, kernel): directory / f"{what}.{kernel}.log"
             for what in whats for kernel in KERNELS}
    logs = {guest: read_log(path, guest[0]) for guest, path in paths.items()}
    table = [Better(*line.split("\t")) for line in lines_of(HERE / "patched-better")
             if line and line[0] != "#"]
    compared, used = Counter(), Counter()
    groups, examples = defaultdict(Counter), defaultdict(list)
    for key, (old, new) in outcomes(logs).items():
        what, state, record = key.split(" ")[:3]
        group = f"{what}/{state}"
        count = groups[group]
        if what in CHANCE and not (old and new):
            continue
        compared[what] += 1
        row = row_for(table, group, record, old, new)
        if old == new:
            count["alike"] += 1
        elif row:
            count["better"] += 1
            used[row] += 1
        else:
            count["otherwise"] += 1
            if count["otherwise"] <= 5:
                examples[group] += [key, f"  unpatched: {old}", f"  patched:   {new}"]

    results = [guest_result(*guest, logs[guest], path) for guest, path in paths.items()]
    results += [(False, f"{what}: no record has gone to both")
                for what in whats if not compared[what]]
    results += [(not count["otherwise"],
                 f"{group}: {sum(count.values())} records, {count['alike']} alike, "
                 f"{count['better']} better, {count['otherwise']} otherwise", *examples[group])
                for group, count in groups.items() if count]
    results += [(used[row], f"{row.group}: {row.way} ({used[row]} records)")
                for row in table if row.group.split("/")[0] in whats]
    return results, [sum(logs[what, kernel].sent for what in whats) for kernel in KERNELS]


def main(arguments):
    only_names = arguments[:1] == ["-n"]
    if not only_names and len(arguments) < 5:
        die("usage: fuzz.py LAB KERNELS LOGS TREE SEED [WHAT...]")
    whats = arguments[1 if only_names else 5:]
    for what in whats:
        if what not in WHATS:
            die(f"no WHAT={what}. There are: {' '.join(WHATS)}")
    if only_names:
        return 0
    lab, kernels, logs = map(Path, arguments[:3])
    tree, seed = arguments[3:5]
    whats = whats or WHATS
    begin(logs)
    fuzz = compile_driver(HERE / "fuzz.c", logs)
    make_initrds(lab, kernels, logs)
    print(f"# fuzz {tree}: seed {seed}")
    send(fuzz, kernels, logs, seed, whats)
    results, (old, new) = compare(whats, logs)
    last = f"{old} records to the unpatched, {new} to the patched guest, seed {seed}"
    if print_ktap(logs, f"fuzz {tree}", results, last):
        return 0
    print(f"# to repeat this run: make fuzz TREE={tree} SEED={seed} WHAT='{' '.join(whats)}'")
    return 1


if __name__ == "__main__":
    start(main)
