"""One run of a study: train a segmenter, outline the test scans, score them on their own voxels.

A run is a folder. Its scores are written last and carry a digest of all that made them, so that a finished
run is never repeated, one that was killed goes on from its checkpoint, and one of other settings is refused.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from radnet.config import TransferConfig, VolumesConfig
from radnet.errors import RadnetError, StudyError
from radnet.studies import size_name
from radnet.tables import write_table
from radnet.transfer.cases import Case, CaseFiles, Preparation, pack_mask
from radnet.transfer.readers import prepare_cases
from radnet.transfer.scores import score_mask
from radnet.transfer.study_grid import Run
from radnet.workspace import write_text

if TYPE_CHECKING:
    from radnet.transfer.samples import Proposals

RUNS: Final = "runs"
CASES_NAME: Final = "cases.parquet"
RUN_NAME: Final = "run.json"
MASKS_NAME: Final = "masks.npz"
WEIGHTS: Final = ("model.safetensors", "config.json", "README.md", "resume.safetensors")
BOARD: Final = "tensorboard"
OUT_OF_DIGEST: Final = ("accelerator", "checkpoint_minutes", "readers", "devices", "nodes")
"""Keys of [transfer] that change nothing of the outcome."""
KEPT_CASES: Final = 1000
"""Prepared cases that a worker keeps in memory."""


@dataclass(frozen=True)
class Job:
    """All that a worker needs for one run; picklable.

    Attributes:
        run: Of the grid.
        folder: Of the study.
        files: The cases that the run needs, by name.
        patients: Number of each case's patient.
        preparation: Of the cases.
        cache: Folder of prepared cases.
        model: Model folder, or MedicalNet file, whose encoder is taken.
        medicalnet_network: Which ResNet a MedicalNet file holds.
        transfer: Settings of this run.
        volumes: How grey levels are made.
        starts: First slices of the chosen windows, by case; None looks at all slices.
        window_slices: Of a chosen window.
        tolerance_mm: Of the surface Dice.
        keep_model: Whether the weights stay.
        digest: Of all that makes the scores.
    """

    run: Run
    folder: Path
    files: Mapping[str, CaseFiles]
    patients: Mapping[str, str]
    preparation: Preparation
    cache: Path
    model: Path
    medicalnet_network: str
    transfer: TransferConfig
    volumes: VolumesConfig
    starts: Mapping[str, tuple[int, ...]] | None
    window_slices: int
    tolerance_mm: float
    keep_model: bool
    digest: str

    @property
    def place(self) -> Path:
        """Folder of the run."""
        return self.folder / RUNS / self.run.name


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a run.

    Attributes:
        name: Of the run.
        outcome: `finished`, `known` (finished before), `stopped` (the same command goes on) or `failed`.
        why: Of a failed one, or of one that another process has.
    """

    name: str
    outcome: str
    why: str = ""


def run_digest(known: Sequence[Any]) -> str:
    """Digest what makes the scores of a run."""
    return hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()[:32]


def settings_of(config: TransferConfig) -> dict[str, Any]:
    """Return the settings that make a difference, as plain data."""
    return config.model_dump(mode="json", exclude=set(OUT_OF_DIGEST))


def read_run(place: Path) -> dict[str, Any] | None:
    """Return what a finished run says of itself; None when it is not finished."""
    try:
        found = json.loads((place / RUN_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and "digest" in found else None


def refuse_other_run(job: Job) -> bool:
    """Say whether a run is finished already.

    Raises:
        StudyError: If it is, with other data or settings.
    """
    found = read_run(job.place)
    if found is None:
        return False
    if found["digest"] != job.digest:
        raise StudyError(
            f"{job.place}: was made with other cases, weights or settings; name another --out, or delete it"
        )
    return True


def do_runs(jobs: Sequence[Job]) -> list[Ended]:
    """Do runs one after the other; what is wrong with one does not stop the others."""
    ended = []
    for job in jobs:
        try:
            ended.append(Ended(job.run.name, _do_run(job)))
        except RadnetError as error:
            ended.append(Ended(job.run.name, "failed", str(error)))
    return ended


def _do_run(job: Job) -> str:
    from radnet.transfer.train import train_segmenter

    if refuse_other_run(job):
        return "known"
    cases = _prepared(job)
    run, proposals = job.run, _proposals(job)
    began = time.monotonic()
    summary = train_segmenter(
        [cases[name] for name in run.training],
        [cases[name] for name in run.validation],
        _backbone(job.model, job.medicalnet_network),
        job.place,
        job.transfer,
        proposals,
        job.volumes,
    )
    if not summary.finished:
        return "stopped"
    rows, masks, seconds = _score(job, [cases[name] for name in run.test], proposals)
    told = {
        **described(run),
        "digest": job.digest,
        "steps": summary.n_steps,
        "training_seconds": summary.seconds,
        "wall_seconds": round(time.monotonic() - began, 1),
        "outline_seconds": round(seconds, 3),
        "best_step": summary.best_step,
        "n_parameters": summary.n_parameters,
        "n_learning": summary.n_learning,
        "mean_dice": float(np.mean([row["dice"] for row in rows])),
        "settings": settings_of(job.transfer),
    }
    write_table(pl.DataFrame(rows), job.place / CASES_NAME)
    np.savez(job.place / MASKS_NAME, **masks)
    write_text(job.place / RUN_NAME, json.dumps(told, indent=1) + "\n")
    _tidy(job)
    return "finished"


def described(run: Run) -> dict[str, Any]:
    """Return what the rows of a run have in common."""
    return {
        "run": run.name,
        "arm": run.arm.name,
        "title": run.arm.shown,
        "kind": run.arm.kind,
        "arm_number": run.arm_number,
        "size": size_name(run.size),
        "size_number": run.size_number,
        "n_training": len(run.training),
        "fold": run.fold,
        "seed": run.seed,
    }


def _score(
    job: Job, cases: Sequence[Case], proposals: Proposals | None
) -> tuple[list[dict[str, Any]], dict[str, Any], float]:
    """Return a row a case, the packed masks, and the seconds a case."""
    from radnet.networks.segmenter import load_segmenter
    from radnet.transfer.evaluate import outline_case

    segmenter = load_segmenter(job.place, backend="torch")
    rows, masks, began = [], {}, time.monotonic()
    for case in cases:
        mask = outline_case(segmenter, case, proposals)
        scores = score_mask(mask, case.original_mask, case.original_spacing_mm, job.tolerance_mm)
        rows.append(
            {
                **described(job.run),
                "case": case.case_id,
                "patient": job.patients[case.case_id],
                **asdict(scores),
            }
        )
        masks[case.case_id] = np.frombuffer(pack_mask(mask), np.uint8)
    return rows, masks, (time.monotonic() - began) / max(len(cases), 1)


def _proposals(job: Job) -> Proposals | None:
    from radnet.transfer.samples import Proposals

    return None if job.starts is None else Proposals(job.starts, job.window_slices)


def _prepared(job: Job) -> dict[str, Case]:
    return {name: _one_case(job.files[name], job.preparation, job.cache) for name in job.run.cases}


@lru_cache(maxsize=KEPT_CASES)
def _one_case(files: CaseFiles, preparation: Preparation, cache: Path) -> Case:
    (case,) = prepare_cases([files], preparation, cache).cases
    return case


@lru_cache(maxsize=2)
def _backbone(model: Path, medicalnet_network: str) -> Any:
    from radnet.transfer.backbone import read_backbone

    return read_backbone(model, medicalnet_network)


def _tidy(job: Job) -> None:
    """Take away what only a training needs, and the weights unless they are wanted."""
    shutil.rmtree(job.place / BOARD, ignore_errors=True)
    if not job.keep_model:
        for name in WEIGHTS:
            (job.place / name).unlink(missing_ok=True)
