"""What training sees of a volume, and the label that goes with it."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray

from radnet.config import PretrainConfig
from radnet.networks.build import build_network
from radnet.networks.inference import fit_volume
from radnet.networks.spec import NetworkSpec
from radnet.pretrain.losses import LabelLosses
from radnet.pretrain.targets import Batch, Target, VolumeReader
from radnet.pretrain.task import LabelTask
from radnet.volumes.store import VolumeStore

SPEC = NetworkSpec(
    network="resnet10", width=4, stem="small", norm="group", embedding=8, input_shape=(16, 8, 8)
)
N = 6


def batch() -> Batch:
    """Volumes of which the middle slices are white."""
    volumes = torch.zeros(N, *SPEC.input_shape, dtype=torch.uint8)
    volumes[:, 4:12] = 255
    known = torch.ones(N, dtype=torch.bool)
    targets = {
        name: Target(torch.zeros(N, dtype=torch.int64), known) for name in ("sequence", "view", "contrast")
    }
    targets["coverage"] = Target(torch.zeros(N, 9), known)
    targets["spacing"] = Target(torch.full((N,), 3.0), known)
    return Batch(volumes, targets, ~known, known)


def task(**settings: Any) -> LabelTask:
    augmentation = {**dict.fromkeys(("mirror", "rotation_deg", "shrink", "intensity", "gamma"), 0.0)}
    augmentation |= {"bias_field": 0.0, "blur_voxels": 0.0, "noise": 0.0, "dropped_slices": 0, **settings}
    config = PretrainConfig.model_validate({"augmentation": augmentation})
    return LabelTask(build_network(SPEC), LabelLosses(SPEC, config, batch().targets), config)


def test_the_spacing_label_follows_the_slices() -> None:
    varied = task(shrink=0.3).vary(batch(), np.arange(N), 0)
    white = (varied.volumes[:, :, 4, 4].float() / 255).sum(1)
    assert len(set(varied.targets["spacing"].value.tolist())) == N
    # the slab is as many millimetres thick as before: half the slices, each for twice as many
    thickness = white * varied.targets["spacing"].value
    assert thickness.tolist() == pytest.approx([8 * 3.0] * N, rel=0.05)


def test_other_variations_leave_the_spacing() -> None:
    varied = task(mirror=1.0, intensity=0.2, noise=0.1).vary(batch(), np.arange(N), 0)
    assert varied.targets["spacing"].value.tolist() == [3.0] * N


class Counting:
    """A store that counts how often a volume is read."""

    def __init__(self) -> None:
        self.read_ids: list[str] = []

    def read(self, stack_id: str) -> NDArray[np.uint8]:
        self.read_ids.append(stack_id)
        return np.random.default_rng(int(stack_id)).integers(0, 256, (32, 16, 16), np.uint8)


@pytest.mark.parametrize(
    ("room_volumes", "times"), [pytest.param(9, 1, id="kept"), pytest.param(0.5, 2, id="no room")]
)
def test_volumes_are_resized_to_what_the_network_sees_and_kept(room_volumes: float, times: int) -> None:
    samples = pl.DataFrame(
        {
            "stack_id": ["0", "1"],
            "sequence": ["ct", None],
            "view": ["axial", None],
            "contrast": ["no", None],
            "coverage": [[], None],
            "effective_spacing_mm": [3.0, 4.0],
        }
    )
    store = Counting()
    room_gb = room_volumes * math.prod(SPEC.input_shape) / 1e9
    reader = VolumeReader(cast(VolumeStore, store), samples, SPEC, room_gb)
    for _ in range(2):
        read = reader.read(np.array([1, 0])).volumes
        fitted = [fit_volume(store.read(name), SPEC.input_shape, SPEC.shrinking) for name in ("1", "0")]
        assert np.array_equal(read.numpy(), np.stack(fitted))
    assert store.read_ids.count("0") == 2 + times


def test_validation_and_training_see_the_same_without_augmentation() -> None:
    still = task(enabled=False)
    varied = still.vary(batch(), np.arange(N), 0)
    assert torch.equal(still(varied), still(batch()))
