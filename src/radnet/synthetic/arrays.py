"""The few operations in which NumPy and torch differ; all else is written once, in operators of both.

`Arrays.xp` is `numpy` or `torch`; functions that bear one name in both (`sqrt`, `where`, `floor`, `clip`,
`matmul`) are called on it. An `Array` is an array of the one or a tensor of the other; results agree within
the rounding of float32.
"""

from __future__ import annotations

import ctypes
import sys
from importlib.util import find_spec
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from radnet.errors import RadnetError

Array = Any
"""`numpy.ndarray` or `torch.Tensor`."""

NUMPY: Final = "numpy"
"""Name of the device that is no torch device."""


_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
"""Numbers of settings in glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Let this process keep memory that arrays have freed, for good, where its allocator is glibc's.

    Otherwise every large temporary array is made of pages that the system clears first, a quarter of the time
    that a volume takes. It is for programs to call, not for libraries.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


class Arrays:
    """NumPy, or torch on a device.

    Args:
        device: `numpy`, or a torch device such as `cpu`, `cuda` or `cuda:1`. By default torch on its first
            GPU when there is one, else NumPy, which is the faster on a processor
            (`benchmarks/synthetic_volumes.py`).

    Attributes:
        device: The device's name.
        xp: The module.

    Raises:
        RadnetError: If a torch device is asked for and torch is not installed or has no such device.
    """

    def __init__(self, device: str | None = None) -> None:
        self.device = device or _best_device()
        self.xp: Any = np
        if self.device != NUMPY:
            self.xp = _torch(self.device)

    @property
    def is_torch(self) -> bool:
        """Whether arrays are tensors."""
        return self.xp is not np

    def put(self, values: NDArray[Any]) -> Array:
        """Bring an array to the device; float64 becomes float32."""
        if values.dtype == np.float64:
            values = values.astype(np.float32)
        if not self.is_torch:
            return values
        return self.xp.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def host(self, values: Array) -> NDArray[Any]:
        """Bring an array back; on a CPU without a copy."""
        return on_host(values)

    def zeros(self, shape: tuple[int, ...], kind: str) -> Array:
        """Return zeros of a type given by its name."""
        dtype = getattr(self.xp, kind)
        return (
            self.xp.zeros(shape, dtype=dtype, device=self.device) if self.is_torch else np.zeros(shape, dtype)
        )

    def count(self, size: int) -> Array:
        """Return 0, 1, ... as int64."""
        if self.is_torch:
            return self.xp.arange(size, dtype=self.xp.int64, device=self.device)
        return np.arange(size, dtype=np.int64)

    def cast(self, values: Array, kind: str) -> Array:
        """Convert to a type by its name, e.g. `float32`, `int32`, `uint8`; fractions are cut off."""
        dtype = getattr(self.xp, kind)
        return values.to(dtype) if self.is_torch else values.astype(dtype)

    def look_up(self, table: Array, codes: Array) -> Array:
        """Replace every code by the entry of a (n,) table; the shape stays."""
        if self.is_torch:
            flat = self.xp.index_select(table, 0, self.cast(codes, "int32").reshape(-1))
            return flat.reshape(codes.shape)
        return np.take(table, codes)

    def pick(self, values: Array, indices: NDArray[np.int64], axis: int) -> Array:
        """Take the given places along an axis."""
        if self.is_torch:
            return self.xp.index_select(values, axis, self.put(indices))
        return np.take(values, indices, axis)

    def transpose(self, values: Array, axes: tuple[int, ...]) -> Array:
        """Reorder the axes."""
        return values.permute(axes) if self.is_torch else values.transpose(axes)

    def along(self, matrix: NDArray[np.floating[Any]], values: Array, axis: int) -> Array:
        """Multiply a matrix with the vectors along one axis of a three-dimensional array.

        Args:
            matrix: (m, n).
            values: float32, n long along the axis.
            axis: 0, 1 or 2.

        Returns:
            The array, m long along the axis.
        """
        factor = self.put(np.asarray(matrix, np.float32))
        if axis == 0:
            return (factor @ values.reshape(values.shape[0], -1)).reshape(-1, *values.shape[1:])
        if axis == 1:
            return self.xp.matmul(factor, values)
        return values @ factor.T

    def percentiles(self, values: Array, shares: tuple[float, float]) -> tuple[float, float]:
        """Return two percentiles, interpolated as `numpy.percentile` does."""
        if self.is_torch and self.device != "cpu":
            places = self.xp.tensor(shares, dtype=self.xp.float64) / 100 * (values.numel() - 1)
            ordered = self.xp.sort(values.reshape(-1)).values
            below = places.floor().long()
            ends = ordered[self.xp.cat([below, (below + 1).clip(max=values.numel() - 1)]).to(self.device)]
            low, high, next_low, next_high = ends.double().cpu().tolist()
            first, second = (places - below).tolist()
            return low + first * (next_low - low), high + second * (next_high - high)
        low, high = np.percentile(self.host(values), shares).tolist()
        return low, high


def on_host(values: Array) -> NDArray[Any]:
    """Return an array or tensor of any device as an array; on a CPU without a copy."""
    return values if isinstance(values, np.ndarray) else np.asarray(values.cpu().numpy())


def _best_device() -> str:
    if find_spec("torch") is None:
        return NUMPY
    import torch

    return "cuda" if torch.cuda.is_available() else NUMPY


def _torch(device: str) -> Any:
    if find_spec("torch") is None:
        raise RadnetError(f"device {device!r} needs torch; install radnet[train], or use device 'numpy'")
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise RadnetError(f"torch has no device {device!r} here; use 'cpu', 'cuda' or 'numpy'") from error
    return torch
