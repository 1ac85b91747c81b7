#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
results.py table [-e | -f] LOGS...
    Print the results in LOGS (results.json of run.py) as a table in Markdown, scenario by
    kernel. With -e, also print the lines of the consoles that prove them; with -f, all facts.
results.py tried LOGS SKIPPED
    Print the results of run.py -k tried: a line for each scenario, then SKIPPED (lines), and
    last "affected: ..." (exit status 1), "not affected by what could be tried: ..." (0), or
    "cannot tell: ..." (2).
results.py page OUT LOGS...
    Write OUT, Documentation/results.md: a table for each of LOGS, with the version of the
    kernel. export.sh reads it. If a scenario of one of LOGS failed or was not run, OUT is not
    changed, and a line names the tree.

Exit status 1 if OUT cannot be written, 2 if LOGS have no results.
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, f"{HERE}/../../../tools/testing/selftests/mce")
from rows import KERNELS, all_facts  # pylint: disable=wrong-import-position


def load(logs):
    """Return the results of one run of run.py, with its folder as "logs"."""
    try:
        with open(f"{logs}/results.json", encoding="utf-8") as results:
            return dict(json.load(results), logs=logs)
    except FileNotFoundError:
        print(f"results.py: no {logs}/results.json: run.py writes it", file=sys.stderr)
        sys.exit(2)


def ran(results):
    """Return the rows that have a verdict."""
    return [row for row in results["rows"] if "verdict" in row]


def cell(row):
    """Return the verdict, with the one or two facts that the scenario is about."""
    pairs = list(all_facts(row["verdict"]))
    facts = dict(pairs)
    stalls = [int(value) for key, value in pairs if key in ("ao.max_us", "ar.max_us")]
    if any(stalls):
        facts["stall"] = f"{max(stalls) // 1000} ms"
    for key, text in (("rip", " in {}"), ("stall", ", stalls of {}"),
                      ("after.split", ", {} splits"), ("split", ", {} splits"),
                      ("pages", ", {} DIMM pages usable"), ("direct", ", {}"),
                      ("ao-page.direct", ", {}")):
        if facts.get(key):
            return row["verdict"]["what"] + text.format(facts[key]) + unexpected(row)
    return row["verdict"]["what"] + unexpected(row)


def unexpected(row):
    """Return a remark for a verdict that differs from the table."""
    return " (not as expected)" if row["result"] == "not ok" else ""


def proof(results, row):
    """Return the lines of the console that prove the verdict."""
    try:
        with open(f"{results['logs']}/{row['scenario']}.{row['kernel']}.log",
                  encoding="utf-8", errors="replace") as log:
            lines = [re.sub(r"^\[[^]]*\] *", "", line.rstrip()) for line in log]
    except FileNotFoundError:
        return []
    pattern = "RIP: 0010:|BUG: |Machine check: |Kernel panic - not|^vmm: direct map|" \
        "mce-guest: (sigbus|write|value|fill|tables|alive|victim)"
    # a record that is survived has a RIP, too: that of the end is of interest
    if any(re.search("Kernel panic|BUG: ", line) for line in lines):
        pattern += "|RIP 10:"
    return list(dict.fromkeys(line for line in lines if re.search(pattern, line)))[:8]


def scenarios(all_results):
    """Return the names of the scenarios, each once, in the order of the table."""
    return list(dict.fromkeys(row["scenario"] for results in all_results for row in ran(results)))


def find(results, scenario, kernel):
    """Return the row of a scenario and a kernel, or None."""
    return next((row for row in ran(results)
                 if (row["scenario"], row["kernel"]) == (scenario, kernel)), None)


def table(all_results):
    """Return the table as lines of Markdown."""
    yield "| scenario |" + "".join(f" {results['version']} unpatched | patched |"
                                   for results in all_results)
    yield "| --- |" + " --- | --- |" * len(all_results)
    for scenario in scenarios(all_results):
        rows = [find(results, scenario, kernel) for results in all_results for kernel in KERNELS]
        yield f"| {scenario} |" + "".join(f" {cell(row) if row else ''} |" for row in rows)


def evidence(all_results):
    """Return the lines of the consoles that prove each cell."""
    for results in all_results:
        for row in ran(results):
            yield f"{row['scenario']}, {row['kernel']}: {row['verdict']['what']}{unexpected(row)}"
            yield from ("    " + line for line in proof(results, row))


def details(all_results):
    """Return each verdict with all its facts."""
    for results in all_results:
        for row in ran(results):
            yield f"# {row['scenario']} {row['kernel']}: {row['verdict']['what']} " + " ".join(
                f"{key}={','.join(value) if isinstance(value, list) else value}"
                for key, value in row["verdict"]["facts"].items())


ALIKE = {"unpatched": "as without the change", "patched": "as with the change",
         "both": "as both with and without it",
         "neither": "neither as with the change nor as without"}


def trouble(results, row):
    """Return why a guest under make try has no end: what the lab reported, and where it was."""
    try:
        with open(f"{results['logs']}/{row['scenario']}.{row['kernel']}.log",
                  encoding="utf-8", errors="replace") as log:
            errors = re.findall("^vmm: error: (.*)", log.read(), re.M)
    except FileNotFoundError:
        return ["the run has left no console: is the disk full?"]
    where = dict(all_facts(row["verdict"])).get("at")
    return errors[:1] + ([f"during {where}"] if where else [])


def tried(results, skipped):
    """Print the results for a kernel under test by make try. Return the exit status."""
    like = {alike: ", ".join(row["scenario"] for row in ran(results) if row["as"] == alike)
            for alike in ALIKE}
    for row in ran(results):
        print(f"{row['scenario']:14} {cell(row):50} {ALIKE[row['as']]}")
        if row["verdict"]["what"] in ("none", "error", "hang"):
            print(*(f"    {line}" for line in trouble(results, row)), sep="\n")
    print(skipped + f"the consoles: {results['logs']}")
    if like["unpatched"]:
        print("affected:", like["unpatched"])
        return 1
    if like["neither"] or not like["patched"]:
        print("cannot tell:", like["neither"] or
              "no row that was run ends differently with the change")
        return 2
    print("not affected by what could be tried:", like["patched"])
    return 0


def output(*command):
    """Return the output of a command, or nothing if there is no such command."""
    try:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def commit():
    """Return the version of the repository, see commit_of() in scripts/lib.sh."""
    return output("sh", "-c", f'. "{HERE}/../../lib.sh"; commit_of "{HERE}"')


def distribution():
    """Return the distribution of this machine."""
    with open("/etc/os-release", encoding="utf-8") as release:
        return re.search(r'^PRETTY_NAME="?([^"\n]*)', release.read(), re.M).group(1)


def qemu():
    """Return QEMU's name and version."""
    return re.sub(r" *\(.*", "", output("qemu-system-x86_64", "--version").partition("\n")[0])


def backends(all_results):
    """Return a line for each way in which guests were run."""
    return sorted({re.sub(r" \(see .*", "", results["backend"]) for results in all_results})


def page(out, folders):
    """Write Documentation/results.md."""
    missing = [logs for logs in folders if not os.path.exists(f"{logs}/results.json")]
    all_results = [load(logs) for logs in folders if logs not in missing]
    why_not = [f"there are no results in {logs}" for logs in missing] + \
              [f"{results['tree']}: some scenarios failed or were not run"
               for results in all_results
               if [row["result"] for row in results["rows"]] != ["ok"] * results["planned"]] + \
              ["nothing was run"] * (not folders)
    if why_not:
        print(f"# {out} stays as it is: {why_not[0]}")
        return
    with open(f"{HERE}/results.head", encoding="utf-8") as head:
        lines = [head.read() + f"These are of version {commit()}, and were made with",
                 f"{qemu()} on {distribution()}. The guests were run by:", ""]
    lines += [f"- {line}" for line in backends(all_results)]
    for results in all_results:
        lines += ["", f"## {results['version']}", "", *table([results])]
    write(out, lines)


def write(out, lines):
    """Write OUT completely or not at all."""
    try:
        with open(f"{out}.new", "w", encoding="utf-8") as new:
            new.write("\n".join(lines) + "\n")
        os.replace(f"{out}.new", out)
    except OSError as error:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {error}: is the disk full?")


def main(what, *args):
    """Run the command WHAT."""
    if what == "table":
        all_results = [load(logs) for logs in args if not logs.startswith("-")]
        print("\n".join(table(all_results)))
        if "-e" in args:
            print("", *evidence(all_results), sep="\n")
        if "-f" in args:
            print(*details(all_results), sep="\n")
    elif what == "tried":
        try:
            status = tried(load(args[0]), args[1])
        except Exception as error:  # pylint: disable=broad-exception-caught
            print("cannot tell:", error)
            status = 2
        sys.exit(status)
    elif what == "page":
        page(args[0], args[1:])


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("table", "tried", "page"):
        sys.exit(__doc__.strip())
    main(*sys.argv[1:])
