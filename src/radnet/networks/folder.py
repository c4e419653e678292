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
from collections.abc import Callable, Mapping
from importlib import metadata as packages
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pydantic import BaseModel, ValidationError

from radnet import __version__
from radnet.errors import NetworkError
from radnet.extras import require
from radnet.networks.card import render_card
from radnet.networks.spec import NetworkSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from radnet.networks.build import LabelNetwork

WEIGHTS_NAME: Final = "model.safetensors"
CONFIG_NAME: Final = "config.json"
CARD_NAME: Final = "README.md"
EXPORTS_NAME: Final = "exports.json"
EXPORTED: Final = {"openvino": ("model.xml", "model.bin"), "onnx": ("model.onnx",)}
"""Files of each exported form, the faster one first (`benchmarks/networks.py`)."""
FORMAT: Final = 1
"""Of config.json; a newer one is refused."""
SHIPPED_FOLDER: Final = Path(__file__).parents[1] / "models"
"""Where the models lie that come with the package."""
DEFAULT_MODEL: Final = "small"
DEFAULT_SEGMENTER: Final = "liver"
KINDS: Final = {
    "network": ("labelling network", "radnet.load_model"),
    "segmenter": ("segmenter", "radnet.load_segmenter"),
}
"""Kinds of model folders by the key of their spec: what they hold and what loads it."""
Shorten: TypeAlias = "Callable[[str, Tensor], Tensor]"
"""Makes what is written of a tensor from its name and itself."""
_HEAD_KEY: Final = "radnet"
_PACKAGES: Final = ("torch", "safetensors", "monai")


def as_it_is(name: str, tensor: Tensor) -> Tensor:
    """Write a tensor whole."""
    return tensor


def find_model(path: Path | str = DEFAULT_MODEL) -> Path:
    """Return a model's folder: that of this path, or else the one of this name that comes with RADNet.

    Raises:
        NetworkError: If there is neither.
    """
    folder = Path(path)
    shipped = SHIPPED_FOLDER / folder
    here = (folder / WEIGHTS_NAME).is_file()  # any folder may bear the name by chance
    if not here and folder.name == str(folder) and shipped.is_dir():
        return shipped
    _check_files(folder)
    return folder


def save_model(
    folder: Path | str,
    network: LabelNetwork,
    spec: NetworkSpec,
    metadata: Mapping[str, Any],
    shorten: Shorten = as_it_is,
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
    versions = package_versions()
    kept = {key: value for key, value in metadata.items() if key != "measured"}
    config = {"network": spec.model_dump(), "metadata": kept, "versions": versions}
    json.dumps(config, allow_nan=False)  # what cannot be written is refused before the card is made of it
    folder = Path(folder)
    card = render_card(folder.resolve().name, spec, kept, versions, str(metadata.get("measured") or ""))
    write_folder(folder, network, config, card, shorten)


def write_folder(
    folder: Path, network: nn.Module, config: Mapping[str, Any], card: str, shorten: Shorten = as_it_is
) -> None:
    """Write weights, configuration and card as one; what was exported of other weights goes.

    Raises:
        OSError: If the disk is full or refuses; the model that was there is untouched.
    """
    safetensors = require("safetensors.torch", "train", "saving a model")
    text = json.dumps({"format": FORMAT, **config}, indent=1, allow_nan=False)
    tensors = {
        name: shorten(name, value.detach().cpu()).contiguous() for name, value in network.state_dict().items()
    }
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
    import safetensors  # quick to load, and only models need it

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


def _check_files(folder: Path) -> None:
    if not folder.is_dir():
        shipped = ", ".join(sorted(path.name for path in SHIPPED_FOLDER.glob("*/")))
        raise NetworkError(
            f"{folder}: no such model folder; `radnet pretrain` and `radnet transfer` make them, and RADNet "
            f"brings {shipped}"
        )
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
