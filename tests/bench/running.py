"""What the benchmarks share: commands timed with the CPU that they take, scenarios run for their records, figures shown as median (min..max)."""

import json
import pathlib
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCN = ROOT / "target/release/scn"


def shown(values, scale=1.0, digits=1):
    values = [v * scale for v in values]
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


def cpu_of_children():
    """CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def timed(command, **options):
    """Wall seconds and CPU seconds of a command, and its output."""
    before, start = cpu_of_children(), time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    wall = time.monotonic() - start
    if done.returncode != 0:
        sys.exit(f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return wall, cpu_of_children() - before, done.stdout


def run_record(text, folder):
    """Runs a scenario and gives wall seconds, CPU seconds and its record."""
    path = pathlib.Path(folder) / "bench.scn"
    path.write_text(text)
    wall, cpu, _ = timed([SCN, "run", path, "--out", pathlib.Path(folder) / "out"])
    record = next((pathlib.Path(folder) / "out").glob("*.run.json"))
    return wall, cpu, json.loads(record.read_text())


def built(folder, name):
    """A peer's C source here, built."""
    program = pathlib.Path(folder) / name
    subprocess.run(["gcc", "-O2", "-o", program, pathlib.Path(__file__).with_name(f"{name}.c")], check=True)
    return program
