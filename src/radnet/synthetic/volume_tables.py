"""The tables that make a folder of drawn volumes a workspace, as stages leave it: `radnet pretrain` reads it.

Volumes of one body are of one patient, wherever they are drawn, so that no split and no second folder can put
a body on two sides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

import polars as pl

from radnet.tables import LABEL_COLUMNS, STACK_COLUMNS, conform, write_table
from radnet.terms import LABELS

LABELS_PATH: Final = Path("3-labels/labels.parquet")
SERIES_PATH: Final = Path("2-series/series.parquet")
DECIDED: Final = "decided"
UNKNOWN: Final = "unknown"
AGENT_SHOWN: Final = ("ct", "t1_se", "t1_flair", "gre_t1", "dynamic")
"""Sequences in which an agent makes pictures brighter; in others none tells, so that the label is unknown and
training masks it."""


def patient_of(body_seed: int) -> str:
    """Return the patient that a body is, 16 hex digits as of a keyed hash."""
    return blake2b(f"synthetic body {body_seed}".encode(), digest_size=8).hexdigest()


def write_workspace_tables(
    out: Path, rows: Sequence[Mapping[str, Any]], body_seeds: Sequence[int], collection: str
) -> None:
    """Write 2-series and 3-labels of drawn volumes.

    Args:
        out: The workspace.
        rows: Labels with `stack_id` and `body`, a number of a body.
        body_seeds: Seed of each body.
        collection: Name of the collection that the volumes are of.
    """
    decided = {f"{label}_status": DECIDED for label in LABELS}
    stacks = pl.DataFrame(
        [
            {
                **decided,
                **row,
                **_shown_contrast(row),
                "patient": patient_of(body_seeds[row["body"]]),
                "acquisition_group": row["stack_id"],
                "source": collection,
                "decision": "keep",
            }
            for row in rows
        ],
        infer_schema_length=None,
    )
    for path, columns in ((LABELS_PATH, LABEL_COLUMNS), (SERIES_PATH, STACK_COLUMNS)):
        (out / path).parent.mkdir(exist_ok=True)
        write_table(conform(stacks, columns), out / path)


def _shown_contrast(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the contrast label as far as pictures can tell it."""
    if row["sequence"] in AGENT_SHOWN:
        return {}
    return {"contrast": None, "contrast_status": UNKNOWN}
