"""How the labels of the kept stacks are spread, beside those of the paper.

Source: 3D-RADNet, table A3. Its test column gives 216 stacks with and 100 without contrast, the reverse of
table 1, which its own recall and precision bear out; the figures stand here as A3 prints them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import polars as pl

from radnet.terms import CONTRASTS, PAPER_SEQUENCES, REGIONS, SEQUENCES, VIEWS

PAPER_TOTALS: Final = (12_000, 3_305, 316)
"""Training, validation and test stacks of the paper."""

PaperCounts = tuple[int, int, int]

PAPER_A3: Final[dict[str, dict[str, PaperCounts]]] = {
    "sequence": {
        "ct": (5_149, 1_556, 117),
        "t1_se": (2_187, 652, 51),
        "t2_se": (3_477, 1_017, 101),
        "t1_flair": (463, 207, 27),
        "t2_flair": (724, 273, 20),
    },
    "view": {"axial": (8_424, 2_202, 267), "coronal": (1_298, 426, 32), "sagittal": (2_278, 677, 17)},
    "contrast": {"yes": (8_619, 2_407, 216), "no": (3_381, 898, 100)},
    "coverage": {
        "brain": (4_966, 1_677, 200),
        "upper_head_neck": (1_070, 266, 42),
        "lower_head_neck": (953, 191, 38),
        "lung": (1_002, 271, 64),
        "breast": (1_011, 303, 82),
        "liver": (2_818, 693, 52),
        "kidney": (3_544, 846, 52),
        "intestine": (2_179, 504, 46),
        "pelvis": (3_901, 845, 55),
    },
}

TITLES: Final = {
    "sequence": "Modality and sequence",
    "view": "View",
    "contrast": "Contrast",
    "coverage": "Scan coverage",
}

NAMES: Final[dict[str, str]] = {
    "ct": "CT",
    "t1_se": "T1 SE",
    "t2_se": "T2 SE",
    "t1_flair": "T1 FLAIR",
    "t2_flair": "T2 FLAIR",
    "pd": "PD",
    "gre_t1": "T1 gradient echo",
    "gre_t2star": "T2* gradient echo",
    "stir": "STIR",
    "dwi": "DWI",
    "adc": "ADC",
    "mra": "MRA",
    "fmri": "fMRI",
    "yes": "With contrast",
    "no": "Without contrast",
    "upper_head_neck": "Upper head-neck",
    "lower_head_neck": "Lower head-neck",
    "none": "None of the nine",
    "unknown": "Unknown",
}
"""Label words whose written form is not just the word with a capital."""

NO_REGION: Final = "none"
UNKNOWN: Final = "unknown"

LINES: Final[dict[str, tuple[str, ...]]] = {
    "sequence": (*PAPER_SEQUENCES, *(word for word in SEQUENCES if word not in PAPER_SEQUENCES), UNKNOWN),
    "view": (*VIEWS, UNKNOWN),
    "contrast": (*CONTRASTS[::-1], UNKNOWN),
    "coverage": (*REGIONS, NO_REGION, UNKNOWN),
}
"""Label words in the order of table A3."""


@dataclass(frozen=True, slots=True)
class Row:
    """One label word.

    Attributes:
        word: The word of `radnet.terms`, `none` or `unknown`.
        name: As a reader writes it.
        count: Kept stacks that bear it.
        share: Of the kept stacks; 0 when none is kept.
        paper: The paper's training, validation and test counts, where it has that row.
    """

    word: str
    name: str
    count: int
    share: float
    paper: PaperCounts | None


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of one label."""

    label: str
    title: str
    rows: tuple[Row, ...]


def named(words: str) -> str:
    """Return a label word, or several regions between semicolons, as a reader writes them."""
    return ", ".join(NAMES.get(word, word.capitalize()) for word in words.split(";"))


def distribution(kept: pl.DataFrame) -> tuple[Block, ...]:
    """Count the labels of the kept stacks, in the order of table A3.

    Args:
        kept: Rows of labels.parquet.

    Returns:
        A block a label. The paper's rows are always there; other words and `unknown` where they
        occur. A stack counts once for each region that it covers.
    """
    return tuple(
        Block(label, title, _rows(label, label_counts(kept, label), len(kept)))
        for label, title in TITLES.items()
    )


def label_counts(stacks: pl.DataFrame, label: str) -> Counter[str]:
    """Count the stacks by label word; null counts as `unknown`, an empty coverage as `none`."""
    value = pl.col(label)
    if label == "coverage":
        none, unknown = (pl.lit([word], pl.List(pl.String)) for word in (NO_REGION, UNKNOWN))
        regions = pl.when(value.is_null()).then(unknown).when(value.list.len() == 0).then(none)
        value = regions.otherwise(value).list.explode()
    return Counter(stacks.select(value.fill_null(UNKNOWN)).to_series().to_list())


def _rows(label: str, counts: Counter[str], total: int) -> tuple[Row, ...]:
    paper = PAPER_A3[label]
    return tuple(
        Row(word, named(word), counts[word], counts[word] / total if total else 0.0, paper.get(word))
        for word in LINES[label]
        if word in paper or counts[word]
    )
