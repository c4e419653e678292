"""A network at work: from DICOM to labels, runtimes, agreement, audit of spoiled labels, neighbours.

Needs `pip install -e '.[dev]'` and the folder that recipes/synthetic.sh wrote, whose patients trained or
tested the model. What is compared runs side by side in one run; seconds are of processors where a machine may
be shared.

    python benchmarks/predict.py FOLDER --real REAL_SCANS --out benchmarks/results/predict.json
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from radnet.executors import Workers
from radnet.labels.stage import label_stacks
from radnet.networks.inference import OUTPUTS, labels_of, run_batches
from radnet.networks.model import load_model
from radnet.predict.audit import AUDITED, find_suspects, judge_label
from radnet.predict.columns import CLASS_LABELS
from radnet.predict.neighbours import nearest
from radnet.predict.stage import PredictSummary, predict_stacks
from radnet.scan.stage import scan_archive
from radnet.series.stage import group_series
from radnet.terms import REGIONS
from radnet.volumes.store import VolumeStore

SERIAL = Workers("serial")
SPOILED_SHARE = 0.05
SEEDS = (1, 2, 3, 4, 5)
ROUNDS = 5
SPEED_VOLUMES = 24
MILLION = 1_000_000
WIDTH = 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="What recipes/synthetic.sh wrote.")
    parser.add_argument("--real", type=Path, help="A folder of real scans.")
    parser.add_argument("--model", default="small")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = {"machine": machine()}
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        archive = options.folder / "vendors" / "archive"
        found["end_to_end"] = show("DICOM to labels", end_to_end(archive, scratch / "vendors", options.model))
        found["runtimes"] = show("runtimes", runtimes(options.folder / "train" / "4-volumes", options.model))
        found["audit"] = show("audit", audit(shadow(options.folder / "train", scratch), options))
        if options.real:
            found["real"] = show("real scans", real(options.real, scratch / "real", options.model))
    found["neighbours"] = show("neighbours", neighbours())
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.split(": ")[1] for line in lines if line.startswith("model name")]
    return {"processor": names[0], "cores": len(names), "python": platform.python_version()}


def show(title: str, found: dict[str, Any]) -> dict[str, Any]:
    print(f"== {title}\n{json.dumps(found, indent=1)}", flush=True)
    return found


def shadow(work: Path, scratch: Path) -> Path:
    """Make a workspace that reads another one's volumes and labels, and writes elsewhere."""
    own = scratch / "shadow"
    own.mkdir()
    for name in ("2-series", "3-labels", "4-volumes"):
        (own / name).symlink_to((work / name).resolve())
    return own


def seconds_of(step: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return processor and wall seconds of a step, and its result."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = step()
    return time.process_time() - cpu, time.perf_counter() - wall, result


def end_to_end(archive: Path, work: Path, model: str) -> dict[str, Any]:
    """Label an archive from nothing, on one core for shares and on two for the time."""
    load_model(model)
    steps: dict[str, float] = {}
    steps["scan"], _, _ = seconds_of(lambda: scan_archive(archive, work, workers=SERIAL))
    steps["group"], _, _ = seconds_of(lambda: group_series(work))
    steps["label"], _, _ = seconds_of(lambda: label_stacks(work))
    predict_s, _, summary = seconds_of(lambda: predict_stacks(work, workers=SERIAL, model=model))
    steps |= summary.seconds
    steps["tables"] = max(predict_s - sum(summary.seconds.values()), 0)
    two = work.with_name("two")
    workers = Workers("processes", 2)
    _, wall_s, second = seconds_of(lambda: chain(archive, two, workers, model))
    total = sum(steps.values())
    return {
        "files": sum(1 for path in archive.rglob("*") if path.is_file()),
        "series": summary.n_series,
        "predicted": summary.n_predicted,
        "not_predicted": summary.not_predicted,
        "backend": summary.backend,
        "processor_s": {name: round(value, 2) for name, value in steps.items()},
        "share": {name: round(value / total, 3) for name, value in steps.items()},
        "processor_s_a_predicted_series": round(total / summary.n_predicted, 3),
        "wall_s_on_two_cores": round(wall_s, 1),
        "wall_s_a_predicted_series": round(wall_s / second.n_predicted, 3),
    }


def chain(archive: Path, work: Path, workers: Workers, model: str) -> PredictSummary:
    scan_archive(archive, work, workers=workers)
    group_series(work)
    label_stacks(work)
    return predict_stacks(work, workers=workers, model=model)


def runtimes(folder: Path, name: str) -> dict[str, Any]:
    """Run the same volumes by torch, ONNX Runtime and OpenVINO in turn, one thread each."""
    import torch

    torch.set_num_threads(1)
    store = VolumeStore(folder)
    models = {kind: load_model(name, backend=kind, threads=1) for kind in ("torch", "onnx", "openvino")}
    spec = models["torch"].spec
    volumes = [np.array(store.read(one)) for one in islice(store.ids, 0, None, len(store) // SPEED_VOLUMES)]
    from radnet.networks.inference import fit_volume

    volumes = [fit_volume(volume, spec.input_shape) for volume in volumes][:SPEED_VOLUMES]
    outputs: dict[str, Any] = {}
    seconds: dict[str, list[float]] = {kind: [] for kind in models}
    for _ in range(ROUNDS + 1):
        for kind, model in models.items():
            cpu, _, outputs[kind] = seconds_of(
                lambda model=model: run_batches(model.backend, spec, volumes, 1)
            )
            seconds[kind].append(cpu)
    words = {kind: labels_of(found, spec)["words"] for kind, found in outputs.items()}
    return {
        "volumes": len(volumes),
        "input": list(spec.input_shape),
        "ms_a_volume": {
            kind: round(1000 * statistics.median(values[1:]) / len(volumes), 1)
            for kind, values in seconds.items()
        },
        "times_torch": {
            kind: round(float(np.median(np.array(seconds["torch"][1:]) / np.array(values[1:]))), 2)
            for kind, values in seconds.items()
        },
        "same_words": {kind: words[kind] == words["torch"] for kind in models},
        "largest_difference": {
            kind: {
                output: float(f"{np.abs(outputs[kind][output] - outputs['torch'][output]).max():.2g}")
                for output in OUTPUTS
            }
            for kind in ("onnx", "openvino")
        },
    }


def audit(work: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Spoil some labels of volumes that the model never saw, and see who finds them."""
    summary = predict_stacks(work, workers=SERIAL, model=options.model, stored=True)
    assert summary.predictions is not None
    table = pl.read_parquet(summary.predictions)
    split = pl.read_parquet(options.folder / "train/5-pretrain/synthetic/split.parquet")
    unseen = table.join(split.filter(pl.col("split") == "test"), on="stack_id", how="semi")
    trained = table.join(split.filter(pl.col("split") == "training"), on="stack_id", how="semi")
    found: dict[str, Any] = {"share_spoiled": SPOILED_SHARE, "seeds": len(SEEDS)}
    for name, rows in (("unseen", unseen), ("trained on", trained)):
        found[name] = {"volumes": len(rows)}
        for judge in ("network", "probe"):
            found[name][judge] = {label: finding(rows, label, judge) for label in AUDITED}
    found["first_of_all_labels"] = together(unseen)
    return found


def finding(rows: pl.DataFrame, label: str, judge: Any) -> dict[str, float]:
    """Return how well the spoiled labels stand at the top, mean over seeds; k is their number."""
    measured: dict[str, list[float]] = {}
    for seed in SEEDS:
        spoiled_rows, spoiled = spoil(rows, label, seed)
        judged = judge_label(spoiled_rows, label, judge)
        assert judged is not None
        truth = spoiled[judged.rows]
        for order, scores in orders(judged, spoiled_rows, label).items():
            for name, value in at_top(truth, scores).items():
                measured.setdefault(f"{name} by {order}", []).append(value)
    return {name: round(float(np.mean(values)), 3) for name, values in measured.items()}


def orders(judged: Any, rows: pl.DataFrame, label: str) -> dict[str, Any]:
    """Return scores to order by: the margin, the bare probability of the header's word, and one by class."""
    header = rows[f"header_{label}"].to_list()
    words = [str(header[row]) for row in judged.rows]
    mean = {word: np.mean(judged.given[[one == word for one in words]]) for word in set(words)}
    by_class = np.array([mean[word] for word in words]) - judged.given
    return {"margin": judged.margin, "probability": -judged.given, "probability within class": by_class}


def at_top(spoiled: Any, scores: Any) -> dict[str, float]:
    order = np.argsort(-scores, kind="stable")
    hits = spoiled[order]
    k = int(spoiled.sum())
    ranks = np.flatnonzero(hits) + 1
    return {
        "precision and recall at k": float(hits[:k].mean()),
        "recall at 2k": float(hits[: 2 * k].sum() / k),
        "average precision": float(np.mean(np.arange(1, k + 1) / ranks)),
    }


def spoil(rows: pl.DataFrame, label: str, seed: int) -> tuple[pl.DataFrame, Any]:
    """Give some rows another word; of a coverage, one region more or less."""
    generator = np.random.default_rng(seed)
    values = rows[f"header_{label}"].to_list()
    known = [row for row, value in enumerate(values) if value is not None]
    chosen = generator.choice(known, max(1, round(SPOILED_SHARE * len(known))), replace=False)
    words = sorted({value for value in values if isinstance(value, str)})
    spoiled = np.zeros(len(rows), bool)
    for row in chosen:
        spoiled[row] = True
        if label == "coverage":
            changed = {REGIONS[generator.integers(len(REGIONS))]} ^ set(values[row])
            values[row] = [region for region in REGIONS if region in changed]
        else:
            values[row] = str(generator.choice([word for word in words if word != values[row]]))
    dtype = rows.schema[f"header_{label}"]
    return rows.with_columns(pl.Series(f"header_{label}", values, dtype=dtype)), spoiled


def together(rows: pl.DataFrame) -> dict[str, float]:
    """Spoil all labels and take the first k of the one list that a user gets."""
    measured = []
    for seed in SEEDS:
        wrong: set[tuple[str, str]] = set()
        spoiled_rows = rows
        for label in AUDITED:
            spoiled_rows, spoiled = spoil(spoiled_rows, label, seed)
            wrong |= {(label, rows["stack_id"][int(row)]) for row in np.flatnonzero(spoiled)}
        suspects = find_suspects(spoiled_rows).select("label", "stack_id").rows()
        hits = [suspect in wrong for suspect in suspects]
        measured.append((np.mean(hits[: len(wrong)]), sum(hits) / len(wrong), len(suspects)))
    top, recall, listed = np.mean(measured, axis=0)
    return {
        "precision and recall at k": round(float(top), 3),
        "recall of the whole list": round(float(recall), 3),
        "listed": round(float(listed), 1),
    }


def real(source: Path, work: Path, model: str) -> dict[str, Any]:
    """Compare network and header on real scans, and nearest neighbours of other patients with the header."""
    summary = chain_real(source, work, model)
    table = pl.read_parquet(work / "7-predict/predictions.parquet")
    answered = table.filter(pl.col("reason").is_null())
    return {
        "series": summary.n_series,
        "predicted": summary.n_predicted,
        "kinds": dict(answered["kind"].value_counts().iter_rows()),
        "not_predicted": summary.not_predicted,
        "labels": [
            {name: getattr(row, name) for name in row.__slots__} | {"share": row.share}
            for row in summary.agreement
        ],
        "neighbours": {label: by_neighbours(answered, label) for label in CLASS_LABELS},
    }


def chain_real(source: Path, work: Path, model: str) -> PredictSummary:
    scan_archive(source, work, workers=SERIAL)
    group_series(work)
    label_stacks(work)
    return predict_stacks(work, workers=SERIAL, model=model)


def by_neighbours(answered: pl.DataFrame, label: str) -> dict[str, Any]:
    """Let the five likest series of other patients vote on a header's label."""
    known = answered.filter(pl.col(f"header_{label}").is_not_null())
    patients = known.select(pl.coalesce("patient", "StudyInstanceUID", "stack_id")).to_series()
    features = known["embedding"].to_numpy() if len(known) else np.zeros((0, 1))
    right = asked = 0
    for row, patient in enumerate(patients):
        others = np.flatnonzero((patients != patient).to_numpy())
        if not others.size:
            continue
        rows, _ = nearest(features[row : row + 1], [features[others]], 5)
        votes = known[others[rows[0]].tolist()][f"header_{label}"]
        right += votes.mode().sort()[0] == known[f"header_{label}"][row]
        asked += 1
    return {"asked": asked, "right": int(right), "patients": patients.n_unique()}


def neighbours() -> dict[str, Any]:
    """Ask a million features for the ten nearest, in 32 and in 16 bits."""
    generator = np.random.default_rng(0)
    whole = np.maximum(generator.standard_normal((MILLION, WIDTH), np.float32), 0)
    found: dict[str, Any] = {"series": MILLION, "features": WIDTH}
    answers = {}
    for name, features in (("float32", whole), ("float16", whole.astype(np.float16))):
        for n_queries in (1, 100):
            times = []
            for _ in range(3):
                _, wall, rows = seconds_of(
                    lambda f=features, n=n_queries: nearest(whole[:n], blocks(f), 10)[0]
                )
                times.append(wall)
            answers[name, n_queries] = rows
            found[f"{name}, {n_queries} queries, s"] = round(min(times), 2)
    same = answers["float32", 100] == answers["float16", 100]
    found["same neighbours in 16 bits"] = round(float(same.mean()), 4)
    return found


def blocks(features: Any, rows: int = 65_536) -> Iterator[Any]:
    for start in range(0, len(features), rows):
        yield features[start : start + rows]


if __name__ == "__main__":
    main()
