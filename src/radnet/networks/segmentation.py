"""A backbone with a decoder: one logit a voxel.

Grey levels become numbers as in the labelling network, so that a pretrained encoder sees what it knows.
"""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import Tensor, nn

from radnet.networks.build import Backbone, LabelNetwork, build_encoder
from radnet.networks.decoder import DECODERS
from radnet.networks.freezing import Freeze, Statistics, batch_norms, frozen_modules
from radnet.networks.segmenter_spec import SegmenterSpec
from radnet.networks.whole_segmenters import WHOLE, NoEncoder, WholeSegmenter

PROBABILITY: Final = "probability"
"""The one output of a deployed segmenter: (n, slices, rows, columns) from 0 to 1."""


class SegmentationNetwork(nn.Module):
    """An encoder and a decoder.

    Attributes:
        spec: What it was built from.
        encoder: The backbone, five maps finest first.
        decoder: From the maps to logits.
    """

    output_names: Final = (PROBABILITY,)

    def __init__(self, spec: SegmenterSpec, encoder: nn.Module) -> None:
        super().__init__()
        self.spec = spec
        self.encoder, self.decoder = _parts(spec, encoder)
        encoder = self.encoder
        self._evaluating: list[nn.Module] = []
        self._learning: list[nn.Parameter] = list(encoder.parameters())

    prepare = staticmethod(LabelNetwork.prepare)

    def forward(self, x: Tensor) -> Tensor:
        """Segment windows.

        Args:
            x: (n, 1, slices, rows, columns), as from `prepare`; of any size.

        Returns:
            (n, slices, rows, columns) float32 logits.
        """
        return self.decoder(x, self.encoder(x))[:, 0].float()  # type: ignore[no-any-return]

    def outputs(self, volumes: Tensor) -> dict[str, Tensor]:
        """Return the probabilities of (n, slices, rows, columns) uint8."""
        return {PROBABILITY: torch.sigmoid(self(self.prepare(volumes)))}

    def hold(self, freeze: Freeze, statistics: Statistics = "kept") -> None:
        """Freeze blocks of the encoder, from now on.

        Args:
            freeze: Which blocks.
            statistics: `kept` leaves all BatchNorms of the encoder in evaluation, `batch` those alone that
                are frozen.

        Raises:
            NetworkError: If the encoder cannot be frozen so.
        """
        frozen = frozen_modules(self.encoder, freeze)
        for module in frozen:
            module.requires_grad_(False)
        self._learning = [value for value in self.encoder.parameters() if value.requires_grad]
        self._evaluating = [*frozen, *(batch_norms(self.encoder) if statistics == "kept" else ())]
        self.train(self.training)

    def count_learning(self) -> int:
        """Return how many parameters are not frozen, those that rest among them."""
        parts = (*self._learning, *self.decoder.parameters())
        return sum(value.numel() for value in parts)

    def rest_encoder(self, resting: bool) -> None:
        """Let the blocks that are not frozen rest for a while, or learn again."""
        for value in self._learning:
            value.requires_grad_(not resting)

    def train(self, mode: bool = True) -> SegmentationNetwork:
        """Train or evaluate; what is frozen stays in evaluation."""
        super().train(mode)
        for module in self._evaluating:
            module.eval()
        return self


def _parts(spec: SegmenterSpec, encoder: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Return encoder and decoder; a whole network is the decoder of none."""
    if spec.decoder in WHOLE:
        return NoEncoder(), WholeSegmenter(spec.decoder)
    backbone = cast(Backbone, encoder)
    return encoder, DECODERS[spec.decoder](backbone.channels, backbone.strides, spec.decoder_norm)


def build_segmentation(spec: SegmenterSpec) -> SegmentationNetwork:
    """Build the network that a spec describes, with random weights.

    Raises:
        NetworkError: If no backbone has that name.
    """
    return SegmentationNetwork(spec, build_encoder(spec.backbone))
