"""RADNet: from a DICOM archive to labelled 3D volumes, and back to labels for new scans.

The names below are what a notebook needs. Each is imported when first used, so that `import radnet` is quick
and loads neither torch nor OpenCV.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from radnet.config import RadnetConfig, load_config
    from radnet.executors import Workers
    from radnet.labels.stage import label_stacks
    from radnet.labels.table import label_table
    from radnet.networks.model import load_model
    from radnet.networks.segmenter import load_segmenter
    from radnet.pipeline import run_pipeline
    from radnet.scan.stage import scan_archive
    from radnet.series.stage import group_series
    from radnet.volumes.stage import build_volumes
    from radnet.volumes.store import VolumeStore

__version__: Final = "0.1.0"

__all__ = [
    "RadnetConfig",
    "VolumeStore",
    "Workers",
    "build_volumes",
    "group_series",
    "label_stacks",
    "label_table",
    "load_config",
    "load_model",
    "load_segmenter",
    "run_pipeline",
    "scan_archive",
]

_HOMES: Final = {
    "RadnetConfig": "radnet.config",
    "VolumeStore": "radnet.volumes.store",
    "Workers": "radnet.executors",
    "build_volumes": "radnet.volumes.stage",
    "group_series": "radnet.series.stage",
    "label_stacks": "radnet.labels.stage",
    "label_table": "radnet.labels.table",
    "load_config": "radnet.config",
    "load_model": "radnet.networks.model",
    "load_segmenter": "radnet.networks.segmenter",
    "run_pipeline": "radnet.pipeline",
    "scan_archive": "radnet.scan.stage",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used.

    Raises:
        AttributeError: If radnet has no such name.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'radnet' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
