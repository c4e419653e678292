"""An archive by protocol, by attribute, and a score that no collection's own rules help."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from radnet.config import RadnetConfig
from radnet.errors import TableError
from radnet.labels import held_out, protocols, stability
from radnet.labels.rules import load_rules
from radnet.tables import LABEL_COLUMNS, STACK_COLUMNS, conform, write_table

CONTRAST = """
label = "contrast"
[[rule]]
name = "first"
value = "yes"
tier = "series"
when = { series = { says = ["zorg", "zorgblatt"] } }
why = "a house word"
cases = { yes = ["zorg"], abstain = ["t2"] }
"""
TABLE = (
    "collection_id,Modality,SeriesDescription\n"
    "a,MR,zorg 1\nb,MR,zorgblatt 5.0\nb,MR,ax t2 i70f\nb,MR,AX_T2 I50f\n"
)


def config_of(folder: Path, text: str = CONTRAST) -> RadnetConfig:
    (folder / "contrast.toml").write_text(text)
    return RadnetConfig.model_validate({"labels": {"rules": [folder]}})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "table.csv").write_text(TABLE)
    return tmp_path / "table.csv"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param("Thorax  5.0  B31f", "THORAX 3.0 B30f", True, id="numbers and kernels"),
        pytest.param("w/o contrast", "without contrast", True, id="spellings"),
        pytest.param("ax t1", "ax t2", False, id="digits of a known word"),
        pytest.param("ax", "cor", False, id="words"),
    ],
)
def test_texts_of_one_protocol_fold_to_one(one: str, other: str, same: bool) -> None:
    reader = load_rules().reader()

    assert (protocols.protocol(one, reader) == protocols.protocol(other, reader)) is same


def test_series_are_summed_up_by_protocol(table: Path) -> None:
    found = protocols.protocols_of_table(table)

    assert (found.series, found.groups) == (4, 3)
    largest = found.table.row(0, named=True)
    assert (largest["protocol"].split()[:2], largest["series"], largest["up_to_here"]) == (
        ["ax", "t2"],
        2,
        0.5,
    )
    assert (largest["sequence"], largest["sequence_share"], largest["sequence_status"]) == (
        "t2_se",
        1.0,
        "decided",
    )
    assert found.as_json()["protocols"][0]["protocol"] == largest["protocol"]


@pytest.mark.parametrize(
    ("sizes", "to_see"),
    [
        pytest.param([90, 5, 4, 1], {90: 1, 95: 2, 99: 3}, id="just reached"),
        pytest.param([89, 6, 3, 2], {90: 2, 95: 2, 99: 4}, id="just missed"),
        pytest.param([100], {90: 1, 95: 1, 99: 1}, id="one protocol"),
    ],
)
def test_groups_to_see_cover_their_share(sizes: list[int], to_see: dict[int, int], tmp_path: Path) -> None:
    words = ("axial", "coronal", "sagittal", "localizer")
    texts = [word for word, size in zip(words, sizes, strict=False) for _ in range(size)]
    pl.DataFrame({"Modality": "MR", "SeriesDescription": texts}).write_csv(tmp_path / "t.csv")

    assert protocols.protocols_of_table(tmp_path / "t.csv").to_see == to_see


def test_a_group_tells_its_commonest_label_and_how_common_it_is(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "Modality,SeriesDescription,ContrastBolusAgent\n" + "MR,t2,GADOVIST\n" * 3 + "MR,t2,\n"
    )

    row = protocols.protocols_of_table(tmp_path / "t.csv").table.row(0, named=True)

    assert (row["contrast"], row["contrast_share"], row["contrast_status"]) == ("yes", 0.75, "decided")


def test_stacks_of_a_workspace_are_summed_up(tmp_path: Path) -> None:
    stacks = {"stack_id": ["1", "2"], "Modality": ["MR"] * 2, "SeriesDescription": ["AX T2", "ax t2 5.0"]}
    labels = {"stack_id": ["2", "1"], "sequence": ["t2_se", None], "sequence_status": ["decided", "conflict"]}
    for name, frame, columns in (
        ("2-series/series", stacks, STACK_COLUMNS),
        ("3-labels/labels", labels, LABEL_COLUMNS),
    ):
        (tmp_path / name).parent.mkdir()
        write_table(conform(pl.DataFrame(frame), columns), tmp_path / f"{name}.parquet")

    found = protocols.protocols_of_work(tmp_path)

    assert (found.series, found.groups) == (2, 1)
    assert found.table["protocol"].to_list() == ["ax t2"]
    assert found.table["sequence_share"].to_list() == [0.5]


def test_a_table_without_a_row_has_no_protocol(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("Modality,SeriesDescription\n")

    found = protocols.protocols_of_table(tmp_path / "t.csv")

    assert (found.series, found.groups, found.to_see) == (0, 0, {90: 0, 95: 0, 99: 0})


def test_labels_that_hang_on_an_attribute_are_counted(tmp_path: Path) -> None:
    rows = ["MR,AX T2,MRI BRAIN", "MR,COR T1,CT CAP", "MR,,MRI BRAIN"]
    (tmp_path / "t.csv").write_text("\n".join(["Modality,SeriesDescription,StudyDescription", *rows]))

    found = stability.measure_stability(tmp_path / "t.csv")

    dropped = {one.attribute: one for one in found.dropped}
    assert {name: one.filled for name, one in dropped.items()} == {
        "Modality": 3,
        "SeriesDescription": 2,
        "StudyDescription": 3,
    }
    assert dropped["SeriesDescription"].labels["view"] == stability.Change(lost=2, turned=0, gained=0)
    assert dropped["StudyDescription"].labels["view"].changed == 0
    assert "SeriesDescription" in stability.render(found)


def gold(path: Path, *rows: str) -> Path:
    header = "collection_id,Modality,SeriesDescription,kind,plane,contrast,coverage"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def contrast_of(found: held_out.HeldOut) -> tuple[Any, Any]:
    return found.with_all["contrast"].right, found.without["contrast"].right


def test_a_rule_of_one_collection_is_taken_from_it(tmp_path: Path) -> None:
    path = gold(tmp_path / "gold.csv", "a,MR,zorg,pd,axial,yes,lung", "b,MR,t2,t2_se,axial,unknown,lung")

    found = held_out.score_held_out(path, config_of(tmp_path))

    assert found.single_rules["contrast/first"] == "a"
    assert found.single_phrases["zorg"] == "a"
    assert contrast_of(found) == (1, 0)


def test_a_rule_that_another_collection_supports_is_kept(tmp_path: Path) -> None:
    path = gold(tmp_path / "gold.csv", "a,MR,zorg,pd,axial,yes,lung", "b,MR,zorg,pd,axial,yes,lung")

    found = held_out.score_held_out(path, config_of(tmp_path))

    assert "contrast/first" not in found.single_rules
    assert contrast_of(found) == (2, 2)


def test_a_phrase_of_one_collection_is_not_read_there(tmp_path: Path) -> None:
    path = gold(tmp_path / "gold.csv", "a,MR,zorgblatt,pd,axial,yes,lung", "b,MR,zorg,pd,axial,yes,lung")

    found = held_out.score_held_out(path, config_of(tmp_path))

    assert "contrast/first" not in found.single_rules
    assert contrast_of(found) == (2, 0)


def test_a_gold_set_beside_supports_too(tmp_path: Path) -> None:
    path = gold(tmp_path / "gold.csv", "a,MR,zorg,pd,axial,yes,lung")
    other = gold(tmp_path / "other.csv", "b,MR,zorg,pd,axial,yes,lung")

    assert contrast_of(held_out.score_held_out(path, config_of(tmp_path), [other])) == (1, 1)


def test_collections_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="has no collection_id"):
        held_out.score_held_out(gold(tmp_path / "gold.csv", ",MR,zorg,pd,axial,yes,lung"))
