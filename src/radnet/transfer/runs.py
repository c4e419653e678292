"""What stands in the folder of a training; nothing here needs torch.

model.safetensors, config.json, README.md, metrics.json, history.csv, curves.png, tensorboard/
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

METRICS_NAME: Final = "metrics.json"
CURVES_NAME: Final = "curves.png"


def read_metrics(folder: Path) -> dict[str, Any] | None:
    """Return summary, settings and version of a training that has ended; None when none has."""
    try:
        found = json.loads((folder / METRICS_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and {"summary", "settings"} <= found.keys() else None
