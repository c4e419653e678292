"""How many synthetic volumes a second, and what their grey-level histogram alone gives away.

    python benchmarks/synthetic_volumes.py [volumes]

Speed: 48x192x192 volumes of the default design, one thread, bodies prepared before; the median of single
volumes. Baseline: logistic regression on the histogram of a volume's grey levels (blank slices left out),
tested on bodies of its own; chance is what always saying the commonest answer reaches there. Coverage is
right when the whole set is. Any network must beat this before it can be said to have seen anything.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections import Counter
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Final

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"

import numpy as np  # noqa: E402

from radnet.synthetic.anatomy import make_body  # noqa: E402
from radnet.synthetic.arrays import NUMPY, on_host  # noqa: E402
from radnet.synthetic.volumes import LabelledVolume, draw_volumes  # noqa: E402
from radnet.terms import REGIONS  # noqa: E402

RESULTS: Final = Path(__file__).parent / "results" / "synthetic_volumes.json"
TIMED: Final = 60
TIMED_ON_GPU: Final = 1000
BINS: Final = 64
TRAINING_BODIES: Final = 12
TEST_BODIES: Final = 6


def main(volumes: int) -> None:
    training = [make_body(900_000 + n, "F" if n % 2 else "M") for n in range(TRAINING_BODIES)]
    test = [make_body(950_000 + n, "F" if n % 2 else "M") for n in range(TEST_BODIES)]
    found: dict[str, Any] = {"processor": platform.processor() or platform.machine(), "speed": []}
    for device in _devices():
        row = _speed(training[:4], device)
        found["speed"].append(row)
        print(f"{row['device']:8} {row['volumes_per_s']:8.1f} volumes/s  median {row['median_ms']:7.1f} ms  "
              f"slowest of ten {row['p90_ms']:7.1f} ms")  # fmt: skip
    found["histogram"] = _baseline(training, test, volumes)
    for label, row in found["histogram"].items():
        print(f"{label:10} histogram {row['accuracy']:6.1%}   chance {row['chance']:6.1%}   of {row['n']}")
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def _devices() -> list[str]:
    if find_spec("torch") is None:
        return [NUMPY]
    import torch

    torch.set_num_threads(1)
    return [NUMPY, "cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def _speed(bodies: list[Any], device: str) -> dict[str, Any]:
    count = TIMED_ON_GPU if device == "cuda" else TIMED
    stream = draw_volumes(bodies, 1, device=device)
    list(islice(stream, 3))
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        volume = next(stream)
        if device == "cuda":
            volume.voxels[0, 0, 0].item()  # waits for the device
        seconds.append(time.perf_counter() - start)
    return {
        "device": device,
        "volumes_per_s": 1 / float(np.median(seconds)),
        "median_ms": 1e3 * float(np.median(seconds)),
        "p90_ms": 1e3 * float(np.quantile(seconds, 0.9)),
        "mean_ms": 1e3 * float(np.mean(seconds)),
        "n": count,
    }


def _baseline(training: list[Any], test: list[Any], volumes: int) -> dict[str, dict[str, float]]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    parts = {}
    for name, bodies, seed, count in (("training", training, 11, volumes), ("test", test, 12, volumes // 2)):
        drawn = draw_volumes(bodies, seed, count, device=NUMPY)
        parts[name] = [(_histogram(volume), _answers(volume)) for volume in drawn]
    features = {name: np.array([histogram for histogram, _ in rows]) for name, rows in parts.items()}
    result = {}
    for label in ("sequence", "view", "contrast", "coverage"):
        keys = REGIONS if label == "coverage" else (label,)
        right = np.ones(len(parts["test"]), bool)
        for key in keys:
            known, truth = (np.array([answers[key] for _, answers in parts[p]]) for p in ("training", "test"))
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
            right &= model.fit(features["training"], known).predict(features["test"]) == truth
        whole = Counter(answers[label] for _, answers in parts["test"])
        result[label] = {
            "accuracy": float(right.mean()),
            "chance": whole.most_common(1)[0][1] / len(right),
            "n": len(right),
        }
    return result


def _histogram(volume: LabelledVolume) -> np.ndarray:
    voxels = on_host(volume.voxels)
    inside = voxels[volume.pad_before : len(voxels) - volume.pad_after]
    counts = np.histogram(inside, BINS, (0, 256))[0]
    return np.log(counts / counts.sum() + 1e-4)


def _answers(volume: LabelledVolume) -> dict[str, Any]:
    regions = {region: region in volume.coverage for region in REGIONS}
    return {
        "sequence": volume.sequence,
        "view": volume.view,
        "contrast": volume.contrast,
        "coverage": ";".join(volume.coverage),
        **regions,
    }


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1500)
