"""One look at each combination of labels that occurs among the kept stacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from radnet.executors import Progress, silent
from radnet.figures.montage import grey_png, orthogonal_panels
from radnet.report.distribution import NO_REGION, UNKNOWN, named
from radnet.volumes.store import VolumeStore

MAX_COMBINATIONS: Final = 60
"""Combinations with pictures, commonest first; a picture is about 40 kB of the page."""

LABEL_KEYS: Final = ("sequence", "view", "contrast", "regions")


@dataclass(frozen=True, slots=True)
class Combination:
    """A combination of labels.

    Attributes:
        words: Sequence, view, contrast and coverage as a reader writes them.
        stacks: Kept stacks that bear it.
        patients: Their patients.
        stack_ids: The stacks to show; empty when none of them has a volume that may be shown.
    """

    words: tuple[str, str, str, str]
    stacks: int
    patients: int
    stack_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Montage:
    """A picture of one volume.

    Attributes:
        name: Of its file.
        stack_id: The stack it shows.
        png: The picture.
    """

    name: str
    stack_id: str
    png: bytes


@dataclass(frozen=True, slots=True)
class Card:
    """A combination of labels with its pictures; none when there is nothing to show."""

    combination: Combination
    montages: tuple[Montage, ...] = ()


def combinations(kept: pl.DataFrame, built: pl.Series, examples: int) -> tuple[Combination, ...]:
    """Count the combinations and choose the stacks to show, the same ones in every run.

    Args:
        kept: Labels of the kept stacks, with BurnedInAnnotation.
        built: Stacks that have a volume.
        examples: Stacks to show of each combination, of different patients where there are.

    Returns:
        The commonest combination first.
    """
    # text in the pixels may be the patient's name
    clean = pl.col("BurnedInAnnotation").fill_null("NO").str.to_uppercase() != "YES"
    listed = pl.when(pl.col("coverage").list.len() > 0).then(pl.col("coverage").list.join(";"))
    regions = (
        pl.when(pl.col("coverage").is_null()).then(pl.lit(UNKNOWN)).otherwise(listed.fill_null(NO_REGION))
    )
    stacks = kept.with_columns(
        pl.col("sequence", "view", "contrast").fill_null(UNKNOWN),
        regions.alias("regions"),
        (clean & pl.col("stack_id").is_in(built.implode())).alias("showable"),
    )
    turn = pl.col("stack_id").rank("ordinal").over("patient", "showable", *LABEL_KEYS)
    table = (
        stacks.with_columns(turn.alias("turn"))
        .sort("turn", "stack_id")
        .group_by(LABEL_KEYS, maintain_order=True)
        .agg(
            pl.len().alias("stacks"),
            pl.col("patient").drop_nulls().n_unique().alias("patients"),
            pl.col("stack_id").filter("showable").head(examples),
        )
        .sort("stacks", *LABEL_KEYS, descending=[True, False, False, False, False])
    )
    return tuple(_combination(row) for row in table.iter_rows(named=True))


def _combination(row: dict[str, Any]) -> Combination:
    sequence, view, contrast, regions = (row[key] for key in LABEL_KEYS)
    return Combination(
        (
            named(sequence),
            named(view),
            "Contrast unknown" if contrast == UNKNOWN else named(contrast),
            "Coverage unknown" if regions == UNKNOWN else named(regions),
        ),
        row["stacks"],
        row["patients"],
        tuple(row["stack_id"]),
    )


def draw_cards(
    found: Sequence[Combination], store: VolumeStore | None, progress: Progress = silent
) -> tuple[Card, ...]:
    """Draw the montages of combinations.

    Args:
        found: The combinations.
        store: Their volumes; None when none were built, which gives cards without pictures.
        progress: Called with cards drawn.

    Raises:
        WorkspaceError: If a volume cannot be read.
        GeometryError: If its affine is no affine.
    """
    if store is None:
        return tuple(Card(combination) for combination in found)
    shown = pl.Series([name for combination in found for name in combination.stack_ids], dtype=pl.String)
    index = store.index.filter(pl.col("stack_id").is_in(shown.implode()))
    rows = {row["stack_id"]: row for row in index.iter_rows(named=True)}
    cards = []
    for number, combination in enumerate(found, start=1):
        montages = tuple(
            Montage(f"montage-{number:03d}-{place}.png", name, _picture(store, rows[name]))
            for place, name in enumerate(combination.stack_ids, start=1)
        )
        cards.append(Card(combination, montages))
        progress(number, len(found))
    return tuple(cards)


def _picture(store: VolumeStore, row: dict[str, Any]) -> bytes:
    """Draw the mid-slices of a stored volume without its padding."""
    volume = store.read(row["stack_id"])
    first, last = row["pad_before"] or 0, volume.shape[0] - (row["pad_after"] or 0)
    affine = np.array(row["affine"], float).reshape(4, 4)
    return grey_png(orthogonal_panels(volume[first:last], affine))
