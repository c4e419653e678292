"""Why a stack is left out: every reason that applies, in the funnel's order.

Only the labels that the network cannot do without exclude: unknown contrast or coverage is kept and masked.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import polars as pl

from radnet.config import LabelsConfig
from radnet.geometry import effective_spacing
from radnet.labels.decisions import DECISION, EXCLUDE, KEEP, Decisions
from radnet.tables import INTEGER, REALS, TEXTS
from radnet.terms import EXCLUSION_STEPS, GEOMETRIES

REFORMAT: Final = "reformat"
PIXELS: Final[dict[str, pl.DataType]] = {"SamplesPerPixel": INTEGER, "PixelSpacing": REALS}
"""What pixels are like; tables of headers alone need not say it."""
UNBUILDABLE: Final = frozenset({*GEOMETRIES, "colour", "no_pixel_size"})
"""Reasons of stacks that make no volume of grey levels, whatever a person decides."""


def add_exclusions(
    stacks: pl.DataFrame, config: LabelsConfig, decisions: Decisions, target_slices: int
) -> pl.DataFrame:
    """Add `effective_spacing_mm`, `decision`, `reason` and `reasons`.

    Args:
        stacks: Stacks with their labels.
        config: What is kept.
        decisions: A person's `exclude` always holds; `keep` lifts every reason but those of which no volume
            can be made.
        target_slices: Slices of a volume, for the effective spacing.

    Source: 3D-RADNet sections 2.1 and 3.
    """
    ruled = {row: value == EXCLUDE for row, value in decisions.find(DECISION, stacks).items()}
    unseen = [pl.lit(None, kind).alias(name) for name, kind in PIXELS.items() if name not in stacks.columns]
    judged = stacks.with_columns(
        *unseen,
        _effective_spacing(target_slices),
        pl.Series("excluded_by_person", [ruled.get(row) for row in range(stacks.height)], dtype=pl.Boolean),
    )
    lifted = pl.col("excluded_by_person").not_().fill_null(False)
    listed = [
        pl.when(holds.fill_null(False) & (~lifted | (step in UNBUILDABLE))).then(pl.lit(step))
        for step, holds in _tests(config).items()
    ]
    reasons = pl.concat_list(listed).list.drop_nulls().cast(TEXTS)
    free = pl.col("reasons").list.len() == 0
    return judged.with_columns(reasons.alias("reasons")).with_columns(
        pl.col("reasons").list.first().alias("reason"),
        pl.when(free).then(pl.lit(KEEP)).otherwise(pl.lit(EXCLUDE)).alias(DECISION),
    )


def _tests(config: LabelsConfig) -> dict[str, pl.Expr]:
    """Return, in the funnel's order, what must hold for a stack to leave at each step."""
    refused = [verdict for verdict in GEOMETRIES if verdict not in config.keep_geometries]
    sequence, view = pl.col("sequence"), pl.col("view")
    no_view = view.is_null()
    oblique = no_view & (pl.col("view_status") == "decided")
    other_sequence = ~sequence.is_in(list(config.keep_sequences))
    tests = {
        **{verdict: pl.col("geometry") == verdict for verdict in refused},
        "colour": pl.col("SamplesPerPixel") > 1,
        "no_pixel_size": pl.col("PixelSpacing").list.min() <= 0,
        "oblique": oblique,
        "too_few_slices": pl.col("n_slices") < config.min_slices,
        "no_description": _blank("SeriesDescription") & config.require_description,
        "excluded_sequence": other_sequence | ((pl.col("form") == REFORMAT) & (not config.keep_reformats)),
        "unknown_sequence": sequence.is_null(),
        "unknown_view": no_view & ~oblique,
        "spacing_above_15mm": pl.col("effective_spacing_mm") > config.max_effective_spacing_mm,
        "excluded_by_person": pl.col("excluded_by_person"),
    }
    return {step: tests[step] for step in EXCLUSION_STEPS if step in tests}


def _blank(name: str) -> pl.Expr:
    return pl.col(name).fill_null("").str.strip_chars() == ""


def _effective_spacing(target: int) -> pl.Expr:
    spaced = partial(effective_spacing, target=target)
    return (
        pl.struct("n_slices", "slice_spacing_mm")
        .map_elements(
            lambda row: (
                None
                if row["n_slices"] is None or row["slice_spacing_mm"] is None
                else spaced(row["n_slices"], row["slice_spacing_mm"])
            ),
            return_dtype=pl.Float64,
        )
        .alias("effective_spacing_mm")
    )
