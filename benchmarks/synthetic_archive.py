"""Seconds, size and memory that a synthetic archive takes.

The archive is written by the command line in a process of its own; memory is the largest sum over it and its
workers of what is theirs alone (proportional set size), looked at ten times a second.

    python benchmarks/synthetic_archive.py --preset paper --patients 100 --workers 2
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).parent / "results" / "synthetic_archive.json"
MOST_MINUTES: Final = 15.0
MOST_GB: Final = 3.0
FLOOR_PATIENTS: Final = 100
"""Patients of preset paper for which the limits hold."""
PAUSE_S: Final = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--patients", type=int, default=FLOOR_PATIENTS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--masks", action="store_true", help="organ masks too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="radnet-archive-") as folder:
        row = measure(Path(folder) / "out", options)
    for name, value in row.items():
        print(f"{name:<12}{value:>12,.2f}" if isinstance(value, float) else f"{name:<12}{value!s:>12}")
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known[f"{options.preset}{' with masks' if options.masks else ''}"] = row
    RESULTS.write_text(json.dumps(known, indent=1) + "\n")
    minutes = row["wall_s"] / 60 * FLOOR_PATIENTS / options.patients
    if options.preset == "paper" and (minutes > MOST_MINUTES or row["peak_gb"] > MOST_GB):
        sys.exit(f"more than {MOST_MINUTES:g} minutes for {FLOOR_PATIENTS} patients, or {MOST_GB:g} GB")


def measure(out: Path, options: argparse.Namespace) -> dict[str, Any]:
    arguments = [f"--{name}={getattr(options, name)}" for name in ("preset", "patients", "workers", "seed")]
    command = [sys.executable, "-m", "radnet", "synthesize", str(out), *arguments, "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    process = subprocess.Popen([*command, *(["--masks"] * options.masks)], stdout=subprocess.PIPE, text=True)
    peak_kb, cpu_s = 0, 0.0
    while process.poll() is None:
        family = tree(process.pid)
        peak_kb = max(peak_kb, sum(map(proportional_kb, family)))
        cpu_s = max(cpu_s, sum(map(processor_s, family)))
        time.sleep(PAUSE_S)
    wall_s = time.perf_counter() - begin
    assert process.stdout is not None
    if process.returncode:
        sys.exit(process.returncode)
    summary = json.loads(process.stdout.read())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    own_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return {
        "patients": options.patients,
        "workers": options.workers,
        "cores": len(os.sched_getaffinity(0)),
        "series": summary.get("series", summary.get("pairs")),
        "images": summary.get("images", summary.get("slices")),
        "mb": size / 1e6,
        "wall_s": wall_s,
        "cpu_s": max(cpu_s, own_s),
        "peak_gb": peak_kb * 1024 / 1e9,
    }


def tree(root: int) -> list[int]:
    """Return a process and all that descend from it."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:  # it has ended
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [root]
    for process in found:  # grows while it is walked
        found += [child for child, parent in parents.items() if parent == process]
    return found


def proportional_kb(process: int) -> int:
    """Return a process's share of memory; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def processor_s(process: int) -> float:
    """Return the processor time of a process that runs; 0 when it has ended."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return 0.0
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
