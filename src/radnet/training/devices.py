"""Where a training runs, and with which numbers: Lightning Fabric."""

from __future__ import annotations

from typing import Literal

import torch
from lightning_fabric import Fabric

from radnet.config import TrainingConfig
from radnet.errors import TrainingError

Precision = Literal["32-true", "bf16-mixed"]


def make_fabric(config: TrainingConfig) -> Fabric:
    """Set up the devices of a training; `launch` starts its processes.

    Raises:
        TrainingError: If there are fewer devices than asked for.
    """
    gpu = _uses_gpu(config)
    several = config.devices * config.nodes > 1
    if gpu and torch.cuda.device_count() < config.devices:
        raise TrainingError(
            f"devices is {config.devices} and this machine has {torch.cuda.device_count()} GPUs; "
            "lower [pretrain] devices, or set accelerator = 'cpu'"
        )
    return Fabric(
        accelerator="cuda" if gpu else "cpu",
        devices=config.devices,
        num_nodes=config.nodes,
        strategy="ddp" if several else "auto",
        precision=resolve_precision(config),
    )


def resolve_precision(config: TrainingConfig) -> Precision:
    """Say with which numbers to compute; `auto` takes bfloat16 where the device has instructions for it."""
    if config.precision != "auto":
        return config.precision
    if _uses_gpu(config):
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    # these are not public, and which there are depends on the version of torch
    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    fast = any(getattr(torch.cpu, name, bool)() for name in names)
    return "bf16-mixed" if fast else "32-true"


def _uses_gpu(config: TrainingConfig) -> bool:
    if config.accelerator == "gpu" and not torch.cuda.is_available():
        raise TrainingError("accelerator is 'gpu' and torch finds none; set accelerator = 'cpu' or 'auto'")
    return config.accelerator != "cpu" and torch.cuda.is_available()
