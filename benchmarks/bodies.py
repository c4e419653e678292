"""Seconds and memory that a synthetic body takes.

Each body is painted in a process of its own on one core; printed are the median over the seeds of CPU and
wall seconds, and the largest resident memory. Imports count for the memory alone.

    python benchmarks/bodies.py --bodies 5 --step 2.0
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).parent / "results" / "bodies.json"
MOST_SECONDS: Final = 5.0
MOST_GB: Final = 2.0
THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bodies", type=int, default=5)
    parser.add_argument("--step", type=float, default=2.0, help="voxel, mm")
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.seed is not None:
        print(json.dumps(paint(options.seed, options.step)))
        return
    rows = [in_own_process(seed, options.step) for seed in range(options.bodies)]
    print(f"{'seed':>5}{'voxels':>18}{'CPU s':>8}{'wall s':>8}{'peak GB':>9}")
    for seed, row in enumerate(rows):
        print(f"{seed:>5}{row['voxels']:>18}{row['cpu_s']:>8.2f}{row['wall_s']:>8.2f}{row['peak_gb']:>9.2f}")
    median = {key: statistics.median(row[key] for row in rows) for key in ("cpu_s", "wall_s")}
    peak = max(row["peak_gb"] for row in rows)
    print(f"median {median['cpu_s']:.2f} s CPU, {median['wall_s']:.2f} s wall; at most {peak:.2f} GB")
    summary = {"bodies": options.bodies, "step_mm": options.step, **median, "peak_gb": peak}
    RESULTS.write_text(json.dumps(summary, indent=1) + "\n")
    if median["wall_s"] > MOST_SECONDS or peak > MOST_GB:
        sys.exit(f"more than {MOST_SECONDS:g} s or {MOST_GB:g} GB")


def in_own_process(seed: int, step_mm: float) -> dict[str, float]:
    command = [sys.executable, __file__, "--seed", str(seed), "--step", str(step_mm)]
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return dict(json.loads(printed))


def paint(seed: int, step_mm: float) -> dict[str, float | str]:
    from radnet.synthetic.anatomy import make_body

    cpu, wall = time.process_time(), time.perf_counter()
    body = make_body(seed, step_mm=step_mm)
    return {
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
        "voxels": " x ".join(map(str, body.labels.shape)),
    }


if __name__ == "__main__":
    main()
