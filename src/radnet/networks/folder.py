"""A model is a folder: model.safetensors, config.json and README.md, in the layout of the Hugging Face hub.

The configuration is in the head of model.safetensors too, and that one counts: weights and configuration are
then replaced by one rename, and a process that is killed between two files leaves a folder that still loads.
Each file is written whole beside its place before any is renamed, so a full disk leaves the last good model.
Nothing is ever unpickled.

Exported files lie in the same folder; exports.json says of which weights each was made, and one of other
weights is never run. OpenVINO also runs the ONNX file where it has none of its own.

Models that come with RADNet lie in `radnet/models` and are loaded by their name.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata as packages
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import ValidationError

from radnet import __version__
from radnet.errors import NetworkError
from radnet.extras import require
from radnet.networks.card import render_card
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
    from torch import Tensor, nn

    from radnet.networks.build import LabelNetwork

WEIGHTS_NAME: Final = "model.safetensors"
CONFIG_NAME: Final = "config.json"
CARD_NAME: Final = "README.md"
EXPORTS_NAME: Final = "exports.json"
EXPORTED: Final = {"openvino": ("model.xml", "model.bin"), "onnx": ("model.onnx",)}
"""Files of each exported form, the faster one first (`benchmarks/networks.py`)."""
BATCH: Final = 8
"""Volumes run at a time."""
FORMAT: Final = 1
"""Of config.json; a newer one is refused."""
SHIPPED_FOLDER: Final = Path(__file__).parents[1] / "models"
"""Where the models lie that come with the package."""
DEFAULT_MODEL: Final = "small"
_HEAD_KEY: Final = "radnet"
_PACKAGES: Final = ("torch", "safetensors", "monai")
_RUNTIMES: Final = {"openvino": "openvino", "onnx": "onnxruntime"}


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
            return self.backend.network
        if self._network is None:
            self._network = read_network(self.folder, self.spec).eval()
        return self._network

    @property
    def encoder(self) -> nn.Module:
        """The torch backbone; its `forward` gives five feature maps, finest first."""
        return self.network.encoder


def find_model(path: Path | str = DEFAULT_MODEL) -> Path:
    """Return a model's folder: that of this path, or else the one of this name that comes with RADNet.

    Raises:
        NetworkError: If there is neither.
    """
    folder = Path(path)
    shipped = SHIPPED_FOLDER / folder
    if not folder.is_dir() and folder.name == str(folder) and shipped.is_dir():
        return shipped
    _check_files(folder)
    return folder


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
    if precision not in get_args(Precision):
        raise NetworkError(f"no precision '{precision}'; it must be {' or '.join(get_args(Precision))}")
    folder = find_model(path)
    config = read_config(folder)
    chosen = _choose(folder, device, precision) if backend == "auto" else backend
    if chosen == "torch":
        runner: Backend = TorchBackend(read_network(folder, config["network"]), device, precision)
    elif chosen in EXPORTED:
        file = _check_export(folder, chosen, device, precision)
        openvino = chosen == "openvino"
        runner = OpenvinoBackend(file, precision, threads) if openvino else OnnxBackend(file, threads)
    else:
        raise NetworkError(f"no backend '{backend}'; it must be auto, torch, {', '.join(EXPORTED)}")
    return Model(folder, runner, config)


def save_model(
    folder: Path | str,
    network: LabelNetwork,
    spec: NetworkSpec,
    metadata: Mapping[str, Any],
    shorten: Callable[[str, Tensor], Tensor] = lambda name, tensor: tensor,
) -> None:
    """Write a model folder, or replace the model in it.

    Args:
        folder: Is made if needed; other files in it are left alone.
        network: Its weights, on any device.
        spec: What it was built from.
        metadata: JSON-serialisable; `training_data` (a mapping, e.g. its `digest` and counts) is shown on the
            card, and `measured` (a Markdown table) stands on the card alone.
        shorten: Makes what is written of a tensor and its name; by default the tensor itself.

    Raises:
        OSError: If the disk is full or refuses; the model that was there is untouched.
    """
    safetensors = require("safetensors.torch", "train", "saving a model")
    folder = Path(folder)
    versions = _versions()
    kept = {key: value for key, value in metadata.items() if key != "measured"}
    config = {"format": FORMAT, "network": spec.model_dump(), "metadata": kept, "versions": versions}
    text = json.dumps(config, indent=1, allow_nan=False)
    tensors = {
        name: shorten(name, value.detach().cpu()).contiguous() for name, value in network.state_dict().items()
    }
    card = render_card(folder.resolve().name, spec, kept, versions, str(metadata.get("measured") or ""))
    folder.mkdir(parents=True, exist_ok=True)
    _replace_all(
        folder,
        {
            WEIGHTS_NAME: safetensors.save(tensors, {"format": "pt", _HEAD_KEY: text}),
            CONFIG_NAME: (text + "\n").encode(),
            CARD_NAME: card.encode(),
        },
    )
    for name in (EXPORTS_NAME, *(name for names in EXPORTED.values() for name in names)):
        (folder / name).unlink(missing_ok=True)  # they were made of other weights


def read_config(folder: Path) -> dict[str, Any]:
    """Read the configuration that belongs to the weights of a folder.

    Returns:
        `network` (a `NetworkSpec`), `metadata` and `versions`.

    Raises:
        NetworkError: If the folder or a file is missing, damaged or of a newer RADNet.
    """
    import safetensors  # quick to load, and only models need it

    _check_files(folder)
    try:
        with safetensors.safe_open(folder / WEIGHTS_NAME, "numpy") as file:
            head = file.metadata() or {}
    except (OSError, safetensors.SafetensorError) as error:
        raise NetworkError(f"{folder / WEIGHTS_NAME}: is damaged; take another copy of it") from error
    # weights from elsewhere have no head of ours; theirs is config.json
    text = head[_HEAD_KEY] if _HEAD_KEY in head else (folder / CONFIG_NAME).read_text("utf-8")
    try:
        config = json.loads(text)
        number = config["format"]
        if number > FORMAT:
            raise NetworkError(
                f"{folder}: was written by a newer radnet (format {number}, this one reads {FORMAT}); "
                "upgrade radnet"
            )
        config["network"] = NetworkSpec.model_validate(config["network"])
        return {key: config[key] for key in ("network", "metadata", "versions")}
    except (ValueError, KeyError, TypeError) as error:
        place = error.errors()[0]["loc"] if isinstance(error, ValidationError) else ()
        at = f" at '{'.'.join(map(str, place))}'" if place else ""
        raise NetworkError(
            f"{folder / CONFIG_NAME}: is not the configuration of a radnet model{at}"
        ) from error


def read_network(folder: Path, spec: NetworkSpec) -> LabelNetwork:
    """Build the network of a folder and load its weights.

    Raises:
        NetworkError: If a tensor does not fit; it is named.
    """
    safetensors = require("safetensors.torch", "train", "loading a model")
    from radnet.networks.build import build_network
    from radnet.networks.weights import load_tensors

    network = build_network(spec)
    load_tensors(network, safetensors.load_file(folder / WEIGHTS_NAME), folder / WEIGHTS_NAME)
    return network


def read_exports(folder: Path) -> dict[str, dict[str, Any]]:
    """Read what was exported from a folder; empty when nothing was, or the record is damaged."""
    try:
        found = json.loads((folder / EXPORTS_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    records = found.items() if isinstance(found, dict) else ()
    return {form: record for form, record in records if isinstance(record, dict)}


def _is_fresh(folder: Path, form: str) -> bool:
    """Tell whether a form was exported from the weights that lie there now."""
    weights = read_exports(folder).get(form, {}).get("weights")
    present = all((folder / name).is_file() for name in EXPORTED[form])
    return present and weights is not None and weights == digest_file(folder / WEIGHTS_NAME)


def _choose(folder: Path, device: str, precision: Precision) -> str:
    if device != "cpu":
        return "torch"
    usable = [form for form in EXPORTED if precision == "float32" or form != "onnx"]
    fresh = (form for form in usable if find_spec(_RUNTIMES[form]) and _is_fresh(folder, form))
    return next(fresh, "torch")


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


def _check_files(folder: Path) -> None:
    if not folder.is_dir():
        shipped = ", ".join(sorted(path.name for path in SHIPPED_FOLDER.glob("*/")))
        raise NetworkError(
            f"{folder}: no such model folder; `radnet pretrain` makes one, and RADNet brings {shipped}"
        )
    for name in (WEIGHTS_NAME, CONFIG_NAME):
        if not (folder / name).is_file():
            raise NetworkError(
                f"{folder}: {name} is missing; a model folder has {WEIGHTS_NAME}, {CONFIG_NAME} "
                f"and {CARD_NAME}"
            )


def _versions() -> dict[str, str]:
    versions = {"radnet": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = packages.version(package)
        except packages.PackageNotFoundError:
            continue  # MONAI is needed for its own networks alone
    return versions


def _replace_all(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write all files beside their places, then rename them in order."""
    partials = {name: folder / f".{name}.partial" for name in contents}
    try:
        for name, content in contents.items():
            _write_through(partials[name], content)
        for name, partial in partials.items():
            partial.replace(folder / name)
    finally:
        for partial in partials.values():
            partial.unlink(missing_ok=True)


def _write_through(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    try:
        with path.open("wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # a write names no file
