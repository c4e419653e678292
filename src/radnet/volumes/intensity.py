"""Map modality values to 256 grey levels.

Windows are measured on the resized volume before blank slices are put around it: blank is no tissue and must
not move a percentile. A constant volume becomes grey level 0 throughout, and its window has no width.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from radnet.config import VolumesConfig

TOP_LEVEL: Final = 255


class Window(NamedTuple):
    """Values that become grey levels 0 and 255 (HU in CT)."""

    low: float
    high: float


def min_max_window(volume: NDArray[Any]) -> Window:
    """Span all values.

    Source: 3D-RADNet section 2.1.5.
    """
    return Window(float(volume.min()), float(volume.max()))


def percentile_window(volume: NDArray[Any], percentiles: tuple[float, float]) -> Window:
    """Span what lies between two percentiles, or all values when nothing lies between."""
    low, high = np.percentile(volume, percentiles).tolist()
    return Window(low, high) if low < high else min_max_window(volume)


def choose_window(volume: NDArray[Any], modality: str | None, config: VolumesConfig) -> Window:
    """Choose the window that the configuration asks for.

    Args:
        volume: Modality values without blank slices.
        modality: CT has HU and one window; in any other the scale is arbitrary.
        config: Its `intensity`, `ct_window` and `mr_percentiles`.
    """
    if config.intensity == "min_max":
        return min_max_window(volume)
    if modality == "CT":
        return Window(*config.ct_window)
    return percentile_window(volume, config.mr_percentiles)


def grey_levels(volume: NDArray[Any], window: Window) -> NDArray[np.uint8]:
    """Map a window linearly to 0..255, rounded; what lies outside is clipped."""
    width = window.high - window.low
    if not width > 0:
        return np.zeros(volume.shape, np.uint8)
    scaled = np.subtract(volume, np.float32(window.low), dtype=np.float32)
    scaled *= np.float32(TOP_LEVEL / width)
    scaled += np.float32(0.5)
    levels: NDArray[np.uint8] = np.clip(scaled, 0, TOP_LEVEL, out=scaled).astype(np.uint8)
    return levels
