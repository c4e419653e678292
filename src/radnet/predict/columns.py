"""The tables of predictions: what each column holds, and where the files lie.

Words and probabilities of the network bear the label's own name, those of the header begin with `header_`.
Nothing here holds a text of the header.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from radnet.networks.spec import NetworkSpec
from radnet.tables import INTEGER, REAL, TEXT, TEXTS

FOLDER: Final = "7-predict"
TABLE_NAME: Final = "predictions.parquet"
AGREEMENT_NAME: Final = "agreement.json"
PARTS: Final = f"{FOLDER}/parts"

SINGLE: Final = pl.Float32()
CLASS_LABELS: Final = ("sequence", "view", "contrast")
"""Labels of one word."""
COMPARED: Final = (*CLASS_LABELS, "coverage", "spacing")
"""What network and header both tell, in the order of the paper's table 1."""

PROBABILITY_PREFIX: Final = "p_"
"""Of the columns of probabilities, before label and word."""

IDENTITY: Final[dict[str, pl.DataType]] = {
    "stack_id": TEXT,
    "kind": TEXT,  # dicom, nifti, or volume for one that was built before
    "path": TEXT,  # of the first slice; null for a volume
    "patient": TEXT,
    "StudyInstanceUID": TEXT,
    "SeriesInstanceUID": TEXT,
    "Modality": TEXT,  # of a NIfTI file a guess by its values
    "geometry": TEXT,
    "n_slices": INTEGER,
    "decision": TEXT,  # whether the rules would keep it for training
    "split": TEXT,  # training, validation or test, where the network's own run placed its patient
    "showable": pl.Boolean(),  # false when text may be burned into its pixels
}
"""Of every stack and NIfTI file, predicted or not."""

HEADER: Final[dict[str, pl.DataType]] = {
    "header_sequence": TEXT,
    "header_view": TEXT,
    "header_contrast": TEXT,
    "header_coverage": TEXTS,
    "header_spacing_mm": REAL,  # between slices of the volume, which is what the network says too
}
ANSWER_STATE: Final[dict[str, pl.DataType]] = {
    "reason": TEXT,  # why the network says nothing; null when it does
    "explanation": TEXT,  # the same as a sentence
}


KEY: Final[dict[str, pl.DataType]] = {
    "stack_id": TEXT,
    "inputs": TEXT,  # digest of slices, configuration and weights; null when nothing was tried
}
TOLD: Final[dict[str, pl.DataType]] = {"Modality": TEXT, "n_slices": INTEGER, "header_spacing_mm": REAL}
"""What only the reading of a NIfTI file tells."""


def answer_columns(spec: NetworkSpec) -> dict[str, pl.DataType]:
    """Return the columns of what a network says."""
    words: dict[str, pl.DataType] = dict.fromkeys(CLASS_LABELS, TEXT)
    numbers = dict.fromkeys(probability_columns(spec), SINGLE)
    embedding = {"embedding": pl.Array(SINGLE, spec.embedding)}
    return {**words, "coverage": TEXTS, "spacing_mm": SINGLE, **numbers, **embedding}


def probability_columns(spec: NetworkSpec, label: str | None = None) -> list[str]:
    """Name the columns of probabilities, of one label or of all."""
    classes = {
        "sequence": spec.sequences,
        "view": spec.views,
        "contrast": spec.contrasts,
        "coverage": spec.regions,
    }
    chosen = classes if label is None else {label: classes[label]}
    return [f"{PROBABILITY_PREFIX}{name}_{word}" for name, words in chosen.items() for word in words]


def part_columns(spec: NetworkSpec) -> dict[str, pl.DataType]:
    """Return the columns of what a worker hands back."""
    return {**KEY, **TOLD, **ANSWER_STATE, **answer_columns(spec)}


def table_columns(spec: NetworkSpec) -> dict[str, pl.DataType]:
    """Return the columns of predictions.parquet."""
    agreement = {f"{name}_agreement": TEXT for name in COMPARED}
    return {**IDENTITY, **ANSWER_STATE, **answer_columns(spec), **HEADER, **agreement, "inputs": TEXT}
