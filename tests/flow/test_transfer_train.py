"""What training a segmenter promises: it learns, goes on undisturbed, keeps what is frozen, and refuses."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ellipsoids import SPEC, backbone, scan, tiny
from safetensors.torch import load_file

from radnet.config import load_config
from radnet.errors import NetworkError, TrainingError
from radnet.networks.medicalnet import medicalnet_spec
from radnet.networks.segmenter import load_segmenter
from radnet.training import loop as training_loop
from radnet.training.history import read_history
from radnet.training.stopping import StopRequest
from radnet.transfer.backbone import read_backbone
from radnet.transfer.evaluate import dice_and_iou, evaluate_segmenter
from radnet.transfer.samples import Proposals
from radnet.transfer.train import TransferSummary, train_segmenter

TRAINING, VALIDATION = [scan(number) for number in range(3)], [scan(number) for number in (7, 8)]


def train(folder: Path, progress: Any = None, **settings: Any) -> TransferSummary:
    more = {} if progress is None else {"progress": progress}
    return train_segmenter(TRAINING, VALIDATION, backbone(), folder, tiny(**settings), **more)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a training ended undisturbed."""
    folder = tmp_path_factory.mktemp("transfer") / "liver"
    train(folder, keep="last")
    return folder


def test_a_training_is_a_segmenter_s_folder_with_all_that_it_promises(trained: Path) -> None:
    names = {path.name for path in trained.iterdir() if not path.name.startswith(".")}
    files = {"model.safetensors", "config.json", "README.md", "metrics.json", "history.csv", "curves.png"}
    assert names == files | {"tensorboard"}
    history = read_history(trained)
    assert [row["step"] for row in history] == [4, 8, 12]
    assert {"training_dice", "validation_dice", "validation_dice_loss", "lr"} <= history[0].keys()
    segmenter = load_segmenter(trained)
    assert (segmenter.spec.organ, segmenter.spec.window, segmenter.spec.slice_mm) == ("liver", (8, 16, 16), 5)
    data = segmenter.metadata["training_data"]
    assert (data["training scans"], data["validation scans"], data["encoder"]) == (3, 2, "seed 0")


def test_it_learns_to_outline_scans_that_it_never_saw(tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"width": 8})
    shown, checked, strange = ([scan(n, (20, 32, 32)) for n in own] for own in (range(4), (7, 8), (20, 21)))
    config = tiny(window=(16, 32, 32), init="scratch", max_steps=100, validate_every=25, lr=3e-3)
    summary = train_segmenter(shown, checked, backbone(spec=spec), tmp_path / "liver", config)
    assert summary.dice is not None
    assert summary.dice > 0.75
    history = read_history(tmp_path / "liver")
    best = int(np.argmax([row["validation_dice"] for row in history]))
    assert summary.best_step == history[best]["step"]
    scores = evaluate_segmenter(load_segmenter(tmp_path / "liver"), strange)
    assert np.mean([score.dice for score in scores]) > 0.75
    assert all(score.iou == pytest.approx(score.dice / (2 - score.dice)) for score in scores)


def test_a_training_that_ended_is_left_as_it_is(trained: Path) -> None:
    before = (trained / "model.safetensors").stat().st_mtime_ns
    summary = train(trained, keep="last")
    assert (summary.finished, summary.n_steps) == (True, 12)
    assert (trained / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(TrainingError, match=r"was begun with transfer\.lr 0\.01, now it is 0\.02"):
        train(trained, keep="last", lr=0.02)
    with pytest.raises(TrainingError, match="was begun with training data"):
        train_segmenter(TRAINING[:2], VALIDATION, backbone(), trained, tiny(keep="last"))
    with pytest.raises(TrainingError, match="was begun with backbone weights digest 0, now it is digest 1"):
        train_segmenter(TRAINING, VALIDATION, backbone(1), trained, tiny(keep="last"))


def test_equal_seeds_give_equal_weights_and_others_do_not(trained: Path, tmp_path: Path) -> None:
    train(tmp_path / "same", keep="last")
    assert same(weights(tmp_path / "same"), weights(trained))
    train(tmp_path / "other", keep="last", seed=2)
    assert not same(weights(tmp_path / "other"), weights(trained))


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


@pytest.mark.parametrize("steps", [0, 3, 7, 11], ids=lambda steps: f"after step {steps + 1}")
def test_a_stopped_training_ends_with_the_weights_of_an_undisturbed_one(
    steps: int, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the encoder rests, and after the last step before it is validated."""
    with monkeypatch.context() as patched:
        patched.setattr(training_loop, "StopRequest", StopAfter)
        patched.setattr(StopAfter, "left", steps)
        assert not train(tmp_path / "liver", keep="last").finished
    assert (tmp_path / "liver" / "resume.safetensors").exists()
    assert train(tmp_path / "liver", keep="last").finished
    assert same(weights(tmp_path / "liver"), weights(trained))
    assert read_history(tmp_path / "liver") == read_history(trained)
    assert not (tmp_path / "liver" / "resume.safetensors").exists()


COMMAND = """
import sys
sys.path.insert(0, sys.argv[2])
from ellipsoids import backbone, scan, tiny
from radnet.transfer.train import train_segmenter
train_segmenter([scan(n) for n in range(3)], [scan(7), scan(8)], backbone(), sys.argv[1], tiny(keep="last"),
    progress=lambda done, total: print(done, flush=True))
"""


def test_sigterm_stops_a_training_that_goes_on(trained: Path, tmp_path: Path) -> None:
    folder = tmp_path / "liver"
    here = str(Path(__file__).parents[1] / "unit")
    arguments = [sys.executable, "-c", COMMAND, str(folder), here]
    running = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert running.stdout is not None
    next(line for line in running.stdout if line == "2\n")
    running.send_signal(signal.SIGTERM)
    assert running.wait(120) == 0
    assert (folder / "resume.safetensors").exists()
    assert train(folder, keep="last").finished
    assert same(weights(folder), weights(trained))


@pytest.mark.parametrize("freeze", ["all", "2"])
@pytest.mark.parametrize("policy", ["default", "paper"])
def test_what_is_frozen_is_bit_by_bit_that_of_the_model(freeze: str, policy: str, tmp_path: Path) -> None:
    config = tiny(policy, freeze=freeze, decoder="light", max_steps=6)
    summary = train_segmenter(TRAINING, VALIDATION, backbone(), tmp_path / "liver", config)
    source = backbone().encoder
    assert source is not None
    found = weights(tmp_path / "liver")
    parts = ("conv.", "norm.", "stages.0.", "stages.1.")
    for name, value in source.state_dict().items():
        kept = torch.equal(found[f"encoder.{name}"], value)
        if freeze == "all" or name.startswith(parts):
            assert kept, name
    assert summary.n_learning < summary.n_parameters
    moved = [
        name
        for name, value in source.state_dict().items()
        if not torch.equal(found[f"encoder.{name}"], value)
    ]
    assert bool(moved) == (freeze != "all")
    assert any("running" in name for name in moved) == (freeze != "all" and policy == "paper")


def test_the_paper_s_way_is_a_policy() -> None:
    paper, ours = load_config(policy="paper").transfer, load_config().transfer
    assert (paper.optimizer, paper.schedule, paper.loss, paper.freeze) == ("adam", "constant", "dice", "all")
    assert (paper.decoder, paper.decoder_norm, paper.window, paper.slice_mm) == (
        "paper",
        "batch",
        (48, 192, 192),
        5,
    )
    assert (paper.decoder_first, paper.encoder_lr_share, paper.augmentation.enabled) == (0, 1, False)
    assert (ours.optimizer, ours.schedule, ours.loss, ours.freeze) == ("adamw", "cosine", "dice_ce", "none")
    assert ours.decoder_first > 0
    assert ours.augmentation.mirror == 0


def test_a_limit_of_time_ends_a_training(tmp_path: Path) -> None:
    summary = train(tmp_path / "liver", max_steps=100_000, max_minutes=0.02, validate_every=5)
    assert summary.finished
    assert not summary.stopped_early
    assert summary.seconds >= 1.2
    history = read_history(tmp_path / "liver")
    assert history[-1]["step"] == summary.n_steps < 100_000
    assert history[-1]["lr"] < 1e-4  # of 0.01: it follows the clock


def test_waiting_in_vain_stops_early(tmp_path: Path) -> None:
    summary = train(tmp_path / "liver", freeze="all", lr=1e-9, patience=1, ema_decay=0, validate_every=1)
    assert summary.finished
    assert summary.stopped_early
    assert summary.n_steps < 12


def test_proposed_windows_train_and_other_proposals_are_other_data(tmp_path: Path) -> None:
    proposed = Proposals({case.case_id: (2,) for case in (*TRAINING, *VALIDATION)}, 8)
    config = tiny(max_steps=2)
    summary = train_segmenter(TRAINING, VALIDATION, backbone(), tmp_path / "liver", config, proposed)
    assert summary.windows == {"training": 3, "validation": 2}
    assert load_segmenter(tmp_path / "liver").spec.region == "liver"
    with pytest.raises(TrainingError, match=r"was begun with (segmenter|training data)"):
        train_segmenter(TRAINING, VALIDATION, backbone(), tmp_path / "liver", config)
    with pytest.raises(TrainingError, match="case scan0: has no proposed window"):
        train_segmenter(TRAINING, VALIDATION, backbone(), tmp_path / "o", config, Proposals({}, 8))


def altered(**changes: Any) -> list[Any]:
    return [replace(TRAINING[0], **changes), *TRAINING[1:]]


@pytest.mark.parametrize(
    ("training", "validation", "told"),
    [
        ([], VALIDATION, "no scan is there to train; a segmenter needs at least one on each side"),
        (TRAINING, [], "no scan is there to validate"),
        (TRAINING, [TRAINING[0]], "case scan0 stands twice among the scans"),
        (TRAINING, [replace(VALIDATION[0], patient_id="patient1")], r"1 patients both train and validate"),
        (
            altered(image=np.zeros((4, 4, 4))),
            VALIDATION,
            "case scan0: its image is 4 x 4 x 4 float64; expected",
        ),
        (
            altered(mask=np.ones((4, 4, 4))),
            VALIDATION,
            "case scan0: its mask is 4 x 4 x 4 and its image 11 x 20",
        ),
        (
            altered(mask=np.full((11, 20, 20), np.nan)),
            VALIDATION,
            "case scan0: its mask holds what is no number",
        ),
        (altered(organ="spleen"), VALIDATION, "case scan0: its mask is of spleen, and liver is to be learnt"),
        (altered(spacing_mm=np.array([3.0, 1, 1])), VALIDATION, "case scan0: its slices are 3 mm apart and"),
        (
            [replace(TRAINING[0], mask=np.zeros((11, 20, 20)))],
            VALIDATION,
            "none of the 1 masks to train holds",
        ),
    ],
    ids=["none", "one side", "twice", "leak", "floats", "other shape", "nan", "organ", "spacing", "empty"],
)
def test_scans_that_teach_nothing_are_refused(
    training: list[Any], validation: list[Any], told: str, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=told):
        train_segmenter(training, validation, backbone(), tmp_path / "liver", tiny())
    assert not (tmp_path / "liver").exists()


def test_settings_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="window is 4 x 16 x 16; it needs at least 8"):
        train(tmp_path / "liver", window=(4, 16, 16))
    with pytest.raises(NetworkError, match="encoder_norm = 'group' is for init = 'scratch' alone"):
        train(tmp_path / "liver", encoder_norm="group")


def test_a_loss_that_is_no_number_is_told_and_the_last_good_state_left(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the loss was no finite number before step"):
        train(tmp_path / "liver", lr=1e30, clip_norm=0, decoder_first=0, warmup=0)


FULL_DISK = COMMAND.replace("import sys\n", "import resource, sys\n", 1).replace(
    "train_segmenter([", "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\ntrain_segmenter([", 1
)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """A limit on the size of files refuses a write midway, as a full disk does."""
    assert resource.RLIMIT_FSIZE
    here = str(Path(__file__).parents[1] / "unit")
    arguments = [sys.executable, "-c", FULL_DISK, str(tmp_path / "liver"), here]
    told = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert told.returncode != 0
    assert "could not be written to its end; free some room on the disk" in told.stderr
    assert not (tmp_path / "liver" / "model.safetensors").exists()


def test_models_and_medicalnet_files_are_read(trained: Path, tmp_path: Path) -> None:
    from radnet.networks.build import build_encoder, build_network
    from radnet.networks.folder import save_model
    from radnet.networks.medicalnet import _medicalnet_name

    net = build_network(SPEC)
    save_model(tmp_path / "model", net, SPEC, {})
    found = read_backbone(tmp_path / "model")
    assert found.encoder is not None
    assert same(found.encoder.state_dict(), net.encoder.state_dict())  # type: ignore[arg-type]
    assert (found.spec, found.source, len(found.digest)) == (SPEC, "model", 64)
    encoder = build_encoder(medicalnet_spec("resnet10"))
    tensors = {f"module.{_medicalnet_name(name)}": value for name, value in encoder.state_dict().items()}
    torch.save({"state_dict": tensors}, tmp_path / "resnet_10.pth")
    found = read_backbone(tmp_path / "resnet_10.pth", "resnet10")
    assert found.encoder is not None
    assert same(found.encoder.state_dict(), encoder.state_dict())  # type: ignore[arg-type]
    with pytest.raises(NetworkError, match=r"holds a segmenter; load it with radnet\.load_segmenter"):
        read_backbone(trained)


def test_measures_of_masks() -> None:
    mask, truth = np.zeros((2, 4, 4)), np.zeros((2, 4, 4))
    assert dice_and_iou(mask, truth) == (1.0, 1.0)
    truth[0] = 1
    assert dice_and_iou(mask, truth) == (0.0, 0.0)
    mask[:, :2] = 1
    assert dice_and_iou(mask, truth) == (0.5, pytest.approx(1 / 3))


def test_a_state_of_a_killed_training_is_whole(trained: Path, tmp_path: Path) -> None:
    """metrics.json vouches for a training; without it the training goes on, or begins anew."""
    folder = shutil.copytree(trained, tmp_path / "liver")
    (folder / "metrics.json").unlink()
    assert train(folder, keep="last").finished
    assert same(weights(folder), weights(trained))
    assert json.loads((folder / "metrics.json").read_text("utf-8"))["summary"]["n_steps"] == 12
