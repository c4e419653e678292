"""A run is measured on what it never saw, and everything that is measured is written down."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from labelled_volumes import row_of, write_labelled
from report_archive import Archive
from test_pretrain import tiny

from radnet.config import load_config
from radnet.errors import TrainingError, WorkspaceError
from radnet.networks.model import load_model
from radnet.pretrain.evaluate import EvaluationSummary, evaluate_run
from radnet.pretrain.stage import pretrain
from radnet.report.stage import inputs, write_report
from radnet.volumes.store import VolumeStore
from radnet.workspace import Workspace

PATIENTS = 30
VOLUMES = 150


def row(number: int) -> dict[str, Any]:
    """As `row_of`, with a volume whose pixels may show text."""
    return {**row_of(number, PATIENTS), "BurnedInAnnotation": "YES" if number % 2 else None}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a run."""
    work = tmp_path_factory.mktemp("evaluated") / "work"
    write_labelled(work, [row(number) for number in range(VOLUMES)], 64)
    summary = pretrain(work, tiny(epochs=6, test_share=0.3), "run")
    assert summary is not None
    return work


@pytest.fixture(scope="module")
def summary(work: Path) -> EvaluationSummary:
    return evaluate_run("run", work)


@pytest.fixture(scope="module")
def metrics(summary: EvaluationSummary) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(summary.folder) / "metrics.json").read_text())
    return found


def test_all_and_only_test_volumes_are_measured(work: Path, summary: EvaluationSummary) -> None:
    split = pl.read_parquet(work / "5-pretrain/run/split.parquet").filter(pl.col("split") == "test")
    told = pl.read_parquet(Path(summary.folder) / "predictions.parquet")
    assert set(told["stack_id"]) == set(split["stack_id"])
    assert (summary.n_volumes, summary.n_patients) == (len(split), split["patient"].n_unique())


def test_figures_are_those_of_the_model_on_the_labels(
    work: Path, summary: EvaluationSummary, metrics: dict[str, Any]
) -> None:
    told = pl.read_parquet(Path(summary.folder) / "predictions.parquet")
    store = VolumeStore(work / "4-volumes")
    words = load_model(work / "5-pretrain/run").classify([store.read(name) for name in told["stack_id"]])
    truth = {name: row(int(name, 16)) for name in told["stack_id"]}
    totals = {(one["head"], one["name"]): one for one in metrics["totals"]}
    for head in ("sequence", "view", "contrast"):
        pairs = [
            (truth[name][head], said)
            for name, said in zip(told["stack_id"], words["words"][head], strict=True)
            if truth[name][head] is not None
        ]
        total = totals[head, "top-1"]
        assert total["samples"] == len(pairs)
        assert total["value"]["value"] == pytest.approx(np.mean([one == other for one, other in pairs]))
    sets = [
        set(truth[name]["coverage"]) == set(said)
        for name, said in zip(told["stack_id"], words["words"]["coverage"], strict=True)
        if truth[name]["coverage"] is not None
    ]
    assert totals["coverage", "exact set"]["value"]["value"] == pytest.approx(np.mean(sets))
    errors = [
        said - truth[n]["effective_spacing_mm"] for n, said in zip(truth, words["spacing"], strict=True)
    ]
    assert totals["spacing", "MAE"]["value"]["value"] == pytest.approx(np.mean(np.abs(errors)), rel=1e-4)
    assert totals["spacing", "RMSE"]["value"]["value"] == pytest.approx(np.std(errors, mean=0), rel=1e-4)


def test_the_network_learnt_what_the_volumes_show(metrics: dict[str, Any]) -> None:
    rulers = {(one["head"], one["means"]): one["value"]["value"] for one in metrics["rulers"]}
    assert rulers["sequence", "network"] > 0.8 > rulers["sequence", "majority"]
    assert rulers["sequence", "histogram"] > 0.9  # grey level tells it
    assert rulers["sequence", "neighbours"] > 0.9
    assert rulers["sequence", "linear probe"] > 0.9
    assert rulers["spacing", "padding"] == rulers["spacing", "majority"]  # no volume is padded
    assert ("collection", "linear probe") in rulers


def test_every_head_has_every_ruler(metrics: dict[str, Any]) -> None:
    means = {head: set() for head in ("sequence", "view", "contrast", "coverage", "spacing")}
    for ruler in metrics["rulers"]:
        if ruler["head"] in means:
            means[ruler["head"]].add(ruler["means"])
    common = {"network", "majority", "histogram", "neighbours", "linear probe"}
    assert means.pop("spacing") == common | {"padding"}
    assert all(found == common for found in means.values())


def test_intervals_hold_their_figures(metrics: dict[str, Any]) -> None:
    values = [one["value"] for one in (*metrics["totals"], *metrics["rulers"])]
    values += [one[name] for one in metrics["classes"] for name in ("accuracy", "auc", "recall", "precision")]
    measured = [value for value in values if value["value"] is not None and value["low"] is not None]
    assert len(measured) > 40
    assert all(value["low"] <= value["value"] + 1e-9 for value in measured)
    assert all(value["value"] - 1e-9 <= value["high"] for value in measured)


def test_a_confusion_matrix_counts_every_known_label(metrics: dict[str, Any]) -> None:
    samples = {one["head"]: one["samples"] for one in metrics["totals"]}
    for head, matrix in metrics["confusion"].items():
        assert np.sum(matrix["counts"]) == samples[head]
        rows = {one["name"]: one["samples"] for one in metrics["classes"] if one["head"] == head}
        assert np.sum(matrix["counts"], 1).tolist() == [rows[word] for word in matrix["words"]]


def test_calibration_is_told_before_and_after(metrics: dict[str, Any]) -> None:
    found = {one["head"]: one for one in metrics["calibration"]}
    assert set(found) == {"sequence", "view", "contrast", "coverage"}
    for one in found.values():
        assert 0.05 <= one["temperature"] <= 20
        assert sum(one["before"]["counts"]) == sum(one["after"]["counts"]) > 0


def test_the_table_is_the_same_in_each_form(summary: EvaluationSummary, metrics: dict[str, Any]) -> None:
    folder = Path(summary.folder)
    with (folder / "table1.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    sequence = next(row for row in rows if (row["label"], row["class"]) == ("sequence", "total"))
    total = next(one for one in metrics["totals"] if one["head"] == "sequence")
    assert float(sequence["value"]) == pytest.approx(total["value"]["value"])
    assert len(rows) == 4 * len(metrics["classes"]) + len(metrics["totals"])
    markdown = (folder / "table1.md").read_text()
    percent = f"| {100 * total['value']['value']:.1f}% [{100 * total['value']['low']:.1f}, "
    assert f"| *top-1, {total['patients']} patients* | {total['samples']} {percent}" in markdown
    assert summary.figures["sequence top-1"] in markdown


def test_the_card_holds_the_table(work: Path, summary: EvaluationSummary) -> None:
    card = (work / "5-pretrain/run/README.md").read_text()
    assert (Path(summary.folder) / "table1.md").read_text().splitlines()[4] in card
    assert "Not measured yet" not in card


def test_mistakes_are_shown_unless_text_may_be_burned_in(work: Path, summary: EvaluationSummary) -> None:
    folder = Path(summary.folder)
    with (folder / "mistakes.csv").open(newline="") as table:
        mistakes = list(csv.DictReader(table))
    assert mistakes
    assert all(one["truth"] != one["said"] for one in mistakes)
    for head in ("view", "spacing"):
        sizes = [float(one["size"]) for one in mistakes if one["head"] == head]
        assert sizes == sorted(sizes, reverse=True)
    pictured = {one["picture"]: int(one["stack_id"], 16) % 2 for one in mistakes if one["picture"]}
    assert pictured
    assert not any(pictured.values())
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in pictured)


def test_equal_evaluations_are_equal(work: Path, summary: EvaluationSummary) -> None:
    again = evaluate_run("run", work, name="again")
    first, second = ((Path(one.folder) / "metrics.json").read_text() for one in (summary, again))
    shutil.rmtree(again.folder)
    assert first == second


def test_another_workspace_is_measured_whole(work: Path, tmp_path: Path) -> None:
    other = write_labelled(
        tmp_path / "elsewhere",
        [
            {**row(number), "patient": None, "StudyInstanceUID": f"9.{number}", "acquisition_group": None}
            | {"FrameOfReferenceUID": None, "stack_id": f"{number + 1000:016x}"}
            for number in range(20)
        ],
    )
    run = shutil.copytree(work / "5-pretrain/run", tmp_path / "5-pretrain" / "run")
    found = evaluate_run(run, other, split="all")
    assert Path(found.folder) == run / "evaluation" / "elsewhere"
    assert (found.n_volumes, found.n_patients) == (20, 20)  # without patients each study stands for itself
    metrics = json.loads((Path(found.folder) / "metrics.json").read_text())
    assert metrics["rulers"] == []  # the volumes that trained it are not beside it
    assert all(one["temperature"] is None for one in metrics["calibration"])


@pytest.mark.parametrize("name", ["patient", "StudyInstanceUID", "FrameOfReferenceUID", "digest"])
def test_what_has_to_do_with_training_is_refused(name: str, work: Path, tmp_path: Path) -> None:
    split = pl.read_parquet(work / "5-pretrain/run/split.parquet").filter(pl.col("split") == "training")
    rows = [
        {**row(number), "patient": f"q{number}", "StudyInstanceUID": f"9.{number}", "acquisition_group": None}
        | {"FrameOfReferenceUID": f"8.{number}", "stack_id": f"{number + 1000:016x}"}
        for number in range(4)
    ]
    if name == "digest":
        rows[2]["stack_id"] = split["stack_id"][0]  # its noise comes of its number
        rows[2] |= {key: row(int(split["stack_id"][0], 16))[key] for key in ("sequence", "view")}
        rows[2]["effective_spacing_mm"] = row(int(split["stack_id"][0], 16))["effective_spacing_mm"]
    else:
        rows[2][name] = split[name][0]
    other = write_labelled(tmp_path / "other", rows)
    with pytest.raises(TrainingError, match=f"1 values of {name} stand on two sides"):
        evaluate_run(work / "5-pretrain/run", other, split="all")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"run": "walk"}, "no run walk in .*; there are run$"),
        ({"split": "tests"}, "--split tests: must be one of training, validation, test, all"),
        ({"split": "all"}, "values of patient stand on two sides"),
    ],
    ids=["run", "split", "all of its own"],
)
def test_what_cannot_be_measured_is_told(options: dict[str, str], match: str, work: Path) -> None:
    with pytest.raises(TrainingError, match=match):
        evaluate_run(**{"run": "run", "work": work, **options})


def record_grey_levels(work: Path, **changes: Any) -> None:
    """Write the record that the volumes were made with a changed configuration."""
    config = {"volumes": load_config(changes={"volumes": changes}).volumes.model_dump(mode="json")}
    Workspace(work).write_record("volumes", "4-volumes", config, {}, (), "0")


def test_a_model_remembers_how_its_volumes_were_made(tmp_path: Path) -> None:
    write_labelled(tmp_path, [row(number) for number in range(60)], 64)
    record_grey_levels(tmp_path, ct_window=(-160, 240))
    pretrain(tmp_path, tiny(epochs=1), "run")
    assert load_model(tmp_path / "5-pretrain/run").spec.ct_window == (-160, 240)
    assert "from -160 to 240 HU" in (tmp_path / "5-pretrain/run/README.md").read_text()


def test_volumes_of_other_grey_levels_are_refused(work: Path, tmp_path: Path) -> None:
    write_labelled(tmp_path / "other", [row(number) | {"patient": "new"} for number in range(20)])
    record_grey_levels(tmp_path / "other", ct_window=(-160, 240))
    with pytest.raises(
        TrainingError, match=r"ct_window = \[-160.0, 240.0\].*learnt with \[-1000.0, 1000.0\]"
    ):
        evaluate_run(work / "5-pretrain/run", tmp_path / "other", split="all")


def test_a_split_of_another_workspace_is_refused(work: Path, tmp_path: Path) -> None:
    other = write_labelled(tmp_path / "other", [row(number) for number in range(4)])
    with pytest.raises(TrainingError, match=r"--split test is of .*, where it trained; use --split all here"):
        evaluate_run(work / "5-pretrain/run", other)


def test_an_empty_split_is_told(work: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(work, tmp_path / "work")
    path = copy / "5-pretrain/run/split.parquet"
    pl.read_parquet(path).filter(pl.col("split") != "test").write_parquet(path)
    with pytest.raises(TrainingError, match=r"the split 'test' of .* has no volume to test on; name"):
        evaluate_run("run", copy)


def test_a_model_that_does_not_say_who_trained_it_is_refused(work: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(work, tmp_path / "work")
    (copy / "5-pretrain/run/split.parquet").unlink()
    with pytest.raises(WorkspaceError, match=r"split\.parquet is not there yet; run `radnet pretrain` first"):
        evaluate_run("run", copy)


def test_the_page_shows_what_networks_learnt(work: Path, summary: EvaluationSummary, tmp_path: Path) -> None:
    archive = Archive()
    archive.add()
    other = archive.write(tmp_path)
    before = inputs(Workspace(other), tiny())
    assert "Networks" not in Path(write_report(other).page).read_text()
    shutil.copytree(work / "5-pretrain", other / "5-pretrain")
    assert inputs(Workspace(other), tiny()) != before
    page = Path(write_report(other).page).read_text()
    assert '<a href="#networks">Networks</a>' in page
    assert "run, measured on test" in page
    assert summary.figures["spacing MAE"] in page
    assert "The mistakes it was surest of" in page
    assert not [name for name in ("stack_id", "p7<", row(7)["stack_id"]) if name in page]
