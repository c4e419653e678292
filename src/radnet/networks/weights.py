"""Put named tensors into a network, all or none, and say which one does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor, nn

from radnet.errors import NetworkError

COUNTER: Final = "num_batches_tracked"
"""Batches that a BatchNorm has seen; nothing is computed from it, and older files lack it."""


def load_tensors(
    module: nn.Module, tensors: Mapping[str, Tensor], source: object, rename: Callable[[str], str] = str
) -> None:
    """Copy tensors into a module.

    Args:
        module: Where they go.
        tensors: By name; every parameter and buffer must be there, and nothing else.
        source: Where they come from, for the error.
        rename: Makes the name that a tensor of the module has in `tensors`.

    Raises:
        NetworkError: If a tensor is missing, unknown, of another shape, or not finite; the module is then
            unchanged.
    """
    own = {rename(name): name for name in module.state_dict()}
    expected = {name: module.state_dict()[inner] for name, inner in own.items()}
    counters = {name for name in expected if name.endswith(COUNTER)}
    faults = [
        *(f"tensor '{name}' is missing" for name in expected.keys() - tensors.keys() - counters),
        *(f"tensor '{name}' has no place" for name in tensors.keys() - expected.keys()),
        *(
            f"tensor '{name}' is {_size(tensor)} and must be {_size(expected[name])}"
            for name, tensor in tensors.items()
            if name in expected and tensor.shape != expected[name].shape
        ),
        *(f"tensor '{name}' is not finite" for name, tensor in tensors.items() if not _finite(tensor)),
    ]
    if faults:
        first, others = sorted(faults)[0], len(faults) - 1
        more = f" (and {others} more that do not fit)" if others else ""
        raise NetworkError(f"{source}: {first}{more}; the weights are of another network")
    found = {**{name: expected[name] for name in counters}, **tensors}
    module.load_state_dict({own[name]: tensor for name, tensor in found.items()})


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _size(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"
