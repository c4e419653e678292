"""What a training promises: it ends where an undisturbed one ends, and tells what it cannot train on."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from labelled_volumes import row_of, volume_of, write_labelled, write_small
from safetensors.torch import load_file

from radnet.config import RadnetConfig, load_config
from radnet.errors import RadnetError, TrainingError, WorkspaceError
from radnet.networks.model import load_model
from radnet.pipeline import status
from radnet.pretrain.stage import PretrainSummary, pretrain
from radnet.training import loop as training_loop
from radnet.training.history import read_history
from radnet.training.stopping import StopRequest

TINY: dict[str, Any] = {
    "network": "resnet10",
    "width": 4,
    "stem": "small",
    "norm": "group",
    "embedding": 16,
    "input_shape": [8, 16, 16],
    "epochs": 3,
    "batch_size": 8,
    "lr": 0.01,
    "precision": "32-true",
    "accelerator": "cpu",
    "test_share": 0.0,
}


def tiny(**settings: Any) -> RadnetConfig:
    return load_config(changes={"pretrain": {**TINY, **settings}})


def run(work: Path, name: str = "run", **settings: Any) -> PretrainSummary:
    summary = pretrain(work, tiny(**settings), name)
    assert summary is not None
    return summary


def weights(work: Path, name: str = "run") -> dict[str, torch.Tensor]:
    return load_file(work / "5-pretrain" / name / "last" / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which a run ended undisturbed."""
    work = write_small(tmp_path_factory.mktemp("trained") / "work")
    run(work)
    return work


@pytest.fixture
def work(trained: Path, tmp_path: Path) -> Path:
    """A copy whose volumes a test may spoil, without the run."""
    return shutil.copytree(trained, tmp_path / "work", ignore=shutil.ignore_patterns("5-pretrain"))


def test_a_run_is_a_model_folder_with_all_that_it_promises(trained: Path) -> None:
    folder = trained / "5-pretrain" / "run"
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    files = {"model.safetensors", "config.json", "README.md", "metrics.json", "history.csv", "split.parquet"}
    assert names == files | {"curves.png", "record.json", "last", "tensorboard"}
    assert not list(folder.rglob("*.pt")) + list(folder.rglob("*.ckpt")) + list(folder.rglob("*.pkl"))
    model = load_model(folder)
    assert model.spec.input_shape == (8, 16, 16)
    assert (
        model.metadata["training_data"]["training volumes"]
        + model.metadata["training_data"]["validation volumes"]
        == 48
    )
    volume = volume_of(row_of(3))
    assert model.classify(volume[None])["sequence"].shape == (1, 5)
    assert model.embed(volume[None]).shape == (1, 16)


def test_the_history_has_a_row_an_epoch_and_the_best_is_kept(trained: Path) -> None:
    folder = trained / "5-pretrain" / "run"
    history = read_history(folder)
    assert [row["epoch"] for row in history] == [0, 1, 2]
    assert len({row["validation_loss"] for row in history}) == 3  # the average follows the weights
    losses = [row["validation_loss"] for row in history]
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["best_epoch"] == int(np.argmin(losses))
    assert metrics["best"]["loss"] == pytest.approx(min(losses), abs=1e-4)
    assert history[-1]["training_loss"] < history[0]["training_loss"]


def test_the_split_is_written_by_patient(trained: Path) -> None:
    split = pl.read_parquet(trained / "5-pretrain" / "run" / "split.parquet")
    assert len(split) == 48
    assert split.group_by("patient").agg(pl.col("split").n_unique())["split"].to_list() == [1] * 12


def test_the_status_tells_of_runs(trained: Path) -> None:
    (found,) = (stage for stage in status(trained) if stage.folder == "5-pretrain/run")
    assert (found.state, found.verb) == ("fresh", "pretrain --run run")


def test_the_status_tells_that_labels_changed_since(trained: Path, tmp_path: Path) -> None:
    work = shutil.copytree(trained, tmp_path / "work")
    write_labelled(work, [{**row_of(n), "view": "axial"} for n in range(48)])
    (found,) = (stage for stage in status(work) if stage.folder == "5-pretrain/run")
    assert found.state == "stale"
    assert "3-labels/labels.parquet changed" in found.why


def test_a_run_that_ended_is_left_as_it_is(trained: Path) -> None:
    path = trained / "5-pretrain" / "run" / "model.safetensors"
    before = path.stat().st_mtime_ns
    summary = run(trained)
    assert path.stat().st_mtime_ns == before
    assert (summary.finished, summary.n_epochs) == (True, 3)


def test_equal_seeds_give_equal_weights_and_others_do_not(trained: Path, work: Path) -> None:
    run(work)
    assert same(weights(work), weights(trained))
    run(work, "other", seed=2)
    assert not same(weights(work, "other"), weights(trained))


class StopAfter(StopRequest):
    """As if a signal came before the end of a step."""

    left = 0

    @property
    def made(self) -> bool:
        type(self).left -= 1
        return self.left < 0

    @made.setter
    def made(self, value: bool) -> None:
        pass


@pytest.mark.parametrize("steps", [0, 3, 7, 10], ids=lambda steps: f"after step {steps + 1}")
def test_a_stopped_run_ends_with_the_weights_of_an_undisturbed_one(
    steps: int, trained: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(training_loop, "StopRequest", StopAfter)
        patched.setattr(StopAfter, "left", steps)
        assert not run(work).finished
    state = load_file(work / "5-pretrain" / "run" / "resume.safetensors")
    assert any(name.startswith("optimizer.") for name in state)
    assert run(work).finished
    assert same(weights(work), weights(trained))
    ours, theirs = (read_history(folder / "5-pretrain" / "run") for folder in (work, trained))
    assert ours == theirs
    assert not (work / "5-pretrain" / "run" / "resume.safetensors").exists()


def test_batch_norm_accumulation_and_learned_weights_resume_too(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"norm": "batch", "accumulate": 2, "batch_size": 4, "learn_head_weights": True, "epochs": 2}
    run(work, "whole", **settings)
    with monkeypatch.context() as patched:
        patched.setattr(training_loop, "StopRequest", StopAfter)
        patched.setattr(StopAfter, "left", 2)
        assert not run(work, "parts", **settings).finished
    run(work, "parts", **settings)
    assert same(weights(work, "whole"), weights(work, "parts"))


COMMAND = [sys.executable, "-m", "radnet", "pretrain", "--run", "run"]


def written(work: Path, **settings: Any) -> Path:
    """Write a radnet.toml beside the workspace, for commands."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in {**TINY, **settings}.items()]
    (work.parent / "radnet.toml").write_text("[pretrain]\n" + "\n".join(lines) + "\n")
    return work.parent


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_each_signal_stops_a_run_after_its_step(number: signal.Signals, trained: Path, work: Path) -> None:
    def send(done: int, total: int | None) -> None:
        if done == 5:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    stopped = pretrain(work, tiny(), "run", send)
    assert stopped is not None
    assert not stopped.finished
    assert signal.getsignal(number) == before
    assert training_loop.load_state(work / "5-pretrain/run/resume.safetensors")[1]["counters"]["step"] == 5
    assert run(work).finished
    assert same(weights(work), weights(trained))


def test_a_stopped_command_says_that_it_goes_on(work: Path) -> None:
    folder = written(work, epochs=400)
    process = subprocess.Popen(COMMAND, cwd=folder, stderr=subprocess.PIPE, text=True)
    state = work / "5-pretrain" / "run" / "resume.safetensors"
    limit = time.monotonic() + 60
    while not state.exists():
        assert time.monotonic() < limit
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on where it was" in told
    done = len(training_loop.load_state(state)[1]["counters"]["history"])
    assert 1 <= done < 400
    (found,) = (stage for stage in status(work) if stage.folder == "5-pretrain/run")
    assert found.state == "incomplete"


def test_two_processes_have_the_loss_of_one_with_the_double_batch(work: Path) -> None:
    folder = written(work, epochs=2, lr=1e-3)
    run(work, "one", epochs=2, lr=1e-3)
    command = [*COMMAND, "--batch-size", "4", "--devices", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        command,
        cwd=folder,
        check=True,
        capture_output=True,
        env=environment,
        timeout=120,
    )
    for one, two in zip(*(read_history(work / "5-pretrain" / name) for name in ("one", "run")), strict=True):
        for name in ("training_loss", "validation_loss"):
            assert two[name] == pytest.approx(one[name], abs=1e-5)


def test_training_stops_when_validation_becomes_no_better(work: Path) -> None:
    summary = run(work, epochs=50, lr=1e-9, patience=2, ema_decay=0.0, augmentation={"enabled": False})
    assert summary.stopped_early
    assert summary.finished
    assert summary.best_epoch is not None
    assert summary.n_epochs == summary.best_epoch + 3 < 50


def test_any_size_is_made_of_one_store(work: Path) -> None:
    run(work, epochs=1, input_shape=[4, 8, 8])
    assert load_model(work / "5-pretrain" / "run").spec.input_shape == (4, 8, 8)


def without(**labels: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda row: {**row, **labels}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (without(sequence="ct"), "volumes with a label for the head 'sequence' are 'ct', and one class"),
        (without(contrast=None), "training volumes has a label for the head 'contrast'; add volumes"),
        (
            without(effective_spacing_mm=float("nan")),
            "the slice spacing of stack 0{16} .* no positive",
        ),
        (without(effective_spacing_mm=None), "the slice spacing of stack 0{16} .* no positive"),
        (without(patient=None), "48 volumes name no patient .*so nobody can say whether"),
        (without(FrameOfReferenceUID="1.9"), "1 values of FrameOfReferenceUID stand on two sides"),
        (without(acquisition_group="same"), "1 values of acquisition_group stand on two sides"),
    ],
    ids=["one class", "no label", "nan", "no spacing", "no patient", "one frame", "one acquisition"],
)
def test_what_cannot_be_trained_on_is_told(change: Any, match: str, tmp_path: Path) -> None:
    rows = [change(row_of(number)) for number in range(48)]
    spacing = [row["effective_spacing_mm"] for row in rows]
    work = write_labelled(tmp_path / "work", [{**row, "effective_spacing_mm": 1.0} for row in rows])
    index = pl.read_parquet(work / "4-volumes/index.parquet")
    index.with_columns(effective_spacing_mm=pl.Series(spacing, dtype=pl.Float64)).write_parquet(
        work / "4-volumes/index.parquet"
    )
    with pytest.raises(TrainingError, match=match):
        run(work)


def test_two_volumes_are_too_few(tmp_path: Path) -> None:
    work = write_small(tmp_path / "work", 2)
    with pytest.raises(TrainingError, match=r"2 volumes of 2 patients are too few .*at least 2 must train"):
        run(work)


def test_equal_voxels_of_two_patients_are_refused(work: Path) -> None:
    index = pl.read_parquet(work / "4-volumes/index.parquet")
    index.with_columns(digest=pl.lit("same")).write_parquet(work / "4-volumes/index.parquet")
    with pytest.raises(TrainingError, match="1 values of digest stand on two sides"):
        run(work)


def test_a_shard_cut_short_is_named(work: Path) -> None:
    shard = next((work / "4-volumes").glob("*.npy"))
    os.truncate(shard, shard.stat().st_size - 100)
    with pytest.raises(TrainingError, match=rf"{shard.name}: has [\d,]+ bytes where [\d,]+ are needed"):
        run(work)


def test_a_shard_that_is_lost_during_training_is_named(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("radnet.pretrain.samples._refuse_cut_shards", lambda *_: None)
    for shard in (work / "4-volumes").glob("*.npy"):
        shard.unlink()
    with pytest.raises(WorkspaceError, match="is missing or damaged; delete it and run `radnet build` again"):
        run(work)


def test_a_workspace_without_volumes_names_the_command(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with pytest.raises(WorkspaceError, match="run `radnet build` first"):
        run(tmp_path / "work")


@pytest.mark.parametrize("ended", [False, True], ids=["stopped", "ended"])
def test_a_checkpoint_of_other_settings_is_refused_and_left(
    ended: bool, trained: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = trained if ended else work
    if not ended:
        with monkeypatch.context() as patched:
            patched.setattr(training_loop, "StopRequest", StopAfter)
            patched.setattr(StopAfter, "left", 5)
            run(work)
    model = (where / "5-pretrain" / "run" / "model.safetensors").read_bytes()
    with pytest.raises(TrainingError, match=r"was begun with pretrain\.lr 0\.01, now it is 0\.02"):
        run(where, lr=0.02)
    assert (where / "5-pretrain" / "run" / "model.safetensors").read_bytes() == model


def test_a_damaged_state_is_refused(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(training_loop, "StopRequest", StopAfter)
        patched.setattr(StopAfter, "left", 1)
        run(work)
    state = work / "5-pretrain" / "run" / "resume.safetensors"
    os.truncate(state, 1000)
    with pytest.raises(TrainingError, match="is damaged, so the training cannot go on from it; delete it"):
        run(work)


def test_a_loss_that_is_no_number_stops_and_the_last_good_model_stays(
    trained: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_loop, "learning_rate", lambda step, *_: 0.001 if step < 4 else float("inf"))
    with pytest.raises(TrainingError, match=r"the loss was no finite number .* lower lr"):
        run(work)
    folder = work / "5-pretrain" / "run"
    assert all(torch.isfinite(value).all() for value in load_file(folder / "model.safetensors").values())
    assert len(training_loop.load_state(folder / "resume.safetensors")[1]["counters"]["history"]) == 1


FULL_DISK = """
import resource, sys
from test_pretrain import run
from pathlib import Path
from radnet.errors import RadnetError
from radnet.pretrain import stage
work = Path(sys.argv[1])
first = stage._save_model
def then_full(*arguments):
    first(*arguments)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
stage._save_model = then_full
try:
    run(work)
except RadnetError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_last_good_model(work: Path) -> None:
    """The first best model fits, the state after it does not."""
    outcome = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(work)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    )
    assert "resume.safetensors could not be written to its end; free some room on the disk" in outcome.stdout
    folder = work / "5-pretrain" / "run"
    assert load_model(folder).spec.network == "resnet10"
    assert not list(folder.glob(".*partial"))
    assert run(work).finished


def test_a_disk_that_is_full_before_the_first_model_is_told(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("radnet.pretrain.stage.save_model", full)
        with pytest.raises(TrainingError, match="run could not be written to its end; free some room"):
            run(work)
    assert run(work).finished


def test_names_that_leave_the_folder_are_refused(work: Path) -> None:
    with pytest.raises(RadnetError, match=r"--run '\.\./out' cannot be the name of a folder"):
        run(work, "../out")


def test_an_unknown_network_is_named(work: Path) -> None:
    with pytest.raises(RadnetError, match="unknown network 'resnet51'; did you mean 'resnet50'"):
        run(work, network="resnet51")
