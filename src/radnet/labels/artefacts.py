"""Names of the tables that labelling reads and writes, for whoever reads them without running the stage."""

from __future__ import annotations

from typing import Final

import polars as pl

FOLDER: Final = "3-labels"
STACKS: Final = "2-series/series.parquet"
SLICES: Final = "2-series/slices.parquet"
SKIPPED: Final = "1-scan/skipped.parquet"
LABELS_NAME: Final = "labels.parquet"
VOTES_NAME: Final = "votes.parquet"
FUNNEL_NAME: Final = "funnel.csv"


def as_evidence(stacks: pl.DataFrame) -> pl.DataFrame:
    """Give stacks the columns that rules read in tables of series."""
    return stacks.with_columns(pl.col("n_instances").alias("instanceCount"))
