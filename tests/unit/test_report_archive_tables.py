"""Tables A1 to A3 of an archive count what its labels say."""

from __future__ import annotations

import polars as pl
import pytest

from radnet.labels.collections import paper_collections
from radnet.labels.rules import load_rules
from radnet.report.archive_tables import collection_rows, decided_by, label_rows

SERIES = pl.DataFrame(
    {
        "collection_id": ["tcga_prad", "tcga_prad", "our_site", None, "ispy1", "TCGA-PRAD"],
        "Modality": ["MR", "CT", "CT", "MR", "MR", "MR"],
        "PatientID": ["a", "a", "b", None, "c", "d"],
        "decision": ["keep", "exclude", "keep", "keep", "exclude", "keep"],
    }
)
KEPT = pl.DataFrame(
    {
        "split": ["training", "training", "validation", "test"],
        "sequence": ["ct", "t2_se", "ct", "gre_t1"],
        "view": ["axial", "axial", None, "sagittal"],
        "contrast": ["yes", None, "no", "no"],
        "coverage": [["liver", "kidney"], [], None, ["liver"]],
    }
)


def test_collections_are_listed_as_the_paper_lists_them_and_others_after() -> None:
    rows = collection_rows(SERIES, whole_paper=False)
    told = [(row.name, row.table, row.modality, row.series, row.patients, row.kept) for row in rows]

    assert told == [
        ("ISPY1", "A1", "MR", 1, 1, 0),
        ("TCGA-PRAD", "A2", "CT, MR", 3, 2, 2),
        ("(not named)", "", "MR", 1, None, 1),
        ("our_site", "", "CT", 1, 1, 1),
    ]
    assert [row.paper_patients for row in rows] == [222, 14, None, None]


def test_the_whole_paper_has_a_row_for_what_is_missing() -> None:
    rows = collection_rows(SERIES, whole_paper=True)

    assert [row.name for row in rows[:57]] == [collection.name for collection in paper_collections()]
    assert sum(row.series for row in rows) == SERIES.height
    assert [row.modality for row in rows if row.name == "REMBRANDT"] == ["MR"]


def test_a_table_without_collections_is_one_row() -> None:
    (row,) = collection_rows(SERIES.select("decision"), whole_paper=False)

    assert (row.name, row.series, row.patients) == ("(not named)", 6, None)


@pytest.mark.parametrize(
    ("name", "counts", "paper"),
    [
        ("All", (2, 1, 1), (12_000, 3_305, 316)),
        ("CT", (1, 1, 0), (5_149, 1_556, 117)),
        ("T1 gradient echo", (0, 0, 1), None),
        ("With contrast", (1, 0, 0), (8_619, 2_407, 216)),
        ("Liver", (1, 0, 1), (2_818, 693, 52)),
        ("None of the nine", (1, 0, 0), None),
    ],
)
def test_each_part_is_counted_beside_the_paper(
    name: str, counts: tuple[int, ...], paper: tuple[int, ...] | None
) -> None:
    found = {row.name: (row.counts, row.paper) for row in label_rows(KEPT)}

    assert found[name] == (counts, paper)


def test_every_kept_series_is_counted_once_in_labels_of_one_value() -> None:
    rows = label_rows(KEPT)

    for title in ("Modality and sequence", "View", "Contrast"):
        sums = [
            sum(counts) for counts in zip(*(row.counts for row in rows if row.title == title), strict=True)
        ]
        assert sums == [2, 1, 1]


def test_without_a_split_the_archive_is_one_part() -> None:
    assert [row.counts for row in label_rows(KEPT.drop("split"))][:2] == [(4,), (2,)]


def test_what_decides_is_counted_by_kind_of_evidence() -> None:
    statuses = {f"{label}_status": ["unknown"] * 4 for label in ("sequence", "view", "coverage")}
    rules = {f"{label}_rule": [None] * 4 for label in ("sequence", "view", "coverage")}
    labels = pl.DataFrame(
        {
            **statuses,
            **rules,
            **{f"{label}_confidence": [None] * 4 for label in ("sequence", "view", "coverage")},
            "contrast_confidence": [0.95, 0.5, None, None],
            "contrast_status": ["decided", "decided", "conflict", "decided"],
            "contrast_rule": ["says-given", "study-given", "says-given", "person"],
        },
        schema_overrides={
            **dict.fromkeys(rules, pl.String),
            **{f"{label}_confidence": pl.Float64 for label in ("sequence", "view", "coverage")},
        },
    )
    contrast = next(row for row in decided_by(labels, load_rules()) if row.title == "Contrast")

    assert (contrast.decided, contrast.conflict, contrast.unknown) == (3, 1, 0)
    assert contrast.sure == 1
    assert contrast.tiers == {"series": 1, "study": 1, "person": 1}
