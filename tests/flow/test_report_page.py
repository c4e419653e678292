"""The page: its numbers are the tables', it names nobody, and it stands alone."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import cv2
import polars as pl
import pytest
from report_archive import LOCALIZER, Archive

from radnet.config import RadnetConfig, ReportConfig
from radnet.errors import WorkspaceError
from radnet.report.stage import ReportSummary, inputs, write_report
from radnet.workspace import Workspace, digest_file

CANARIES = (
    "DOE^JANE",
    "19610403",
    "MRN4711",
    "1.2.840.1.",
    "1.2.840.2.",
    "face0000",
    "EVIDENCE^CANARY",
    "nothing to see",
)
"""Name, birth date, record number, study and series UID, patient hash, matched text, evidence."""


def small_archive() -> Archive:
    archive = Archive()
    for _ in range(4):
        stack = archive.add(
            SeriesDescription="ABDOMEN portal venous", contrast=None, contrast_status="conflict"
        )
        archive.vote(stack, "contrast", "agent-denied", "no")
        archive.vote(stack, "contrast", "portal-phase", "yes")
    archive.add(sequence="t2_se", view="sagittal", coverage=[], SeriesDescription="DOE^JANE 19610403")
    archive.add(**LOCALIZER, SeriesDescription="MRN4711 scout", ProtocolName="DOE^JANE")
    archive.skipped = [("unsupported_object", "")] * 1_200 + [("unreadable", "InvalidDicomError")]
    return archive


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_archive().write(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def summary(work: Path) -> ReportSummary:
    return write_report(work)


@pytest.fixture(scope="module")
def html(summary: ReportSummary) -> str:
    return summary.page.read_text("utf-8")


def tree(html: str) -> ET.Element:
    return ET.fromstring(html)


def tables(html: str) -> dict[str, list[list[str]]]:
    """Rows of words by the table's caption."""
    found = {}
    for table in tree(html).iter("table"):
        rows = [[" ".join("".join(cell.itertext()).split()) for cell in row] for row in table.iter("tr")]
        found["".join(table.find("caption").itertext())] = rows
    return found


def row_of(html: str, caption: str, name: str) -> list[str]:
    return next(row for row in tables(html)[caption] if row[0].startswith(name))


def tiles(html: str) -> dict[str, tuple[str, str]]:
    items = [
        item
        for item in tree(html).iter("li")
        if item.find("strong") is not None and item.find("span") is not None
    ]
    return {
        item.find("span").text: (item.find("strong").text, item.find("small").text or "") for item in items
    }


def test_the_headline_is_what_the_tables_hold(html):
    assert tiles(html) == {
        "files": ("1,207", "6 images read"),
        "patients": ("6", "6 studies"),
        "series": ("6", "6 stacks"),
        "stacks kept": ("5", "83.3% of all stacks"),
        "patients kept": ("5", "5 series"),
        "volumes built": ("5", "of 5 stacks kept"),
    }


def test_the_funnel_adds_up_from_step_to_step(html):
    steps = [row for row in tables(html)["The funnel, step by step"] if len(row) == 9 and row[0] != "Step"]
    numbers = [[int(cell.replace(",", "")) for cell in row[1:]] for row in steps]
    for before, after in pairwise(numbers):
        assert [left - gone for left, gone in zip(before[4:], after[:4], strict=True)] == after[4:]
    assert [row[0].split()[0] for row in steps] == ["input", "unreadable", "too", "kept"]


def test_files_not_read_are_counted_by_reason(html):
    rows = tables(html)["By reason and class of error"][1:]
    assert rows == [["unsupported object", "", "1,200"], ["unreadable", "InvalidDicomError", "1"]]


def test_labels_stand_beside_the_papers(html):
    caption = "Breakdown of the kept stacks"
    assert row_of(html, caption, "CT") == ["CT", "4", "80.0%", "", "5,149", "1,556", "117"]
    assert row_of(html, caption, "Liver")[:3] == ["Liver", "4", "80.0%"]
    assert row_of(html, caption, "None of the nine") == ["None of the nine", "1", "20.0%", "", "–", "–", "–"]
    assert row_of(html, caption, "With contrast") == [
        "With contrast",
        "1",
        "20.0%",
        "",
        "8,619",
        "2,407",
        "216",
    ]


def test_the_papers_slip_about_contrast_is_named(html):
    assert "216 stacks with and 100 without contrast, the reverse of its table 1" in " ".join(html.split())


def test_conflicts_are_counted_by_pair_of_rules(html):
    (caption,) = (name for name in tables(html) if name.startswith("Pairs of rules"))
    assert tables(html)[caption][1:] == [
        ["Contrast", "agent-denied", "Without contrast", "portal-phase", "With contrast", "4", "4"]
    ]


def test_a_shared_description_is_shown_with_its_counts(html):
    (caption,) = (name for name in tables(html) if name.startswith("Descriptions"))
    assert tables(html)[caption][1:] == [["Contrast", "SeriesDescription", "ABDOMEN portal venous", "4", "4"]]


@pytest.mark.parametrize("canary", CANARIES)
def test_no_patient_text_is_in_anything_written(summary, canary):
    written = [path for path in summary.page.parent.rglob("*") if path.suffix in (".html", ".csv", ".json")]
    assert len(written) == 3
    for path in written:
        assert canary.lower() not in path.read_text("utf-8").lower(), path.name


def test_no_path_of_this_machine_is_on_the_page(html, work):
    assert str(work) not in html


def test_each_combination_of_labels_has_a_picture_with_its_count(html, summary):
    cards = [item for item in tree(html).iter("li") if item.find("p") is not None]
    words = [["".join(part.itertext()) for part in card.find("p")] for card in cards]
    assert words == [
        ["CT · Axial · Contrast unknown", "Liver, Kidney", "4 stacks, 4 patients"],
        ["T2 SE · Sagittal · With contrast", "None of the nine", "1 stack, 1 patient"],
    ]
    assert all(card.find("img").get("alt") for card in cards)
    assert (summary.n_combinations, summary.n_pictured) == (2, 2)


def test_the_table_of_montages_says_which_stack_each_shows(summary):
    lines = (summary.figures / "montage.csv").read_text().splitlines()
    assert lines[1].startswith("montage-001-1.png,0000000000000000,CT,Axial,Contrast unknown,")


def test_every_figure_is_a_png_file_named_in_the_record(work, summary):
    record = Workspace(work).read_record("8-report")
    names = {path.name for path in summary.figures.glob("*.png")}
    assert len(names) == summary.n_figures
    assert {"funnel.png", "coverage.png", "spacing-measured.png", "montage-002-1.png"} < names
    assert {f"figures/{name}" for name in names} | {"index.html", "figures/montage.csv"} == set(
        record.outputs
    )
    assert record.outputs["index.html"] == digest_file(summary.page)
    assert all(cv2.imread(str(summary.figures / name)) is not None for name in names)


def test_the_record_names_every_table_that_was_read(work, summary):
    record = Workspace(work).read_record("8-report")
    assert record.inputs == inputs(Workspace(work), RadnetConfig())
    assert len(record.inputs) == 7


def test_the_record_vouches_for_the_tables_as_they_were_read(tmp_path):
    work = small_archive().write(tmp_path)
    before = inputs(Workspace(work), RadnetConfig())

    def rewrite(done: int, total: int | None) -> None:
        (work / "3-labels/funnel.csv").write_text("step\n")

    write_report(work, progress=rewrite)
    assert Workspace(work).read_record("8-report").inputs == before


def test_the_record_holds_the_configuration_that_the_page_depends_on(work, summary):
    record = Workspace(work).read_record("8-report")
    assert record.config["report"] == RadnetConfig().report.model_dump()
    assert record.config["volumes"] == {"shape": [48, 192, 192]}


def test_the_page_is_well_formed_and_nothing_is_loaded_from_elsewhere(html):
    class Links(HTMLParser):
        found: ClassVar[list[str]] = []

        def handle_starttag(self, tag, attributes):
            assert tag not in ("script", "link", "iframe", "object", "embed")
            self.found += [value for name, value in attributes if name in ("src", "href", "action", "data")]

    page = Links()
    page.feed(html)
    assert page.found
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.found)
    assert not re.search(r"https?://|url\(|@import", html)
    assert tree(html).get("lang") == "en"


def test_every_picture_table_and_anchor_can_be_understood_without_sight(html):
    root = tree(html)
    assert all(picture.get("alt") for picture in root.iter("img"))
    assert all(svg.get("role") == "img" and svg.get("aria-label") for svg in root.iter("svg"))
    assert all(table.find("caption") is not None for table in root.iter("table"))
    assert all(head.get("scope") for head in root.iter("th"))
    anchors = {link.get("href").removeprefix("#") for link in root.iter("a")}
    assert anchors <= {element.get("id") for element in root.iter()}


def test_equal_tables_give_equal_bytes(tmp_path):
    pages = []
    for name in ("one", "two"):
        summary = write_report(small_archive().write(tmp_path / name))
        pages.append({path.name: path.read_bytes() for path in written(summary)})
    assert pages[0] == pages[1]


def written(summary: ReportSummary) -> Iterator[Path]:
    return (path for path in summary.page.parent.rglob("*") if path.suffix in (".html", ".png", ".csv"))


def test_special_characters_are_shown_not_obeyed(tmp_path):
    archive, text = Archive(), '<img src="http://evil.example/x" onerror="alert(1)"> & <b>bold</b>'
    for _ in range(3):
        stack = archive.add(contrast_status="unknown", SeriesDescription=text)
        archive.vote(stack, "contrast", "<i>rule</i>", "yes")
    html = write_report(archive.write(tmp_path)).page.read_text("utf-8")
    (caption,) = (name for name in tables(html) if name.startswith("Descriptions"))
    assert tables(html)[caption][1][2] == text
    assert '<img src="http' not in html
    assert "<i>" not in html


def test_a_text_needs_as_many_patients_as_the_configuration_says(tmp_path):
    work = small_archive().write(tmp_path)
    config = RadnetConfig(report=ReportConfig(min_patients_for_text=5))
    assert "portal venous" not in write_report(work, config).page.read_text("utf-8")


def test_stacks_with_burned_in_text_are_counted_but_never_pictured(tmp_path):
    archive = Archive()
    archive.add(BurnedInAnnotation="YES")
    summary = write_report(archive.write(tmp_path))
    assert "no volume to show" in summary.page.read_text("utf-8")
    assert (summary.n_combinations, summary.n_pictured) == (1, 0)


def test_combinations_beyond_the_limit_are_counted_as_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("radnet.report.stage.MAX_COMBINATIONS", 1)
    html = write_report(small_archive().write(tmp_path, volumes=False)).page.read_text("utf-8")
    assert "The 1 commonest combinations are shown; 1 rarer ones are left out." in html


def test_before_the_volumes_are_built_the_page_says_so(tmp_path):
    summary = write_report(small_archive().write(tmp_path, volumes=False))
    html = summary.page.read_text("utf-8")
    assert "radnet build" in html
    assert tiles(html)["volumes built"] == ("0", "not built yet")
    assert not summary.volumes_built
    assert "4 stacks, 4 patients" in html


def written_study(folder: Path) -> None:
    """Write what a study of one run leaves, and a segmenter beside it."""
    (folder / "grid").mkdir(parents=True)
    (folder / "liver").mkdir()
    run = {"run": "a_n2_fold0_seed1", "arm": "a", "title": "Arm <A>", "kind": "pretrained", "arm_number": 0}
    run |= {"size": "2", "size_number": 0, "n_training": 2, "fold": 0, "seed": 1}
    took = {
        "steps": 9,
        "training_seconds": 1.0,
        "wall_seconds": 2.0,
        "outline_seconds": 0.5,
        "n_learning": 10,
    }
    scores = {"dice": 0.8, "iou": 0.7, "hd95_mm": 9.0, "surface_dice": 0.6, "volume_difference_ml": -5.0}
    cases = [run | scores | {"failed": False, "patient": f"p{n}", "case": f"DOE^JANE-{n}"} for n in range(3)]
    pl.DataFrame([run | took]).write_parquet(folder / "grid" / "runs.parquet")
    pl.DataFrame(cases).write_parquet(folder / "grid" / "cases.parquet")
    transfer = {"max_steps": 9, "batch_size": 2, "max_minutes": None, "keep": "best"}
    grid = {"folds": 0, "folds_run": None, "validation": 1, "seeds": [1], "tolerance_mm": 5.0}
    told = {"organ": "liver", "study": grid, "transfer": transfer, "n_cases": 9, "n_patients": 9, "n_runs": 1}
    (folder / "grid" / "study.json").write_text(json.dumps(told | {"left_out": ["DOE^JANE"]}))
    summary = {"organ": "liver", "n_steps": 1234, "seconds": 1.5, "best_step": 7, "dice": 0.7}
    metrics = {"summary": summary, "settings": {}, "version": "0"}
    (folder / "liver" / "metrics.json").write_text(json.dumps(metrics))


def test_studies_and_segmenters_of_the_workspace_are_shown(tmp_path):
    work = small_archive().write(tmp_path)
    written_study(work / "6-transfer")
    summary = write_report(work)
    page = summary.page.read_text("utf-8")
    assert (
        row_of(page, "Of each arm, by the scans that it trained on; 95 % intervals in brackets.", "Arm <A>")[
            4
        ]
        == "80.0% [80.0, 80.0]"
    )
    assert row_of(page, "What was trained", "steps")[1] == "1,234"
    assert "1 left out; one split of 70:15:15 by patient" in page
    assert "DOE" not in page
    assert {"6-transfer/grid/runs.parquet", "6-transfer/liver/metrics.json"} <= inputs(
        Workspace(work), RadnetConfig()
    ).keys()


def test_pictures_of_an_earlier_run_do_not_stay(tmp_path):
    work = small_archive().write(tmp_path)
    write_report(work)
    shutil.rmtree(work / "4-volumes")
    summary = write_report(work)
    assert not list(summary.figures.glob("montage*.png"))


@pytest.mark.parametrize(
    "archive", [Archive(), Archive(skipped=[("unreadable", "EOFError")])], ids=["empty", "all broken"]
)
def test_an_archive_of_which_nothing_is_kept_still_has_a_page(tmp_path, archive):
    summary = write_report(archive.write(tmp_path))
    assert "Nothing was kept" in summary.page.read_text("utf-8")
    assert (summary.n_stacks, summary.n_kept) == (0, 0)


def test_excluded_stacks_alone_still_have_a_page(tmp_path):
    archive = Archive()
    archive.add(**LOCALIZER)
    html = write_report(archive.write(tmp_path)).page.read_text("utf-8")
    assert "Nothing was kept" in html
    assert tiles(html)["stacks kept"] == ("0", "0.0% of all stacks")


@pytest.mark.parametrize(
    ("table", "verb"),
    [
        ("1-scan/instances.parquet", "scan"),
        ("1-scan/skipped.parquet", "scan"),
        ("2-series/series.parquet", "group"),
        ("3-labels/labels.parquet", "label"),
        ("3-labels/votes.parquet", "label"),
        ("3-labels/funnel.csv", "label"),
    ],
)
def test_a_missing_table_is_named_with_the_verb_that_makes_it(tmp_path, table, verb):
    work = small_archive().write(tmp_path, volumes=False)
    (work / table).unlink()
    with pytest.raises(WorkspaceError, match=f"{table} is not there yet; run `radnet {verb}` first"):
        write_report(work)


def test_a_damaged_funnel_is_refused(tmp_path):
    work = small_archive().write(tmp_path, volumes=False)
    (work / "3-labels/funnel.csv").write_text("step,files\ninput,3\n")
    with pytest.raises(WorkspaceError, match="is no funnel"):
        write_report(work)


def test_the_choices_behind_the_labels_are_shown_without_paths(tmp_path):
    work = small_archive().write(tmp_path, volumes=False)
    table = {"min_slices": 16, "keep_sequences": ["ct", "t1_se"], "rules": ["/home/doe/rules"]}
    record = {
        "stage": "label",
        "version": "",
        "config": {"labels": table},
        "inputs": {},
        "outputs": {},
        "made": "",
    }
    (work / "3-labels/record.json").write_text(json.dumps(record))
    html = write_report(work).page.read_text("utf-8")
    rows = tables(html)["The choices behind these labels"][1:]
    assert rows == [["keep_sequences", "ct, t1_se"], ["min_slices", "16"]]
    assert "/home/doe" not in html
