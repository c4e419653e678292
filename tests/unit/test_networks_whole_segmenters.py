"""MONAI's networks give one logit a voxel, whatever the window."""

from __future__ import annotations

import pytest
import torch

from radnet.errors import NetworkError
from radnet.networks.whole_segmenters import WHOLE, WholeSegmenter


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("window", [(8, 16, 24), (9, 17, 20)], ids=["divided", "odd"])
def test_one_logit_a_voxel(name: str, window: tuple[int, int, int]) -> None:
    network = WholeSegmenter(name).eval()
    with torch.no_grad():
        assert network(torch.rand(2, 1, *window)).shape == (2, 1, *window)


def test_filling_up_changes_only_what_is_near_the_end() -> None:
    """A window that eight divides is what MONAI's own network makes of it."""
    torch.manual_seed(0)
    network = WholeSegmenter("unet").eval()
    x = torch.rand(1, 1, 16, 16, 16)
    with torch.no_grad():
        assert torch.equal(network(x), network.net(x))


def test_the_unet_has_four_levels_and_learns_from_every_voxel() -> None:
    network = WholeSegmenter("unet")
    network(torch.rand(2, 1, 8, 16, 16)).mean().backward()
    assert all(value.grad is not None for value in network.parameters())
    assert 1.1e6 < sum(value.numel() for value in network.parameters()) < 1.4e6


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(NetworkError, match="unknown segmentation network 'vnet'; known are unet, segresnet"):
        WholeSegmenter("vnet")
