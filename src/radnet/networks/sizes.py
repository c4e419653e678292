"""What a network costs: feature maps, parameters and multiply-adds, without computing anything.

Networks are built on torch's `meta` device, which knows shapes alone. Multiply-adds are those of one volume's
forward pass in convolutions and linear layers; a training step takes about three times as many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from radnet.networks.build import backbone_names, build_network
from radnet.networks.spec import PRESETS, NetworkSpec, make_spec

OPERATIONS_PER_MULTIPLY_ADD = 2


@dataclass(frozen=True)
class NetworkSize:
    """What one network costs.

    Attributes:
        name: Of the preset or backbone.
        input_shape: Slices, rows, columns.
        feature_maps: (channels, slices, rows, columns) of each, finest first.
        embedding: Neurons that the heads read.
        outputs: Of each head.
        parameters: That are trained.
        multiply_adds: Of one volume, forward.
    """

    name: str
    input_shape: tuple[int, int, int]
    feature_maps: tuple[tuple[int, ...], ...]
    embedding: int
    outputs: dict[str, int]
    parameters: int
    multiply_adds: int


def measure_network(spec: NetworkSpec, name: str | None = None) -> NetworkSize:
    """Measure the network that a spec describes.

    Args:
        spec: What to build.
        name: What to call it; by default its backbone's name.

    Raises:
        NetworkError: If no backbone has that name.
        MissingExtraError: If it needs MONAI, which is not installed.
    """
    with torch.device("meta"), torch.no_grad():
        network = build_network(spec).eval()
        volume = torch.empty(1, 1, *spec.input_shape)
        with FlopCounterMode(display=False) as counter:
            network(volume)
        maps = network.encoder(volume)
    return NetworkSize(
        name=name or spec.network,
        input_shape=spec.input_shape,
        feature_maps=tuple(tuple(found.shape[1:]) for found in maps),
        embedding=spec.embedding,
        outputs=spec.outputs,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        multiply_adds=counter.get_total_flops() // OPERATIONS_PER_MULTIPLY_ADD,
    )


def measure_networks(names: Sequence[str] = (), **fields: Any) -> list[NetworkSize]:
    """Measure several networks.

    Args:
        names: Presets and backbones; empty means all there are.
        fields: Of `NetworkSpec`, for each of them.
    """
    names = names or (*PRESETS, *backbone_names())
    return [measure_network(make_spec(name, **fields), name) for name in names]
