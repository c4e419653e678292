"""Slide a window along the slices of a scan and blend what a network says of each.

A window counts most in its middle: it is blended with a Gaussian along the slices, as the network knows least
of what lies beside its ends. Planes are resized as a whole, so that a window always sees all of them.
Everything here is NumPy; what predicts may be torch, ONNX Runtime or OpenVINO.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from radnet.errors import NetworkError
from radnet.networks.inference import Floats, Grey
from radnet.volumes.resize import resize_plane

Predict = Callable[[Grey], Floats]
"""Takes (n, slices, rows, columns) uint8, returns as many probabilities."""
Triple = tuple[int, int, int]

SIGMA_SHARE: Final = 0.25
"""Standard deviation of the blending Gaussian, as a share of the window's slices."""
LEAST_WEIGHT: Final = 1e-3
"""Of the outermost slices; what no other window covers is still told by them."""
BATCH: Final = 2
"""Windows predicted at a time."""


def cover(n_slices: int, window: int, overlap: float = 0.5) -> tuple[int, ...]:
    """Return the first slices of windows that cover a scan wholly.

    Args:
        n_slices: Of the scan.
        window: Slices of a window.
        overlap: Share of a window that the next one covers again.

    Returns:
        Ascending, evenly spread; of a scan thinner than the window one, negative, that centres it.

    Raises:
        NetworkError: If there are no slices.
    """
    if n_slices < 1:
        raise NetworkError("a scan without slices cannot be covered by windows")
    if n_slices <= window:
        return (-((window - n_slices) // 2),)
    step = max(1, round(window * (1 - overlap)))
    count = -(-(n_slices - window) // step) + 1
    return tuple(int(start) for start in np.rint(np.linspace(0, n_slices - window, count)))


def cover_windows(
    starts: Sequence[int], length: int, n_slices: int, window: int, overlap: float = 0.5
) -> tuple[int, ...]:
    """Return the first slices of a segmenter's windows that cover what proposed windows of any length do.

    Args:
        starts: First slices of the proposed windows.
        length: Slices of each.
        n_slices: Of the scan.
        window: Slices of the segmenter's window.
        overlap: As of `cover`, when the lengths differ; else the proposed windows are taken as they are.

    Raises:
        NetworkError: If no window is proposed.
    """
    if not len(starts):
        raise NetworkError("no window is proposed; the best one is taken where none reaches the threshold")
    if length == window:
        return tuple(sorted({int(start) for start in starts}))
    found: set[int] = set()
    for first, end in _runs(starts, length, n_slices):
        if end - first >= window:
            found.update(first + start for start in cover(end - first, window, overlap))
        else:  # the window is longer: centred on the run, inside the scan where it fits
            start = first - (window - (end - first)) // 2
            found.add(
                min(max(start, 0), n_slices - window) if n_slices > window else cover(n_slices, window)[0]
            )
    return tuple(sorted(found))


def _runs(starts: Sequence[int], length: int, n_slices: int) -> list[tuple[int, int]]:
    """Return the stretches of slices that windows cover together."""
    covered = np.zeros(n_slices + 2, np.int8)
    for start in starts:
        covered[1 + max(start, 0) : 1 + min(start + length, n_slices)] = 1
    edges = np.diff(covered)
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))


def resize_planes(image: NDArray[np.generic], rows: int, columns: int) -> NDArray[np.float32]:
    """Resize each plane linearly to (slices, rows, columns) float32."""
    if image.shape[1:] == (rows, columns):
        return np.asarray(image, np.float32)
    return np.stack([resize_plane(plane, rows, columns) for plane in image])


def cut_window(image: NDArray[np.generic], start: int, slices: int) -> NDArray[np.generic]:
    """Return so many slices from a first one on; what lies outside the scan is 0."""
    window = np.zeros((slices, *image.shape[1:]), image.dtype)
    first, end = max(start, 0), min(start + slices, len(image))
    if first < end:
        window[first - start : end - start] = image[first:end]
    return window


def blend_weights(slices: int) -> Floats:
    """Return the weight of each slice of a window; 1 in the middle."""
    places = np.arange(slices) - (slices - 1) / 2
    weights = np.exp(-0.5 * (places / (SIGMA_SHARE * slices)) ** 2)
    return np.asarray(np.maximum(weights, LEAST_WEIGHT), np.float32)


def slide(
    predict: Predict, image: Grey, window: Triple, starts: Sequence[int], batch_size: int = BATCH
) -> Floats:
    """Predict windows and blend them.

    Args:
        predict: What predicts; its probabilities have the window's shape.
        image: (slices, rows, columns) uint8; planes are resized to the window's and the result back.
        window: Slices, rows and columns that the network sees.
        starts: First slice of each window; may be negative. Slices that no window covers get 0.
        batch_size: Windows at a time.

    Returns:
        (slices, rows, columns) float32 probabilities.

    Raises:
        NetworkError: If the image is none of grey levels or what is predicted is not finite.
    """
    check_image(image)
    slices, rows, columns = window
    planes = np.rint(resize_planes(image, rows, columns)).astype(np.uint8)
    weights = blend_weights(slices)
    total = np.zeros(planes.shape, np.float32)
    weight = np.zeros(len(planes), np.float32)
    for begin in range(0, len(starts), batch_size):
        chosen = starts[begin : begin + batch_size]
        found = predict(np.stack([cut_window(planes, start, slices) for start in chosen]))
        if not np.isfinite(found).all():
            raise NetworkError("the segmenter's probabilities are not finite; its weights cannot be used")
        for start, one in zip(chosen, found, strict=True):
            first, end = max(start, 0), min(start + slices, len(planes))
            own = weights[first - start : end - start]
            total[first:end] += own[:, None, None] * one[first - start : end - start]
            weight[first:end] += own
    blended = total / np.where(weight > 0, weight, 1)[:, None, None]
    return resize_planes(blended, *image.shape[1:])


def check_image(image: Grey) -> None:
    """Refuse what is no image of grey levels.

    Raises:
        NetworkError: If it has another type, other than three dimensions, or no voxel.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or not image.size:
        shape = "x".join(map(str, image.shape))
        raise NetworkError(
            f"an image is {shape} {image.dtype}; a segmenter takes slices x rows x columns of uint8"
        )
