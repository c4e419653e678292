"""The pretrained encoder that a segmenter begins with: a model folder's, or MedicalNet's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from torch import nn

from radnet.errors import NetworkError
from radnet.networks.build import build_encoder
from radnet.networks.folder import WEIGHTS_NAME, read_config, read_network
from radnet.networks.medicalnet import load_medicalnet, medicalnet_spec
from radnet.networks.spec import NetworkSpec
from radnet.workspace import digest_file

MEDICALNET_SUFFIX: Final = ".pth"


@dataclass(frozen=True)
class Backbone:
    """An encoder with where it comes from.

    Attributes:
        spec: Builds it.
        source: For the card.
        digest: SHA-256 of its weights; empty when it has none.
        encoder: With pretrained weights; None when it can be trained from scratch alone.
    """

    spec: NetworkSpec
    source: str
    digest: str = ""
    encoder: nn.Module | None = None


def read_backbone(model: Path | str, network: str = "resnet50", **fields: Any) -> Backbone:
    """Read the encoder of a model.

    Args:
        model: A model folder, or a MedicalNet weight file (.pth).
        network: Of a MedicalNet file alone: which ResNet it holds.
        fields: Of a MedicalNet file alone: further fields of its spec, e.g. `dilated`.

    Raises:
        NetworkError: If there is no such model, or it cannot be used.
    """
    path = Path(model)
    if path.suffix == MEDICALNET_SUFFIX:
        spec = medicalnet_spec(network, **fields)
        encoder = build_encoder(spec)
        load_medicalnet(encoder, path)
        return Backbone(spec, f"MedicalNet {path.name}", digest_file(path), encoder)
    spec = read_config(path)["network"]
    encoder = read_network(path, spec).encoder
    return Backbone(spec, path.resolve().name, digest_file(path / WEIGHTS_NAME), encoder)


def first_encoder(backbone: Backbone, init: str, norm: str = "own") -> tuple[NetworkSpec, nn.Module]:
    """Make the encoder that a training begins with; the caller's seed makes random weights.

    Args:
        backbone: Whose network, and perhaps weights, are taken.
        init: `pretrained` or `scratch`.
        norm: Of an encoder from scratch: `own`, `batch` or `group`.

    Returns:
        Its spec and a new module.

    Raises:
        NetworkError: If pretrained weights are asked for and there are none, or with another normalisation.
    """
    wanted = backbone.spec.norm if norm == "own" else norm
    spec = backbone.spec.model_copy(update={"norm": wanted})
    encoder = build_encoder(spec)
    if init == "scratch":
        return spec, encoder
    if backbone.encoder is None:
        raise NetworkError(
            f"{backbone.source} has no weights to begin with; name a --model, or set init = 'scratch'"
        )
    if wanted != backbone.spec.norm:
        raise NetworkError(
            f"the pretrained encoder has {backbone.spec.norm} normalisation; encoder_norm = '{norm}' "
            "is for init = 'scratch' alone"
        )
    encoder.load_state_dict(backbone.encoder.state_dict())
    return spec, encoder
