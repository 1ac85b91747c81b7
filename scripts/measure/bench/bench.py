#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
bench.py LAB KERNELS LOGS TREE

Measure under QEMU (cost.c, count.c) what bad pages cost both kernels of KERNELS, as guests and
on bare metal. Test the limits of the patched one. After memory_failure(), a guest may only
decide that the page stays, and remember it. Bare metal may differ from unpatched by the test for
a guest only, to the instruction. LAB has guest.cpio. LOGS gets the log of each run, "commit",
results.ktap and "results", lines of words:

  tree TREE VERSION
  each KERNEL CPU MAP CPUS KIND TOTAL BEFORE MF AFTER NOSPEC SENT RECEIVED SENT_AFTER
       RECEIVED_AFTER		the least of some poisons of each KIND, ao or ar
  in KERNEL CPU MAP CPUS KIND PHASE FUNCTION N	the same
  growth KERNEL CPU MAP PAGES SPLIT_2M SPLIT_1G PAGETABLE_PAGES HOLES TLB CALL MCE
  walk KERNEL CPU MAP PAGES L4 L3 L2 L1

CPU is guest or bare, MAP 2m or 1g. PAGETABLE_PAGES is computed from the splits. Print KTAP and
tables. The last table has results of `make check`, from beside LOGS.

Exit status: 0, 1 if a limit is exceeded, 2 if nothing could be run, 130 or 143 if
interrupted.
"""
import json
import re
import sys
from collections import defaultdict, namedtuple
from itertools import product
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "report")]
import report
import results
from driver import (KERNELS, SELFTEST, begin, compile_c, compile_driver, die, lines_of,
                    make_initrds, output_of, print_ktap, run, run_all, start)

# The most instructions that the test for a guest may take on bare metal, and the decision
# in a guest, and to remember the page. 28 and 90 were seen on 6.12 with gcc 12, 28 and 84 before the
# kind of memory was remembered, too, and then some 530 to remember the page. gcc 14 has fewer functions
# inline: it took 22 and 84 when gcc 12 took 19 and 78.
PRICE, DECISION = (28, 94) if int(output_of("gcc", "-dumpversion").split(".")[0]) < 14 else (32, 102)
REMEMBERING = 800
# KUNIT_STATIC_STUB_REDIRECT() in set_mce_nospec(). There is none without CONFIG_KUNIT.
STUB = 3
# Functions with the same source that the compiler makes one instruction longer or shorter:
# mce_prep_record_common() takes 63 in place of 64, as a call by pv_ops became a direct one.
COMPILERS = {"mce_prep_record_common"}

# What the series adds, and is the price of it, and what it changes. 5.10 has
# set_mce_nospec() inline, in another function then.
TEST = re.compile(
    r"can_leave_mapped|leave_mapped|mce_is_offlined|hv_root_partition|"
    r"(intel_)?mce_usable_address|error_context|mce_is_stray_access|unread_is_stray|"
    r"mce_severity_intel|mce_read_aux|"
    r"uc_decode_notifier|kill_me_maybe|do_machine_check|set_mce_nospec\..*")
# what it takes to remember the page: an entry of an xarray, and a node for it
MEMORY = re.compile(
    "pfn_to_online_page|pfn_section_valid|__nr_to_section|xa_|xas_|radix_tree_node|kmem_cache|slab|memset|memcg|should_failslab|xarray")
# The way to other CPUs: which of them are idle, which one this is and who waits, for a
# lock or for the APIC, is random.
SENDING = re.compile("IPI|apic|call_func|^smp_call_function|cpumask|find_next|spin_(un)?lock")
# a machine check, until it is graded and handed on
HANDLING = re.compile("mce|machine_check|^error_context|fixup|stray_access")

Guest = namedtuple("Guest", "kernel cpu map cpus what")
Each = namedtuple("Each", "total before mf after nospec sent received sent_after received_after")

# the slowest first
GUESTS = [Guest(kernel, cpu, pages, cpus, what)
          for (cpus, what), pages, cpu, kernel in
          product([("2", "growth"), ("4", "each"), ("2", "each"), ("1", "each")],
                  ["2m", "1g"], ["guest", "bare"], KERNELS)]


def compile_plugin(logs):
    # the lowest version of the interface that QEMU takes, see plugin.h
    match = re.search(r"version (\d+)", output_of("qemu-system-x86_64", "--version"))
    version = 2 if match and int(match[1]) >= 9 else 1
    compile_c(logs / "count.so", "-shared", "-fPIC", f"-DPLUGIN_VERSION={version}",
              HERE / "count.c")


def add_walk(kernels, logs):
    """Replace the hook in LOGS/KERNEL.initrd by the module walk.c."""
    for kernel in KERNELS:
        cpio = logs / f"{kernel}.walk.cpio"
        run([SELFTEST / "hook/build.sh", kernels / kernel / "obj", cpio, HERE / "walk.c"],
            logs / f"{kernel}.walk.log")
        if not cpio.exists():
            die(f"cannot build walk.c, see {logs}/{kernel}.walk.log")
        with open(logs / f"{kernel}.initrd", "ab") as initrd:
            initrd.write(cpio.read_bytes())


def write_symbols(kernels, logs):
    """Write LOGS/KERNEL.symbols: the symbols of KERNEL, and the guest program's SIGBUS handler."""
    handler = "".join(re.findall(r".*\bon_sigbus\b.*\n", output_of("nm", logs / "guest")))
    if not handler:
        die(f"no on_sigbus in {logs}/guest")
    for kernel in KERNELS:
        system_map = (kernels / kernel / "obj/System.map").read_text()
        (logs / f"{kernel}.symbols").write_text(system_map + handler)


def measure(kernels, logs, cost):
    """Run COST, the driver, on each guest. It writes LOGS/GUEST.log, and count.c GUEST.count."""
    def job(guest):
        name = ".".join(guest)
        command = [cost, "-c", guest.cpus, "-l", "600", "-k", kernels / f"{guest.kernel}.bzImage",
                   "-i", logs / f"{guest.kernel}.initrd"]
        command += ["-b"] * (guest.cpu == "bare") + ["-1"] * (guest.map == "1g")
        if guest.what == "each":
            command += ["-p", f"{logs}/count.so,symbols={logs}/{guest.kernel}.symbols,"
                              f"out={logs}/{name}.count"]
        run(command + [guest.what], logs / f"{name}.log")

    run_all(job, GUESTS)


def least_of(lines):
    """
    Yield the lines "each" and "in" of a count: for each kind of poison the least figures, and
    the least in each function that all poisons of the kind run. The first of a kind does not
    count: it finds caches and free lists cold.
    """
    samples = defaultdict(list)
    inside = defaultdict(lambda: defaultdict(list))
    pending = {}
    for line in lines:
        words = line.split()
        if words[:1] == ["in"]:
            pending[words[1], " ".join(words[2:4])] = int(words[4])
        elif words[:1] == ["each"]:
            if words[1] in samples:
                for (kind, place), n in pending.items():
                    inside[kind][place].append(n)
            samples[words[1]].append([int(word) for word in words[2:]])
            pending = {}
    for kind, all_figures in samples.items():
        warm = all_figures[1:]
        for place, n in inside[kind].items():
            if len(n) == len(warm):
                yield "in", f"{kind} {place} {min(n)}"
        if warm:
            yield "each", f"{kind} {' '.join(str(min(column)) for column in zip(*warm))}"


def results_of(logs, tree, version):
    """Return the lines for LOGS/results."""
    yield f"tree {tree} {version}"
    for guest in GUESTS:
        name = ".".join(guest)
        for line in lines_of(logs / f"{name}.log"):
            match = re.match("vmm: (growth|walk): (.*)", line)
            if match:
                yield f"{match[1]} {guest.kernel} {guest.cpu} {guest.map} {match[2]}"
        for what, line in least_of(lines_of(logs / f"{name}.count")):
            yield f"{what} {' '.join(guest[:4])} {line}"


def figures_of(lines):
    """
    Return an Each by (CPU, MAP, CPUS, KIND); N by that and the phase, by FUNCTION; all rows of
    growth and the walk by (CPU, MAP). The last key of each is KERNEL.
    """
    each, growth, walk = (defaultdict(dict) for _ in range(3))
    inside = defaultdict(lambda: defaultdict(dict))
    for line in lines:
        what, kernel, *words = line.split()
        if what == "each":
            each[tuple(words[:4])][kernel] = Each(*map(int, words[4:]))
        elif what == "in":
            inside[tuple(words[:5])][words[5]][kernel] = int(words[6])
        elif what == "growth":
            # without the interrupts
            growth[tuple(words[:2])].setdefault(kernel, []).append([int(n) for n in words[2:7]])
        elif what == "walk":
            walk[tuple(words[:2])][kernel] = [int(n) for n in words[2:]]
    return each, inside, growth, walk


def differing(inside):
    """
    Return the functions whose numbers of instructions differ: those of the series with the
    difference, others with both numbers.
    """
    ours, others = {}, {}
    for function, n in inside.items():
        old, new = (n.get(kernel, 0) for kernel in KERNELS)
        if old == new:
            continue
        if TEST.fullmatch(function):
            ours[function] = new - old
        else:
            others[function] = (old, new)
    return ours, others


def but(ours):
    return " but" + "".join(f" {f} {difference:+d}" for f, difference in ours.items())


def listed(others):
    return "".join(f" {f} {old}->{new}" for f, (old, new) in others.items())


def guest_limit(label, patched, ours, others):
    # what is unpatched alone is set_mce_nospec(), and what it calls
    memory = {f: n for f, n in others.items() if n[1] > 0 and MEMORY.search(f)}
    more = {f: n for f, n in others.items() if f not in memory and n[1] > n[0]}
    remembering = sum(new - old for old, new in memory.values())
    return (not more and sum(ours.values()) <= DECISION and remembering <= REMEMBERING and
            not (patched.nospec or patched.sent_after or patched.received_after),
            f"{label}: patched, nothing after memory_failure(){but(ours)}, "
            f"and {remembering} to remember the page", more and f"other:{listed(more)}")


def bare_limit(label, old, new, ours, others, several):
    price = sum(ours.values())
    same = new.after - old.after == price
    # two CPUs may wait for a lock: compare the least of all
    before, now = others.get("set_mce_nospec", (0, 0))
    if before < now <= before + STUB:
        del others["set_mce_nospec"]
        same = new.after - old.after == price + now - before
    chance = several and all(SENDING.search(f) for f in others)
    made = "" if same else f", and what other CPUs make of it:{listed(others)}"
    return (price <= PRICE and (same or chance),
            f"{label}: after memory_failure() the same {old.after}{but(ours)}{made}",
            not (same or chance) and f"{new.after} instructions:{listed(others)}")


def bare_handling(label, ours, others):
    handling = {f: n for f, n in others.items() if HANDLING.search(f) and
                not (f in COMPILERS and abs(n[1] - n[0]) == 1)}
    return (not handling and sum(ours.values()) <= PRICE,
            f"{label}: before memory_failure() the machine check is handled by the same"
            f"{but(ours) if ours else ''}", handling and f"other:{listed(handling)}")


def each_limits(each, inside, logs):
    for key in dict.fromkeys((guest.cpu, guest.map, guest.cpus, kind)
                             for guest in GUESTS if guest.what == "each" for kind in ("ao", "ar")):
        by_kernel = each.get(key, {})
        cpu, pages, cpus, kind = key
        label = f"{cpu} {pages} {cpus} CPU {kind}"
        several = cpus != "1"
        # with two, the other CPU may be idle, and need none
        many = int(cpus) > 2
        if len(by_kernel) < len(KERNELS):
            yield False, f"{label}: a run is missing, see {logs}"
            continue
        old, new = (by_kernel[kernel] for kernel in KERNELS)
        yield (old.nospec > 0 and (old.received_after > 0 or not many),
               f"{label}: unpatched takes the page out of the direct map ({old.nospec} "
               f"instructions, {old.sent_after} interrupts sent, {old.received_after} received)")
        ours, others = differing(inside[(*key, "after")])
        if cpu == "guest":
            yield guest_limit(label, new, ours, others)
            continue
        yield bare_limit(label, old, new, ours, others, several)
        # more CPUs wait for each other, for longer or shorter
        if not several:
            yield bare_handling(label, *differing(inside[(*key, "before")]))


def growth_limits(growth, walk):
    for key in dict.fromkeys((guest.cpu, guest.map) for guest in GUESTS if guest.what == "growth"):
        by_kernel = growth.get(key, {})
        label = " ".join(key)
        old, new = (by_kernel.get(kernel, []) for kernel in KERNELS)
        walks = [walk[key].get(kernel, []) for kernel in KERNELS]
        if key[0] == "bare":
            yield old and old == new and walks[0] == walks[1], f"{label}: the same growth and walk"
            continue
        pages, *_, holes = old[-1] if old else (0, 0)
        yield holes == pages == 4096, f"{label}: unpatched has {holes} holes for {pages} pages"
        yield (new and not any(sum(row[1:]) for row in new),
               f"{label}: patched, no split, no page table, no hole for as many")
        texts = ["{} pages: {} {} {} {}".format(*each) if each else "" for each in walks]
        yield (all(walks) and walks[0][-1] > 0 and walks[1][-1] == 0,
               f"{label}: walk, unpatched {texts[0]}, patched {texts[1]}")


def limits(lines, logs):
    each, inside, growth, walk = figures_of(lines)
    yield from each_limits(each, inside, logs)
    yield from growth_limits(growth, walk)
    if not each or not growth:
        yield False, f"no figures, see {logs}"


def print_table(head, rows):
    print()
    for row in [head, ["---"] * len(head), *rows]:
        print("|" + "|".join(f" {cell} " if cell != "" else " " for cell in row) + "|")


def print_costs(lines):
    for word, _, headings, row in report.BENCH_TABLES:
        if word == "each":
            print_table(headings.split("|"), [row(words) for words in map(str.split, lines)
                                              if words[0] == word])


def print_checked(logs):
    """Return the times that make check measured for copy_from_kernel_nofault()."""
    try:
        rows = json.loads((logs.parent / "check/results.json").read_text())["rows"]
    except (OSError, ValueError):
        rows = []
    stray = [(row, row["verdict"]["facts"]) for row in rows
             if row["scenario"].endswith("stray-nofault") and row.get("verdict")]
    print_table(["stray access, ns under emulation", "kernel", "at first", "when the page is out"],
                [[row["scenario"], row["kernel"], facts["ns"], facts.get("again.ns", "")]
                 for row, facts in stray if "ns" in facts] or
                [["nothing yet: make check leaves it", "", "", ""]])


def main(arguments):
    if len(arguments) != 4:
        die("usage: bench.py LAB KERNELS LOGS TREE")
    lab, kernels, logs = map(Path, arguments[:3])
    tree = arguments[3]
    source = "".join(lines_of(kernels / "source")).split()
    begin(logs)
    commit = results.commit()
    cost = compile_driver(HERE / "cost.c", logs)
    make_initrds(lab, kernels, logs)
    add_walk(kernels, logs)
    compile_plugin(logs)
    write_symbols(kernels, logs)
    print(f"# bench {tree}: {len(GUESTS)} runs of QEMU, some minutes")
    measure(kernels, logs, cost)
    lines = list(results_of(logs, tree, source[1] if len(source) > 1 else tree))
    (logs / "commit").write_text(commit)
    (logs / "results.new").write_text("".join(f"{line}\n" for line in lines))
    (logs / "results.new").rename(logs / "results")
    ok = print_ktap(logs, f"bench {tree}", limits(lines, logs))
    print_costs(lines)
    print_checked(logs)
    return 0 if ok else 1


if __name__ == "__main__":
    start(main)
