"""Codes are those of the standards, and every statement of network and header has its row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydicom.sr._cid_dict import cid_concepts, name_for_cid  # noqa: F401 - loads the tables below
from pydicom.sr._concepts_dict import concepts

from radnet.errors import TableError
from radnet.networks.spec import make_spec
from radnet.predict.columns import table_columns
from radnet.predict.exports import CODES, write_coded, write_embeddings
from radnet.predict.reasons import EXPLANATIONS
from radnet.tables import conform
from radnet.terms import GEOMETRIES, REGIONS, VIEWS

SPEC = make_spec("resnet10", embedding=3)
KNOWN = {
    (scheme, value) for scheme, keywords in concepts.items() for found in keywords.values() for value in found
}


@pytest.mark.parametrize("key", CODES, ids="-".join)
def test_codes_are_of_the_standard(key: tuple[str, str]) -> None:
    for code in CODES[key]:
        assert (code.scheme, code.value) in KNOWN, code
        meanings = {
            found[code.value][0]
            for keywords in [concepts[code.scheme]]
            for found in keywords.values()
            if code.value in found
        }
        assert code.meaning.lower() in {meaning.lower() for meaning in meanings}, meanings


def test_every_view_and_region_has_a_code() -> None:
    assert {("view", word) for word in VIEWS} | {("coverage", word) for word in REGIONS} <= set(CODES)


def table(path: Path) -> Path:
    rows: list[dict[str, Any]] = [
        {
            "stack_id": "aa",
            "SeriesInstanceUID": "1.2",
            "path": "/secret/DOE^JANE/1.dcm",
            "sequence": "t2_flair",
            "view": "axial",
            "contrast": "no",
            "coverage": ["brain", "intestine"],
            "spacing_mm": 4.0,
            "p_sequence_t2_flair": 0.75,
            "header_view": "coronal",
            "header_coverage": [],
            "embedding": [1.0, 2.0, 3.0],
        },
        {"stack_id": "bb", "reason": "colour", "header_sequence": "ct"},
    ]
    conform(pl.DataFrame(rows, infer_schema_length=None), table_columns(SPEC)).write_parquet(path)
    return path


def test_each_statement_has_a_row(tmp_path: Path) -> None:
    count = write_coded(table(tmp_path / "p.parquet"), tmp_path / "c.csv")
    found = pl.read_csv(tmp_path / "c.csv", infer_schema=False)
    assert count == len(found) == 8
    rows = {(row["stack_id"], row["origin"], row["word"], row["code"]) for row in found.to_dicts()}
    assert ("aa", "network", "t2_flair", "110805") in rows
    assert ("aa", "network", "intestine", "30315005") in rows
    assert ("aa", "network", "intestine", "14742008") in rows
    assert ("aa", "header", "coronal", "81654009") in rows
    assert ("aa", "network", "no", "") in rows
    assert ("bb", "header", "ct", "CT") in rows
    assert found.filter(word="t2_flair")["probability"].to_list() == ["0.7500"]
    assert "DOE" not in (tmp_path / "c.csv").read_text()


def test_features_go_to_an_array_or_a_table(tmp_path: Path) -> None:
    path = table(tmp_path / "p.parquet")
    assert write_embeddings(path, tmp_path / "e.npy") == 1
    assert np.load(tmp_path / "e.npy").tolist() == [[1.0, 2.0, 3.0]]
    assert pl.read_csv(tmp_path / "e.npy.ids.csv")["stack_id"].to_list() == ["aa"]
    assert write_embeddings(path, tmp_path / "e.parquet") == 1
    assert pl.read_parquet(tmp_path / "e.parquet")["embedding"].to_list() == [[1.0, 2.0, 3.0]]


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "p.parquet")
    with pytest.raises(TableError, match=r"must end in \.csv"):
        write_coded(path, tmp_path / "c.txt")
    with pytest.raises(TableError, match=r"must end in \.npy or \.parquet"):
        write_embeddings(path, tmp_path / "e.h5")
    with pytest.raises(TableError, match="its folder does not exist"):
        write_coded(path, tmp_path / "none" / "c.csv")


def test_every_geometry_has_its_sentence() -> None:
    assert set(GEOMETRIES) <= set(EXPLANATIONS)
