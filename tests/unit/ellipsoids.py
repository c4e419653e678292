"""Scans of an ellipsoid in noise, for tests of segmenters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from radnet.config import TransferConfig, load_config
from radnet.networks.build import build_encoder
from radnet.networks.spec import make_spec
from radnet.transfer.backbone import Backbone

WINDOW = (8, 16, 16)
SPEC = make_spec("resnet10", width=4, stem="small", embedding=4, input_shape=WINDOW)
TINY: dict[str, Any] = {
    "window": WINDOW,
    "max_steps": 12,
    "validate_every": 4,
    "lr": 0.01,
    "precision": "32-true",
    "accelerator": "cpu",
}


@dataclass
class Scan:
    """As `radnet.transfer.cases.Case`."""

    case_id: str
    patient_id: str
    image: Any
    mask: Any
    modality: str = "MR"
    organ: str = "liver"
    spacing_mm: Any = field(default_factory=lambda: np.array([5.0, 2.0, 2.0]))


def scan(number: int, shape: tuple[int, int, int] = (11, 20, 20)) -> Scan:
    """Draw a scan; equal numbers give equal ones."""
    rng = np.random.default_rng(number)
    places = np.indices(shape).transpose(1, 2, 3, 0)
    centre = np.array(shape) * (0.5, 0.4, 0.4) + rng.uniform(-1, 1, 3)
    mask = (((places - centre) / (np.array(shape) * 0.27)) ** 2).sum(-1) < 1
    image = np.clip(70 + 90 * mask + rng.normal(0, 10, shape), 1, 255).astype(np.uint8)
    return Scan(f"scan{number}", f"patient{number}", image, mask.astype(np.uint8))


def backbone(seed: int = 0, spec: Any = SPEC) -> Backbone:
    """Make an encoder whose running statistics are not those of the beginning."""
    torch.manual_seed(seed)
    encoder: nn.Module = build_encoder(spec)
    for _ in range(2):
        encoder(torch.rand(4, 1, *WINDOW))
    return Backbone(spec, f"seed {seed}", f"digest {seed}", encoder.eval())


def tiny(policy: Any = None, **settings: Any) -> TransferConfig:
    """Make settings of a training that takes a second."""
    return load_config(policy=policy, changes={"transfer": {**TINY, **settings}}).transfer
