"""Free texts of headers, and the only way by which they reach the page.

A text is shown when at least so many patients share it, as the configuration says (never fewer than three);
stacks without a PatientID count as no patient. Even then a text that looks like a date or an identifier stays
out: whole archives can share the date of their export.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from radnet.report.distribution import TITLES
from radnet.terms import LABELS

ATTRIBUTES: Final = ("SeriesDescription", "ProtocolName")
SHOWN: Final = 8
"""Texts for each label and attribute, commonest first."""
IDENTIFYING: Final = r"\d{6,}|\d{1,4}[-./]\d{1,2}[-./]\d{1,4}"
"""Runs of digits and dotted groups as in dates, times and identifiers."""


@dataclass(frozen=True, slots=True)
class SharedText:
    """A text that may be shown.

    Attributes:
        title: Of the label that the texts leave open.
        attribute: DICOM keyword.
        text: With runs of blanks made one.
        stacks: Stacks that bear it, of those whose label is open.
        patients: Patients of these stacks.
    """

    title: str
    attribute: str
    text: str
    stacks: int
    patients: int


def shared_texts(stacks: pl.DataFrame, attribute: str, min_patients: int) -> pl.DataFrame:
    """Return the texts of an attribute that enough patients share.

    Args:
        stacks: With the columns `patient` (null counts as nobody) and the attribute.
        attribute: DICOM keyword.
        min_patients: Fewest different patients.

    Returns:
        Columns text, stacks, patients; commonest first.
    """
    tidy = pl.col(attribute).str.replace_all(r"[\s\p{C}]+", " ").str.strip_chars().alias("text")
    return (
        stacks.group_by(tidy)
        .agg(
            pl.len().alias("stacks"),
            pl.col("patient").drop_nulls().n_unique().alias("patients"),
        )
        .filter(
            pl.col("patients") >= min_patients,
            pl.col("text").str.len_chars() > 0,
            ~pl.col("text").str.contains(IDENTIFYING),
        )
        .sort("stacks", "text", descending=[True, False])
    )


def open_texts(stacks: pl.DataFrame, min_patients: int) -> tuple[SharedText, ...]:
    """Return the commonest texts of the stacks whose label is unknown or in conflict.

    Args:
        stacks: Labels with the texts joined.
        min_patients: Fewest different patients who must share a text.
    """
    return tuple(
        SharedText(TITLES[label], attribute, row["text"], row["stacks"], row["patients"])
        for label in LABELS
        for attribute in ATTRIBUTES
        for row in shared_texts(
            stacks.filter(pl.col(f"{label}_status") != "decided"), attribute, min_patients
        )
        .head(SHOWN)
        .iter_rows(named=True)
    )
