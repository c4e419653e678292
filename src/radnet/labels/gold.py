"""Header tables with labels that people read from the texts: what rules are measured by.

`unknown` in such a table says that the text does not tell: then any answer but unknown is wrong. A second
reading, in `sequence_strict` and `coverage_lenient`, counts as right too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from radnet.config import RadnetConfig
from radnet.errors import TableError
from radnet.labels.engine import Labelled, Labeller
from radnet.labels.headers import read_headers, typed_headers
from radnet.labels.parse import VALUES, nearest
from radnet.labels.rules import NO_REGION

OTHER_NAMES: Final = {
    "kind": "sequence",
    "kind_strict": "sequence_strict",
    "kind_ok": "sequence_ok",
    "plane": "view",
    "plane_ok": "view_ok",
}
"""Names that such tables use beside ours."""
TRUTHS: Final = ("sequence", "view", "contrast", "coverage")
SECOND_READINGS: Final = {"sequence_strict": "sequence", "coverage_lenient": "coverage"}
UNKNOWN: Final = "unknown"
UNTOLD: Final = ("", UNKNOWN, NO_REGION, "null")
"""What says nothing, in a truth as in an answer."""
PARTIAL: Final = "partial"
FAULTS_SHOWN: Final = 20
FIRST_LINE: Final = 2
"""Of the rows of a file with a header line."""
LEFT_OUT: Final = ("icdc_glioma",)
"""Dogs: the regions of the human body do not hold."""


@dataclass(frozen=True, slots=True)
class GoldSet:
    """A header table with its truths.

    Attributes:
        headers: What rules read.
        truths: `sequence`, `view`, `contrast`, `coverage` and the second readings, as text; `<truth>_ok` is
            False where a cell is not to be used.
        rows: Line of each row in the file, the header line being 1.
    """

    headers: pl.DataFrame
    truths: pl.DataFrame
    rows: pl.Series

    def collections(self) -> list[str]:
        """Return the collection of each row; empty where none is named."""
        if "collection_id" not in self.headers.columns:
            return [""] * self.headers.height
        return self.headers["collection_id"].fill_null("").to_list()

    def only(self, rows: list[int]) -> GoldSet:
        """Return some of the rows."""
        return GoldSet(self.headers[rows], self.truths[rows], self.rows[rows])


def read_gold(path: Path | str) -> GoldSet:
    """Read a CSV table of headers with truths.

    Args:
        path: Columns are DICOM keywords beside `sequence` or `kind`, `view` or `plane`, `contrast` and
            `coverage` (regions joined by `;`, `partial` or `none` for none of the nine).

    Raises:
        TableError: If it cannot be read, lacks a truth, names a word that no label has, or holds no header or
            no row.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv":
        raise TableError(f"{path}: a table with truths must end in .csv")
    frame = _renamed(path, read_headers(path)).with_row_index("row", offset=FIRST_LINE)
    if "collection_id" in frame.columns:
        frame = frame.filter(~pl.col("collection_id").is_in(LEFT_OUT).fill_null(False))
    if frame.is_empty():
        raise TableError(f"{path}: holds no row; a table with truths needs at least one")
    _refuse_strangers(path, frame)
    truths = frame.select(*map(pl.col, TRUTHS), *_second_readings(frame), *_usable(frame))
    return GoldSet(typed_headers(frame.drop(*TRUTHS, "row")), truths, frame["row"])


def _renamed(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    names = {old: new for old, new in OTHER_NAMES.items() if old in frame.columns}
    doubled = sorted({*names.values()} & {*frame.columns})
    if doubled:
        raise TableError(f"{path}: the column {doubled[0]} stands there under two names; keep one")
    frame = frame.rename(names)
    missing = [name for name in TRUTHS if name not in frame.columns]
    if missing:
        raise TableError(f"{path}: lacks the truths {', '.join(missing)}; all of {', '.join(TRUTHS)} must be")
    return frame.with_columns(pl.col(TRUTHS).fill_null(""))


def _refuse_strangers(path: Path, frame: pl.DataFrame) -> None:
    """Refuse truths that are no words of a label: they would count as the rules' mistakes."""
    faults = []
    for name in TRUTHS:
        for row, text in frame.select("row", name).iter_rows():
            given = regions(text) if name == "coverage" else {text.strip().lower()} - {*UNTOLD}
            faults += [
                f"line {row}: unknown value '{word}' of {name}; {nearest(word, VALUES[name])}"
                for word in sorted(given - {*VALUES[name]})
            ]
    if faults:
        more = f"; and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        raise TableError(f"{path}: " + "; ".join(faults[:FAULTS_SHOWN]) + more)


def _second_readings(frame: pl.DataFrame) -> list[pl.Expr]:
    return [
        pl.col(name if name in frame.columns else first).fill_null("").alias(name)
        for name, first in SECOND_READINGS.items()
    ]


def _usable(frame: pl.DataFrame) -> list[pl.Expr]:
    """Return whether the cells of each truth may be used; the second reading of coverage has its own say."""
    flags = {name: (f"{name}_ok",) for name in TRUTHS} | {"coverage": ("coverage_lenient_ok", "coverage_ok")}
    told = {
        name: next((flag for flag in given if flag in frame.columns), None) for name, given in flags.items()
    }
    return [
        (pl.lit(True) if flag is None else pl.col(flag).fill_null("") == "True").alias(f"{name}_ok")
        for name, flag in told.items()
    ]


def label_gold(gold: GoldSet, config: RadnetConfig, labeller: Labeller | None = None) -> Labelled:
    """Label the headers of a gold set; people's decisions are left out, since rules are measured."""
    rules_alone = config.labels.model_copy(update={"decisions": None})
    return (labeller or Labeller(rules_alone)).label(gold.headers)


def regions(text: str) -> frozenset[str]:
    """Return the regions of a coverage cell; none for `partial`, `none` and `unknown`."""
    words = text.replace(",", ";").strip("[]").replace("'", "").replace('"', "").split(";")
    return frozenset(word.strip() for word in words) - {"", PARTIAL, UNKNOWN, NO_REGION}


def answers(labelled: Labelled) -> dict[str, list[Any]]:
    """Return labels as a table of labels writes them: text, empty when unknown, regions joined by `;`."""
    labels = labelled.labels
    texts = {label: labels[label].fill_null("").to_list() for label in ("sequence", "view", "contrast")}
    covered = [
        "" if regions is None else ";".join(regions) or NO_REGION for regions in labels["coverage"].to_list()
    ]
    return {**texts, "coverage": covered}
