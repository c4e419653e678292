"""Sums of devices give the gradient of the whole batch, and devices are chosen as asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import Tensor

from radnet.config import TrainingConfig
from radnet.errors import TrainingError
from radnet.training.devices import make_fabric, resolve_precision
from radnet.training.loop import Loop


def over_devices(own: Tensor, others: Tensor) -> Tensor:
    """Add the sums of this device to those of another, as the loop does."""
    fabric = SimpleNamespace(world_size=2, all_reduce=lambda tensor, reduce_op: tensor + others)
    return Loop._over_devices(cast(Loop[object], SimpleNamespace(_fabric=fabric)), own)


def test_gradients_averaged_over_devices_are_those_of_the_whole_batch() -> None:
    """Of a loss that is no plain mean, and of a weight that only the loss itself has."""
    weights = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
    scale = torch.tensor(0.3, requires_grad=True)
    rows = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))

    def sums(part: Tensor) -> Tensor:
        return torch.stack([(part @ weights).square().sum(), torch.tensor(float(len(part)))])

    def loss(total: Tensor) -> Tensor:
        return (total[0] / total[1]).sqrt() * torch.exp(-scale) + scale / 2

    whole = torch.autograd.grad(loss(sums(rows)), [weights, scale])
    parts = [rows[:2], rows[2:]]
    found = [
        torch.autograd.grad(loss(over_devices(sums(one), sums(other).detach())), [weights, scale])
        for one, other in (parts, parts[::-1])
    ]
    for number in (0, 1):
        averaged = (found[0][number] + found[1][number]) / 2
        assert torch.allclose(averaged, whole[number], rtol=1e-5)


def test_one_device_has_its_own_sums() -> None:
    fabric = SimpleNamespace(world_size=1)
    own = torch.ones(2, 2)
    assert Loop._over_devices(cast(Loop[object], SimpleNamespace(_fabric=fabric)), own) is own


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a GPU")
def test_a_gpu_that_is_not_there_is_told() -> None:
    with pytest.raises(TrainingError, match="accelerator is 'gpu' and torch finds none; set acc"):
        make_fabric(TrainingConfig(accelerator="gpu"))


def test_a_precision_that_is_named_is_taken() -> None:
    assert resolve_precision(TrainingConfig(precision="bf16-mixed")) == "bf16-mixed"
    assert resolve_precision(TrainingConfig(accelerator="cpu")) in ("32-true", "bf16-mixed")
