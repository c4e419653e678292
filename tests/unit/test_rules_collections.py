"""What is known of a collection speaks only where a header names it, and below all text."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from radnet.errors import RuleError
from radnet.labels.collections import find_collections, paper_collections
from radnet.labels.evidence import Evidence
from radnet.labels.rules import COLLECTIONS_FOLDER, RULES_FOLDER, load_rules
from radnet.labels.table import label_table

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "header_texts.csv"
BOOK = load_rules()
LISTED = pl.read_csv(ROOT / "recipes" / "paper" / "collections.csv", infer_schema=False)
TEXT_TIERS = {"series", "protocol", "study", "body"}

BUNDLE = """
applies = { collection_id = { is = ["our_site"] } }

[collection]
name = "Our site"

[contrast]
disable = ["says-given"]

[[coverage.rule]]
name  = "our-site"
value = ["liver"]
tier  = "collection"
when  = { Modality = { is = ["CT"] } }
why   = "we scan livers alone"
"""


def labels_of(**header: object) -> dict[str, object]:
    return label_table(pl.DataFrame([header]))[0].row(0, named=True)


def bundled(folder: Path, text: str = BUNDLE) -> Path:
    (folder / "our_site.toml").write_text(text, "utf-8")
    return folder


def test_the_paper_has_57_collections() -> None:
    tables = [collection.table for collection in paper_collections()]

    assert (tables.count("A1"), tables.count("A2"), len(tables)) == (45, 12, 57)
    assert sum(collection.patients for collection in paper_collections()) == 5369


def test_the_published_list_and_the_overlays_say_the_same() -> None:
    overlays = {
        (c.name, c.table, ";".join(c.modality), c.location, str(c.patients), c.ids[0])
        for c in paper_collections()
    }
    columns = ["name", "table", "modality", "location", "patients", "collection_id"]

    assert set(LISTED.select(columns).rows()) == overlays


def test_the_list_says_what_the_index_holds_or_why_it_does_not() -> None:
    series = LISTED["idc_series"].cast(pl.Int64)

    assert (series.sum(), (series > 0).sum()) == (49_934, 43)
    assert ((series == 0) == LISTED["not_in_idc"].is_not_null()).all()
    assert LISTED["licence"].null_count() == 0


def test_every_collection_tells_its_cancer_protocols_and_source() -> None:
    assert all(c.cancer and c.protocols and c.source for c in paper_collections())


def test_the_shipped_tables_name_no_collection() -> None:
    naming = [path.name for path in RULES_FOLDER.glob("*.toml") if "collection_id" in path.read_text("utf-8")]

    assert naming == []


def test_without_a_collection_none_of_its_rules_speaks() -> None:
    headers = pl.read_csv(GOLDEN).rename({"instanceCount_median": "instanceCount"}).drop("collection_id")
    evidence = Evidence(headers.select("Modality", "SeriesDescription", "StudyDescription"), BOOK.reader())
    overlays = [
        rule
        for table in BOOK.tables.values()
        for rule in table.rules
        if Path(rule.source).parent == COLLECTIONS_FOLDER
    ]

    assert len(overlays) > len(paper_collections())
    assert [rule.name for rule in overlays if rule.condition.holds(evidence).any()] == []


@pytest.mark.parametrize("label", ["coverage", "contrast"])
def test_a_collection_stands_below_all_text(label: str) -> None:
    tiers = BOOK.tables[label].tiers
    above = tiers[: tiers.index("collection")]
    placed = {
        rule.tier for rule in BOOK.tables[label].rules if Path(rule.source).parent == COLLECTIONS_FOLDER
    }

    assert {*above} >= TEXT_TIERS & {*tiers}
    assert placed == {"collection"}


def test_text_wins_over_the_collection_and_silence_does_not() -> None:
    said = labels_of(collection_id="tcga_gbm", Modality="CT", SeriesDescription="CHEST 5mm")
    silent = labels_of(collection_id="tcga_gbm", Modality="CT", SeriesDescription="2.5MM STD")

    assert (said["coverage"], said["coverage_rule"]) == (["lung"], "chest")
    assert (silent["coverage"], silent["coverage_rule"]) == (["brain"], "tcga-gbm")


@pytest.mark.parametrize("name", ["tcga_gbm", "TCGA-GBM", " tcga-gbm "])
def test_a_collection_goes_by_both_archives_names(name: str) -> None:
    place = find_collections(pl.Series([name, "elsewhere", None]))

    assert paper_collections()[place[0]].name == "TCGA-GBM"
    assert place[1:].to_list() == [None, None]
    assert labels_of(collection_id=name, Modality="MR")["coverage"] == ["brain"]


def test_a_disabled_rule_is_silent_in_its_collection_alone() -> None:
    header = {"Modality": "MR", "StudyDescription": "PROTOCOLS^NECK", "SeriesDescription": "uni sag t2 fse"}

    assert labels_of(collection_id="ispy1", **header)["coverage"] == ["breast"]
    assert labels_of(collection_id="ispy2", **header)["coverage"] == ["upper_head_neck", "lower_head_neck"]


def test_one_file_may_overlay_several_labels(tmp_path: Path) -> None:
    tables = load_rules([bundled(tmp_path)]).tables
    liver = next(rule for rule in tables["coverage"].rules if rule.name == "our-site")
    given = next(rule for rule in tables["contrast"].rules if rule.name == "says-given")
    headers = pl.DataFrame(
        {"collection_id": ["our_site", "other"], "Modality": ["CT", "CT"], "SeriesDescription": ["+C", "+C"]}
    )
    evidence = Evidence(headers, BOOK.reader())

    assert liver.condition.holds(evidence).tolist() == [True, False]
    assert given.condition.holds(evidence).tolist() == [False, True]


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        pytest.param("[contrast]", "[contrst]", r"'contrst'; did you mean 'contrast'", id="label"),
        pytest.param("applies", "aplies", r"unknown key 'aplies'; did you mean 'applies'", id="key"),
        pytest.param('"says-given"', '"says-give"', r"unknown rule 'says-give'", id="disabled rule"),
        pytest.param("collection_id", "colection_id", r"unknown attribute 'colection_id'", id="applies"),
    ],
)
def test_a_fault_of_such_a_file_is_refused(tmp_path: Path, wrong: str, right: str, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        load_rules([bundled(tmp_path, BUNDLE.replace(wrong, right))])
