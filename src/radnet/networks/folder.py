"""A model is a folder: model.safetensors, config.json and README.md, in the layout of the Hugging Face hub.

The configuration is in the head of model.safetensors too, and that one counts: weights and configuration are
then replaced by one rename, and a process that is killed between two files leaves a folder that still loads.
Each file is written whole beside its place before any is renamed, so a full disk leaves the last good model.
Nothing is ever unpickled.

Exported files lie in the same folder; exports.json says of which weights each was made, and one of other
weights is never run.
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

from pydantic import BaseModel, ValidationError

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
    from torch import nn

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
KINDS: Final = {
    "network": ("labelling network", "radnet.load_model"),
    "segmenter": ("segmenter", "radnet.load_segmenter"),
}
"""Kinds of model folders by the key of their spec: what they hold and what loads it."""
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
    path: Path | str, device: str = "cpu", backend: str = "auto", precision: Precision = "float32"
) -> Model:
    """Load a model folder.

    Args:
        path: The folder.
        device: As torch names it; exported files run on `cpu` alone.
        backend: `torch`, `onnx` or `openvino`; `auto` takes the fastest that was exported and is installed.
        precision: `float32`, or `bfloat16`, which is two to three times as fast where the processor has it
            and which `onnx` lacks.

    Raises:
        NetworkError: If the folder, a file or the exported form is missing, damaged, of other weights or of a
            newer RADNet, or an argument is none of those named.
        MissingExtraError: If the package that runs it is not installed.

    Example:
        >>> radnet.load_model("work/5-pretrain/first").classify(volumes)["words"]["sequence"]
    """
    folder = Path(path)
    config = read_config(folder)
    runner = open_backend(folder, lambda: read_network(folder, config["network"]), device, backend, precision)
    return Model(folder, runner, config)


def open_backend(
    folder: Path, network: Callable[[], nn.Module], device: str, backend: str, precision: Precision
) -> Backend:
    """Start what runs the network of a folder.

    Args:
        folder: A model folder.
        network: Reads the torch network, if torch shall run it.
        device: As of `load_model`, and so are the others and the errors.
        backend: What runs it.
        precision: Of the arithmetic.
    """
    if precision not in get_args(Precision):
        raise NetworkError(f"no precision '{precision}'; it must be {' or '.join(get_args(Precision))}")
    chosen = _choose(folder, device, precision) if backend == "auto" else backend
    if chosen == "torch":
        return TorchBackend(network(), device, precision)
    if chosen not in EXPORTED:
        raise NetworkError(f"no backend '{backend}'; it must be auto, torch, {', '.join(EXPORTED)}")
    _check_export(folder, chosen, device, precision)
    file = folder / EXPORTED[chosen][0]
    return OnnxBackend(file) if chosen == "onnx" else OpenvinoBackend(file, precision)


def save_model(
    folder: Path | str, network: LabelNetwork, spec: NetworkSpec, metadata: Mapping[str, Any]
) -> None:
    """Write a model folder, or replace the model in it.

    Args:
        folder: Is made if needed; other files in it are left alone.
        network: Its weights, on any device.
        spec: What it was built from.
        metadata: JSON-serialisable; `training_data` (a mapping, e.g. its `digest` and counts) is shown on the
            card, and `measured` (a Markdown table) stands on the card alone.

    Raises:
        OSError: If the disk is full or refuses; the model that was there is untouched.
    """
    versions = package_versions()
    kept = {key: value for key, value in metadata.items() if key != "measured"}
    config = {"network": spec.model_dump(), "metadata": kept, "versions": versions}
    folder = Path(folder)
    card = render_card(folder.resolve().name, spec, kept, versions, str(metadata.get("measured") or ""))
    write_folder(folder, network, config, card)


def write_folder(folder: Path, network: nn.Module, config: Mapping[str, Any], card: str) -> None:
    """Write weights, configuration and card as one; what was exported of other weights goes.

    Raises:
        OSError: If the disk is full or refuses; the model that was there is untouched.
    """
    safetensors = require("safetensors.torch", "train", "saving a model")
    text = json.dumps({"format": FORMAT, **config}, indent=1, allow_nan=False)
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
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
        NetworkError: If the folder or a file is missing, damaged, of a newer RADNet, or no labelling network.
    """
    return read_folder(folder, "network", NetworkSpec)


def read_folder(folder: Path, kind: str, spec: type[BaseModel]) -> dict[str, Any]:
    """Read the configuration of a folder that holds a network of one kind.

    Args:
        folder: A model folder.
        kind: One of `KINDS`, which is also the key under which its spec stands.
        spec: What the spec is.

    Returns:
        The spec under its kind, `metadata` and `versions`.

    Raises:
        NetworkError: As `read_config` does.
    """
    text = _head(folder)
    try:
        config = json.loads(text)
        if config["format"] > FORMAT:
            raise NetworkError(
                f"{folder}: was written by a newer radnet (format {config['format']}, this one reads "
                f"{FORMAT}); upgrade radnet"
            )
        for other in KINDS.keys() - {kind}:
            if other in config and kind not in config:
                raise NetworkError(f"{folder}: holds a {KINDS[other][0]}; load it with {KINDS[other][1]}")
        config[kind] = spec.model_validate(config[kind])
        return {key: config[key] for key in (kind, "metadata", "versions")}
    except (ValueError, KeyError, TypeError) as error:
        place = error.errors()[0]["loc"] if isinstance(error, ValidationError) else ()
        at = f" at '{'.'.join(map(str, place))}'" if place else ""
        raise NetworkError(
            f"{folder / CONFIG_NAME}: is not the configuration of a radnet model{at}"
        ) from error


def kind_of(folder: Path) -> str:
    """Say which of `KINDS` a folder holds; errors as of `read_config`."""
    try:
        config = json.loads(_head(folder))
        return next((kind for kind in KINDS if kind in config), "network")
    except ValueError:
        return "network"  # reading it will say what is wrong


def _head(folder: Path) -> str:
    """Return the configuration's text, from the weights' head or, for weights from elsewhere, its file."""
    safetensors = require("safetensors", "train", "loading a model")
    _check_files(folder)
    try:
        with safetensors.safe_open(folder / WEIGHTS_NAME, "numpy") as file:
            head = file.metadata() or {}
    except (OSError, safetensors.SafetensorError) as error:
        raise NetworkError(f"{folder / WEIGHTS_NAME}: is damaged; take another copy of it") from error
    # weights from elsewhere have no head of ours
    return head[_HEAD_KEY] if _HEAD_KEY in head else (folder / CONFIG_NAME).read_text("utf-8")


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


def _check_export(folder: Path, form: str, device: str, precision: Precision) -> None:
    if device != "cpu":
        raise NetworkError(f"backend '{form}' runs on the cpu, not on {device}; use backend 'torch'")
    if form == "onnx" and precision != "float32":
        raise NetworkError("backend 'onnx' has float32 alone; use backend 'openvino' or 'torch'")
    if not _is_fresh(folder, form):
        raise NetworkError(
            f"{folder}: has no {form} file of its weights; run `radnet export {folder} --to {form}`"
        )


def _check_files(folder: Path) -> None:
    if not folder.is_dir():
        raise NetworkError(f"{folder}: no such model folder; `radnet pretrain` makes one")
    for name in (WEIGHTS_NAME, CONFIG_NAME):
        if not (folder / name).is_file():
            raise NetworkError(
                f"{folder}: {name} is missing; a model folder has {WEIGHTS_NAME}, {CONFIG_NAME} "
                f"and {CARD_NAME}"
            )


def package_versions() -> dict[str, str]:
    """Return the versions of what makes a model, by package."""
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
