"""Windows are varied with their masks, and by seed, epoch and row alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from ellipsoids import WINDOW, scan
from torch import Tensor

from radnet.config import WindowAugmentationConfig
from radnet.transfer.samples import (
    Proposals,
    WindowReader,
    Windows,
    digest_cases,
    training_starts,
    validation_starts,
)
from radnet.transfer.variation import Variations, blur_planes, move, vary_grey

CPU = torch.device("cpu")
STILL: dict[str, Any] = dict.fromkeys(
    (
        "slice_shift",
        "rotation_deg",
        "scale",
        "shift",
        "mirror",
        "zoom",
        "intensity",
        "gamma",
        "bias_field",
        "blur_voxels",
        "noise",
    ),
    0,
)


def drawn(n: int = 2, epoch: int = 0, **changes: Any) -> Variations:
    config = WindowAugmentationConfig(**{**STILL, **changes})
    return Variations(config, 1, epoch, np.arange(n), CPU)


def some(spare: int = 3, n: int = 2, finer: bool = False) -> Windows:
    case = scan(0)
    reader = WindowReader([case], [training_starts(case, WINDOW, None)], WINDOW, spare, finer)
    return reader.read(np.arange(n))


def centre(masks: Tensor) -> Tensor:
    """Return (n, 3) mean places of masks, from 0 to 1."""
    places = torch.stack(
        torch.meshgrid(*[(torch.arange(s) + 0.5) / s for s in masks.shape[1:]], indexing="ij")
    )
    weights = masks.float()[:, None]
    return (weights * places).sum((2, 3, 4)) / weights.sum((2, 3, 4))


def test_without_variation_the_window_is_what_was_read() -> None:
    batch = some(spare=3)
    images, masks = move(batch.images, batch.masks, WINDOW, drawn())
    grey = vary_grey(images, batch.mr, drawn())
    assert torch.equal(grey, batch.images[:, 3:-3])
    assert torch.equal(masks, batch.masks[:, 3:-3])


def test_finer_planes_are_brought_to_the_window() -> None:
    batch = some(spare=0, finer=True)
    assert batch.images.shape[2:] == (20, 20)
    images, masks = move(batch.images, batch.masks, WINDOW, drawn())
    assert images.shape == (2, *WINDOW)
    assert (centre(masks) - centre(batch.masks)).abs().max() < 0.02


def test_image_and_mask_move_together() -> None:
    everything = {
        "rotation_deg": 30,
        "scale": 0.3,
        "shift": 0.1,
        "slice_shift": 3,
        "mirror": 0.5,
        "zoom": 0.5,
    }
    batch = some(spare=3, finer=True)
    for epoch in range(8):
        ours = drawn(epoch=epoch, **everything)
        image, mask = move((batch.masks * 200), batch.masks, WINDOW, ours)
        assert torch.equal(image > 100 / 255 - 1e-6, mask > 0)
        assert mask.any()


def test_slices_and_planes_are_shifted_as_drawn() -> None:
    batch = some(spare=3)
    ours = drawn(slice_shift=3)
    ours.slice_shift[:] = torch.tensor([2.0, -3.0])
    images, _ = move(batch.images, batch.masks, WINDOW, ours)
    assert torch.equal((images[0] * 255).round().byte(), batch.images[0, 5:13])
    assert torch.equal((images[1] * 255).round().byte(), batch.images[1, 0:8])
    ours = drawn()
    ours.shift[:] = torch.tensor([[1 / 16, -2 / 16], [0, 0]])
    images, _ = move(batch.images, batch.masks, WINDOW, ours)
    expected = torch.zeros(8, 16, 16, dtype=torch.uint8)
    expected[:, :15, 2:] = batch.images[0, 3:-3, 1:, :14]
    assert torch.equal((images[0] * 255).round().byte(), expected)


def test_mirroring_exchanges_columns_alone() -> None:
    batch = some(spare=0)
    images, masks = move(batch.images, batch.masks, WINDOW, drawn(mirror=1))
    assert torch.equal((images * 255).round().byte(), batch.images.flip(3))
    assert torch.equal(masks, batch.masks.flip(3))


def test_a_quarter_turn_goes_from_rows_to_columns() -> None:
    batch = some(spare=0)
    ours = drawn()
    ours.angle_deg[:] = 90.0
    images, _ = move(batch.images, batch.masks, WINDOW, ours)
    assert torch.equal((images * 255).round().byte(), batch.images.rot90(-1, (2, 3)))


def test_zooming_fills_the_plane_with_the_organ() -> None:
    batch = some(spare=0, finer=True)
    _, plain = move(batch.images, batch.masks, WINDOW, drawn())
    _, zoomed = move(batch.images, batch.masks, WINDOW, drawn(zoom=1))
    assert zoomed.sum() > 1.5 * plain.sum()
    for axis in (2, 3):  # nothing of it is cut off that was there
        rows = zoomed.any(5 - axis).any(1).float().sum(1)
        assert (rows >= 0.5 * WINDOW[1]).all()
    empty = torch.zeros_like(batch.masks)
    images, _ = move(batch.images, empty, WINDOW, drawn(zoom=1))
    assert torch.equal(images, move(batch.images, empty, WINDOW, drawn())[0])  # without an organ: as it is


def test_what_is_done_depends_on_seed_epoch_and_row_alone() -> None:
    config, rows = WindowAugmentationConfig(), np.array([4, 7])
    together = Variations(config, 1, 2, rows, CPU)
    alone = Variations(config, 1, 2, rows[1:], CPU)
    other = Variations(config, 1, 3, rows, CPU)
    for name in ("angle_deg", "shift", "gamma", "field", "slice_shift", "zoom"):
        assert torch.equal(getattr(together, name)[1:], getattr(alone, name))
    assert together.noise_seeds[1] == alone.noise_seeds[0] != other.noise_seeds[1]
    assert not torch.equal(together.angle_deg, other.angle_deg)


def test_blank_stays_blank_and_ct_gets_no_receive_field() -> None:
    images = torch.full((2, *WINDOW), 0.5)
    images[:, :2] = 0
    ours = drawn(bias_field=0.9)
    grey = vary_grey(images, torch.tensor([True, False]), ours)
    assert not grey[:, :2].any()
    assert grey[0, 2:].float().std() > 1
    assert grey[1, 2:].unique().numel() == 1
    noisy = vary_grey(images, torch.tensor([False, False]), drawn(noise=0.2, intensity=0.2, gamma=0.3))
    assert not noisy[:, :2].any()
    assert noisy[:, 2:].float().std() > 1


def test_a_blur_is_a_gaussian() -> None:
    image = torch.zeros(2, 1, 21, 21)
    image[:, 0, 10, 10] = 1
    found = blur_planes(image, torch.tensor([1.0, 0.0]), 5)
    assert torch.allclose(found[1], image[1])
    offsets = torch.arange(-10, 11.0)
    assert found[0].sum() == pytest.approx(1, abs=1e-5)
    assert (found[0, 0].sum(0) * offsets**2).sum() == pytest.approx(1, abs=0.01)
    assert (found[0, 0].sum(1) * offsets**2).sum() == pytest.approx(1, abs=0.01)


def test_windows_are_those_proposed_and_validation_shows_each_slice_once() -> None:
    case = scan(0, (30, 16, 16))
    assert training_starts(case, WINDOW, None) == (0, 4, 7, 11, 15, 18, 22)
    assert validation_starts(case, WINDOW, None) == (0, 7, 15, 22)
    proposed = Proposals({"scan0": (0, 2, 4, 16, 22)}, 8)
    assert training_starts(case, WINDOW, proposed) == (0, 2, 4, 16, 22)
    assert validation_starts(case, WINDOW, proposed) == (0, 16, 22)
    longer = Proposals({"scan0": (10,)}, 16)
    assert training_starts(case, WINDOW, longer) == (10, 14, 18)


def test_the_digest_follows_voxels_masks_and_windows() -> None:
    one, other = scan(0), scan(0)
    same = digest_cases([one], [(0,)])
    assert digest_cases([other], [(0,)]) == same
    assert digest_cases([other], [(1,)]) != same
    other.mask[0, 0, 0] = 1
    assert digest_cases([other], [(0,)]) != same
