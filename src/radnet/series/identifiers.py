"""Identifiers of stacks and of acquisitions, from what they are and never from where their files lie."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import polars as pl

ID_DIGITS: Final = 16
"""Hex digits of an identifier."""


def stack_id() -> pl.Expr:
    """Hash study, series and split key; stacks alike in all (wiped identifiers) are numbered by path."""
    what = ("StudyInstanceUID", "SeriesInstanceUID", "split_key")
    number = pl.col("path").rank("ordinal").over(what)
    repeated = pl.when(number > 1).then(pl.format("#{}", number)).otherwise(pl.lit(""))
    return _hashed([*map(pl.col, what[:-1]), pl.col("split_key") + repeated]).alias("stack_id")


def acquisition_group() -> pl.Expr:
    """Give all reconstructions of one acquisition (kernels, energies, phases, echoes) one key.

    They share the frame of reference and, in CT, the acquisition's number; in MR, where that number is often
    1 for every series, the time at which it began. Without these a series stands alone.
    """
    is_ct = pl.col("Modality") == "CT"
    moment = pl.when(is_ct).then(pl.col("AcquisitionNumber").cast(pl.String)).otherwise("AcquisitionTime")
    known = (pl.col("FrameOfReferenceUID") != "") & (moment != "")
    own = pl.when(pl.col("SeriesInstanceUID") != "").then("SeriesInstanceUID").otherwise("stack_id")
    key = pl.when(known).then(pl.col("FrameOfReferenceUID") + "|" + moment).otherwise(own)
    return _hashed([pl.col("StudyInstanceUID"), pl.col("Modality"), key]).alias("acquisition_group")


def _hashed(parts: Sequence[pl.Expr]) -> pl.Expr:
    text = pl.concat_str([part.fill_null("") for part in parts], separator="|")
    return text.map_elements(
        lambda key: hashlib.sha256(key.encode()).hexdigest()[:ID_DIGITS], return_dtype=pl.String
    )
