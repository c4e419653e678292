"""Run the network of a model folder, by torch or by what was exported of its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from radnet.errors import NetworkError
from radnet.networks.folder import (
    DEFAULT_MODEL,
    EXPORTED,
    WEIGHTS_NAME,
    find_model,
    read_config,
    read_exports,
    read_network,
)
from radnet.networks.inference import (
    Backend,
    Floats,
    Grey,
    OnnxBackend,
    OpenvinoBackend,
    Precision,
    TorchBackend,
    labels_of,
    run_batches,
)
from radnet.networks.spec import NetworkSpec
from radnet.workspace import digest_file

if TYPE_CHECKING:
    from torch import nn

    from radnet.networks.build import LabelNetwork

_RUNTIMES: Final = {"openvino": "openvino", "onnx": "onnxruntime"}
BATCH: Final = 8
"""Volumes run at a time."""


class Model:
    """A trained network, ready to label scans.

    Attributes:
        folder: Where it was loaded from.
        spec: Shape of its input, classes of its heads.
        metadata: What was recorded when it was saved, e.g. `training_data`.
        versions: Of the packages that made it.
        backend: What runs it.
    """

    def __init__(self, folder: Path, backend: Backend, config: Mapping[str, Any]) -> None:
        self.folder = folder
        self.backend = backend
        self.spec: NetworkSpec = config["network"]
        self.metadata: dict[str, Any] = config["metadata"]
        self.versions: dict[str, str] = config["versions"]
        self._network: LabelNetwork | None = None

    def classify(self, volumes: Iterable[Grey], batch_size: int = BATCH) -> dict[str, Any]:
        """Label volumes.

        Args:
            volumes: (slices, rows, columns) uint8 each: an array of them, a list, or what yields them. Those
                larger than `spec.input_shape` are resized to it.
            batch_size: Volumes run at a time.

        Returns:
            Probabilities `sequence`, `view`, `contrast` (n, classes) and `coverage` (n, regions), `spacing`
            (n,) in mm, and `words`: the labels in words, by name.

        Raises:
            NetworkError: If a volume is smaller than the network's input, no uint8, or there is none.
        """
        return labels_of(run_batches(self.backend, self.spec, volumes, batch_size), self.spec)

    def embed(self, volumes: Iterable[Grey], batch_size: int = BATCH) -> Floats:
        """Return the features that the heads read, (n, embedding); arguments as of `classify`."""
        return run_batches(self.backend, self.spec, volumes, batch_size)["embedding"]

    @property
    def network(self) -> LabelNetwork:
        """The torch network, on the processor and in evaluation unless torch runs this model elsewhere."""
        if isinstance(self.backend, TorchBackend):
            network: LabelNetwork = self.backend.network
            return network
        if self._network is None:
            self._network = read_network(self.folder, self.spec).eval()
        return self._network

    @property
    def encoder(self) -> nn.Module:
        """The torch backbone; its `forward` gives five feature maps, finest first."""
        return self.network.encoder


def load_model(
    path: Path | str = DEFAULT_MODEL,
    device: str = "cpu",
    backend: str = "auto",
    precision: Precision = "float32",
    threads: int | None = None,
) -> Model:
    """Load a model folder, by default the model that comes with RADNet.

    Args:
        path: The folder, or the name of a model that comes with RADNet.
        device: As torch names it; exported files run on `cpu` alone.
        backend: `torch`, `onnx` or `openvino`; `auto` takes the fastest that was exported and is installed.
        precision: `float32`, or `bfloat16`, which is two to three times as fast where the processor has it
            and which `onnx` lacks.
        threads: Of an exported file; None takes one a core.

    Raises:
        NetworkError: If the folder, a file or the exported form is missing, damaged, of other weights or of a
            newer RADNet, or an argument is none of those named.
        MissingExtraError: If the package that runs it is not installed.

    Example:
        >>> radnet.load_model("work/5-pretrain/first").classify(volumes)["words"]["sequence"]
    """
    folder = find_model(path)
    config = read_config(folder)

    def network() -> LabelNetwork:
        return read_network(folder, config["network"])

    return Model(folder, open_backend(folder, network, device, backend, precision, threads), config)


def open_backend(
    folder: Path,
    network: Callable[[], nn.Module],
    device: str,
    backend: str,
    precision: Precision,
    threads: int | None = None,
) -> Backend:
    """Start what runs the network of a folder.

    Args:
        folder: A model folder.
        network: Reads the torch network, if torch shall run it.
        device: As of `load_model`, and so are the others and the errors.
        backend: What runs it.
        precision: Of the arithmetic.
        threads: As of `load_model`.
    """
    if precision not in get_args(Precision):
        raise NetworkError(f"no precision '{precision}'; it must be {' or '.join(get_args(Precision))}")
    chosen = _choose(folder, device, precision) if backend == "auto" else backend
    if chosen == "torch":
        return TorchBackend(network(), device, precision)
    if chosen not in EXPORTED:
        raise NetworkError(f"no backend '{backend}'; it must be auto, torch, {', '.join(EXPORTED)}")
    file = _check_export(folder, chosen, device, precision)
    return OnnxBackend(file, threads) if chosen == "onnx" else OpenvinoBackend(file, precision, threads)


def _choose(folder: Path, device: str, precision: Precision) -> str:
    if device != "cpu":
        return "torch"
    usable = [form for form in EXPORTED if precision == "float32" or form != "onnx"]
    fresh = (form for form in usable if find_spec(_RUNTIMES[form]) and _is_fresh(folder, form))
    return next(fresh, "torch")


def _is_fresh(folder: Path, form: str) -> bool:
    """Tell whether a form was exported from the weights that lie there now."""
    weights = read_exports(folder).get(form, {}).get("weights")
    present = all((folder / name).is_file() for name in EXPORTED[form])
    return present and weights is not None and weights == digest_file(folder / WEIGHTS_NAME)


def _check_export(folder: Path, form: str, device: str, precision: Precision) -> Path:
    """Return the file that runs; OpenVINO reads ONNX files too."""
    if device != "cpu":
        raise NetworkError(f"backend '{form}' runs on the cpu, not on {device}; use backend 'torch'")
    if form == "onnx" and precision != "float32":
        raise NetworkError("backend 'onnx' has float32 alone; use backend 'openvino' or 'torch'")
    found = next((known for known in (form, "onnx") if _is_fresh(folder, known)), None)
    if found is None:
        raise NetworkError(
            f"{folder}: has no {form} file of its weights; run `radnet export {folder} --to {form}`"
        )
    return folder / EXPORTED[found][0]
