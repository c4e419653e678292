"""A study runs each training once, goes on where it was stopped, and compares on the scans' own voxels."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from studied_scans import CANARY, write_scans

from radnet.config import RadnetConfig, load_config
from radnet.errors import StudyError
from radnet.executors import Shard, Workers
from radnet.masks.nifti import read_nifti
from radnet.networks.build import build_network
from radnet.networks.folder import save_model
from radnet.networks.spec import make_spec
from radnet.report.studies import read_studies, write_study_page
from radnet.studies import ArmConfig
from radnet.transfer.cases import unpack_mask
from radnet.transfer.readers import find_cases, prepare_cases
from radnet.transfer.scores import score_mask
from radnet.transfer.study import StudySummary, run_study
from radnet.transfer.study_results import write_results
from radnet.transfer.study_runs import MASKS_NAME
from radnet.workspace import Workspace

ARMS = (
    ArmConfig(name="frozen", title="Froze all layers", freeze="all"),
    ArmConfig(name="scratch", title="No transfer learning", init="scratch"),
    ArmConfig(name="unet", title="MONAI UNet", network="unet", init="scratch", sizes=(4,), seeds=(1,)),
)
TINY: dict[str, Any] = {
    "transfer": {
        "window": [8, 16, 16],
        "max_steps": 4,
        "validate_every": 2,
        "batch_size": 2,
        "precision": "32-true",
        "accelerator": "cpu",
        "proposal_slices": 8,
        "proposal_stride": 2,
        "matrix": 24,
    },
    "study": {"sizes": [2, 4], "seeds": [1, 2], "folds": 3, "folds_run": 1, "validation": 0},
}
N_RUNS = 2 * 2 * 2 + 1


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scans(tmp_path_factory.mktemp("scans"), 6)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    spec = make_spec("resnet10", width=4, stem="small", embedding=8, input_shape=(8, 16, 16))
    folder = tmp_path_factory.mktemp("model") / "tiny"
    save_model(folder, build_network(spec), spec, {})
    return folder


def tiny(**transfer: Any) -> RadnetConfig:
    return load_config(changes={**TINY, "transfer": {**TINY["transfer"], **transfer}})


def study(
    scans: Path, model: Path, out: Path, config: RadnetConfig | None = None, **more: Any
) -> StudySummary:
    return run_study(scans, model, out, config or tiny(), more.pop("arms", ARMS), **more)


@pytest.fixture(scope="module")
def done(scans: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("work") / "6-transfer" / "grid"
    summary = study(scans, model, out)
    assert (summary.n_runs, summary.n_finished, summary.failed) == (N_RUNS, N_RUNS, {})
    return out


def test_every_run_and_case_has_a_row(done: Path) -> None:
    runs, cases = pl.read_parquet(done / "runs.parquet"), pl.read_parquet(done / "cases.parquet")
    assert len(runs) == runs["run"].n_unique() == N_RUNS
    assert len(cases) == 2 * N_RUNS
    assert set(runs["steps"]) == {4}  # equal budgets
    assert runs.filter(pl.col("arm") == "unet")["n_learning"][0] > 1e6
    frozen, scratch = (runs.filter(pl.col("arm") == arm)["n_learning"][0] for arm in ("frozen", "scratch"))
    assert frozen < scratch


def test_scores_are_those_of_the_kept_masks_on_the_scans_own_voxels(done: Path, scans: Path) -> None:
    row = pl.read_parquet(done / "cases.parquet").row(0, named=True)
    truth = read_nifti(scans / f"{row['case']}.nii.gz".replace("volume", "segmentation"))
    (case,) = prepare_cases(
        [files for files in find_cases(scans, "liver") if files.case_id == row["case"]]
    ).cases
    with np.load(done / "runs" / row["run"] / MASKS_NAME) as masks:
        mask = unpack_mask(masks[row["case"]].tobytes(), case.scan)
    assert mask.shape == case.original_mask.shape == truth.values.shape
    scores = score_mask(mask, case.original_mask, case.original_spacing_mm)
    assert scores.dice == pytest.approx(row["dice"])
    assert row["truth_ml"] == pytest.approx(np.count_nonzero(truth.values) * 4 * 3 * 3 / 1000)


def test_a_finished_study_is_not_repeated(done: Path, scans: Path, model: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.glob("runs/*/run.json")}
    summary = study(scans, model, done)
    assert (summary.n_known, summary.n_finished, summary.finished) == (N_RUNS, 0, True)
    assert before == {path: path.stat().st_mtime_ns for path in done.glob("runs/*/run.json")}


def test_a_lost_run_is_made_again_with_the_same_scores(done: Path, scans: Path, model: Path) -> None:
    before = pl.read_parquet(done / "cases.parquet")
    shutil.rmtree(done / "runs" / "frozen_n2_fold0_seed1")
    assert study(scans, model, done).n_finished == 1
    assert pl.read_parquet(done / "cases.parquet").equals(before)


def test_other_settings_are_refused_in_the_same_folder(done: Path, scans: Path, model: Path) -> None:
    with pytest.raises(
        StudyError, match="was made with other cases, weights or settings; name another --out"
    ):
        study(scans, model, done, tiny(lr=0.5))


def test_settings_of_the_machine_may_change(done: Path, scans: Path, model: Path) -> None:
    assert study(scans, model, done, tiny(readers=1)).n_known == N_RUNS


def test_a_grid_can_grow(scans: Path, model: Path, tmp_path: Path) -> None:
    first = study(scans, model, tmp_path, arms=ARMS[1:2])
    both = study(scans, model, tmp_path, arms=ARMS[:2])
    assert (first.n_finished, both.n_finished, both.n_known) == (4, 4, 4)
    cases = pl.read_parquet(tmp_path / "cases.parquet")
    assert cases["arm"].unique(maintain_order=True).to_list() == ["frozen", "scratch"]  # as the grid is now


def test_workers_and_shards_give_the_same_scores(
    done: Path, scans: Path, model: Path, tmp_path: Path
) -> None:
    arms = ARMS[:1]
    for index in range(2):
        study(scans, model, tmp_path, arms=arms, workers=Workers("processes", 2), shard=Shard(index, 2))
    columns = ["run", "case", "dice"]
    ours = pl.read_parquet(tmp_path / "cases.parquet").select(columns).sort(columns)
    alone = pl.read_parquet(done / "cases.parquet").filter(pl.col("arm") == "frozen")
    assert ours["run"].to_list() == alone.select(columns).sort(columns)["run"].to_list()
    np.testing.assert_allclose(ours["dice"], alone.select(columns).sort(columns)["dice"], atol=0.02)


def test_what_is_wrong_with_one_arm_does_not_stop_the_others(
    scans: Path, model: Path, tmp_path: Path
) -> None:
    wrong = ArmConfig(name="wrong", settings={"encoder_norm": "group"})  # the pretrained encoder has batch
    summary = study(scans, model, tmp_path, arms=(wrong, ARMS[1]))
    assert summary.n_finished == 4
    assert len(summary.failed) == 4
    assert "encoder_norm = 'group' is for init = 'scratch' alone" in summary.failed["wrong_n2_fold0_seed1"]


@pytest.mark.parametrize(
    ("arm", "match"),
    [
        (ArmConfig(name="a", settings={"lrr": 1}), "arm 'a': settings.lrr: Extra inputs are not permitted"),
        (ArmConfig(name="m", init="medicalnet"), "arm 'm' takes MedicalNet's weights; name their file"),
    ],
    ids=["setting", "medicalnet"],
)
def test_arms_that_cannot_run_are_refused_before_any_runs(
    arm: ArmConfig, match: str, scans: Path, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(StudyError, match=match):
        study(scans, model, tmp_path, arms=(*ARMS, arm))
    assert not list(tmp_path.glob("runs/*"))


def test_a_killed_study_goes_on_from_its_checkpoint(scans: Path, model: Path, tmp_path: Path) -> None:
    """A run of many steps is stopped in its midst; the same command ends it with all its steps."""
    config = tmp_path / "grid.toml"
    config.write_text(
        "[transfer]\nwindow = [8, 16, 16]\nmax_steps = 100\nvalidate_every = 5\nbatch_size = 2\nmatrix = 24\n"
        "proposal_slices = 8\naccelerator = 'cpu'\nprecision = '32-true'\n"
        "[study]\nsizes = [2]\nseeds = [1]\nfolds = 3\nfolds_run = 1\nvalidation = 0\n"
        "[[study.arms]]\nname = 'scratch'\ninit = 'scratch'\n"
    )
    out = tmp_path / "out"
    command = [sys.executable, "-m", "radnet", "study", "grid", str(config), str(scans)]
    command += ["--model", str(model), "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    state = out / "runs" / "scratch_n2_fold0_seed1" / "resume.safetensors"
    deadline = time.monotonic() + 120
    while not state.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "the same command goes on" in errors
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert pl.read_parquet(out / "runs.parquet")["steps"].to_list() == [100]
    assert (out / "index.html").exists()


def test_the_tables_say_budget_and_scores(done: Path) -> None:
    text = (done / "tables.md").read_text("utf-8")
    assert (
        "6 scans of 6 patients, 0 left out; 1 of 3 folds over patients, seeds 1, 2; 9 of 9 runs are done"
        in text
    )
    assert "Every run had the same budget, 4 steps of 2 windows, and kept the last weights" in text
    assert "2 patients were tested: a bootstrap over so few" in text
    assert "| Froze all layers | 2 | 2 | 2 | " in text
    assert "| MONAI UNet | 4 | 1 | 2 | " in text
    scores = pl.read_csv(done / "scores.csv")
    assert scores["arm"].to_list() == ["frozen", "frozen", "scratch", "scratch", "unet"]
    gains = pl.read_csv(done / "differences.csv")
    assert gains["than"].to_list() == ["No transfer learning", "No transfer learning", "MONAI UNet"]


def test_pictures_and_page_are_there_and_name_nobody(done: Path) -> None:
    assert {path.name for path in (done / "figures").glob("*.png")} == {
        *("cases-frozen.png", "cases-scratch.png", "cases-unet.png", "windows.png"),
        *("learning-0.png", "learning-1.png"),
    }
    page = write_study_page(done).page.read_text("utf-8")
    assert "Ahead of what is not pretrained" in page
    assert page.count("data:image/png;base64,") >= 4
    for path in (*done.glob("*.*"), *done.glob("runs/*/*.json")):
        assert CANARY.encode() not in path.read_bytes(), path


def test_the_page_of_a_workspace_shows_its_studies(done: Path) -> None:
    (view,) = read_studies(Workspace(done.parents[1]))
    assert (view.name, view.organ) == ("grid", "liver")
    assert view.sections[0].title == "Scores"
    assert len(view.curves) == 2


def test_show_writes_the_tables_again(done: Path) -> None:
    before = (done / "tables.md").read_text("utf-8")
    (done / "tables.md").unlink()
    command = [sys.executable, "-m", "radnet", "study", "show", str(done)]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert shown.stdout.rstrip() == before.rstrip(), shown.stderr
    assert (done / "tables.md").read_text("utf-8") == before


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="holds no study"):
        write_results(tmp_path)
