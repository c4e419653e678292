"""What came in, what left at which step, and what could not be read at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from radnet.report.artefacts import FUNNEL_UNITS, Artefacts

INPUT_STEP: Final = "input"
KEPT_STEP: Final = "kept"

MEANINGS: Final[dict[str, str]] = {
    INPUT_STEP: "everything found in the sources",
    "unreadable": "no DICOM image, or a damaged one",
    "unsupported_object": "no CT or MR image: reports, masks, secondary captures, waveforms",
    "duplicate_instance": "another copy of an image that was read already",
    "no_position": "images without a position in space",
    "single_position": "all images at one position: no volume",
    "missing_slice": "a gap in the stack",
    "duplicate_position": "some positions hold several images",
    "variable_spacing": "the distance between slices changes",
    "sheared": "slices shifted against each other, as by gantry tilt",
    "mixed_orientation": "several orientations in one stack, as in localizers",
    "colour": "images in colour, not in grey levels",
    "no_pixel_size": "pixels without a size in millimetres",
    "oblique": "no axial, coronal or sagittal plane",
    "too_few_slices": "fewer slices than asked for",
    "no_description": "no series description",
    "excluded_sequence": "a sequence that is not among those to keep",
    "time_series": "the same positions several times: dynamic, perfusion, functional",
    "unknown_sequence": "no rule could tell the sequence, or rules disagree",
    "unknown_view": "no rule could tell the view, or rules disagree",
    "spacing_above_15mm": "slices too far apart after the resize",
    "excluded_by_person": "left out by a person's decision",
    KEPT_STEP: "what training gets",
}
"""What each step of the funnel means, for the reader."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A headline number.

    Attributes:
        count: The number.
        words: What is counted.
        note: One more fact about it.
    """

    count: int
    words: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the funnel.

    Attributes:
        name: The code with spaces.
        meaning: For the reader; empty for a step that is not known here.
        removed: Files, stacks, series, patients that leave.
        remaining: Files, stacks, series, patients that stay.
    """

    name: str
    meaning: str
    removed: tuple[int, ...]
    remaining: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Files or stacks that failed for one reason, with the class of the error."""

    reason: str
    error: str
    count: int


def spaced(code: str) -> str:
    """Return a code word as a reader writes it."""
    return code.replace("_", " ")


def headline(artefacts: Artefacts) -> tuple[Tile, ...]:
    """Count what the archive holds and what is kept of it, as the funnel counts."""
    steps = funnel_steps(artefacts.funnel)
    files, stacks, series, patients = steps[0].remaining
    _, kept_stacks, kept_series, kept_patients = steps[-1].remaining
    studies = artefacts.stacks["StudyInstanceUID"].drop_nulls().n_unique()
    return (
        Tile(files, "files", f"{artefacts.n_images:,} images read"),
        Tile(patients, "patients", f"{studies:,} studies"),
        Tile(series, "series", f"{stacks:,} stacks"),
        Tile(
            kept_stacks, "stacks kept", f"{kept_stacks / stacks:.1%} of all stacks" if stacks else "no stacks"
        ),
        Tile(kept_patients, "patients kept", f"{kept_series:,} series"),
        _volumes_tile(artefacts),
    )


def _volumes_tile(artefacts: Artefacts) -> Tile:
    if artefacts.volumes is None:
        return Tile(0, "volumes built", "not built yet")
    built = artefacts.kept.join(artefacts.volumes, on="stack_id", how="semi")
    return Tile(len(built), "volumes built", f"of {len(artefacts.kept):,} stacks kept")


def funnel_steps(funnel: pl.DataFrame) -> tuple[Step, ...]:
    """Return the rows of the funnel, in order; an empty one when the file holds none."""
    steps = tuple(
        Step(
            spaced(row["step"]),
            MEANINGS.get(row["step"], ""),
            tuple(row[f"removed_{unit}"] for unit in FUNNEL_UNITS),
            tuple(row[f"remaining_{unit}"] for unit in FUNNEL_UNITS),
        )
        for row in funnel.iter_rows(named=True)
    )
    nothing = (0,) * len(FUNNEL_UNITS)
    return steps or (Step(INPUT_STEP, MEANINGS[INPUT_STEP], nothing, nothing),)


def funnel_bars(steps: tuple[Step, ...], unit: str) -> list[tuple[str, int, int]]:
    """Return name, removed and remaining of the first step and of those that removed something."""
    place = FUNNEL_UNITS.index(unit)
    return [
        (step.name, step.removed[place], step.remaining[place])
        for index, step in enumerate(steps)
        if index == 0 or step.removed[place]
    ]


def refused(table: pl.DataFrame) -> tuple[Refused, ...]:
    """Count the rows of a table of failures by reason and class of error, commonest first."""
    counts = table.group_by("reason", "error").len("count")
    counts = counts.sort("count", "reason", "error", descending=[True, False, False])
    return tuple(
        Refused(spaced(row["reason"] or "unknown"), row["error"] or "", row["count"])
        for row in counts.iter_rows(named=True)
    )
