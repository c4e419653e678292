"""Make the folder of a model that comes with the package: half the bytes, run without torch.

Weights with two dimensions or more are kept in 16-bit floats; biases and what normalises, which are few, stay
as they are. The ONNX file holds the graph alone: its tensors are read from their places in model.safetensors,
where they lie one after the other as plain bytes, so each weight is shipped once. It computes in float32,
into which every runtime turns the weights as it loads them.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from radnet.errors import NetworkError
from radnet.extras import require
from radnet.networks.build import build_network
from radnet.networks.export import write_onnx
from radnet.networks.folder import (
    CARD_NAME,
    CONFIG_NAME,
    EXPORTED,
    EXPORTS_NAME,
    WEIGHTS_NAME,
    read_config,
    read_folder,
    read_network,
    save_model,
)
from radnet.networks.inference import Floats, Grey, OnnxBackend, TorchBackend, labels_of, run_batches
from radnet.networks.model import BATCH
from radnet.networks.segmentation import build_segmentation
from radnet.networks.segmenter import KIND, read_segmentation, save_segmenter
from radnet.networks.segmenter_spec import SegmenterSpec
from radnet.networks.spec import Triple
from radnet.networks.weights import load_tensors
from radnet.workspace import digest_file, write_text

Network = TypeVar("Network", bound=nn.Module)
LARGEST_BYTES: Final = 15 << 20
"""Of all files of a shipped model together."""
PARITY: Final = "<!-- parity -->"
"""Stands on a card until the comparison is done."""
_PREFIX: Final = "network."
"""Before a tensor's name in the exported graph, which wraps the network."""
_HEADER_LENGTH: Final = struct.Struct("<Q")


@contextmanager
def made_aside(out: Path) -> Iterator[Path]:
    """Give a folder to write to, which takes the place of another when nothing was refused.

    Args:
        out: The folder that is replaced, or made.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=".ship") as temporary:
        made = Path(temporary) / out.name
        yield made
        if out.exists():
            shutil.rmtree(out)
        made.rename(out)


def complete_card(out: Path, parity: str) -> None:
    """Put what was compared onto a card whose figures end with `PARITY`."""
    card = (out / CARD_NAME).read_text("utf-8")
    write_text(out / CARD_NAME, card.replace(PARITY, parity))


def ship_model(
    run: Path | str, out: Path | str, volumes: Sequence[Grey], training_data: Mapping[str, Any], measured: str
) -> dict[str, Any]:
    """Write a trained model in half precision, with an ONNX graph over the same weights.

    Args:
        run: The model folder of a finished training.
        out: Where the shipped one goes; its name is the model's.
        volumes: (slices, rows, columns) uint8 each, on which both are compared.
        training_data: Shown on the card, one line an entry.
        measured: Figures for the card, in Markdown.

    Returns:
        `volumes` compared, `same_labels` (share of all words that are equal, by label), `max_difference` by
        output between float32 weights in torch and what is shipped, and `bytes` by file.

    Raises:
        NetworkError: If a weight does not fit 16 bits, or the files are larger than `LARGEST_BYTES`.
    """
    run, out = Path(run), Path(out)
    config = read_config(run)
    spec = config["network"]
    full = read_network(run, spec).eval()
    half = _halved(full, build_network(spec), run)
    metadata = {**config["metadata"], "training_data": dict(training_data), "measured": measured}
    save_model(out, half, spec, metadata, shorten=_shortened)
    _write_graph(half, spec.input_shape, out)
    expected = run_batches(TorchBackend(full), spec, volumes, BATCH)
    found = run_batches(OnnxBackend(out / EXPORTED["onnx"][0]), spec, volumes, BATCH)
    words = labels_of(expected, spec)["words"], labels_of(found, spec)["words"]
    same = {
        label: sum(a == b for a, b in zip(words[0][label], words[1][label], strict=True)) / len(volumes)
        for label in words[0]
    }
    differences = _record(out, f"{len(volumes)} volumes", expected, found)
    return {
        "volumes": len(volumes),
        "same_labels": same,
        "max_difference": differences,
        "bytes": _bytes(out),
    }


def ship_segmenter(
    run: Path | str, out: Path | str, windows: Sequence[Grey], training_data: Mapping[str, Any], measured: str
) -> dict[str, Any]:
    """Write a trained segmenter as `ship_model` writes a labelling network.

    Args:
        run: The folder of a finished training.
        out: Where the shipped one goes; its name is the segmenter's.
        windows: (slices, rows, columns) uint8 each, of the window's shape, on which both are compared.
        training_data: Shown on the card, one line an entry.
        measured: Figures for the card, in Markdown.

    Returns:
        `windows` compared, `overlap` (Dice between all voxels that float32 weights in torch and what is
        shipped take for the organ; 1 where neither does), `max_difference` of the probability, and `bytes`
        by file.

    Raises:
        NetworkError: As of `ship_model`, or if there is no window.
    """
    if not windows:
        raise NetworkError("there is no window to compare the segmenter on")
    run, out = Path(run), Path(out)
    config = read_folder(run, KIND, SegmenterSpec)
    spec = config[KIND]
    full = read_segmentation(run, spec).eval()
    half = _halved(full, build_segmentation(spec), run)
    metadata = {**config["metadata"], "training_data": dict(training_data), "measured": measured}
    save_segmenter(out, half, metadata, shorten=_shortened)
    _write_graph(half, spec.window, out)
    expected, found = (
        {"probability": np.concatenate([backend.run(window[None])["probability"] for window in windows])}
        for backend in (TorchBackend(full), OnnxBackend(out / EXPORTED["onnx"][0]))
    )
    first, second = (probability["probability"] >= spec.threshold for probability in (expected, found))
    marked = int(first.sum() + second.sum())
    differences = _record(out, f"{len(windows)} windows", expected, found)
    return {
        "windows": len(windows),
        "overlap": 2 * int((first & second).sum()) / marked if marked else 1.0,
        "max_difference": differences,
        "bytes": _bytes(out),
    }


def _halved(full: nn.Module, empty: Network, run: Path) -> Network:
    """Give an empty network the weights of a full one, rounded to what is kept of them."""
    rounded = {name: _shortened(name, value) for name, value in full.state_dict().items()}
    load_tensors(empty, rounded, run)
    return empty.eval()


def _shortened(name: str, tensor: Tensor) -> Tensor:
    """Return a tensor in 16 bits when it is one of the large ones."""
    if tensor.ndim < 2 or not tensor.is_floating_point():
        return tensor
    short = tensor.to(torch.float16)
    if not bool(torch.isfinite(short).all()):
        raise NetworkError(
            f"tensor '{name}' has values that 16 bits cannot hold; this model cannot be shipped"
        )
    return short


def _write_graph(network: nn.Module, shape: Triple, out: Path) -> None:
    """Export the network and point the graph at the tensors of model.safetensors."""
    onnx = require("onnx", "export", "shipping a model")
    name = EXPORTED["onnx"][0]
    with TemporaryDirectory(dir=out, prefix=".export") as temporary:
        whole = Path(temporary) / name
        write_onnx(network, shape, whole)
        model = onnx.load(str(whole))
        _refer(onnx, model.graph, network, *_places(out / WEIGHTS_NAME))
        onnx.save(model, str(whole))
        whole.replace(out / name)


def _places(path: Path) -> tuple[dict[str, Any], int]:
    """Return the head of a safetensors file, and where its tensors begin."""
    with path.open("rb") as file:
        (length,) = _HEADER_LENGTH.unpack(file.read(_HEADER_LENGTH.size))
        return json.loads(file.read(length)), _HEADER_LENGTH.size + length


def _refer(onnx: Any, graph: Any, network: nn.Module, head: Mapping[str, Any], start: int) -> None:
    """Replace the graph's large tensors by references to their 16-bit bytes.

    The exporter folds normalisation into convolutions, whose weights are then those of the network times a
    number a channel: that number goes into the graph. Runtimes compute both, once, as they load.
    """
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    nodes = []
    for tensor in list(graph.initializer):
        name = tensor.name.removeprefix(_PREFIX)
        place = head.get(name)
        if place is None or place["dtype"] != "F16":
            continue
        scale = _scale(onnx.numpy_helper.to_array(tensor), weights[name], name)
        short, wide, factor = (f"{tensor.name}.{part}" for part in ("half", "wide", "scale"))
        nodes += [
            onnx.helper.make_node("Cast", [short], [wide], to=onnx.TensorProto.FLOAT),
            onnx.helper.make_node("Mul", [wide, factor], [tensor.name]),
        ]
        graph.initializer.remove(tensor)
        graph.initializer.append(_reference(onnx, short, place, start))
        graph.initializer.append(onnx.numpy_helper.from_array(scale, factor))
    nodes += graph.node
    del graph.node[:]
    graph.node.extend(nodes)


def _scale(exported: Floats, own: Floats, name: str) -> Floats:
    """Return by what each output channel of a network's own weight was multiplied, (channels, 1, …)."""
    flat, changed = own.reshape(len(own), -1), exported.reshape(len(own), -1)
    scale = (flat * changed).sum(1) / np.maximum((flat * flat).sum(1), np.finfo(np.float32).tiny)
    if not np.allclose(flat * scale[:, None], changed, rtol=1e-4, atol=1e-6):
        raise NetworkError(f"tensor '{name}' was changed by the export; the graph cannot refer to it")
    return np.asarray(scale.reshape(-1, *[1] * (own.ndim - 1)), np.float32)


def _reference(onnx: Any, name: str, place: Mapping[str, Any], start: int) -> Any:
    """Return a 16-bit tensor whose bytes lie in model.safetensors."""
    first, last = place["data_offsets"]
    tensor = onnx.TensorProto(
        name=name,
        data_type=onnx.TensorProto.FLOAT16,
        dims=place["shape"],
        data_location=onnx.TensorProto.EXTERNAL,
    )
    for key, value in (("location", WEIGHTS_NAME), ("offset", start + first), ("length", last - first)):
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def _record(
    out: Path, what: str, expected: Mapping[str, Floats], found: Mapping[str, Floats]
) -> dict[str, float]:
    """Note beside the files what they were compared on; return the largest difference of each output."""
    differences = {name: float(f"{float(abs(expected[name] - found[name]).max()):.2g}") for name in expected}
    record = {
        "weights": digest_file(out / WEIGHTS_NAME),
        "compared": f"{what}, with float32 weights in torch",
        "max_difference": differences,
    }
    write_text(out / EXPORTS_NAME, json.dumps({"onnx": record}, indent=1) + "\n")
    return differences


def _bytes(out: Path) -> dict[str, int]:
    """Return the bytes of each file; refuse too many."""
    names = (WEIGHTS_NAME, CONFIG_NAME, CARD_NAME, EXPORTS_NAME, *EXPORTED["onnx"])
    sizes = {name: (out / name).stat().st_size for name in names}
    if sum(sizes.values()) > LARGEST_BYTES:
        raise NetworkError(
            f"{out}: its files have {sum(sizes.values()):,} bytes; {LARGEST_BYTES:,} may be shipped"
        )
    return sizes
