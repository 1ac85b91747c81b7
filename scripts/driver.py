# SPDX-License-Identifier: GPL-2.0-only
"""
What bench.py and fuzz.py share: both compile a driver out of their own source and what the
selftest has, and run it on many guests. The guest program is the selftest's with the commands
of guest-commands.c.
"""
import atexit
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

# what of the selftest each driver is made of
DRIVER_C = "actions.c", "console.c", "qemu.c", "vmm.c"

SCRIPTS = Path(__file__).resolve().parent
SELFTEST = SCRIPTS.parent / "tools/testing/selftests/mce"
sys.dont_write_bytecode = True
sys.path.insert(0, str(SELFTEST))
from rows import KERNELS  # pylint: disable=wrong-import-position


def die(message):
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(2)


def start(main):
    """Run MAIN with the arguments. Exit with 2 if a file or a program is missing."""
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, subprocess.CalledProcessError) as error:
        die(error)


def begin(logs):
    """Recreate LOGS. However the program ends, no guest and no file of a guest is left."""
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)

    def clean():
        for file in [*logs.glob("*.initrd"), *logs.glob("*.qcow2"), logs / "guest.cpio"]:
            file.unlink(missing_ok=True)

    def interrupted(number, _):
        clean()
        if number == signal.SIGINT:
            print("interrupted; nothing is left running", file=sys.stderr, flush=True)
        # at once: sys.exit() waits for the threads
        os._exit(130 if number == signal.SIGINT else 143)

    atexit.register(clean)
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        signal.signal(number, interrupted)
    sys.stdout.reconfigure(line_buffering=True)


def compile_driver(source, logs):
    """Compile SOURCE and SOURCE-*.c to a program in LOGS, and return its path."""
    program = logs / source.stem
    compile_c(program, *sorted(source.parent.glob(f"{source.stem}*.c")),
              *(SELFTEST / c for c in DRIVER_C),
              *shlex.split(output_of("pkg-config", "--cflags", "--libs", "json-c")))
    return program


def compile_c(out, *arguments):
    if subprocess.call(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-o", out,
                        *arguments]):
        die(f"cannot compile {out}")


def output_of(*command):
    """Return the output of COMMAND."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def make_initrds(lab, kernels, logs):
    """Write LOGS/KERNEL.initrd: the guest's files, LOGS/guest as /init, KERNEL's hook."""
    files = re.search("^GUEST_C := (.*)", (SELFTEST / "Makefile").read_text(), re.M).group(1)
    compile_c(logs / "guest", "-static", *(SELFTEST / c for c in files.split()),
              SCRIPTS / "guest-commands.c")
    subprocess.run([SELFTEST / "lab/cpio.sh", logs / "guest.cpio", f"{logs}/guest=init"],
                   check=True)
    for kernel in KERNELS:
        # a later file of the same name replaces the earlier one
        parts = lab / "guest.cpio", logs / "guest.cpio", kernels / f"{kernel}.hook.cpio"
        (logs / f"{kernel}.initrd").write_bytes(b"".join(part.read_bytes() for part in parts))


def run_all(job, runs):
    """Call JOB(run) for each of RUNS, in that order, as many at a time as there are CPUs."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for _ in pool.map(job, runs):
            pass


def run(command, log, seconds=None):
    """Run COMMAND with its output in LOG. It and its QEMU end with this program."""
    with open(log, "wb") as out, suppress(subprocess.TimeoutExpired):
        subprocess.run(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL,
                       stdout=out, stderr=subprocess.STDOUT, timeout=seconds)


def lines_of(path):
    """Return the complete lines of a log: none if the file is missing."""
    try:
        return path.read_bytes().decode(errors="backslashreplace").split("\n")[:-1]
    except FileNotFoundError:
        return []


def print_ktap(logs, name, results, last=None):
    """
    RESULTS are tuples: whether it is ok, a label, and lines to explain it, or what is false
    where there is nothing to explain. LAST is a line for the end. All goes to
    LOGS/results.ktap, too. Return whether all is ok.
    """
    lines = ["KTAP version 1"]
    passed = failed = 0
    for ok, label, *notes in results:
        passed += bool(ok)
        failed += not ok
        lines.append(f"{'ok' if ok else 'not ok'} {passed + failed} {name} {label}")
        lines += [f"# {note}" for note in notes if note]
    lines += [f"# {last}"] if last else []
    lines.append(f"# Totals: pass:{passed} fail:{failed} skip:0")
    print(*lines, sep="\n")
    (logs / "results.ktap").write_text("\n".join(lines) + "\n")
    return passed and not failed
