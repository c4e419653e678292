"""Export a model folder to ONNX or OpenVINO, and compare the result with torch before it is kept.

The exported graph takes grey levels (uint8) and has the scaling inside, so that no caller can get it wrong.
OpenVINO's file is made from the ONNX one by its own reader.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from radnet.errors import NetworkError
from radnet.extras import require
from radnet.networks.folder import (
    EXPORTED,
    EXPORTS_NAME,
    WEIGHTS_NAME,
    kind_of,
    read_config,
    read_exports,
    read_folder,
    read_network,
)
from radnet.networks.inference import (
    OUTPUTS,
    Backend,
    Floats,
    Grey,
    OnnxBackend,
    OpenvinoBackend,
    TorchBackend,
    fit_volume,
    import_openvino,
    labels_of,
)
from radnet.networks.model import BATCH
from radnet.networks.segmenter import read_segmentation
from radnet.networks.segmenter_spec import SegmenterSpec
from radnet.networks.spec import NetworkSpec, Triple
from radnet.volumes.store import VolumeStore
from radnet.workspace import digest_file, write_text

LARGEST_DIFFERENCE: Final = 1e-3
"""Largest difference of an output from torch, as a share of the output's largest value or of 1."""
PARITY_VOLUMES: Final = 8
_NOISE_SEED: Final = 5
Outputs = dict[str, Floats]
Comparing = Callable[[Outputs, Outputs, str], dict[str, float]]
"""Takes what torch gives, what the file gives, and its name; returns differences or refuses."""


@dataclass(frozen=True)
class ExportSummary:
    """What `radnet export` did.

    Attributes:
        file: What was written.
        volumes: How many were compared, and which.
        max_difference: Largest difference from torch, by output.
        labels: Whether the words are the same.
    """

    file: Path
    volumes: str
    max_difference: dict[str, float]
    labels: str


class _Deployed(nn.Module):
    """A network from grey levels to its named outputs."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, volumes: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of (n, slices, rows, columns) uint8, in order."""
        outputs = self.network.outputs(volumes)
        return tuple(outputs[name] for name in self.network.output_names)


def export_model(folder: Path | str, to: str, store: Path | None = None) -> ExportSummary:
    """Export a labelling network or a segmenter and compare it with torch; a file that differs is not kept.

    Args:
        folder: A model folder; the files go into it.
        to: `onnx` or `openvino`.
        store: A volume store whose first volumes are compared; without one, seeded noise of all scales.

    Returns:
        What was compared and found.

    Raises:
        NetworkError: If there is no such form or model, or the exported file gives other results.
        MissingExtraError: If the packages are not installed.
    """
    folder = Path(folder)
    _check_form(to)
    # before the weights are read: should they be replaced meanwhile, the record is of none that lie there
    if kind_of(folder) == "segmenter":
        digest = digest_file(folder / WEIGHTS_NAME)
        spec = read_folder(folder, "segmenter", SegmenterSpec)["segmenter"]
        network: nn.Module = read_segmentation(folder, spec)
        shape, comparing, same = spec.window, compare_masks, "masks"
    else:
        model_spec = read_config(folder)["network"]
        digest = digest_file(folder / WEIGHTS_NAME)
        network, shape, same = read_network(folder, model_spec), model_spec.input_shape, "labels"

        def comparing(expected: Outputs, found: Outputs, what: str) -> dict[str, float]:
            return compare(expected, found, model_spec, what)

    volumes, which = _parity_volumes(shape, store)
    differences = _export(folder, network.eval(), to, np.stack(volumes), comparing)
    record = {"weights": digest, "compared": which, "max_difference": differences}
    write_text(folder / EXPORTS_NAME, json.dumps({**read_exports(folder), to: record}, indent=1) + "\n")
    return ExportSummary(folder / EXPORTED[to][0], which, differences, f"the same {same}")


def _export(
    folder: Path, network: nn.Module, to: str, volumes: Grey, comparing: Comparing
) -> dict[str, float]:
    """Write the files of a form beside their place, compare, and move them there."""
    with TemporaryDirectory(dir=folder, prefix=".export") as temporary:
        made = Path(temporary)
        write_onnx(network, volumes.shape[1:], made / EXPORTED["onnx"][0])
        if to == "openvino":
            _write_openvino(made)
        file = made / EXPORTED[to][0]
        runner: Backend = OnnxBackend(file) if to == "onnx" else OpenvinoBackend(file)
        expected, found = (_outputs(backend, volumes) for backend in (TorchBackend(network), runner))
        differences = comparing(expected, found, file.name)
        for name in EXPORTED[to]:
            (made / name).replace(folder / name)
    return differences


def _outputs(backend: Backend, volumes: Grey) -> Outputs:
    found = [backend.run(volumes[first : first + BATCH]) for first in range(0, len(volumes), BATCH)]
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def compare_masks(expected: Outputs, found: Outputs, what: str) -> dict[str, float]:
    """Compare the probabilities of two backends; errors as of `compare`, without labels."""
    differences = {name: float(np.abs(expected[name] - found[name]).max()) for name in expected}
    _refuse_different(differences, expected, what)
    return {name: float(f"{difference:.2g}") for name, difference in differences.items()}


def compare(
    expected: dict[str, Floats], found: dict[str, Floats], spec: NetworkSpec, what: str
) -> dict[str, float]:
    """Compare the outputs of two backends on the same volumes.

    Returns:
        The largest difference of each output, to two digits.

    Raises:
        NetworkError: If an output differs by more than `LARGEST_DIFFERENCE` or a label changes.
    """
    differences = {name: float(np.abs(expected[name] - found[name]).max()) for name in OUTPUTS}
    _refuse_different(differences, expected, what)
    if labels_of(expected, spec)["words"] != labels_of(found, spec)["words"]:
        raise NetworkError(f"{what}: says other labels than torch; the file was not kept")
    return {name: float(f"{difference:.2g}") for name, difference in differences.items()}


def _refuse_different(differences: dict[str, float], expected: Outputs, what: str) -> None:
    for name, difference in differences.items():
        # what is no number is no small difference either
        if not difference <= LARGEST_DIFFERENCE * max(1.0, float(np.abs(expected[name]).max())):
            raise NetworkError(
                f"{what}: output '{name}' differs from torch by {difference:.2g}; the file was not kept"
            )


def _check_form(to: str) -> None:
    """Refuse an unknown form, or one whose packages are missing, before anything is computed."""
    if to not in EXPORTED:
        raise NetworkError(f"cannot export to '{to}'; it must be {' or '.join(EXPORTED)}")
    require("onnxscript", "export", "radnet export")
    if to == "openvino":
        import_openvino("radnet export")
    else:
        require("onnxruntime", "export", "radnet export")


def write_onnx(network: Any, shape: tuple[int, ...], path: Path) -> None:
    """Write a network from grey levels of a shape to its named outputs as one ONNX file."""
    example = torch.zeros(2, *shape, dtype=torch.uint8)
    with _quiet():
        program = torch.onnx.export(
            _Deployed(network).eval(),
            (example,),
            dynamo=True,
            input_names=["volumes"],
            output_names=list(network.output_names),
            dynamic_shapes={"volumes": {0: torch.export.Dim("n")}},
            verbose=False,
        )
    assert program is not None
    outputs = list(program.model.graph.outputs)
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # where on this machine each line of code stands
        node.doc_string = None
        for value in node.outputs:
            if value.name in network.output_names and not any(value is output for output in outputs):
                value.name = f"{value.name}_within"  # the exporter calls what a reshape makes `view`
    program.save(str(path))


def _write_openvino(made: Path) -> None:
    openvino = import_openvino("radnet export")
    model = openvino.Core().read_model(str(made / EXPORTED["onnx"][0]))
    openvino.save_model(model, str(made / EXPORTED["openvino"][0]), compress_to_fp16=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on torchvision and its own deprecations from the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _parity_volumes(shape: Triple, store: Path | None) -> tuple[list[Grey], str]:
    if store is None:
        return _noise(shape), f"{PARITY_VOLUMES} of seeded noise"
    volumes = VolumeStore(store)
    stacks = islice(volumes.ids, PARITY_VOLUMES)
    read = [fit_volume(np.array(volumes.read(stack_id)), shape) for stack_id in stacks]
    return read, f"{len(read)} of {store}"


def _noise(shape: Triple) -> list[Grey]:
    """Make grey volumes that are coarse or fine, dark or bright, for which outputs differ."""
    generator = np.random.default_rng(_NOISE_SEED)
    volumes = []
    for number in range(PARITY_VOLUMES):
        block = 2 ** (number % 4)
        coarse = generator.random([-(-size // block) for size in shape])
        fine = np.kron(coarse, np.ones((block, block, block)))[tuple(map(slice, shape))]
        volumes.append((255 * fine * (number + 1) / PARITY_VOLUMES).astype(np.uint8))
    return volumes
