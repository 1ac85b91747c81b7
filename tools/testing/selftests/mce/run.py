#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
run.py [-k KERNEL | -m] [-b DIR] LAB KERNELS LOGS TREE [SCENARIO...]
run.py -n [-b DIR] TREE [SCENARIO...]

Run the scenarios of the table "scenarios" for TREE, all or those named, on
KERNELS/unpatched.bzImage and KERNELS/patched.bzImage, as many at a time as this machine has
CPUs. Compare the outcome with the table, and print KTAP. A prefix such as amd selects all of
amd-*, unless a scenario has that name.

LAB      the directory in which the Makefile here built vmm, guest.cpio, l1.cpio and amd.cpio,
         with L1's kernels and their modules (l1.bzImage, l1.modules.cpio, and stock.*)
KERNELS  the directory of the kernels under test, each with its KERNEL.hook.cpio (hook/build.sh)
LOGS     gets the console of every run, SCENARIO.KERNEL.log, and results.json
-b DIR   use the backends of DIR (BACKEND.sh), too, not only those of lab/ here
-k       run only this KERNEL. With -k tried, the kernel under test is unknown: compare its
         verdict with what both kernels are expected to do. Its result has "as": unpatched,
         patched, both, or neither
-m       there is only a patched kernel, and L1 runs an upstream kernel. Skip AMD guests if LAB
         has no amd.cpio, and everything if another file or a program is missing
-n       run nothing. Check that there are such scenarios, for TREE if it is not empty, and such
         a BACKEND. Print SCENARIO KERNEL BACKEND of each row, with the table's backend

In the environment:
BACKEND  replaces the table's backends: kvm, or tcg so that kvm is not tried, or another for all
         rows. Without it, kvm replaces the backends that it can, if it works
         (lab/kvm-lacks.sh). A line of the output names the choice.
DEADLINE seconds since the epoch. Scenarios without a verdict by then are stopped and skipped.
         The line has BUDGET, the minutes that the user gave.

results.json: tree, version, backend, planned (the number of rows), and rows. Each row has
scenario, kernel, backend, expect, result (ok, not ok, skip), reason (of a skip), verdict (what,
facts), seconds.

Exit status: 0 if all outcomes were as expected, 1 if not, 2 if nothing could be run or there is
no such scenario or backend, 4 if everything was skipped.
"""
import getopt
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from rows import (BACKENDS, KERNELS, CannotRun,  # pylint: disable=wrong-import-position
                  Mistake, all_facts, fits, select_rows)

HERE = os.path.dirname(os.path.abspath(__file__))

VERDICT = "vmm: verdict "


# ---- the jobs: each runs one kernel on one backend


class Jobs:
    """Runs as many jobs at a time as there are CPUs, each in its own process group."""

    def __init__(self, programs, lab, kernels, logs):
        self.programs, self.where, self.logs = programs, [lab, kernels, logs], logs
        self.waiting, self.running, self.over, self.cut = [], {}, set(), set()

    def add(self, backend, kernel, scenarios):
        """Add a job to the end of the queue."""
        self.waiting.append((backend, kernel, scenarios))

    def go_on(self):
        """Find the jobs that have ended, and start others."""
        for job, process in list(self.running.items()):
            if process.poll() is not None:
                del self.running[job]
                self.over.add(job)
        while self.waiting and len(self.running) < len(os.sched_getaffinity(0)):
            backend, kernel, scenarios = self.waiting.pop(0)
            with open(f"{self.logs}/{backend}.{kernel}.out", "wb") as out:
                self.running[backend, kernel] = subprocess.Popen(
                    [self.programs[backend], *self.where, kernel, *scenarios],
                    stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)

    def stop(self):
        """Stop all jobs. self.cut has those that had not ended."""
        self.cut |= set(self.running) | {(backend, kernel) for backend, kernel, _ in self.waiting}
        self.waiting = []
        for process in self.running.values():
            try:
                os.killpg(process.pid, signal.SIGTERM)
            except ProcessLookupError:
                pass
        for job, process in self.running.items():
            process.wait()
            self.over.add(job)
        self.running = {}
        for initrd in glob.glob(f"{self.logs}/*.initrd"):
            os.unlink(initrd)


def verdict_in(line):
    """Return the verdict in a line of the driver, or None. The line may be incomplete."""
    try:
        verdict = json.loads(line[len(VERDICT):]) if line.startswith(VERDICT) else None
    except json.JSONDecodeError:
        return None
    return verdict if isinstance(verdict, dict) and {"what", "facts"} <= set(verdict) else None


def read_verdict(log):
    """Return the last verdict in LOG, or None if there is none yet."""
    try:
        with open(log, encoding="utf-8", errors="replace") as lines:
            found = [line for line in lines if line.startswith(VERDICT)]
    except FileNotFoundError:
        return None
    return verdict_in(found[-1]) if found else None


def find_programs(folders):
    """Return the program of each backend, by the name of the backend."""
    programs = {backend: os.path.abspath(f"{folder}/{backend}.sh")
                for folder in folders for backend in BACKENDS
                if os.access(f"{folder}/{backend}.sh", os.X_OK)}
    asked = os.environ.get("BACKEND")
    # kvm chooses among its own
    names = sorted({"tcg", *programs} - {"kvm-amd", "kvm-broadcast"})
    if asked and asked not in names:
        raise Mistake(f"no BACKEND={asked}: it is one of {' '.join(names)}")
    return programs


def series_of(tree):
    """Return the series of TREE. For the user's own tree, TREE is SERIES~NAME."""
    return tree.partition("~")[0]


class Run:
    """One run: the command line and the environment, the rows, and the results so far."""

    def __init__(self, options, programs, args):
        self.programs, self.asked = programs, os.environ.get("BACKEND", "")
        self.lab, self.kernels, self.logs, self.tree = args[:4]
        self.under_test = [options["-k"]] if "-k" in options else KERNELS
        self.missing = {}
        self.stock_l1 = "-m" in options
        if self.stock_l1:
            self.under_test = ["patched"]
            if not os.access(f"{self.lab}/amd.cpio", os.R_OK):
                self.missing["kvm-amd"] = \
                    "QEMU is older than 9.1 and has no SUCCOR: build with QEMU_AMD="
        self.deadline = float(os.environ.get("DEADLINE") or "inf")
        self.rows = select_rows(series_of(self.tree), args[4:], self.under_test)
        self.again = "./mce.sh "
        if not self.stock_l1:
            tree = f"TREE={self.tree}"
            if os.environ.get("SOURCE"):
                tree = " ".join(f"{name}={os.environ[name]}" for name in ("SOURCE", "CONFIG")
                                if os.environ.get(name))
            self.again = f"make check {tree} SCENARIO="
        try:
            with open(f"{self.kernels}/source", encoding="utf-8") as source:
                self.version = source.read().split()[1]
        except (FileNotFoundError, IndexError):
            self.version = self.tree
        shutil.rmtree(self.logs, ignore_errors=True)
        os.makedirs(self.logs)
        self.backend = self.choose_backends()
        for row in self.rows:
            if row["backend"] == "broadcast":
                row["backend"] = "tcg"
        self.check_files()
        self.jobs = Jobs(self.programs, self.lab, self.kernels, self.logs)
        self.count = {"ok": 0, "not ok": 0, "skip": 0}

    def choose_backends(self):
        """Choose a backend for each row. Return a line that explains the choice."""
        if self.asked not in ("", "kvm"):
            if self.asked != "tcg":
                for row in self.rows:
                    row["backend"] = self.asked
                return f"{self.asked}, as BACKEND= asks for"
            reason = "BACKEND=tcg asks for that"
        else:
            reason = self.why_no_kvm()
        if reason:
            if self.asked == "kvm":
                raise CannotRun(f"BACKEND=kvm: {reason}")
            for backend in BACKENDS:
                if backend not in self.programs:
                    self.missing.setdefault(backend, f"no KVM: {reason}")
            return f"{'emulation' if 'tcg' in self.programs else 'no KVM'}: {reason}"
        # the other vendor's guests need that vendor's KVM
        by_kvm = ["tcg", "broadcast", "amd" if is_amd() else "bochs"]
        if self.stock_l1:
            by_kvm = by_kvm[2:] if is_amd() else by_kvm[1:]
            self.missing["tcg"] = \
                "KVM on AMD does not let Intel guests recover" if is_amd() else \
                "the guest's firmware, qboot, does not enable LMCE"
        replaced = [name for name in by_kvm if name not in self.missing]
        for row in self.rows:
            if row["backend"] in replaced:
                row["backend"] = BACKENDS[row["backend"]][1]
        for backend in BACKENDS:
            if backend not in self.programs:
                self.missing.setdefault(backend, "KVM does it for CPUs of the other vendor only")
        return "KVM of this machine, in place of: " + " ".join(replaced)

    def why_no_kvm(self):
        """Return why KVM cannot run a nested guest, or None."""
        if "tcg" in self.missing:
            return "there is no L1 to try it with"
        if not any(BACKENDS[row["backend"]][1] for row in self.rows):
            return "none of these scenarios is for it"
        probe = ["kvm-amd", "amd-ar-load"] if self.stock_l1 and is_amd() else ["kvm", "ao-page"]
        if probe[0] in self.missing:
            return self.missing[probe[0]]
        with subprocess.Popen([f"{HERE}/lab/kvm-lacks.sh", self.lab, self.kernels,
                               f"{self.logs}/kvm", self.under_test[0], *probe],
                              stdout=subprocess.PIPE, text=True, start_new_session=True) as lacks:
            try:
                reason = lacks.communicate()[0].strip()
            except BaseException:
                os.killpg(lacks.pid, signal.SIGTERM)
                raise
        return reason or "lab/kvm-lacks.sh failed" if lacks.returncode else None

    def check_files(self):
        """Raise an error if a file or a program that the rows need is missing."""
        backends = {row["backend"] for row in self.rows} - set(self.missing)
        for path in [f"{self.lab}/{name}" for backend in backends
                     for name in ["vmm", "guest.cpio"] + BACKENDS[backend][0]] + \
                    [f"{self.kernels}/{kernel}{suffix}" for kernel in self.under_test
                     for suffix in (".bzImage", ".hook.cpio")]:
            if not os.access(path, os.R_OK):
                raise CannotRun(f"no {path}: build it first")
        for program in ["qemu-system-x86_64"] + \
                       (["bochs", "grub-mkrescue"] if backends & {"bochs", "bochs-lmce"} else []):
            if not shutil.which(program):
                raise CannotRun(f"no {program}: install it first")

    def wait_for(self, row):
        """Return the verdict, None if the job ended without one, and whether it was in time."""
        job = row["backend"], row["kernel"]
        since = time.time()
        while True:
            self.jobs.go_on()
            if time.time() >= self.deadline:
                self.jobs.stop()
            over = job in self.jobs.over or not (self.jobs.running or self.jobs.waiting)
            verdict = read_verdict(row["log"])
            if verdict or over:
                break
            if sys.stderr.isatty():
                print(f"# waiting for {row['scenario']} {row['kernel']}:"
                      f" {time.time() - since:.0f} s", end="\r", file=sys.stderr)
            time.sleep(0.5)
        if sys.stderr.isatty():
            print(" " * 60, end="\r", file=sys.stderr)
        return verdict, bool(verdict) or job not in self.jobs.cut

    def judge(self, row):
        """Wait for the verdict, and compare it with the table: result, reason, verdict, as."""
        reason = self.missing.get(row["backend"])
        if reason:
            return {"result": "skip", "reason": f"{row['backend']}: {reason}"}
        verdict, in_time = self.wait_for(row)
        if not in_time:
            return {"result": "skip", "reason":
                    f"no time left (BUDGET={os.environ.get('BUDGET', '')}): {self.command(row)}"}
        if not verdict:
            facts = {"at": "wall_limit"}
            if not os.path.exists(row["log"]):
                facts = {"job": f"{self.logs}/{row['backend']}.{row['kernel']}.out"}
            verdict = {"what": "hang" if "at" in facts else "none", "facts": facts}
        if row["kernel"] == "tried":
            fitting = [kernel for kernel, expect in row["expect"].items() if fits(expect, verdict)]
            alike = "both" if len(fitting) == 2 else fitting[0] if fitting else "neither"
            return {"result": "ok", "verdict": verdict, "as": alike}
        good = fits(row["expect"][row["kernel"]], verdict)
        return {"result": "ok" if good else "not ok", "verdict": verdict}

    def command(self, row):
        """Return the command that runs the row again."""
        return self.again + row["scenario"] + (f" BACKEND={self.asked}" if self.asked else "")

    def explain(self, row):
        """Print why a row failed, as comments of KTAP."""
        print("# expected:", *row["expect"][row["kernel"]])
        print("# got:     ", row["verdict"]["what"],
              *(f"{key}={value}" for key, value in all_facts(row["verdict"])))
        out = f"{self.logs}/{row['backend']}.{row['kernel']}"
        there = os.path.exists(row["log"]) and os.path.getsize(row["log"])
        log = row["log"] if there else f"{out}.out"
        print(f"# the last lines of {log}:")
        print_tail(log, 12)
        print_tail(f"{out}.stderr", 3, but="warning: TCG")
        print("# again:", self.command(row))

    def write_results(self):
        """Write results.json, with the results so far."""
        seconds = {}
        try:
            with open(f"{self.logs}/seconds", encoding="utf-8") as lines:
                for words in map(str.split, lines):
                    if len(words) == 4:
                        seconds[words[0], words[1]] = int(words[3])
        except FileNotFoundError:
            pass
        results = {"tree": self.tree, "version": self.version, "backend": self.backend,
                   "planned": len(self.rows), "rows": [
            {key: value for key, value in dict(
                row, seconds=seconds.get((row["scenario"], row["kernel"]))).items()
             if key != "log" and value is not None}
            for row in self.rows if "result" in row]}
        with open(f"{self.logs}/results.json.new", "w", encoding="utf-8") as new:
            json.dump(results, new, indent=1)
        os.replace(f"{self.logs}/results.json.new", f"{self.logs}/results.json")

    def run(self):
        """Run all rows. Return the exit status."""
        print(f"KTAP version 1\n1..{len(self.rows)}\n# {self.backend}", flush=True)
        for backend in BACKENDS:
            for kernel in self.under_test:
                scenarios = [row["scenario"] for row in self.rows
                             if (row["backend"], row["kernel"]) == (backend, kernel)]
                if scenarios and backend not in self.missing:
                    self.jobs.add(backend, kernel, scenarios)
        for number, row in enumerate(self.rows, 1):
            row["log"] = f"{self.logs}/{row['scenario']}.{row['kernel']}.log"
            row.update(self.judge(row))
            self.count[row["result"]] += 1
            comment = f" # SKIP {row['reason']}" if "reason" in row else \
                f" # as {row['as']}: {row['verdict']['what']}" if "as" in row else ""
            print("not ok" if row["result"] == "not ok" else "ok", number, row["scenario"],
                  self.tree, row["kernel"] + comment)
            if row["result"] == "not ok":
                self.explain(row)
            sys.stdout.flush()
            self.write_results()
        print(f"# Totals: pass:{self.count['ok']} fail:{self.count['not ok']}"
              f" skip:{self.count['skip']}", flush=True)
        return 4 if self.count["skip"] == len(self.rows) else 1 if self.count["not ok"] else 0


def is_amd():
    """Return whether KVM of this machine is KVM-AMD."""
    with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
        return " svm " in cpuinfo.read().replace("\n", " ")


def print_tail(path, count, but=None):
    """Print the last lines of a file, if it exists, as comments."""
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            kept = [line for line in lines if not but or but not in line]
    except FileNotFoundError:
        return
    for line in kept[-count:]:
        print("#  ", line.rstrip())


SIGNALS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def end(number, _frame):
    """Handle a signal: ignore later ones, and exit. timeout(1) sends two."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def main():
    """Parse the arguments, and run. Return the exit status."""
    run, options = None, {}
    for number in SIGNALS:
        signal.signal(number, end)
    try:
        options, args = getopt.getopt(sys.argv[1:], "k:mb:n")
        options = dict(options)
        if len(args) < (1 if "-n" in options else 4) or {"-k", "-m"} <= set(options):
            raise Mistake("usage: " + "\n".join(__doc__.strip().splitlines()[:2]))
        programs = find_programs([f"{HERE}/lab"] + ([options["-b"]] if "-b" in options else []))
        if "-n" in options:
            for row in select_rows(series_of(args[0]), args[1:], KERNELS):
                print(row["scenario"], row["kernel"], row["backend"])
            return 0
        run = Run(options, programs, args)
        return run.run()
    except (Mistake, CannotRun, getopt.GetoptError) as error:
        if "-m" in options and isinstance(error, CannotRun):
            print(f"1..0 # SKIP {error}")
            return 4
        print(f"run.py: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"run.py: {error}: is the disk full, or is a permission missing?", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; nothing is left running", file=sys.stderr)
        return 130
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if run:
            run.jobs.stop()


if __name__ == "__main__":
    sys.exit(main())
