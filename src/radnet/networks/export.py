"""Export a model folder to ONNX or OpenVINO, and compare the result with torch before it is kept.

The exported graph takes grey levels (uint8) and has the scaling inside, so that no caller can get it wrong.
OpenVINO's file is made from the ONNX one by its own reader.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from radnet.errors import NetworkError
from radnet.extras import require
from radnet.networks.build import LabelNetwork
from radnet.networks.folder import (
    BATCH,
    EXPORTED,
    EXPORTS_NAME,
    WEIGHTS_NAME,
    read_config,
    read_exports,
    read_network,
)
from radnet.networks.inference import (
    OUTPUTS,
    Floats,
    Grey,
    OnnxBackend,
    OpenvinoBackend,
    TorchBackend,
    import_openvino,
    labels_of,
    run_batches,
)
from radnet.networks.spec import NetworkSpec
from radnet.volumes.store import VolumeStore
from radnet.workspace import digest_file, write_text

LARGEST_DIFFERENCE: Final = 1e-3
"""Largest difference of an output from torch, as a share of the output's largest value or of 1."""
PARITY_VOLUMES: Final = 8
_NOISE_SEED: Final = 5


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
    """A network from grey levels to the named outputs."""

    def __init__(self, network: LabelNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, volumes: Tensor) -> tuple[Tensor, ...]:
        """Return the `OUTPUTS` of (n, slices, rows, columns) uint8."""
        embedding = self.network.embed(self.network.prepare(volumes))
        outputs = {**self.network.predict(embedding), "embedding": embedding}
        return tuple(outputs[name] for name in OUTPUTS)


def export_model(folder: Path | str, to: str, store: Path | None = None) -> ExportSummary:
    """Export a model and compare it with torch; a file that differs is not kept.

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
    spec = read_config(folder)["network"]
    # before the weights are read: should they be replaced meanwhile, the record is of none that lie there
    digest = digest_file(folder / WEIGHTS_NAME)
    network = read_network(folder, spec).eval()
    volumes, which = _parity_volumes(spec, store)
    with TemporaryDirectory(dir=folder, prefix=".export") as temporary:
        made = Path(temporary)
        write_onnx(network, spec, made / EXPORTED["onnx"][0])
        if to == "openvino":
            _write_openvino(made)
        file = made / EXPORTED[to][0]
        runner = OnnxBackend(file) if to == "onnx" else OpenvinoBackend(file)
        expected, found = (
            run_batches(backend, spec, volumes, BATCH) for backend in (TorchBackend(network), runner)
        )
        differences = compare(expected, found, spec, file.name)
        for name in EXPORTED[to]:
            (made / name).replace(folder / name)
    record = {"weights": digest, "compared": which, "max_difference": differences}
    write_text(folder / EXPORTS_NAME, json.dumps({**read_exports(folder), to: record}, indent=1) + "\n")
    return ExportSummary(folder / EXPORTED[to][0], which, differences, "the same")


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
    for name, difference in differences.items():
        if difference > LARGEST_DIFFERENCE * max(1.0, float(np.abs(expected[name]).max())):
            raise NetworkError(
                f"{what}: output '{name}' differs from torch by {difference:.2g}; the file was not kept"
            )
    if labels_of(expected, spec)["words"] != labels_of(found, spec)["words"]:
        raise NetworkError(f"{what}: says other labels than torch; the file was not kept")
    return {name: float(f"{difference:.2g}") for name, difference in differences.items()}


def _check_form(to: str) -> None:
    """Refuse an unknown form, or one whose packages are missing, before anything is computed."""
    if to not in EXPORTED:
        raise NetworkError(f"cannot export to '{to}'; it must be {' or '.join(EXPORTED)}")
    require("onnxscript", "export", "radnet export")
    if to == "openvino":
        import_openvino("radnet export")
    else:
        require("onnxruntime", "export", "radnet export")


def write_onnx(network: LabelNetwork, spec: NetworkSpec, path: Path) -> None:
    """Write a network from grey levels to the named outputs as one ONNX file."""
    example = torch.zeros(2, *spec.input_shape, dtype=torch.uint8)
    with _quiet():
        program = torch.onnx.export(
            _Deployed(network).eval(),
            (example,),
            dynamo=True,
            input_names=["volumes"],
            output_names=list(OUTPUTS),
            dynamic_shapes={"volumes": {0: torch.export.Dim("n")}},
            verbose=False,
        )
    assert program is not None
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


def _parity_volumes(spec: NetworkSpec, store: Path | None) -> tuple[list[Grey], str]:
    if store is None:
        return _noise(spec), f"{PARITY_VOLUMES} of seeded noise"
    volumes = VolumeStore(store)
    read = [np.array(volumes.read(stack_id)) for stack_id in islice(volumes.ids, PARITY_VOLUMES)]
    return read, f"{len(read)} of {store}"


def _noise(spec: NetworkSpec) -> list[Grey]:
    """Make grey volumes that are coarse or fine, dark or bright, for which outputs differ."""
    generator = np.random.default_rng(_NOISE_SEED)
    volumes = []
    for number in range(PARITY_VOLUMES):
        block = 2 ** (number % 4)
        coarse = generator.random([-(-size // block) for size in spec.input_shape])
        fine = np.kron(coarse, np.ones((block, block, block)))[tuple(map(slice, spec.input_shape))]
        volumes.append((255 * fine * (number + 1) / PARITY_VOLUMES).astype(np.uint8))
    return volumes
