"""Tables A1, A2 and A3 of the paper for any archive of which there are header labels.

A header table has no positions: what is `kept` here has passed every test that a header allows, and geometry,
repeated positions and spacing are left unjudged. Series are counted, not stacks.

Source: 3D-RADNet, tables A1 to A3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl

from radnet.labels.collections import Collection, find_collections, paper_collections
from radnet.labels.decisions import KEEP, PERSON
from radnet.labels.rules import Rulebook
from radnet.labels.splits import SPLITS
from radnet.labels.vote import CONFLICT, DECIDED, UNKNOWN
from radnet.report.distribution import LINES, PAPER_TOTALS, TITLES, Block, PaperCounts, distribution, named
from radnet.terms import LABELS

SURE: Final = 0.9
"""Lower limit of a rule's confidence from which the card calls its labels sure."""


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """One collection, as in table A1 or A2.

    Attributes:
        name: Of the collection.
        table: A1, A2, or empty for one that is not the paper's.
        modality: What the archive holds of it; what the paper says where the archive holds none.
        location: By the paper; empty for others.
        series: CT and MR series in the archive.
        patients: Their patients; None when the table names none.
        kept: Series that pass every test that a header allows.
        paper_patients: By the paper.
    """

    name: str
    table: str
    modality: str
    location: str
    series: int
    patients: int | None
    kept: int
    paper_patients: int | None


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One line of table A3.

    Attributes:
        title: Of the label.
        name: Of the word, as a reader writes it.
        counts: Kept series by part: training, validation and test, or all.
        paper: The paper's training, validation and test stacks, where it has that line.
    """

    title: str
    name: str
    counts: tuple[int, ...]
    paper: PaperCounts | None


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one label of all series.

    Attributes:
        title: Of the label.
        decided: Series that have a value.
        conflict: Series whose evidence disagrees.
        unknown: Series of which nothing tells.
        sure: Decided series whose rule was right on labelled headers at least as often as `SURE` says.
        tiers: Series decided by each kind of evidence, strongest first.
    """

    title: str
    decided: int
    conflict: int
    unknown: int
    sure: int
    tiers: Mapping[str, int]


def collection_rows(series: pl.DataFrame, whole_paper: bool) -> tuple[CollectionRow, ...]:
    """Count series and patients by collection: those of the paper first, in the order of its tables.

    Args:
        series: `decision`, and `Modality`, `collection_id` and `PatientID` where they are known.
        whole_paper: Whether the paper's collections of which the archive holds nothing are listed too.
    """
    missing = [name for name in ("collection_id", "PatientID", "Modality") if name not in series.columns]
    series = series.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
    placed = series.with_columns(find_collections(series["collection_id"]).alias("place"))
    other = pl.when(pl.col("place").is_null()).then(pl.col("collection_id").fill_null(""))
    counted = placed.group_by("place", other.alias("name")).agg(
        pl.col("Modality").drop_nulls().unique().sort().str.join(", ").alias("modality"),
        pl.len().alias("series"),
        pl.col("PatientID").drop_nulls().n_unique().alias("patients"),
        (pl.col("decision") == KEEP).sum().alias("kept"),
    )
    rows = list(counted.sort("place", "name", nulls_last=True).iter_rows(named=True))
    held = {row["place"] for row in rows}
    known = [_known(row) for row in rows if row["place"] is not None]
    absent = enumerate(paper_collections()) if whole_paper else ()
    known += [(place, _absent(collection)) for place, collection in absent if place not in held]
    others = [_counted(row, row["name"] or "(not named)") for row in rows if row["place"] is None]
    return (*(row for _, row in sorted(known, key=lambda pair: pair[0])), *others)


def _known(row: Mapping[str, Any]) -> tuple[int, CollectionRow]:
    collection = paper_collections()[row["place"]]
    counted = _counted(row, collection.name)
    told = replace(
        counted, table=collection.table, location=collection.location, paper_patients=collection.patients
    )
    return row["place"], told


def _counted(row: Mapping[str, Any], name: str) -> CollectionRow:
    return CollectionRow(
        name, "", row["modality"], "", row["series"], row["patients"] or None, row["kept"], None
    )


def _absent(collection: Collection) -> CollectionRow:
    modality = ", ".join(collection.modality)
    return CollectionRow(
        collection.name, collection.table, modality, collection.location, 0, None, 0, collection.patients
    )


def label_rows(kept: pl.DataFrame) -> tuple[LabelRow, ...]:
    """Count the labels of the kept series as table A3 does.

    Args:
        kept: Labels; with `split`, each part is counted for itself.

    Returns:
        The total first, then label by label. A series counts once for each region that it covers.
    """
    parts = [kept.filter(pl.col("split") == part) for part in SPLITS] if "split" in kept.columns else [kept]
    blocks = [distribution(part) for part in parts]
    total = LabelRow("", "All", tuple(part.height for part in parts), PAPER_TOTALS)
    return (total, *(row for label in range(len(TITLES)) for row in _block([part[label] for part in blocks])))


def _block(parts: Sequence[Block]) -> Iterator[LabelRow]:
    """Yield the lines of one label; a word that no part holds and the paper does not list is left out."""
    rows = [{row.word: row for row in part.rows} for part in parts]
    for word in dict.fromkeys(word for word in LINES[parts[0].label] if any(word in part for part in rows)):
        held = [part.get(word) for part in rows]
        counts = tuple(row.count if row else 0 for row in held)
        paper = next((row.paper for row in held if row), None)
        yield LabelRow(parts[0].title, named(word), counts, paper)


def decided_by(labels: pl.DataFrame, rulebook: Rulebook) -> tuple[Decided, ...]:
    """Count what was decided of each label, and by which kind of evidence."""
    found = []
    for label in LABELS:
        table = rulebook.tables[label]
        tiers = {rule.name: rule.tier for rule in table.rules}
        ruled = labels.filter(pl.col(f"{label}_status") == DECIDED)[f"{label}_rule"]
        told = ruled.replace_strict(tiers, default=PERSON, return_dtype=pl.String)
        counts = dict(told.value_counts().iter_rows())
        status = dict(labels[f"{label}_status"].value_counts().iter_rows())
        found.append(
            Decided(
                title=TITLES[label],
                decided=status.get(DECIDED, 0),
                conflict=status.get(CONFLICT, 0),
                unknown=status.get(UNKNOWN, 0),
                sure=int((labels[f"{label}_confidence"] >= SURE).sum()),
                tiers={tier: counts[tier] for tier in (*table.tiers, PERSON) if tier in counts},
            )
        )
    return tuple(found)
