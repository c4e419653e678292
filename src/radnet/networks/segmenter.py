"""A segmenter in its folder: loading it, saving it, and segmenting scans, with torch or without.

The folder is laid out as that of a labelling model. A scan comes as grey levels with slices `spec.slice_mm`
apart, made as `spec.intensity` says; planes may have any size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from radnet.extras import require
from radnet.masks.components import largest_component
from radnet.networks.folder import (
    CARD_NAME,
    DEFAULT_SEGMENTER,
    WEIGHTS_NAME,
    Shorten,
    as_it_is,
    find_model,
    package_versions,
    read_folder,
    write_folder,
)
from radnet.networks.inference import Backend, Floats, Grey, Precision
from radnet.networks.model import open_backend
from radnet.networks.second_pass import look_again
from radnet.networks.segmenter_card import render_segmenter_card
from radnet.networks.segmenter_spec import SegmenterSpec
from radnet.networks.windows import check_image, cover, slide
from radnet.workspace import write_text

if TYPE_CHECKING:
    from radnet.networks.segmentation import SegmentationNetwork

KIND: Final = "segmenter"


class Segmenter:
    """A trained segmenter, ready to outline an organ.

    Attributes:
        folder: Where it was loaded from.
        spec: Organ, window, slice distance, grey levels.
        metadata: What was recorded when it was saved, e.g. `training_data`.
        versions: Of the packages that made it.
        backend: What runs it.
    """

    def __init__(self, folder: Path, backend: Backend, config: Mapping[str, Any]) -> None:
        self.folder = folder
        self.backend = backend
        self.spec: SegmenterSpec = config[KIND]
        self.metadata: dict[str, Any] = config["metadata"]
        self.versions: dict[str, str] = config["versions"]

    def predict(self, windows: Grey) -> Floats:
        """Return probabilities of (n, slices, rows, columns) uint8 windows of `spec.window`."""
        return self.backend.run(windows)["probability"]

    def segment(
        self, image: Grey, starts: Sequence[int] | None = None, second_pass: bool | None = None
    ) -> Floats:
        """Segment a scan.

        Args:
            image: (slices, rows, columns) uint8, slices `spec.slice_mm` apart; planes of any size.
            starts: First slices of the windows to look at; None looks at all slices. Slices that no window
                covers get 0.
            second_pass: Whether the box around the first mask is looked at again; None does as
                `spec.second_pass` says.

        Returns:
            (slices, rows, columns) float32 probabilities.

        Raises:
            NetworkError: If the image is none of grey levels, or the weights cannot be used.
        """
        check_image(image)
        spec = self.spec
        chosen = cover(len(image), spec.window[0], spec.overlap) if starts is None else starts
        found = slide(self.predict, image, spec.window, chosen)
        again = spec.second_pass == "on" if second_pass is None else second_pass
        if not again:
            return found
        return look_again(self.predict, image, found, spec.window, spec.threshold, spec.margin, spec.overlap)

    def outline(
        self, image: Grey, starts: Sequence[int] | None = None, second_pass: bool | None = None
    ) -> NDArray[np.bool_]:
        """Return the mask: the largest connected part above the threshold; arguments as of `segment`."""
        return largest_component(self.segment(image, starts, second_pass) >= self.spec.threshold)


def load_segmenter(
    path: Path | str = DEFAULT_SEGMENTER,
    device: str = "cpu",
    backend: str = "auto",
    precision: Precision = "float32",
) -> Segmenter:
    """Load the folder of a segmenter, by default the liver's that comes with RADNet.

    Args:
        path: The folder, or the name of a segmenter that comes with RADNet.
        device: As torch names it; exported files run on `cpu` alone.
        backend: `torch`, `onnx` or `openvino`; `auto` takes the fastest that was exported and is installed.
        precision: As of `load_model`.

    Raises:
        NetworkError: If the folder holds no segmenter, is damaged or of a newer RADNet, or lacks the exported
            form.
        MissingExtraError: If the package that runs it is not installed.

    Example:
        >>> radnet.load_segmenter("work/6-transfer/liver").outline(image)
    """
    folder = find_model(path)
    config = read_folder(folder, KIND, SegmenterSpec)
    runner = open_backend(folder, lambda: read_segmentation(folder, config[KIND]), device, backend, precision)
    return Segmenter(folder, runner, config)


def save_segmenter(
    folder: Path | str,
    network: SegmentationNetwork,
    metadata: Mapping[str, Any],
    shorten: Shorten = as_it_is,
) -> None:
    """Write the folder of a segmenter, or replace the one in it.

    Args:
        folder: Is made if needed; other files in it are left alone.
        network: Its weights, on any device.
        metadata: As of `save_model`, and so is `shorten`.
        shorten: What is written of each tensor.

    Raises:
        OSError: If the disk is full or refuses; what was there is untouched.
    """
    folder, versions = Path(folder), package_versions()
    kept = {key: value for key, value in metadata.items() if key != "measured"}
    config = {KIND: network.spec.model_dump(), "metadata": kept, "versions": versions}
    measured = str(metadata.get("measured") or "")
    card = render_segmenter_card(folder.resolve().name, network.spec, kept, versions, measured)
    write_folder(folder, network, config, card, shorten)


def update_card(folder: Path, measured: str) -> None:
    """Put a table of figures onto the card of a segmenter's folder."""
    found = read_folder(folder, KIND, SegmenterSpec)
    name = folder.resolve().name
    card = render_segmenter_card(name, found[KIND], found["metadata"], found["versions"], measured)
    write_text(folder / CARD_NAME, card)


def read_segmentation(folder: Path, spec: SegmenterSpec) -> SegmentationNetwork:
    """Build the network of a segmenter's folder and load its weights.

    Raises:
        NetworkError: If a tensor does not fit; it is named.
    """
    safetensors = require("safetensors.torch", "train", "loading a segmenter")
    from radnet.networks.segmentation import build_segmentation
    from radnet.networks.weights import load_tensors

    network = build_segmentation(spec)
    load_tensors(network, safetensors.load_file(folder / WEIGHTS_NAME), folder / WEIGHTS_NAME)
    return network
