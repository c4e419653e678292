"""Tables as people export them give a right answer or a clear message, never a silent gap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from radnet.config import RadnetConfig
from radnet.errors import TableError
from radnet.labels.headers import count_unread, keywords, read_headers, typed_headers
from radnet.labels.table import label_file, label_table


def labelled(folder: Path, data: str | bytes) -> list[tuple[str | None, str | None]]:
    (folder / "in.csv").write_bytes(data.encode() if isinstance(data, str) else data)
    label_file(folder / "in.csv", folder / "out.csv")
    rows = pl.read_csv(folder / "out.csv", infer_schema=False)
    return list(zip(rows["sequence"], rows["view"], strict=True))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param("Modality,SeriesDescription\nMR,AX T1\n", id="as it should be"),
        pytest.param("MODALITY,series_description\nMR,AX T1\n", id="names of a database"),
        pytest.param(" modality , Series Description \nMR,AX T1\n", id="names of a spreadsheet"),
        pytest.param("Modality,SeriesDescription\r\nMR,AX T1\r\n", id="lines of Windows"),
        pytest.param("Modality,SeriesDescription\rMR,AX T1\r", id="lines of the old Macintosh"),
        pytest.param("\ufeffModality,SeriesDescription\nMR,AX T1\n", id="byte order mark"),
        pytest.param("Modality,SeriesDescription\nMRI, AX T1 \n", id="another name of the modality"),
        pytest.param("Modality,SeriesDescription\nmr,ax t1\n", id="small letters"),
        pytest.param(b"Modality,SeriesDescription\nMR\x00,AX T1\x00\n", id="padding of zeros"),
        pytest.param("Modality,SeriesDescription\nMR,\x1b[31mAX\x07 T1\x0b\n", id="control characters"),
        pytest.param("Modality,SeriesDescription\nMR,AX T1 " + "x " * 50_000 + "\n", id="100,000 characters"),
        pytest.param("Modality,SeriesDescription,StudyDescription\nMR,AX T1\n", id="a cell is missing"),
        pytest.param('Modality,SeriesDescription\nMR,"AX ""T1"", first"\n', id="quotes and a comma"),
        pytest.param(
            "Modality,SeriesDescription,StudyDescription,BodyPartExamined,EchoTime\nMR,AX T1,NA,None,N/A\n",
            id="words for nothing",
        ),
        pytest.param(",Modality,SeriesDescription\n0,MR,AX T1\n", id="row numbers without a name"),
    ],
)
def test_a_table_that_can_be_meant_is_read(tmp_path: Path, data: str | bytes) -> None:
    assert labelled(tmp_path, data) == [("t1_se", "axial")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(
            "Modality;Protocol, old;SeriesDescription\nMR;;x\n", "commas, not semicolons", id="mostly ;"
        ),
        pytest.param(
            '"Modality";"SeriesDescription"\n"MR";"AX, T1"\n', "commas, not semicolons", id="quoted ;"
        ),
        pytest.param("Modality|SeriesDescription\nMR|x\n", "commas, not bars", id="bars"),
        pytest.param("Modality,SeriesDescription\nMR,x\n".encode("utf-16"), "not UTF-8", id="UTF-16"),
        pytest.param(
            "Modality,SeriesDescription\nMR,x\n".encode("utf-16-le"), "perhaps UTF-16", id="no mark"
        ),
        pytest.param(
            "Modality,SeriesDescription\nMR,Schädel\n".encode("cp1252"), "line 2 is not UTF-8", id="cp1252"
        ),
        pytest.param("MR,AX T1\nCT,CHEST\n", "no column named by a DICOM keyword", id="no header line"),
        pytest.param(
            "Modality,SeriesDescription,series_description\nMR,x,y\n", "two columns are named Ser", id="two"
        ),
        pytest.param(
            "Modality,SeriesDescription,SeriesDescription\nMR,x,y\n", "two columns are named Ser", id="twice"
        ),
        pytest.param(
            'Modality,SeriesDescription\nMR,"AX T1\nCT,x\n', "not a readable csv table", id="open quote"
        ),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path: Path, data: str | bytes, message: str) -> None:
    with pytest.raises(TableError, match=message):
        labelled(tmp_path, data)


@pytest.mark.parametrize(
    ("column", "word"),
    [
        pytest.param(pl.Series([["ORIGINAL", "PRIMARY", "LOCALIZER"]]), "localizer", id="list"),
        pytest.param(pl.Series(["ORIGINAL\\LOCALIZER"], dtype=pl.Categorical), "localizer", id="categorical"),
        pytest.param(pl.Series(["ORIGINAL\\PRIMARY"]), None, id="text"),
        pytest.param(pl.Series([7]), None, id="number"),
        pytest.param(pl.Series([None]), None, id="nothing"),
    ],
)
def test_columns_of_parquet_have_any_type_that_can_be_text(column: pl.Series, word: str | None) -> None:
    frame = pl.DataFrame({"Modality": ["MR"], "ImageType": column})

    assert label_table(frame)[0]["sequence"].to_list() == [word]


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(pl.Series([{"a": 1}]), id="struct"),
        pytest.param(pl.Series([b"\xff"]), id="bytes"),
        pytest.param(pl.Series([["AX T1", 5]], dtype=pl.Object), id="objects"),
    ],
)
def test_a_column_of_another_kind_is_refused_by_name(column: pl.Series) -> None:
    with pytest.raises(TableError, match=r"column SeriesDescription holds .*texts or numbers"):
        typed_headers(pl.DataFrame({"Modality": ["MR"], "SeriesDescription": column}))


@pytest.mark.parametrize(
    ("header", "faults"),
    [
        pytest.param({"Modality": "MR", "SeriesDescription": "x"}, {}, id="nothing"),
        pytest.param({"SeriesDescription": "x"}, {"no column Modality": 1}, id="no modality"),
        pytest.param(
            {"Modality": "MR"},
            {"no column SeriesDescription or ProtocolName or StudyDescription": 1},
            id="no text",
        ),
        pytest.param(
            {"Modality": "NA", "SeriesDescription": "x"}, {"Modality is neither CT nor MR": 1}, id="NA"
        ),
        pytest.param(
            {"Modality": "MR", "SeriesDescription": "x", "RepetitionTime": "1.234,5", "EchoTime": "NA"},
            {"EchoTime is no number": 1, "RepetitionTime is no number": 1},
            id="no numbers",
        ),
    ],
)
def test_what_cannot_be_read_is_counted(header: dict[str, Any], faults: dict[str, int]) -> None:
    assert count_unread(typed_headers(pl.DataFrame([header]))) == faults


def test_the_counts_stand_in_the_summary(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("SeriesDescription,EchoTime\nAX T1,None\n")

    assert label_file(tmp_path / "in.csv", tmp_path / "out.csv").unread == {
        "no column Modality": 1,
        "EchoTime is no number": 1,
    }


def test_parquet_is_read_by_the_same_names(tmp_path: Path) -> None:
    pl.DataFrame({"MODALITY": ["MR"], "series description": ["AX T1"], "PatientName": ["Doe"]}).write_parquet(
        tmp_path / "in.parquet"
    )

    assert read_headers(tmp_path / "in.parquet").columns == ["Modality", "SeriesDescription"]


def test_a_name_that_means_no_keyword_stays() -> None:
    assert keywords(["Modality", "modality of care", "plane"]) == {
        "Modality": "Modality",
        "modality of care": "modality of care",
        "plane": "plane",
    }


def test_a_decision_on_a_series_holds_in_a_table_too(tmp_path: Path) -> None:
    (tmp_path / "decisions.csv").write_text("SeriesInstanceUID,label,value\n1.1,contrast,yes\n")
    config = RadnetConfig.model_validate({"labels": {"decisions": tmp_path / "decisions.csv"}})
    frame = pl.DataFrame(
        {"SeriesInstanceUID": ["1.1", "1.2"], "Modality": ["MR", "MR"], "SeriesDescription": ["x", "x"]}
    )

    assert label_table(frame, config)[0]["contrast"].to_list() == ["yes", None]
