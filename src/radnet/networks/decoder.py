"""Decoders from five feature maps to one logit a voxel, in the manner of V-Net.

Each level is brought to the size of the next finer map, joined with it and passed through a residual block.
Sizes follow the maps themselves, whatever the window: a map of 5 that came from 9 is cut back to 9.

- `paper` is wide: transposed convolutions, V-Net's channels beside all of the encoder's, and a last block at
  full resolution.
- `light` never works with more than 64 channels, adds instead of joining, enlarges linearly, and never works
  at full resolution: at the finest map the image's own voxels are channels, and so are the logits, so that
  edges are as sharp as the image.

Source: Milletari et al. 2016 (V-Net, arXiv 1606.04797); adding maps as in Lin et al. 2017 (FPN, arXiv
1612.03144); voxels as channels as in Shi et al. 2016 (arXiv 1609.05158).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from radnet.networks.resnet import Norm, normalise
from radnet.networks.spec import Triple

LIGHT_CHANNELS: Final = (16, 32, 48, 64, 64)
"""Most channels of the light decoder at each level, finest first."""
LEAST_CHANNELS: Final = 8
"""Of the wide decoder's block at full resolution."""
LIGHT_CONVOLUTIONS: Final = (2, 1, 1, 1, 1)
"""Of each residual block of the light decoder, finest first."""
PAPER_CHANNELS: Final = (64, 128, 256, 256)
"""Most channels of the wide decoder at each level, finest first: V-Net's."""
PAPER_CONVOLUTIONS: Final = (1, 1, 2, 3)
"""Of each residual block of the wide decoder, finest first; the deep ones have more, as V-Net's do."""


class Residual(nn.Module):
    """Convolutions whose result is added to their (projected) input."""

    def __init__(self, before: int, after: int, count: int, norm: Norm) -> None:
        super().__init__()
        widths = (before, *[after] * count)
        self.convs = nn.ModuleList(
            nn.Conv3d(widths[i], after, 3, padding=1, bias=False) for i in range(count)
        )
        self.norms = nn.ModuleList(normalise(norm, after) for _ in range(count))
        self.shortcut = nn.Identity() if before == after else nn.Conv3d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, after, …) from (n, before, …)."""
        branch = x
        for number, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            branch = norm(conv(branch if number == 0 else functional.relu(branch, inplace=True)))
        return functional.relu(branch + self.shortcut(x), inplace=True)


class WideUp(nn.Module):
    """Enlarge by a transposed convolution, join, and mix."""

    def __init__(self, before: int, skip: int, after: int, ratio: Triple, count: int, norm: Norm) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose3d(before, after, ratio, ratio, bias=False)
        self.norm = normalise(norm, after)
        self.mix = Residual(after + skip, after, count, norm)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return a map of the size of `skip`."""
        x = functional.relu(self.norm(_cut(self.enlarge(x), skip)), inplace=True)
        return self.mix(torch.cat([x, skip], 1))  # type: ignore[no-any-return]


class PaperDecoder(nn.Module):
    """The wide decoder.

    Args:
        channels: Of the five maps, finest first.
        strides: Input voxels a feature voxel, of each.
        norm: Normalisation.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[Triple], norm: Norm) -> None:
        super().__init__()
        ratios = [_ratio(coarse, fine) for fine, coarse in pairwise(strides)]
        widths = [min(own, most) for own, most in zip(channels, PAPER_CHANNELS, strict=False)]
        before = [*widths[1:], channels[-1]]
        self.ups = nn.ModuleList(
            WideUp(before[level], channels[level], after, ratios[level], PAPER_CONVOLUTIONS[level], norm)
            for level, after in enumerate(widths)
        )
        last = max(LEAST_CHANNELS, widths[0] // 2)
        self.enlarge = nn.ConvTranspose3d(widths[0], last, strides[0], strides[0], bias=False)
        self.norm = normalise(norm, last)
        self.mix = Residual(last, last, 1, norm)
        self.head = nn.Conv3d(last, 1, 1)

    def forward(self, image: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Return (n, 1, slices, rows, columns) logits of an image and its maps."""
        x = maps[-1]
        for level in reversed(range(len(self.ups))):
            x = self.ups[level](x, maps[level])
        x = functional.relu(self.norm(_cut(self.enlarge(x), image)), inplace=True)
        return self.head(self.mix(x))  # type: ignore[no-any-return]


class LightDecoder(nn.Module):
    """The light decoder; arguments as of `PaperDecoder`."""

    def __init__(self, channels: Sequence[int], strides: Sequence[Triple], norm: Norm) -> None:
        super().__init__()
        widths = [min(own, most) for own, most in zip(channels, LIGHT_CHANNELS, strict=True)]
        self.laterals = nn.ModuleList(
            nn.Conv3d(own, width, 1) for own, width in zip(channels, widths, strict=True)
        )
        self.narrow = nn.ModuleList(
            nn.Conv3d(coarse, fine, 1, bias=False) for fine, coarse in pairwise(widths)
        )
        self.mixes = nn.ModuleList(
            Residual(width, width, count, norm)
            for width, count in zip(widths, LIGHT_CONVOLUTIONS, strict=True)
        )
        self.finest = strides[0]
        places = math.prod(self.finest)
        self.from_image = nn.Conv3d(places, widths[0], 1, bias=False)
        self.head = nn.Conv3d(widths[0], places, 1)

    def forward(self, image: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Return (n, 1, slices, rows, columns) logits of an image and its maps."""
        x = self.mixes[-1](self.laterals[-1](maps[-1]))
        for level in reversed(range(len(self.narrow))):
            x = _enlarge(self.narrow[level](x), maps[level]) + self.laterals[level](maps[level])
            if level == 0:
                x = x + self.from_image(_to_channels(image, self.finest))
            x = self.mixes[level](x)
        return _cut(_to_places(self.head(x), self.finest), image)


DECODERS: Final = {"light": LightDecoder, "paper": PaperDecoder}


def _ratio(coarse: Triple, fine: Triple) -> Triple:
    """Return how many fine voxels a coarse one spans; 1 between maps that a stem without pooling keeps."""
    return coarse[0] // fine[0], coarse[1] // fine[1], coarse[2] // fine[2]


def _to_channels(image: Tensor, block: Triple) -> Tensor:
    """Make the voxels of each block channels of one voxel; what is missing at the end is filled with 0."""
    missing = [-size % own for size, own in zip(image.shape[2:], block, strict=True)]
    image = functional.pad(image, [part for side in reversed(missing) for part in (0, side)])
    slices, rows, columns = (size // own for size, own in zip(image.shape[2:], block, strict=True))
    parts = image.reshape(-1, slices, block[0], rows, block[1], columns, block[2])
    return parts.permute(0, 2, 4, 6, 1, 3, 5).reshape(-1, math.prod(block), slices, rows, columns)


def _to_places(x: Tensor, block: Triple) -> Tensor:
    """Undo `_to_channels`."""
    slices, rows, columns = x.shape[2:]
    parts = x.reshape(-1, *block, slices, rows, columns).permute(0, 4, 1, 5, 2, 6, 3)
    return parts.reshape(-1, 1, slices * block[0], rows * block[1], columns * block[2])


def _cut(x: Tensor, like: Tensor) -> Tensor:
    """Cut off what a map that was halved upwards has too much once it is doubled."""
    slices, rows, columns = like.shape[2:]
    return x[:, :, :slices, :rows, :columns]


def _enlarge(x: Tensor, like: Tensor) -> Tensor:
    if x.shape[2:] == like.shape[2:]:
        return x
    return functional.interpolate(x, like.shape[2:], mode="trilinear", align_corners=False)
