"""Any table of headers is labelled, with no DICOM file at all."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from radnet.config import RadnetConfig, load_config
from radnet.errors import TableError
from radnet.labels.headers import keywords, read_headers, typed_headers
from radnet.labels.table import BATCH_ROWS, label_file, label_table

CSV = """\
SeriesInstanceUID,PatientName,Modality,BodyPartExamined,StudyDescription,SeriesDescription,instanceCount
1.1,Doe,CT,CHEST,CT CHEST W/O,Thorax  5.0  B31f,62
1.2,Doe,CT,,CT CAP,Topogram  1.0  T20s,2
1.3,Doe,MR,,MRI Pelvis W/WO,Ax T2 FRFSE,30
1.4,Doe,XX,,,NA,
1.5,Doe,MR,KNEE,None,SAG PD FS,31
"""


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_rows_stay_in_order_and_unknown_is_empty(tmp_path: Path) -> None:
    summary = label_file(write(tmp_path / "in.csv", CSV), tmp_path / "out.csv")
    rows = pl.read_csv(tmp_path / "out.csv", infer_schema=False)

    assert rows["SeriesInstanceUID"].to_list() == ["1.1", "1.2", "1.3", "1.4", "1.5"]
    assert rows["sequence"].to_list() == ["ct", "localizer", "t2_se", None, "pd"]
    assert rows["view"].to_list() == ["axial", None, "axial", None, "sagittal"]
    assert rows["contrast"].to_list() == ["no", "no", None, None, None]
    assert rows["coverage"].to_list() == ["lung", "none", "pelvis", None, "none"]
    assert rows["sequence_status"].to_list() == ["decided", "decided", "decided", "unknown", "decided"]
    assert rows["sequence_rule"][2] == "says-t2"
    assert summary.rows == 5
    assert summary.unknown["sequence"] == 1


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    label_file(
        write(tmp_path / "in.csv", "\ufeffModality,SeriesDescription\nCT,CHEST\n"), tmp_path / "out.csv"
    )

    assert pl.read_csv(tmp_path / "out.csv")["sequence"].to_list() == ["ct"]


def test_no_name_is_handed_through(tmp_path: Path) -> None:
    label_file(write(tmp_path / "in.csv", CSV), tmp_path / "out.csv")

    assert "Doe" not in (tmp_path / "out.csv").read_text()


def test_parquet_keeps_lists_and_gives_the_same_labels(tmp_path: Path) -> None:
    read_headers(write(tmp_path / "in.csv", CSV)).write_parquet(tmp_path / "in.parquet")
    label_file(tmp_path / "in.parquet", tmp_path / "out.parquet")
    label_file(tmp_path / "in.csv", tmp_path / "out2.parquet")

    written = pl.read_parquet(tmp_path / "out.parquet")
    assert written["coverage"].to_list() == [["lung"], [], ["pelvis"], None, []]
    assert written.equals(pl.read_parquet(tmp_path / "out2.parquet"))


def test_alike_rows_get_alike_labels_across_batches() -> None:
    rows = BATCH_ROWS + 3
    frame = pl.DataFrame({"Modality": ["CT"] * rows, "SeriesDescription": ["COR ABD PV"] * rows})
    labels, votes = label_table(frame, votes=False)

    assert labels.height == rows
    assert labels.unique().height == 1
    assert votes.is_empty()


def test_votes_are_listed_with_what_they_matched() -> None:
    frame = pl.DataFrame({"stack_id": ["a"], "Modality": ["CT"], "SeriesDescription": ["COR ABD PV"]})
    _, votes = label_table(frame)
    view = votes.filter(pl.col("label") == "view").row(0, named=True)

    assert view == {
        "stack_id": "a",
        "label": "view",
        "value": "coronal",
        "rule": "says-coronal",
        "attribute": "SeriesDescription",
        "text": "cor",
    }


def test_a_table_of_no_rows_gives_no_rows() -> None:
    labels, votes = label_table(pl.DataFrame(schema={"Modality": pl.String}))

    assert (labels.height, votes.height) == (0, 0)
    assert "coverage_status" in labels.columns


def test_numbers_that_are_none_are_unreadable_not_absent() -> None:
    frame = pl.DataFrame(
        {
            "Modality": ["MR", "MR"],
            "ScanningSequence": ["SE", "SE"],
            "RepetitionTime": ["500", "n/a"],
            "EchoTime": ["12", "12"],
        }
    )

    assert label_table(frame)[0]["sequence"].to_list() == ["t1_se", None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "Modality;SeriesDescription\nCT;CHEST\n", r"separated by commas, not semicolons", id="delimiter"
        ),
        pytest.param("Modality\tSeriesDescription\nCT\tx\n", r"separated by commas, not tabs", id="tabs"),
        pytest.param(
            "Modality,SeriesDescription\nCT,Säge\n".encode("latin-1"), r"line 2 is not UTF-8", id="encoding"
        ),
        pytest.param("mod,descripton\nCT,x\n", r"no column named by a DICOM keyword", id="no known column"),
        pytest.param("", r"is not a readable csv table", id="empty file"),
        pytest.param(
            "Modality,SeriesDescription\nCT,a\nCT,a,b,c\n",
            r"line 3 has 4 cells and the header 2",
            id="ragged",
        ),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(TableError, match=message) as caught:
        label_file(write(tmp_path / "in.csv", text), tmp_path / "out.csv")

    assert not {"Säge", "descripton"} & {*str(caught.value).split()}
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("table", "out", "message"),
    [
        pytest.param("in.xlsx", "out.csv", r"must end in .csv or .parquet", id="input suffix"),
        pytest.param("none.csv", "out.csv", r"cannot be read", id="missing"),
        pytest.param("in.csv", "out.txt", r"--out must end in", id="output suffix"),
        pytest.param("in.csv", "no/out.csv", r"the folder to write to does not exist", id="output folder"),
        pytest.param("broken.parquet", "out.csv", r"is not a readable parquet table", id="no parquet"),
    ],
)
def test_files_that_cannot_be_used_are_refused(tmp_path: Path, table: str, out: str, message: str) -> None:
    write(tmp_path / "in.csv", CSV)
    write(tmp_path / "in.xlsx", CSV)
    write(tmp_path / "broken.parquet", CSV)

    with pytest.raises(TableError, match=message):
        label_file(tmp_path / table, tmp_path / out)


def test_hostile_texts_are_read() -> None:
    texts = ["A" * 100_000, "\x00\x1b[31m", "((((((((((" * 500, "t2 " * 10_000, "\ud7ff", None]
    labels, _ = label_table(pl.DataFrame({"Modality": ["MR"] * 6, "SeriesDescription": texts}))

    assert labels["sequence"].to_list() == [None, None, None, "t2_se", None, None]


def test_a_collections_overlay_changes_only_that_collection(tmp_path: Path) -> None:
    (tmp_path / "view.toml").write_text(
        'applies = { collection_id = ["mine"] }\n'
        '[[rule]]\nname = "ours"\nvalue = "sagittal"\ntier = "series"\n'
        'when = { series = { says = ["zebra"] } }\nwhy = "so written there"\n'
    )
    rules = RadnetConfig.model_validate({"labels": {"rules": [tmp_path]}})
    frame = pl.DataFrame({"collection_id": ["mine", "other"], "SeriesDescription": ["zebra", "zebra"]})

    assert label_table(frame, rules)[0]["view"].to_list() == ["sagittal", None]


def test_the_papers_contrast_reads_the_agents_field_alone() -> None:
    frame = pl.DataFrame(
        {
            "Modality": ["CT"] * 4,
            "SeriesDescription": ["PRE CONTRAST", "post", "post", "post"],
            "ContrastBolusAgent": ["ULTRAVIST", None, "NONE", "NON IONIC"],
        }
    )

    assert label_table(frame, load_config(policy="paper"))[0]["contrast"].to_list() == [
        "yes",
        "no",
        "no",
        "yes",
    ]
    assert label_table(frame)[0]["contrast"].to_list() == ["no", "yes", "yes", "yes"]


@pytest.mark.parametrize(
    ("cosines", "view", "status"),
    [
        ("1\\0\\0\\0\\1\\0", "axial", "decided"),
        ("0\\0\\-1\\0\\1\\0", "sagittal", "decided"),
        ("0.78\\0\\-0.62\\0\\1\\0", None, "decided"),
        ("1\\0\\0", None, "unknown"),
        ("zero", None, "unknown"),
    ],
    ids=["axial", "sagittal", "oblique", "three values", "no numbers"],
)
def test_cosines_of_a_table_give_the_view(cosines: str, view: str | None, status: str) -> None:
    table = pl.DataFrame({"Modality": ["MR"], "ImageOrientationPatient": [cosines]})
    as_list = table.with_columns(pl.col("ImageOrientationPatient").str.split("\\"))
    for frame in (table, as_list):
        labels, _ = label_table(frame)
        assert labels.select("view", "view_status").row(0) == (view, status)


def test_a_number_of_directions_is_diffusion() -> None:
    table = pl.DataFrame({"Modality": ["MR"] * 3, "SeriesDescription": ["dir80_PA", "ax 32 dir", "30dir"]})
    assert label_table(table)[0]["sequence"].to_list() == ["dwi"] * 3


def test_the_table_itself_is_never_written_over(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("Modality\nMR\n")
    for out in (table, tmp_path / "x" / ".." / "table.csv"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(TableError, match="name another file"):
            label_file(table, out)
    assert table.read_text() == "Modality\nMR\n"


def test_a_pacs_answer_tells_the_number_of_images() -> None:
    table = pl.DataFrame({"Modality": ["CT"], "NumberOfSeriesRelatedInstances": ["4"]})
    assert read_as(table)["instanceCount"].to_list() == [4]


def read_as(table: pl.DataFrame) -> pl.DataFrame:
    return typed_headers(table.rename(keywords(table.columns)))
