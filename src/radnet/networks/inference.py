"""Run a network on grey levels, by torch, ONNX Runtime or OpenVINO.

Every backend takes (n, slices, rows, columns) uint8, as a volume store has them, and gives the same named
arrays. Their 32-bit results differ in the last digits; what `radnet export` measured stands in exports.json.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from radnet.errors import NetworkError
from radnet.extras import require
from radnet.networks.spec import NetworkSpec, Shrinking
from radnet.volumes.resize import average_volume, resize_stack

Precision = Literal["float32", "bfloat16"]
Floats = NDArray[np.float32]
Grey = NDArray[np.uint8]

OUTPUTS: Final = ("sequence", "view", "contrast", "coverage", "spacing", "embedding")
"""What a backend gives: logits of four heads, mm, and the features that the heads read."""
THRESHOLD: Final = 0.5
"""Probability from which a region counts as covered."""


class Backend(Protocol):
    """Something that runs one network."""

    name: str

    def run(self, volumes: Grey) -> dict[str, Floats]:
        """Return the named outputs of (n, slices, rows, columns)."""
        ...


class TorchBackend:
    """The network itself; bfloat16 runs with channels last, which the processor's kernels want.

    Args:
        network: Has `output_names` and `outputs`; is moved to the device and set to evaluation.
        device: As torch names it.
        precision: Of the arithmetic; weights stay float32.

    Raises:
        NetworkError: If there is no such device.
    """

    name = "torch"

    def __init__(self, network: Any, device: str = "cpu", precision: Precision = "float32") -> None:
        self._torch: Any = require("torch", "train", "running a network")
        self._half = precision == "bfloat16"
        try:
            self._device = self._torch.device(device)
            self.network: Any = network.to(self._device).eval()
        except (RuntimeError, AssertionError) as error:  # a torch without CUDA asserts
            raise NetworkError(f"device '{device}' cannot be used here; cpu always can") from error
        if self._half:
            self.network.to(memory_format=self._torch.channels_last_3d)

    def run(self, volumes: Grey) -> dict[str, Floats]:
        """Return the named outputs of (n, slices, rows, columns)."""
        torch = self._torch
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, torch.bfloat16, enabled=self._half),
        ):
            outputs = self.network.outputs(torch.from_numpy(np.array(volumes)).to(self._device))
        return {name: outputs[name].float().cpu().numpy() for name in self.network.output_names}


class OnnxBackend:
    """An exported network in ONNX Runtime, on the processor, in float32.

    Args:
        path: An `.onnx` file of `radnet export`.
        threads: That compute; None takes one a core.

    Raises:
        NetworkError: If the file is damaged.
    """

    name = "onnx"

    def __init__(self, path: Path, threads: int | None = None) -> None:
        import onnxruntime as runtime  # half a second, and only this needs it

        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3  # its warnings are about its own optimiser
        try:
            self._session: Any = runtime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # its C library raises classes of its own, which it does not export
            raise NetworkError(f"{path}: is damaged or incomplete; take another copy of it") from error
        self._names = [output.name for output in self._session.get_outputs()]

    def run(self, volumes: Grey) -> dict[str, Floats]:
        """Return the named outputs of (n, slices, rows, columns)."""
        found = self._session.run(self._names, {"volumes": np.ascontiguousarray(volumes)})
        return dict(zip(self._names, found, strict=True))


class OpenvinoBackend:
    """An exported network in OpenVINO, on the processor.

    OpenVINO's own default is bfloat16 where the processor has it; here it is what the caller asks for.

    Args:
        path: An `.xml` or `.onnx` file of `radnet export`.
        precision: Of the arithmetic.
        threads: That compute; None takes one a core.
    """

    name = "openvino"

    def __init__(self, path: Path, precision: Precision = "float32", threads: int | None = None) -> None:
        openvino = import_openvino("running an OpenVINO file")
        hint: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32"}
        if threads:
            hint["INFERENCE_NUM_THREADS"] = threads
        self._model = openvino.Core().compile_model(str(path), "CPU", hint)

    def run(self, volumes: Grey) -> dict[str, Floats]:
        """Return the named outputs of (n, slices, rows, columns)."""
        found = self._model(np.ascontiguousarray(volumes))
        return {
            name: np.array(found[output], np.float32)
            for output in self._model.outputs
            for name in output.get_names()  # it may add names of its own
        }


def import_openvino(what: str) -> Any:
    """Import OpenVINO without the package that reports its import to an analytics service.

    Without a file of consent `openvino_telemetry` takes consent as given; OpenVINO does without it.

    Args:
        what: What needs OpenVINO, for the error.

    Raises:
        MissingExtraError: If it is not installed.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    return require("openvino", "export", what)


def run_batches(
    backend: Backend, spec: NetworkSpec, volumes: Iterable[Grey], batch_size: int
) -> dict[str, Floats]:
    """Run volumes through a backend, a batch at a time.

    Args:
        backend: What runs.
        spec: Of the network; volumes are resized to its `input_shape`.
        volumes: (slices, rows, columns) uint8 each: an array of them, a list, or anything that yields them.
        batch_size: Volumes at a time.

    Returns:
        The `OUTPUTS`, one row a volume.

    Raises:
        NetworkError: If there is no volume, one does not fit, or the outputs are not finite.
    """
    found = [backend.run(batch) for batch in _batches(volumes, spec, batch_size)]
    if not found:
        raise NetworkError("there is no volume to run the network on")
    outputs = {name: np.concatenate([part[name] for part in found]) for name in OUTPUTS}
    for name, values in outputs.items():
        if not np.isfinite(values).all():
            raise NetworkError(f"the network's output '{name}' is not finite; its weights cannot be used")
    return outputs


def labels_of(outputs: dict[str, Floats], spec: NetworkSpec) -> dict[str, Any]:
    """Make probabilities and words of a network's outputs.

    Args:
        outputs: As from `run_batches`.
        spec: Names the classes.

    Returns:
        `sequence`, `view` and `contrast`, each (n, classes) probabilities that sum to 1; `coverage`
        (n, regions), each on its own; `spacing` (n,) in mm; and `words`, the labels they say: for each name
        a list of n words, for `coverage` of n tuples of them.
    """
    classes = {"sequence": spec.sequences, "view": spec.views, "contrast": spec.contrasts}
    labels: dict[str, Any] = {name: _softmax(outputs[name]) for name in classes}
    labels["coverage"] = 1 / (1 + np.exp(-outputs["coverage"]))
    labels["spacing"] = outputs["spacing"]
    words: dict[str, list[Any]] = {
        name: [known[i] for i in labels[name].argmax(axis=1)] for name, known in classes.items()
    }
    words["coverage"] = [_covered(row, spec.regions) for row in labels["coverage"]]
    return {**labels, "words": words}


def _covered(row: Floats, regions: Sequence[str]) -> tuple[str, ...]:
    return tuple(region for region, p in zip(regions, row, strict=True) if p >= THRESHOLD)


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _batches(volumes: Iterable[Grey], spec: NetworkSpec, size: int) -> Iterator[Grey]:
    if size < 1:
        raise NetworkError(f"batch_size is {size}; it must be at least 1")
    left = iter(volumes)
    while batch := list(islice(left, size)):
        yield np.stack([fit_volume(volume, spec.input_shape, spec.shrinking) for volume in batch])


def fit_volume(volume: Grey, shape: tuple[int, int, int], shrinking: Shrinking = "linear") -> Grey:
    """Resize a volume of the store to what a network sees, in training and ever after.

    Args:
        volume: (slices, rows, columns) uint8, in no direction smaller than wanted.
        shape: What is wanted; a volume of this shape is returned as it is.
        shrinking: As of `NetworkSpec`.

    Raises:
        NetworkError: If the volume has another type or number of dimensions, or is smaller.
    """
    smaller = len(volume.shape) != 3 or any(n < m for n, m in zip(volume.shape, shape, strict=True))
    if volume.dtype != np.uint8 or smaller:
        raise NetworkError(
            f"a volume is {_form(volume.shape)} {volume.dtype}; the network takes {_form(shape)} uint8 "
            "or larger, as `radnet build` makes them"
        )
    if volume.shape == shape:
        return volume
    if shrinking == "mean":
        return average_volume(volume, shape)
    return np.rint(resize_stack(volume.__getitem__, len(volume), shape)).astype(np.uint8)


def _form(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
