"""The drawings of the page, from its tables."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from radnet.figures.bars import shrinking_bars
from radnet.figures.coverage import coverage_scheme
from radnet.figures.drawing import Drawing
from radnet.figures.histograms import Scale, histogram
from radnet.report.artefacts import Artefacts
from radnet.report.distribution import label_counts
from radnet.report.overview import funnel_bars, funnel_steps

SPACING_SCALE: Final = Scale(step=0.5, bins=30, tick_every=4)
SLICES_SCALE: Final = Scale(step=8, bins=30, tick_every=5)
DEPTH_BINS: Final = 12
"""Bins up to the depth of a volume; full volumes fall into the one beyond."""


def drawings(artefacts: Artefacts, depth: int) -> dict[str, Drawing]:
    """Draw all figures but the montages.

    Args:
        artefacts: The tables.
        depth: Slices of a stored volume.

    Returns:
        Drawings by name, which is also the name of the PNG file.
    """
    stacks, kept = artefacts.stacks, artefacts.kept
    return {
        "funnel": shrinking_bars(funnel_bars(funnel_steps(artefacts.funnel), "stacks"), "stacks"),
        "coverage": coverage_scheme(label_counts(kept, "coverage"), len(kept)),
        "spacing-measured": histogram(
            _values(kept, "slice_spacing_mm"),
            SPACING_SCALE,
            "Slice spacing as measured",
            "mm",
            behind=_values(stacks, "slice_spacing_mm"),
        ),
        "spacing-effective": histogram(
            _values(kept, "effective_spacing_mm"), SPACING_SCALE, "Effective spacing after the resize", "mm"
        ),
        "slices-acquired": histogram(
            _values(kept, "n_slices"),
            SLICES_SCALE,
            "Slices as acquired",
            "slices",
            behind=_values(stacks, "n_slices"),
        ),
        "slices-stored": histogram(
            np.minimum(_values(kept, "n_slices"), depth),
            Scale(step=depth / DEPTH_BINS, bins=DEPTH_BINS, tick_every=2),
            "Slices in the volume, without padding",
            "slices",
        ),
    }


def _values(stacks: pl.DataFrame, column: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return stacks[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
