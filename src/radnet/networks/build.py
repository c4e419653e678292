"""A backbone with the paper's five heads.

The heads read one fully connected layer of `embedding` neurons, which are also the features that `embed`
gives. Grey levels become numbers in one place, `LabelNetwork.prepare`, which training, inference and exported
files share.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, Final, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from radnet.errors import NetworkError
from radnet.networks.inference import OUTPUTS
from radnet.networks.resnet import DEPTHS, ResNet
from radnet.networks.spec import PRESETS, NetworkSpec, Triple

BACKBONE_GROUP: Final = "radnet.backbones"
"""Entry point group of backbones from other packages."""
TOP_LEVEL: Final = 255.0
HISTOGRAM_SCALE: Final = 1000.0
"""A level that a thousandth of the voxels has is where the histogram's logarithm begins to matter."""


class Backbone(Protocol):
    """A module that encodes (n, 1, slices, rows, columns) into five feature maps, finest first.

    Attributes:
        channels: Of each map.
        strides: Input voxels a feature voxel, by axis, of each map.
    """

    channels: tuple[int, ...]
    strides: tuple[Triple, ...]

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Encode."""
        ...


def _monai(spec: NetworkSpec) -> nn.Module:
    from radnet.networks.monai_encoders import MonaiEncoder

    return MonaiEncoder(spec)


BACKBONES: Final[dict[str, Callable[[NetworkSpec], nn.Module]]] = {
    **dict.fromkeys(DEPTHS, ResNet),
    "segresnet": _monai,
    "segresnet_ds": _monai,
}
"""What makes a backbone from a spec, by name; the entry point group `radnet.backbones` adds others."""


class GreyLevels(nn.Module):
    """Two layers that read a volume's histogram.

    Args:
        width: Neurons of each.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        levels = int(TOP_LEVEL)
        self.layers = nn.Sequential(
            nn.LayerNorm(levels), nn.Linear(levels, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, width) of (n, 1, slices, rows, columns); level 0, around the scan, does not count."""
        levels = (x.flatten(1).float() * TOP_LEVEL).round().long()
        counts = x.new_zeros(x.shape[0], int(TOP_LEVEL) + 1, dtype=torch.float32)
        counts = counts.scatter_add(1, levels, torch.ones_like(levels, dtype=torch.float32))[:, 1:]
        shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
        seen: Tensor = self.layers(torch.log1p(HISTOGRAM_SCALE * shares))
        return seen


class LabelNetwork(nn.Module):
    """A backbone, a fully connected layer and five heads.

    Attributes:
        spec: What it was built from.
        encoder: The backbone.
    """

    output_names: Final = OUTPUTS

    def __init__(self, spec: NetworkSpec, encoder: nn.Module) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = encoder
        self.levels = GreyLevels(spec.histogram) if spec.histogram else None
        self.fc = nn.Linear(cast(Backbone, encoder).channels[-1] + spec.histogram, spec.embedding)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(spec.embedding, count) for name, count in spec.outputs.items()}
        )

    @staticmethod
    def prepare(volumes: Tensor) -> Tensor:
        """Make the network's input from grey levels.

        Level 0 (air and the blank slices around a scan) stays 0, which is also what convolutions pad with.

        Args:
            volumes: (n, slices, rows, columns) uint8.

        Returns:
            (n, 1, slices, rows, columns) float32 from 0 to 1.
        """
        return volumes.unsqueeze(1).to(torch.float32) / TOP_LEVEL

    def embed(self, x: Tensor) -> Tensor:
        """Return the features that the heads read.

        Args:
            x: (n, 1, slices, rows, columns), as from `prepare`.

        Returns:
            (n, embedding), not negative.
        """
        features = self.encoder(x)[-1].mean(dim=(2, 3, 4))
        if self.levels is not None:
            features = torch.cat([features, self.levels(x).to(features.dtype)], 1)
        return functional.relu(self.fc(features))

    def predict(self, embedding: Tensor) -> dict[str, Tensor]:
        """Return the heads' outputs of (n, embedding), as `forward` does."""
        outputs = {name: head(embedding) for name, head in self.heads.items()}
        # millimetres in 8 bits of bfloat16 would be a twentieth of a millimetre apart at 10 mm
        spacing = outputs["spacing"].squeeze(1).float()
        outputs["spacing"] = spacing * self.spec.spacing_std_mm + self.spec.spacing_mean_mm
        return outputs

    def outputs(self, volumes: Tensor) -> dict[str, Tensor]:
        """Return all that `output_names` names, of (n, slices, rows, columns) uint8."""
        embedding = self.embed(self.prepare(volumes))
        return {**self.predict(embedding), "embedding": embedding}

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Label volumes.

        Args:
            x: (n, 1, slices, rows, columns), as from `prepare`.

        Returns:
            Logits `sequence`, `view`, `contrast` and `coverage`, each (n, classes), and `spacing` (n,) in mm.
        """
        return self.predict(self.embed(x))


def build_network(spec: NetworkSpec) -> LabelNetwork:
    """Build the network that a spec describes, with random weights.

    Raises:
        NetworkError: If no backbone has that name.
    """
    return LabelNetwork(spec, build_encoder(spec))


def build_encoder(spec: NetworkSpec) -> nn.Module:
    """Build the backbone alone, with random weights; errors as of `build_network`."""
    return _backbone_factory(spec.network)(spec)


def backbone_names() -> tuple[str, ...]:
    """Names of all backbones, those of other packages last."""
    return (*BACKBONES, *sorted(_plugins().keys() - BACKBONES.keys()))


def _plugins() -> dict[str, Any]:
    return {entry.name: entry for entry in entry_points(group=BACKBONE_GROUP)}


def _backbone_factory(name: str) -> Callable[[NetworkSpec], nn.Module]:
    if name in BACKBONES:
        return BACKBONES[name]
    plugins = _plugins()
    if name in plugins:
        return plugins[name].load()  # type: ignore[no-any-return]
    known = (*PRESETS, *backbone_names())
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
    raise NetworkError(f"unknown network '{name}'; {hint}")
