"""Gradients in bfloat16 are those of float32 but for their digits, however few slices there are."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from radnet.training.convolutions import LengthenedConv3d, lengthen_convolutions


def leave_rubbish() -> None:
    """Fill memory that is free with what is no number."""
    for size in range(1000, 400_000, 20_000):
        torch.full((size,), float("nan"))


def gradient(conv: nn.Module, x: Tensor, half: bool) -> tuple[Tensor, Tensor]:
    """Return output and gradient of the weights for a fixed loss."""
    conv.zero_grad()
    leave_rubbish()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        y = conv(x)
    torch.manual_seed(1)
    (y.float() * torch.randn(y.shape)).sum().backward()
    return y.detach().float(), conv.weight.grad.clone()  # type: ignore[union-attr, operator]


@pytest.mark.parametrize("slices", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "kernel", [pytest.param(3, id="3"), pytest.param((3, 1, 1), id="3x1x1"), pytest.param(5, id="5")]
)
def test_gradients_in_half_precision_are_those_of_full(kernel: int, slices: int) -> None:
    torch.manual_seed(0)
    conv = nn.Conv3d(24, 24, kernel, padding="same", bias=False)
    lengthen_convolutions(nn.Sequential(conv))
    assert isinstance(conv, LengthenedConv3d)
    x = torch.randn(4, 24, slices, 6, 6)
    y, wanted = gradient(conv, x, half=False)
    for _ in range(3):
        half_y, found = gradient(conv, x, half=True)
        assert half_y.shape == y.shape
        assert (half_y - y).abs().max() < 0.03 * y.abs().max()
        assert (found - wanted).abs().max() < 0.03 * wanted.abs().max()


def test_only_what_is_concerned_changes_and_copies_keep_it() -> None:
    layers = nn.Sequential(
        nn.Conv3d(1, 2, 3), nn.Conv3d(2, 2, 3, stride=2), nn.Conv3d(2, 2, 1), nn.Conv3d(2, 2, 3, dilation=2)
    )
    names = list(layers.state_dict())
    lengthen_convolutions(layers)
    assert [type(layer) is LengthenedConv3d for layer in copy.deepcopy(layers)] == [True, False, False, False]
    assert list(layers.state_dict()) == names
