"""Count what leaves at each step, from the files that were found to the stacks that are kept.

A stack leaves at the first of its reasons. A file, a series and a patient leave with their last stack, so
that every count goes down step by step from `input` to `kept` and adds up.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from radnet.terms import EXCLUSION_STEPS

INPUT: Final = "input"
KEPT: Final = "kept"
SERIES_KEY: Final = ("StudyInstanceUID", "SeriesInstanceUID")
COUNTED: Final = ("files", "stacks", "series", "patients")
_STEP: Final = pl.Enum((*EXCLUSION_STEPS, KEPT))


def count_funnel(labels: pl.DataFrame, slices: pl.DataFrame, skipped: pl.DataFrame) -> pl.DataFrame:
    """Count files, stacks, series and patients at each step.

    Args:
        labels: One row a stack, with `reason` (null when kept), SERIES_KEY and `patient`.
        slices: Which file holds which stack: `stack_id`, `path`.
        skipped: Files that gave no stack: `path` and the `step` that counts them.

    Returns:
        One row a step in order, `input` first and `kept` last: what it removes, and what remains after it.
        Stacks without a patient count as one patient together.
    """
    stacks = labels.select(
        "stack_id", *SERIES_KEY, "patient", pl.col("reason").fill_null(KEPT).cast(_STEP).alias("step")
    )
    held = slices.select("stack_id", "path").unique().join(stacks, on="stack_id").select("path", "step")
    lost = skipped.select("path", pl.col("step").cast(_STEP)).join(held, on="path", how="anti")
    leaving = {
        "files": _last(pl.concat([held, lost]), "path"),
        "stacks": stacks["step"],
        "series": _last(stacks, *SERIES_KEY),
        "patients": _last(stacks, "patient"),
    }
    columns: dict[str, list[str] | list[int]] = {"step": [INPUT, *EXCLUSION_STEPS, KEPT]}
    remaining: dict[str, list[int]] = {}
    for name in COUNTED:
        counts = dict(leaving[name].cast(pl.String).value_counts().iter_rows())
        removed = [0, *(counts.get(step, 0) for step in EXCLUSION_STEPS), 0]
        columns[f"removed_{name}"] = removed
        total = leaving[name].len()
        remaining[f"remaining_{name}"] = [total - sum(removed[: index + 1]) for index in range(len(removed))]
    return pl.DataFrame({**columns, **remaining})


def _last(frame: pl.DataFrame, *key: str) -> pl.Series:
    """Return the step at which each file, series or patient leaves: that of its last stack."""
    return frame.group_by(key).agg(pl.col("step").max())["step"]
