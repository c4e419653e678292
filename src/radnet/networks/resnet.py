"""3D ResNets of 10 to 101 layers that return all their scales.

Volumes are (n, channels, slices, rows, columns). A ResNet gives five feature maps, finest first: the stem's
before its pooling, and one after each of the four stages.

Source: He et al. 2015 (arXiv 1512.03385) and 2016 (arXiv 1603.05027); depths of 10 layers and dilation as in
MedicalNet (Chen et al. 2019, arXiv 1904.00625).
"""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from radnet.networks.spec import NetworkSpec, Stem, Triple

GROUPS: Final = 32
"""Most groups of a GroupNorm (Wu and He 2018, arXiv 1803.08494)."""
GROUP_CHANNELS: Final = 8
"""Fewest channels of a group: in the last stage of a small network a group of one or two channels would have
one or two voxels to take its variance from."""
Norm = Literal["batch", "group"]


class Depth(NamedTuple):
    """Units in each stage, and whether they are bottlenecks of three convolutions."""

    units: tuple[int, int, int, int]
    bottleneck: bool


DEPTHS: Final = {
    "resnet10": Depth((1, 1, 1, 1), False),
    "resnet18": Depth((2, 2, 2, 2), False),
    "resnet34": Depth((3, 4, 6, 3), False),
    "resnet50": Depth((3, 4, 6, 3), True),
    "resnet101": Depth((3, 4, 23, 3), True),
}


class Plan(NamedTuple):
    """Channels, stride and dilation of one residual unit."""

    before: int
    width: int
    after: int
    stride: int
    dilation: int


def normalise(kind: Norm, channels: int) -> nn.Module:
    """Make a normalisation layer."""
    if kind == "batch":
        return nn.BatchNorm3d(channels)
    return nn.GroupNorm(group_count(channels), channels)


def group_count(channels: int) -> int:
    """Return how many groups a GroupNorm over so many channels has."""
    groups = min(GROUPS, max(1, channels // GROUP_CHANNELS))
    return math.gcd(groups, channels)


def convolve(before: int, after: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv3d:
    """Make a convolution that keeps the size at stride 1; the normalisation beside it has the bias."""
    padding = dilation * (kernel // 2)
    return nn.Conv3d(before, after, kernel, stride, padding, dilation, bias=False)


def _convolutions(plan: Plan, strided: int, bottleneck: bool) -> nn.ModuleList:
    """Make a unit's convolutions; the one numbered `strided` has the stride."""
    kernels = (1, 3, 1) if bottleneck else (3, 3)
    channels = (plan.before, *[plan.width] * (len(kernels) - 1), plan.after)
    return nn.ModuleList(
        convolve(
            channels[i],
            channels[i + 1],
            kernel,
            plan.stride if i == strided else 1,
            plan.dilation if kernel > 1 else 1,
        )
        for i, kernel in enumerate(kernels)
    )


class PostUnit(nn.Module):
    """Residual unit that normalises after each convolution; the stride is in the first 3x3x3 one."""

    def __init__(self, plan: Plan, bottleneck: bool, norm: Norm, shortcut: str) -> None:
        super().__init__()
        self.convs = _convolutions(plan, strided=1 if bottleneck else 0, bottleneck=bottleneck)
        self.norms = nn.ModuleList(normalise(norm, conv.out_channels) for conv in self.convs)  # type: ignore[arg-type]
        self.shortcut: nn.Module = nn.Identity()
        if plan.stride > 1 or plan.before != plan.after:
            self.shortcut = (
                PaddingShortcut(plan)
                if shortcut == "padding"
                else nn.Sequential(
                    convolve(plan.before, plan.after, 1, plan.stride), normalise(norm, plan.after)
                )
            )

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to its input."""
        branch = x
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            branch = norm(conv(branch if i == 0 else functional.relu(branch, inplace=True)))
        return functional.relu(branch.add_(self.shortcut(x)), inplace=True)


class PreUnit(nn.Module):
    """Residual unit that normalises before each convolution; the first and a projection have the stride."""

    def __init__(self, plan: Plan, bottleneck: bool, norm: Norm) -> None:
        super().__init__()
        self.convs = _convolutions(plan, strided=0, bottleneck=bottleneck)
        self.norms = nn.ModuleList(normalise(norm, conv.in_channels) for conv in self.convs)  # type: ignore[arg-type]
        self.shortcut = convolve(plan.before, plan.after, 1, plan.stride)

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to the projected input."""
        x = functional.relu(self.norms[0](x), inplace=True)
        branch = self.convs[0](x)
        for conv, norm in zip(self.convs[1:], self.norms[1:], strict=True):
            branch = conv(functional.relu(norm(branch), inplace=True))
        return branch.add_(self.shortcut(x))  # type: ignore[no-any-return]


class PaddingShortcut(nn.Module):
    """Take every stride-th voxel and fill the new channels with zeros: no parameters."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.stride = plan.stride
        self.extra = plan.after - plan.before

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, after, …) from (n, before, …)."""
        step = self.stride
        x = x[:, :, ::step, ::step, ::step]
        return functional.pad(x, (0, 0, 0, 0, 0, 0, 0, self.extra))


class ResNet(nn.Module):
    """A 3D ResNet without heads.

    Attributes:
        channels: Of the five feature maps, finest first.
        strides: Input voxels a feature voxel, by axis, of the five.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        depth, width = DEPTHS[spec.network], spec.width
        expansion = 4 if depth.bottleneck else 1
        self.channels: tuple[int, ...] = (width, *(width * 2**stage * expansion for stage in range(4)))
        self.strides: tuple[Triple, ...] = _strides(spec.stem, spec.dilated)
        kernel, stem = spec.stem.kernel, spec.stem
        padding = tuple(size // 2 for size in kernel)
        self.close_up = spec.close_up
        seen = 1 if spec.close_up is None else 2
        self.conv = nn.Conv3d(seen, width, kernel, stem.stride, padding, bias=False)  # type: ignore[arg-type]
        self.norm = normalise(spec.norm, width)
        self.pool = nn.MaxPool3d(3, stride=2, padding=1) if stem.pool else nn.Identity()
        self.stages = nn.ModuleList(self._stage(spec, depth, stage) for stage in range(4))
        self.last_norm = normalise(spec.norm, self.channels[-1]) if spec.unit == "pre" else None
        self._initialise()

    def forward(self, x: Tensor) -> list[Tensor]:
        """Encode volumes.

        Args:
            x: (n, 1, slices, rows, columns).

        Returns:
            Five feature maps (n, channels, …), finest first.
        """
        if self.close_up is not None:
            low, high = self.close_up
            x = torch.cat([x, ((x - low) / (high - low)).clamp(0, 1)], 1)
        x = functional.relu(self.norm(self.conv(x)), inplace=True)
        maps = [x]
        x = self.pool(x)
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        if self.last_norm is not None:  # the sums of pre-activation units are not normalised yet
            maps[-1] = functional.relu(self.last_norm(x), inplace=True)
        return maps

    def _stage(self, spec: NetworkSpec, depth: Depth, stage: int) -> nn.Sequential:
        width, after = spec.width * 2**stage, self.channels[stage + 1]
        stride, dilation = (1 if stage == 0 else 2), 1
        if spec.dilated and stage >= 2:
            stride, dilation = 1, 2 ** (stage - 1)
        units: list[nn.Module] = []
        for number in range(depth.units[stage]):
            first = number == 0
            plan = Plan(
                self.channels[stage] if first else after, width, after, stride if first else 1, dilation
            )
            units.append(
                PreUnit(plan, depth.bottleneck, spec.norm)
                if spec.unit == "pre"
                else PostUnit(plan, depth.bottleneck, spec.norm, spec.shortcut)
            )
        return nn.Sequential(*units)

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")


def _strides(stem: Stem, dilated: bool) -> tuple[Triple, ...]:
    pool = 2 if stem.pool else 1
    steps = (1, pool, 2, 1, 1) if dilated else (1, pool, 2, 2, 2)
    factors = [math.prod(steps[: level + 1]) for level in range(5)]
    return tuple((stem.stride[0] * f, stem.stride[1] * f, stem.stride[2] * f) for f in factors)
