"""The paper's split: collections of table A1 train and validate, patient by patient; those of A2 test.

The side of a patient depends on the patient alone, so that further series, another order or another archive
never move anybody. A patient, study or frame of reference on two sides is refused, not sorted out: what is
tested must be strange to what was trained.
"""

from __future__ import annotations

import hashlib
from typing import Final

import polars as pl

from radnet.errors import TableError
from radnet.labels.collections import TEST_TABLE, find_collections, paper_collections

TRAINING: Final = "training"
VALIDATION: Final = "validation"
TEST: Final = "test"
SPLITS: Final = (TRAINING, VALIDATION, TEST)
VALIDATION_SHARE: Final = 3_305 / (12_000 + 3_305)
"""Of the patients of table A1; the paper's share of stacks (table A3)."""
PATIENTS: Final = ("patient", "PatientID")
"""Columns that tell patients apart; the first that is there is used, and never written."""
UNSHARED: Final = ("StudyInstanceUID", "FrameOfReferenceUID")
"""What belongs to one patient and must stay on one side."""


def paper_split(headers: pl.DataFrame, validation_share: float = VALIDATION_SHARE) -> pl.Series:
    """Say for each row whether it trains, validates or tests.

    Args:
        headers: One row a series or stack, with `collection_id` and `patient` or `PatientID`; study and
            frame of reference are checked where they are there.
        validation_share: Share of the patients of table A1 that validate.

    Returns:
        `training`, `validation`, `test`, or null for a collection that is not the paper's.

    Raises:
        TableError: If a column is missing, a row of the paper names no patient, or anybody stands on two
            sides.

    Source: 3D-RADNet, tables A1 to A3.
    """
    rows = _rows(headers)
    inside = rows.filter(pl.col("table").is_not_null())
    nameless = inside.filter(pl.col("patient").fill_null("") == "").height
    if nameless:
        raise TableError(f"{nameless} rows of the paper's collections name no patient; fill them in")
    sides = {name: drawn_side(name, 0.0, validation_share) for name in inside["patient"].unique()}
    side = pl.col("patient").replace_strict(sides, default=None, return_dtype=pl.String)
    tests = pl.col("table") == TEST_TABLE
    placed = rows.with_columns(pl.when(tests).then(pl.lit(TEST)).otherwise(side).alias("split"))
    placed = placed.with_columns(pl.when(pl.col("table").is_not_null()).then(pl.col("split")))
    for name in ("patient", *UNSHARED):
        if name in placed.columns:
            _refuse_shared(placed, name)
    return placed["split"]


def _rows(headers: pl.DataFrame) -> pl.DataFrame:
    """Return table (null outside the paper's collections), patient, and what must not be shared."""
    patient = next((name for name in PATIENTS if name in headers.columns), None)
    if patient is None or "collection_id" not in headers.columns:
        needed = f"collection_id and {' or '.join(PATIENTS)}"
        raise TableError(f"the paper's split needs the columns {needed}; add them to the table")
    tables = {place: collection.table for place, collection in enumerate(paper_collections())}
    table = find_collections(headers["collection_id"]).replace_strict(
        tables, default=None, return_dtype=pl.String
    )
    return headers.select(
        table.alias("table"),
        pl.col(patient).cast(pl.String).str.strip_chars().alias("patient"),
        *(pl.col(name).cast(pl.String) for name in UNSHARED if name in headers.columns),
    )


def drawn_side(patient: str, test_share: float, validation_share: float) -> str:
    """Throw a die that falls alike for a patient wherever it is thrown.

    Args:
        patient: Any name or hash.
        test_share: Share of all patients who test.
        validation_share: Share of the others who validate.
    """
    drawn = int.from_bytes(hashlib.sha256(patient.encode()).digest()[:8], "big") / 2**64
    if drawn >= 1 - test_share:
        return TEST
    return VALIDATION if drawn < validation_share * (1 - test_share) else TRAINING


def _refuse_shared(placed: pl.DataFrame, name: str) -> None:
    held = placed.filter(pl.col("split").is_not_null(), pl.col(name).fill_null("") != "")
    sides = held.group_by(name).agg(pl.col("split").n_unique())["split"]
    shared = int((sides > 1).sum())
    if shared:
        raise TableError(
            f"{shared} values of {name} stand on two sides of the paper's split; leave their series out, "
            "or tell different people apart"
        )
