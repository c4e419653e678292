"""Who trains, who validates, who tests: by patient, or whole collections for the test.

The side of a patient depends on the patient alone, so that further scans never move anybody. What must not be
on two sides (a patient, study, frame of reference, acquisition or equal voxels) is looked for afterwards and
refused, not sorted out: what is tested must be strange to what was trained, and a leak that nobody saw would
make every figure worthless.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from radnet.config import PretrainConfig
from radnet.errors import TableError, TrainingError
from radnet.labels.splits import SPLITS, TEST, TRAINING, VALIDATION, drawn_side, paper_split

UNSHARED: Final = ("patient", "StudyInstanceUID", "FrameOfReferenceUID", "acquisition_group", "digest")
"""What ties volumes together; `digest` is that of the voxels."""
LEAST_PATIENTS: Final = {TRAINING: 2, VALIDATION: 1}
SHOWN: Final = 3
"""Stacks that an error names."""


def split_samples(samples: pl.DataFrame, config: PretrainConfig) -> pl.Series:
    """Say for each volume whether it trains, validates or tests.

    Args:
        samples: One row a volume, with `stack_id`, `collection_id` and all of `UNSHARED`.
        config: The kind of split and its shares.

    Returns:
        `training`, `validation`, `test`, or null for a collection outside the paper's split.

    Raises:
        TrainingError: If a volume names no patient, anything stands on two sides, a named collection is not
            there, or too few train or validate.
    """
    nameless = samples.filter(pl.col("patient").fill_null("") == "")
    if len(nameless):
        raise TrainingError(
            f"{len(nameless)} volumes name no patient ({_some(nameless)}), so nobody can say whether a "
            "patient is on two sides; leave them out by decisions (`radnet label`)"
        )
    sides = _by_paper(samples) if config.split == "paper" else _by_patient(samples, config)
    placed = samples.with_columns(sides.alias("split"))
    for name in UNSHARED:
        refuse_shared(placed, name)
    _refuse_too_few(placed)
    return sides


def _by_paper(samples: pl.DataFrame) -> pl.Series:
    try:
        return paper_split(samples)
    except TableError as error:
        raise TrainingError(f"split = 'paper': {error}") from error


def _by_patient(samples: pl.DataFrame, config: PretrainConfig) -> pl.Series:
    present = set(samples["collection_id"].unique())
    absent = [name for name in config.test_collections if name not in present]
    if absent:
        raise TrainingError(
            f"test_collections names {', '.join(absent)}, of which there is no volume; the table that "
            "`collections` names must hold them, or a source of that name must have been scanned"
        )
    shares = {
        TEST: 0.0 if config.test_collections else config.test_share,
        VALIDATION: config.validation_share,
    }
    sides = {
        patient: drawn_side(patient, shares[TEST], shares[VALIDATION])
        for patient in samples["patient"].unique()
    }
    side = pl.col("patient").replace_strict(sides, return_dtype=pl.String)
    tests = pl.col("collection_id").is_in(list(config.test_collections))
    return samples.select(pl.when(tests).then(pl.lit(TEST)).otherwise(side).alias("split"))["split"]


def refuse_shared(placed: pl.DataFrame, name: str) -> None:
    """Refuse values of a column that stand on two sides.

    Args:
        placed: With `stack_id`, `split` and the column; nulls and empty values tie nothing together.
        name: Of the column.

    Raises:
        TrainingError: If there is such a value.
    """
    held = placed.filter(pl.col("split").is_not_null(), pl.col(name).fill_null("") != "")
    shared = held.filter(pl.col("split").n_unique().over(name) > 1)
    if len(shared):
        raise TrainingError(
            f"{shared[name].n_unique()} values of {name} stand on two sides of the split "
            f"({_some(shared)}); tell different people apart, or leave these stacks out by decisions "
            "(`radnet label`)"
        )


def _refuse_too_few(placed: pl.DataFrame) -> None:
    patients = dict(placed.group_by("split").agg(pl.col("patient").n_unique()).iter_rows())
    if any(patients.get(side, 0) < least for side, least in LEAST_PATIENTS.items()):
        counts = ", ".join(f"{name} {patients.get(name, 0)}" for name in SPLITS)
        raise TrainingError(
            f"{len(placed)} volumes of {placed['patient'].n_unique()} patients are too few or fall badly "
            f"(patients: {counts}): at least 2 must train and 1 validate; scan more patients, or change "
            "validation_share and test_share"
        )


def _some(rows: pl.DataFrame) -> str:
    """Name a few stacks."""
    names = rows["stack_id"].unique().sort()
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return "stacks " + ", ".join(names[:SHOWN]) + more
