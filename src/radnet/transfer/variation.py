"""Vary windows, image and mask alike: place, size and angle in one interpolation, then the grey levels.

What is done to a row in an epoch depends on seed, epoch and row alone. Mirroring exchanges columns, which are
left and right in axial and coronal scans; it is off by default, as organs have a side.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from radnet.config import WindowAugmentationConfig
from radnet.networks.second_pass import LEAST_SHARE
from radnet.networks.spec import Triple
from radnet.training.augmentation import FIELD_NODES, TOP_LEVEL, noise_like
from radnet.training.grey import power_and_gain, receive_field
from radnet.training.order import Rows

ZOOM_MARGIN: Final = 0.3
"""Largest margin of an enlarged box on each side, as a share of its size."""


BLUR_DEVIATIONS: Final = 3
"""Standard deviations after which a blur's kernel ends."""


class Variations:
    """What is done to each of n windows; the tensors are (n,) unless said otherwise.

    Args:
        config: How far.
        seed: Of the training.
        epoch: Of the training.
        rows: (n,) numbers of the rows.
        device: Where the tensors go.
    """

    def __init__(
        self, config: WindowAugmentationConfig, seed: int, epoch: int, rows: Rows, device: torch.device
    ) -> None:
        drawn = [_draw(config, np.random.default_rng((seed, epoch, int(row)))) for row in rows]

        def stacked(name: str) -> Tensor:
            return torch.from_numpy(np.stack([one[name] for one in drawn])).to(device)

        self.mirror, self.zoom = stacked("mirror"), stacked("zoom")
        self.angle_deg, self.slice_shift = stacked("angle_deg"), stacked("slice_shift")
        self.plane_scale, self.slice_scale = stacked("plane_scale"), stacked("slice_scale")
        self.shift = stacked("shift")  # (n, 2) rows, columns
        self.margin = stacked("margin")
        self.gain, self.offset, self.gamma = stacked("gain"), stacked("offset"), stacked("gamma")
        self.field = stacked("field")  # (n, 3, 3, 3)
        self.blur, self.noise = stacked("blur"), stacked("noise")
        self.blur_reach = math.ceil(BLUR_DEVIATIONS * config.blur_voxels)
        self.noise_seeds = [int(one["noise_seed"]) for one in drawn]


def _draw(config: WindowAugmentationConfig, rng: np.random.Generator) -> dict[str, Any]:
    """Draw what is done to one window, always as many numbers, whatever the configuration."""

    def even(largest: float) -> np.float32:
        return np.float32(rng.uniform(-largest, largest))

    return {
        "mirror": np.bool_(rng.random() < config.mirror),
        "zoom": np.bool_(rng.random() < config.zoom),
        "angle_deg": even(config.rotation_deg),
        "plane_scale": np.exp(even(math.log1p(config.scale))),
        "slice_scale": np.exp(even(math.log1p(config.scale / 2))),
        "shift": np.array([even(config.shift), even(config.shift)]),
        "slice_shift": np.float32(rng.integers(-config.slice_shift, config.slice_shift + 1)),
        "margin": np.float32(rng.uniform(0, ZOOM_MARGIN)),
        "gain": 1 + even(config.intensity),
        "offset": even(config.intensity / 2),
        "gamma": np.exp(even(config.gamma)),
        "field": (config.bias_field * rng.uniform(-1, 1, (FIELD_NODES,) * 3)).astype(np.float32),
        "blur": np.float32(rng.uniform(0, config.blur_voxels)),
        "noise": np.float32(rng.uniform(0, config.noise)),
        "noise_seed": np.int64(rng.integers(2**62)),
    }


def move(images: Tensor, masks: Tensor, window: Triple, drawn: Variations) -> tuple[Tensor, Tensor]:
    """Cut windows out of larger ones, moved, turned and enlarged, in one interpolation.

    Args:
        images: (n, slices, rows, columns) uint8, larger than or as large as the window.
        masks: Alike, 0 or 1.
        window: Slices, rows and columns wanted.
        drawn: What is done.

    Returns:
        (n, *window) float from 0 to 1, and the masks as uint8; what comes in from outside is 0.
    """
    theta = _matrices(masks, window, drawn)
    both = torch.stack([images.float() / TOP_LEVEL, masks.float()], 1)
    grid = functional.affine_grid(theta, [len(images), 1, *window], align_corners=False)
    moved = functional.grid_sample(both, grid, "bilinear", "zeros", align_corners=False)
    return moved[:, 0], (moved[:, 1] >= 0.5).to(torch.uint8)


def _matrices(masks: Tensor, window: Triple, drawn: Variations) -> Tensor:
    """Return (n, 3, 4) matrices from places in the window to places in what was read, both from -1 to 1."""
    n, slices, rows, columns = masks.shape
    size, centre = _boxes(masks, drawn)
    angle = drawn.angle_deg * (math.pi / 180)
    across, down = size[:, 1] / drawn.plane_scale, size[:, 0] / drawn.plane_scale
    facing = 1 - 2 * drawn.mirror.float()
    theta = torch.zeros((n, 3, 4), device=masks.device)
    theta[:, 0, 0], theta[:, 0, 1] = facing * angle.cos() * across, angle.sin() * down * (rows / columns)
    theta[:, 1, 0], theta[:, 1, 1] = -facing * angle.sin() * across * (columns / rows), angle.cos() * down
    theta[:, 0, 3], theta[:, 1, 3] = centre[:, 1], centre[:, 0]
    theta[:, 2, 2] = window[0] / slices / drawn.slice_scale
    theta[:, 2, 3] = 2 * drawn.slice_shift / slices
    return theta


def _boxes(masks: Tensor, drawn: Variations) -> tuple[Tensor, Tensor]:
    """Return (n, 2) size and centre of what fills the plane: all of it, or the box around the organ."""
    sizes, centres = [], []
    for axis in (2, 3):
        there = masks.any(dim=3 if axis == 2 else 2).any(dim=1).float()  # (n, rows) or (n, columns)
        count = there.shape[1]
        places = (torch.arange(count, device=masks.device) + 0.5) * 2 / count - 1
        first = torch.where(there > 0, places, 1.0).amin(1)
        last = torch.where(there > 0, places, -1.0).amax(1)
        zoomed = drawn.zoom & (last > first)
        wide = ((last - first) / 2 * (1 + 2 * drawn.margin)).clamp(LEAST_SHARE, 1)
        sizes.append(torch.where(zoomed, wide, 1.0))
        middle = ((first + last) / 2).clamp(-1 + wide, 1 - wide)
        free = 2 * drawn.shift[:, axis - 2]
        centres.append(torch.where(zoomed, middle + free * wide / 2, free))
    return torch.stack(sizes, 1), torch.stack(centres, 1)


def vary_grey(images: Tensor, mr: Tensor, drawn: Variations) -> Tensor:
    """Vary grey levels.

    Args:
        images: (n, slices, rows, columns) float from 0 to 1; 0 stays 0.
        mr: (n,) bool, those that may get a receive field.
        drawn: What is done.

    Returns:
        (n, slices, rows, columns) uint8.
    """
    blank = images == 0
    varied = receive_field(images, drawn.field * mr[:, None, None, None])
    varied = power_and_gain(varied, drawn.gamma, drawn.gain, drawn.offset)
    varied = blur_planes(varied, drawn.blur, drawn.blur_reach)
    varied = varied + drawn.noise[:, None, None, None] * noise_like(varied, drawn.noise_seeds)
    return (varied.masked_fill(blank, 0).clamp(0, 1) * TOP_LEVEL).round().to(torch.uint8)


def blur_planes(images: Tensor, sigma: Tensor, reach: int) -> Tensor:
    """Blur rows and columns with a Gaussian each.

    Sums of shifted planes: for so few channels several times as fast as a convolution on a processor.

    Args:
        images: (n, slices, rows, columns).
        sigma: (n,) standard deviations in voxels.
        reach: Voxels of the kernel on each side.
    """
    offsets = torch.arange(-reach, reach + 1, device=images.device)
    weights = torch.exp(-0.5 * (offsets / sigma.clamp(min=1e-3)[:, None]) ** 2)
    weights = (weights / weights.sum(1, keepdim=True)).to(images.dtype)
    for axis in (2, 3):
        size = images.shape[axis]
        wide = functional.pad(images, (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0))
        images = torch.zeros_like(images)
        for number in range(2 * reach + 1):
            part = wide.narrow(axis, number, size)
            images.addcmul_(part, weights[:, number, None, None, None].expand_as(part))
    return images
