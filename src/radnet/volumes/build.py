"""Build the volume of one stack: decode the needed slices, turn them, resize, map to grey levels, pad.

Slices are turned before anything is computed, so that a scan stored transposed, flipped or in reverse order
gives the same volume to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from radnet.config import VolumesConfig
from radnet.errors import GeometryError, SourceError
from radnet.geometry import (
    Axes,
    canonical_affine,
    canonical_axes,
    padded_affine,
    resized_affine,
)
from radnet.sources.blob import Blob
from radnet.sources.opening import open_blob
from radnet.volumes.decode import PixelReader
from radnet.volumes.intensity import Window, choose_window, grey_levels
from radnet.volumes.pixels import SliceError, check_header
from radnet.volumes.plan import StackTask
from radnet.volumes.resize import blank_slices, pad_slices, resize_stack
from radnet.volumes.shards import Volume, digest_of, pack

UNREADABLE: Final = "unreadable"
"""Why a stack gave no volume that may give one when the disk or the network is back."""


@dataclass(frozen=True, slots=True)
class BuiltVolume:
    """A volume and where it lies in the patient.

    Attributes:
        array: (slices, rows, columns) uint8.
        affine: (4, 4) from (slice, row, column, 1) to LPS mm at voxel centres.
        window: Values that became grey levels 0 and 255.
        pad_before: Blank slices before the first.
        pad_after: Blank slices after the last.
    """

    array: Volume
    affine: NDArray[np.float64]
    window: Window
    pad_before: int
    pad_after: int


@dataclass(frozen=True, slots=True)
class Packed:
    """A built volume on its way to the store: its row of the index, less shard and offset, and its bytes."""

    row: dict[str, Any]
    content: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """A stack that gave no volume.

    Attributes:
        stack_id: The stack.
        reason: A code: one of `SliceError`, or unreadable, damaged_archive, no_geometry, out_of_memory,
            crashed.
        error: Class of the error.
        inputs: Digest of the inputs.
    """

    stack_id: str
    reason: str
    error: str
    inputs: str


def build_volume(
    task: StackTask, config: VolumesConfig, opener: Callable[[str], Blob] = open_blob
) -> BuiltVolume:
    """Build one volume.

    Args:
        task: The stack.
        config: Shape and intensity.
        opener: Opens the paths of its slices.

    Raises:
        SliceError: If a needed slice cannot be decoded, or all pixels are padding.
        GeometryError: If the stack has no positions or spacings.
        OSError: If a file cannot be read.
        SourceError: If an archive is damaged.
    """
    axes, affine = place(task, config.shape)
    with PixelReader(opener) as reader:
        values = resize_stack(
            lambda number: turn(reader.read(task.sources[number]), axes), task.n_slices, config.shape
        )
    fill_blank(values)
    window = choose_window(values, task.modality, config)
    array: Volume = pad_slices(grey_levels(values, window), config.shape[0])
    return BuiltVolume(array, affine, window, *blank_slices(task.n_slices, config.shape[0]))


def build_chunk(tasks: Sequence[StackTask], config: VolumesConfig) -> list[Packed | Failed]:
    """Build volumes in a worker; a stack that fails costs nothing but itself."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the pool is the parallelism
    try:
        return [_attempt(task, config) for task in tasks]
    finally:
        cv2.setNumThreads(threads)


def place(task: StackTask, shape: tuple[int, int, int]) -> tuple[Axes, NDArray[np.float64]]:
    """Say how the slices of a stack are turned, and where its resized and padded volume lies.

    Args:
        task: The stack.
        shape: Slices, rows and columns of the volume.

    Returns:
        The axes, and the (4, 4) affine to LPS mm.

    Raises:
        GeometryError: If positions, orientation or spacing are missing.
        SliceError: If Rows or Columns are.
    """
    if (
        task.orientation is None
        or task.pixel_spacing is None
        or min(task.pixel_spacing) <= 0
        or task.first_position is None
        or task.last_position is None
        or task.n_slices < 2
    ):
        raise GeometryError(
            f"stack {task.stack_id}: has too few positions or no spacing above 0 to be placed"
        )
    axes = canonical_axes(task.orientation)
    stored = next(iter(task.sources.values()))
    check_header(stored)
    sides = (stored.Rows, stored.Columns)
    step = np.subtract(task.last_position, task.first_position) / (task.n_slices - 1)
    affine = canonical_affine(task.first_position, task.orientation, task.pixel_spacing, sides, step)
    turned = sides[::-1] if axes.transpose else sides
    resized = (min(task.n_slices, shape[0]), *shape[1:])
    affine = resized_affine(affine, (task.n_slices, *turned), resized)
    return axes, padded_affine(affine, blank_slices(task.n_slices, shape[0])[0])


def turn(plane: NDArray[Any], axes: Axes) -> NDArray[Any]:
    """Bring a stored slice to the canonical axes of its view."""
    turned = plane.T if axes.transpose else plane
    if axes.flip_rows:
        turned = turned[::-1]
    return turned[:, ::-1] if axes.flip_columns else turned


def fill_blank(values: NDArray[np.float32]) -> None:
    """Give slices of padding alone (NaN) the least value of the others, in place.

    Raises:
        SliceError: If there are no others.
    """
    blank = np.isnan(values[:, 0, 0])
    if blank.all():
        raise SliceError("all_padding", "every pixel of the stack is padding")
    if blank.any():
        values[blank] = values[~blank].min()


def _attempt(task: StackTask, config: VolumesConfig) -> Packed | Failed:
    try:
        volume = build_volume(task, config)
    except SliceError as error:
        return Failed(task.stack_id, error.reason, _kind(error), task.inputs)
    except OSError as error:
        return Failed(task.stack_id, UNREADABLE, _kind(error), task.inputs)
    except SourceError as error:
        return Failed(task.stack_id, "damaged_archive", _kind(error), task.inputs)
    except GeometryError as error:
        return Failed(task.stack_id, "no_geometry", _kind(error), task.inputs)
    except MemoryError as error:
        return Failed(task.stack_id, "out_of_memory", _kind(error), task.inputs)
    content = pack(volume.array, config.compression)
    return Packed(_row(task, volume, len(content)), content)


def _kind(error: BaseException) -> str:
    """Name the class of an error, or of what it came from."""
    return type(error.__cause__ or error).__name__


def _row(task: StackTask, volume: BuiltVolume, length: int) -> dict[str, Any]:
    return {
        "stack_id": task.stack_id,
        "length": length,
        "affine": volume.affine.ravel().tolist(),
        "effective_spacing_mm": task.effective_spacing_mm,
        "window_low": volume.window.low,
        "window_high": volume.window.high,
        "pad_before": volume.pad_before,
        "pad_after": volume.pad_after,
        "digest": digest_of(volume.array),
        "inputs": task.inputs,
    }
