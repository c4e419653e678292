"""Load MedicalNet (Med3D) weights into our ResNets.

A file is a pickle of tensors named as in MedicalNet's own ResNet (`module.layer1.0.conv1.weight`), alone or
under `state_dict`; it is read with `weights_only`, so that it cannot run code. Its ResNets dilate in stages 3
and 4; a network that strides there takes the same weights but sees other features.

Source: Chen et al. 2019 (arXiv 1904.00625), and the repository Tencent/MedicalNet for stem and dilation.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from radnet.errors import NetworkError
from radnet.networks.spec import NetworkSpec, make_spec
from radnet.networks.weights import load_tensors

PADDED: Final = ("resnet18", "resnet34")
"""Networks whose released weights have shortcuts of type A, without parameters."""
_PLURALS: Final = {"stages": "layer", "convs": "conv", "norms": "bn"}
"""Our lists, counted from 0, and what MedicalNet calls their members, counted from 1."""


def medicalnet_spec(network: str, **fields: Any) -> NetworkSpec:
    """Make the spec of a ResNet that MedicalNet's weights fit, with its stem, shortcuts and dilation.

    Args:
        network: `resnet10` to `resnet101`.
        fields: Further fields of `NetworkSpec`; they win, e.g. `dilated=False`.

    Raises:
        NetworkError: If a field is wrong.
    """
    shortcut = "padding" if network in PADDED else "projection"
    return make_spec(network, **{"stem": "isotropic", "shortcut": shortcut, "dilated": True, **fields})


def load_medicalnet(encoder: nn.Module, path: Path | str) -> None:
    """Load a weight file into a ResNet.

    Args:
        encoder: A `ResNet`, e.g. `network.encoder`; see `medicalnet_spec`.
        path: A `.pth` file.

    Raises:
        NetworkError: If the file is missing, is no such file, or a tensor does not fit (it is named); the
            encoder is then unchanged.
    """
    path = Path(path)
    load_tensors(encoder, _read(path), path, _medicalnet_name)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to mean
        raise NetworkError(f"{path}: is damaged or holds more than tensors; it was not loaded") from error
    tensors = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise NetworkError(f"{path}: holds no tensors by name; a MedicalNet file has them under 'state_dict'")
    return {name.removeprefix("module."): tensor for name, tensor in tensors.items()}


def _medicalnet_name(name: str) -> str:
    """Translate one of our names: `stages.0.2.convs.1.weight` is `layer1.2.conv2.weight` there."""
    name = re.sub(
        r"\b(stages|convs|norms)\.(\d+)", lambda found: f"{_PLURALS[found[1]]}{int(found[2]) + 1}", name
    )
    name = re.sub(r"^(conv|norm)\b", lambda found: {"conv": "conv1", "norm": "bn1"}[found[1]], name)
    return name.replace(".shortcut.", ".downsample.")
