"""Tensors and plain data in one file: safetensors with JSON in its header, never pickle.

One file holds all of a training's state, so that weights, optimiser and counters always belong together. It
appears whole or not at all: when the disk fills, the file of before stays.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from radnet.errors import TrainingError

HEADER_KEY: Final = "radnet"
"""Under which the plain data stand in the header's metadata."""


def save_state(path: Path, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
    """Write a state.

    Args:
        path: Final name; its folder must exist.
        tensors: By name, on any device.
        plain: What JSON can hold.

    Raises:
        TrainingError: If the disk refuses; the file of before is left as it was.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(held, partial, metadata={HEADER_KEY: json.dumps(plain)})
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        raise unwritable(path) from error
    finally:
        partial.unlink(missing_ok=True)


def unwritable(path: Path) -> TrainingError:
    """Make the error for a file that the disk refused."""
    return TrainingError(
        f"{path} could not be written to its end; free some room on the disk and run the same command again: "
        "it goes on from the last good checkpoint, which was left as it is"
    )


def load_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a state.

    Returns:
        The tensors, on the CPU, and the plain data.

    Raises:
        TrainingError: If the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            plain = json.loads((file.metadata() or {})[HEADER_KEY])
            return {name: file.get_tensor(name) for name in file.keys()}, plain  # noqa: SIM118  # no mapping
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise TrainingError(
            f"{path}: is damaged, so the training cannot go on from it; delete it to begin anew"
        ) from error


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return an optimiser's tensors by `parameter number.name`."""
    state: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {f"{number}.{name}": value for number, own in state.items() for name, value in own.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser back what `optimizer_tensors` returned; its settings stay its own."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put a prefix and a dot before all names."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return those tensors that have the prefix, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
