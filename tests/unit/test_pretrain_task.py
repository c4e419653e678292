"""What training sees of a volume, and the label that goes with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from radnet.config import PretrainConfig
from radnet.networks.build import build_network
from radnet.networks.spec import NetworkSpec
from radnet.pretrain.losses import LabelLosses
from radnet.pretrain.targets import Batch, Target
from radnet.pretrain.task import LabelTask

SPEC = NetworkSpec(
    network="resnet10", width=4, stem="small", norm="group", embedding=8, input_shape=(16, 8, 8)
)
N = 6


def batch(thick: int = 16) -> Batch:
    """Volumes of which the middle slices are white."""
    volumes = torch.zeros(N, 32, 16, 16, dtype=torch.uint8)
    volumes[:, 16 - thick // 2 : 16 + thick // 2] = 255
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


def test_volumes_are_resized_to_what_the_network_sees() -> None:
    assert task().vary(batch(), np.arange(N), 0).volumes.shape == (N, 16, 8, 8)
    assert task(enabled=False).vary(batch(), np.arange(N), 0).volumes.shape == (N, 16, 8, 8)


def test_validation_and_training_see_the_same_without_augmentation() -> None:
    still = task(enabled=False)
    varied = still.vary(batch(), np.arange(N), 0)
    assert torch.equal(still(varied), still(batch()))
