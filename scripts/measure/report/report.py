#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
report.py [-c] LOGS OUT

Write OUT, an HTML page with the results of the last `make check` and `make bench` in LOGS. It
needs no network, no script and no other file. -c: ignore results of bench from another commit,
because make check does not run it.

Exit status 1 if results are incomplete, or of another commit. The message names them, and OUT
is not changed.
"""
import glob
import html
import os
import re
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import results  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))

# Tables of what bench.py leaves: the word of its lines, the caption, the heading of each
# column, and which words are the label and the columns. VERSION is that of the kernel.
BENCH_TABLES = (
    ("growth", "Growth, Linux VERSION, 2 CPUs: what one of them sends the other one receives",
     "kernel|bad pages|2M mappings split|1G mappings split|page-table pages|holes|"
     "TLB interrupts|call interrupts|machine checks",
     lambda w: [f"{w[2]},{w[3]},{w[1]}", *w[4:12]]),
    ("each", "Instructions and interrupts of one bad page, Linux VERSION",
     "guest|#MC to SIGBUS|to memory_failure()|in memory_failure()|after it|"
     "of that set_mce_nospec()|sent|received|sent after it|received after it",
     lambda w: [f"{w[2]},{w[3]},{w[4]}CPU,{w[5]},{w[1]}", *w[6:15]]),
    ("walk", "Entries of page tables loaded for a read of 64 MB, one page bad in each 2M, "
     "Linux VERSION",
     "guest|pages read|level 4|level 3|level 2|level 1",
     lambda w: [f"{w[2]},{w[3]},{w[1]}", *w[4:9]]),
)

INTRODUCTION = """\
<h1>Bad memory in a guest: what was measured</h1>
<p>A hypervisor takes a bad page away from its guest and forwards a machine check. These are
guests with the kernel as Debian ships it, unpatched, beside the same with the patches that leave
the direct map alone.</p>"""

AGAIN = """\
<p>On Debian 12 or 13, in a clone of the repository at the commit above:</p>
<pre>make bench
make check
make report</pre>"""


def fail(*words):
    """Print an error, and exit with 1."""
    sys.exit("report.py: " + " ".join(words))


def read(path):
    """Return the text of a file, or nothing if it does not exist."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


# ---- what there is


def check_ktap(ktap):
    """Fail if the output of make check is incomplete: each plan needs its results."""
    lines = ktap.splitlines()
    if not lines:
        fail("no output of make check: run it first")
    if not re.match(r"# \d+ passed, \d+ failed, \d+ skipped$", lines[-1]):
        fail("the output of make check is truncated: make check did not finish. Run it again")
    plan = None
    seen = 0
    for line in lines + ["KTAP version 1"]:
        if line.startswith("KTAP version"):
            if plan not in (None, seen):
                fail(f"the output of make check is truncated: it has {seen} of {plan} "
                     "results. Run it again")
            plan, seen = None, 0
        elif re.match(r"1\.\.\d+", line):
            plan = int(re.match(r"1\.\.(\d+)", line).group(1))
        elif re.match(r"(not )?ok \d", line):
            seen += 1


def of_this_commit(folder, commit, what, file="commit"):
    """Return whether the results in FOLDER are of this commit. If not, fail if WHAT is given."""
    found = read(f"{folder}/{file}").strip()
    if found != commit and what:
        fail(f"{folder} is of {found or 'an unknown version'}, and this is {commit}: run {what}")
    return found == commit


# ---- parts of the page


def escape(text):
    """Escape TEXT for HTML."""
    return html.escape(str(text))


def facts(logs, checked):
    """Return the section with the versions and the machine."""
    cpu = re.search(r"^model name\s*: (.*)", read("/proc/cpuinfo"), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", read("/proc/meminfo"), re.M)
    tools = [results.qemu(), results.output("dpkg-query", "-W", "-f", "Bochs ${Version}", "bochs"),
             re.sub(r"gcc \([^)]*\)", "gcc",
                    results.output("gcc", "--version").partition("\n")[0])]
    yield "<dl>"
    for name, text in (
            ("Commit", results.output("git", "-C", HERE, "log", "-1", "--format=%h, %ad",
                                      "--date=short")),
            ("Page made", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())),
            ("Result of make check", read(f"{logs}/check.ktap").splitlines()[-1].strip("# ")),
            ("Kernels", ", ".join(f"Linux {one['version']}" for one in checked)),
            ("L1 is run by", "\n".join(results.backends(checked))),
            ("Machine", f"{os.cpu_count()} CPUs, {cpu.group(1) if cpu else 'unknown'}, "
             f"{round(int(memory.group(1)) / 1048576)} GB, {results.distribution()}, "
             f"Linux {os.uname().release}"),
            ("Tools", ", ".join(tool for tool in tools if tool))):
        yield f"<dt>{name}</dt><dd>{escape(text)}</dd>"
    yield "</dl>"


def scenarios(checked):
    """Return the table of scenarios. Each cell has the lines of the console that prove it."""
    # the roles are for a narrow screen, where its parts are no longer laid out as a table
    yield '<table class="cards" role="table"><caption>How each run ended. Open a cell to see ' \
        'the lines of the console that prove it.</caption>'
    yield '<thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col" ' \
        'rowspan="2">scenario</th>' + \
        "".join(f'<th role="columnheader" scope="colgroup" colspan="2">{escape(one["version"])}</th>'
                for one in checked) + '</tr><tr role="row">' + \
        "".join(f'<th role="columnheader" scope="col">{kernel}</th>'
                for one in checked for kernel in results.KERNELS) + \
        '</tr></thead><tbody role="rowgroup">'
    for scenario in results.scenarios(checked):
        yield f'<tr role="row"><th role="rowheader" scope="row">{escape(scenario)}</th>'
        for one in checked:
            for kernel in results.KERNELS:
                row = results.find(one, scenario, kernel)
                if not row:
                    yield '<td role="cell" class="empty">not run</td>'
                    continue
                bad = " bad" if row["result"] == "not ok" else ""
                text = escape(results.cell(row))
                proof = "\n".join(results.proof(one, row))
                if proof:
                    text = f"<details><summary>{text}</summary><pre>{escape(proof)}</pre></details>"
                yield f'<td role="cell" class="{row["verdict"]["what"]}{bad}" ' \
                    f'data-label="{escape(one["version"])} {kernel}">{text}</td>'
        yield "</tr>"
    yield "</tbody></table>"


def figures(caption, headings, rows):
    """Return rows of words as a table. The first word is the label."""
    yield f'<div class="wide" role="region" tabindex="0" aria-label="{escape(caption)}"><table>' \
        f'<caption>{escape(caption)}</caption><thead><tr>' + \
        "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings.split("|")) + \
        "</tr></thead><tbody>"
    for label, *words in rows:
        yield f'<tr><th scope="row">{escape(label)}</th>' + "".join(
            f'<td{" class=number" if word.isdigit() else ""}>{escape(word)}</td>'
            for word in words) + "</tr>"
    yield "</tbody></table></div>"


def plot(lines, column, title, unit):
    """Return a plot of a figure by the number of bad pages."""
    curves = {}
    for words in lines:
        if words[0] == "growth" and words[2] == "guest":
            name = f'"{words[1]}, {words[3].upper()} mappings"'
            curves.setdefault(name, []).append(f"{words[4]} {words[column]}")
    with tempfile.NamedTemporaryFile("w", suffix=".data") as data:
        for name, points in curves.items():
            data.write("\n".join([name, *points]) + "\n\n\n")
        data.flush()
        gnuplot = subprocess.run(["gnuplot", "-c", f"{HERE}/growth.gp", data.name, title, unit,
                                  str(len(curves))], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, check=False)
    if gnuplot.returncode:
        fail("gnuplot:", gnuplot.stderr)
    svg = gnuplot.stdout[gnuplot.stdout.index("<svg"):]
    svg = re.sub(r"<title>Gnuplot</title>\n?|<desc>Produced by.*\n?", "", svg)
    label = f"{title}, for 1 to 4096 bad pages; the figures are in the table below"
    return f'<figure>\n{svg.replace("<svg", f"""<svg role="img" aria-label="{label}" """, 1)}' \
        f'<figcaption>{title}.</figcaption></figure>'


def bench(benched):
    """Return the section with the results of bench."""
    if not benched:
        yield "<p>There are no figures of this commit: run <code>make bench</code>, then " \
            "<code>make report</code>.</p>"
    for folder in benched:
        lines = [line.split() for line in read(f"{folder}/results").splitlines() if line]
        version = next(words[2] for words in lines if words[0] == "tree")
        yield f"<h3>Linux {escape(version)}</h3>"
        yield plot(lines, 7, f"Pages of page tables that splits take, Linux {version}", "pages")
        yield plot(lines, 10, f"Function-call interrupts received, Linux {version}", "interrupts")
        for word, caption, headings, row in BENCH_TABLES:
            yield from figures(caption.replace("VERSION", version), headings,
                               [row(words) for words in lines if words[0] == word])


def seconds(logs, checked):
    """Return the section with the times of the lab."""
    took = {}
    for row in (row for one in checked for row in one["rows"] if "seconds" in row):
        took.setdefault(f"{row['backend']},{row['scenario']}", []).append(row["seconds"])
    yield from figures("Seconds a scenario, without the boot of its L1, several at a time",
                       "backend, scenario|mean|most",
                       [(name, f"{sum(each) / len(each):.0f}", str(max(each)))
                        for name, each in sorted(took.items())])
    words = [line.split() for line in read(f"{logs}/seconds").splitlines()]
    yield from figures("Seconds a command took when it was last run here", "command|seconds",
                       sorted(dict(w for w in words if len(w) == 2).items()))


def others(ktap):
    """Return the section with what failed or was skipped."""
    found = [("failed: " if line.startswith("not") else "skipped: ") +
             re.sub(r"^(not )?ok [0-9-]* *", "", line) for line in ktap.splitlines()
             if line.startswith("not ok ") or (line.startswith("ok ") and " # SKIP" in line)]
    if not found:
        return ["<p>All that was run has passed.</p>"]
    return ["<ul>"] + [f"<li>{escape(line)}</li>" for line in found] + ["</ul>"]


def main(only_check, logs, out):
    """Parse the arguments, and write the page."""
    ktap = read(f"{logs}/check.ktap")
    check_ktap(ktap)
    commit = results.commit()
    of_this_commit(logs, commit, "make check again", "check.commit")
    checked = [results.load(os.path.dirname(path))
               for path in sorted(glob.glob(f"{logs}/*/check/results.json"))
               if of_this_commit(os.path.dirname(path), commit, "make check again")]
    benched = [os.path.dirname(path) for path in sorted(glob.glob(f"{logs}/*/bench/results"))
               if of_this_commit(os.path.dirname(path), commit,
                                 "" if only_check else "make bench again, or remove it")]
    if not checked:
        fail(f"no results in {logs}/*/check: run make check first")
    style = read(f"{HERE}/style.css").partition("\n")[2]
    lines = ['<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
             '<meta name="viewport" content="width=device-width, initial-scale=1">',
             "<title>Bad memory in a guest: what was measured</title>",
             f"<style>\n{style}</style>\n</head>\n<body>", INTRODUCTION, *facts(logs, checked)]
    for title, part in (("Scenarios", scenarios(checked)), ("Cost", bench(benched)),
                        ("The test bed", seconds(logs, checked)), ("Not passed", others(ktap)),
                        ("The same again", [AGAIN])):
        lines += [f"<h2>{title}</h2>", *part]
    lines.append("</body>\n</html>")
    results.write(out, lines)
    print(f"the report: {out}")


if __name__ == "__main__":
    if len(sys.argv) != 3 + (sys.argv[1:2] == ["-c"]):
        sys.exit(__doc__.strip())
    main(sys.argv[1] == "-c", *sys.argv[-2:])
