"""Labels are published with their card and digests, and nothing of a patient goes out."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from radnet.errors import TableError, WorkspaceError
from radnet.report.release import PUBLISHED, SUMS_NAME, write_release

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "header_texts_sequences.csv"
HEADERS = """\
SeriesInstanceUID,StudyInstanceUID,collection_id,PatientID,Modality,StudyDescription,SeriesDescription,instanceCount
1.4,2.2,tcga_prad,Doe^Jane,MR,MRI Pelvis secret,Ax T2 FRFSE,30
1.1,2.1,tcga_kirc,Roe^Rick,CT,CT ABDOMEN W/O,Abdomen  5.0  B31f,62
1.2,2.1,tcga_kirc,Roe^Rick,CT,CT ABDOMEN W/O,Topogram  1.0  T20s,2
1.3,2.3,our_site,Poe^Paul,CT,CT CHEST,CHEST,80
1.5,2.3,our_site,Poe^Paul,PT,PET,PET,80
"""


def write(folder: Path, text: str = HEADERS) -> Path:
    path = folder / "headers.csv"
    path.write_text(text, "utf-8")
    return path


def published(folder: Path) -> pl.DataFrame:
    return pl.read_csv(folder / "labels.csv", infer_schema=False)


def test_labels_of_ct_and_mr_go_out_sorted_by_series(tmp_path: Path) -> None:
    summary = write_release(write(tmp_path), tmp_path / "out")
    rows = published(tmp_path / "out")

    assert rows["SeriesInstanceUID"].to_list() == ["1.1", "1.2", "1.3", "1.4"]
    assert rows["decision"].to_list() == ["keep", "exclude", "keep", "keep"]
    assert rows["reason"].to_list() == [None, "too_few_slices", None, None]
    assert rows["coverage"].to_list() == ["liver;kidney", "none", "lung", "pelvis"]
    assert (summary.series, summary.kept) == (4, 3)
    assert "split" not in rows.columns


def test_the_papers_series_alone_with_its_split(tmp_path: Path) -> None:
    write_release(write(tmp_path), tmp_path / "out", paper=True)
    rows = published(tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text("utf-8")

    assert rows["SeriesInstanceUID"].to_list() == ["1.1", "1.2", "1.4"]
    assert rows["split"].to_list()[2] == "test"
    assert rows["split"][0] == rows["split"][1] != "test"
    assert "| REMBRANDT | A1 | MR | Brain | 0 | 0 |  | 130 |" in card
    assert "paper: training" in card


def test_no_header_text_and_no_patient_goes_out(tmp_path: Path) -> None:
    write_release(write(tmp_path), tmp_path / "out", paper=True)

    for path in (tmp_path / "out").iterdir():
        text = path.read_text("utf-8")
        assert not [word for word in ("Doe", "Roe", "secret", "FRFSE", "B31f") if word in text], path.name


def test_digests_hold_and_do_not_depend_on_the_order_of_the_table(tmp_path: Path) -> None:
    head, *rows = HEADERS.splitlines()
    write_release(write(tmp_path), tmp_path / "one")
    write_release(write(tmp_path, "\n".join([head, *reversed(rows)]) + "\n"), tmp_path / "two")
    sums = dict(line.split("  ")[::-1] for line in (tmp_path / "one" / SUMS_NAME).read_text().splitlines())

    assert {*sums} == {*PUBLISHED}
    for name, digest in sums.items():
        assert hashlib.sha256((tmp_path / "one" / name).read_bytes()).hexdigest() == digest
    assert (tmp_path / "one" / "labels.csv").read_bytes() == (tmp_path / "two" / "labels.csv").read_bytes()


def test_the_card_tells_how_well_the_rules_hold_truths(tmp_path: Path) -> None:
    write_release(write(tmp_path), tmp_path / "out", gold=[GOLDEN])
    card = (tmp_path / "out" / "README.md").read_text("utf-8")

    assert "| sequence | paper classes |" in card
    assert "Not measured here" not in card


def test_a_parquet_index_gives_the_same(tmp_path: Path) -> None:
    table = write(tmp_path)
    pl.read_csv(table).with_columns(license_short_name=pl.lit("CC BY 3.0")).write_parquet(
        tmp_path / "headers.parquet"
    )
    first = write_release(table, tmp_path / "one", paper=True)
    second = write_release(tmp_path / "headers.parquet", tmp_path / "two", paper=True)

    assert first.digest == second.digest
    assert "images under CC BY 3.0 | 3 series" in (tmp_path / "two" / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        pytest.param(
            "SeriesInstanceUID", "SeriesNumber", r"need the column SeriesInstanceUID", id="no series"
        ),
        pytest.param("\n1.2,", "\n1.1,", r"1 rows have no SeriesInstanceUID of their own", id="twice"),
        pytest.param("\n1.2,", "\n,", r"1 rows have no SeriesInstanceUID", id="empty"),
        pytest.param("collection_id", "collection", r"found by the column collection_id", id="no collection"),
        pytest.param("tcga_", "acga_", r"holds no CT or MR series", id="none of the paper's"),
        pytest.param("Roe^Rick", "Doe^Jane", r"stand on two sides", id="patient on two sides"),
    ],
)
def test_what_cannot_be_published_is_refused(tmp_path: Path, wrong: str, right: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        write_release(write(tmp_path, HEADERS.replace(wrong, right)), tmp_path / "out", paper=True)

    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    table = write(tmp_path)

    with pytest.raises(WorkspaceError, match=r"cannot be made"):
        write_release(table, table / "out")


def test_the_command_publishes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "radnet", "release", str(write(tmp_path)), "--paper", "--out", "labels"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert "digest" in done.stdout
    assert (tmp_path / "labels" / "labels.csv").exists()


def test_the_recipe_names_files_that_are_there() -> None:
    script = (ROOT / "recipes" / "paper" / "labels.sh").read_text("utf-8")
    named = [part.split('"')[0] for part in script.split("$root/")[1:]]

    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
    subprocess.run(["sh", "-n", ROOT / "recipes" / "paper" / "labels.sh"], check=True)


def test_the_documented_split_runs() -> None:
    text = (ROOT / "docs" / "how-to" / "paper-labels.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "['training', 'test']\n"
