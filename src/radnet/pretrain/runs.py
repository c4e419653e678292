"""Where runs lie and what stands in their folders; nothing here needs torch.

5-pretrain/<run>/                model.safetensors, config.json, README.md, metrics.json, history.csv,
split.parquet, curves.png, last/, tensorboard/
5-pretrain/<run>/evaluation/<name>/  metrics.json, table1.md, table1.csv, predictions.parquet,
mistakes.csv and pictures
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from radnet.errors import TrainingError
from radnet.workspace import Workspace

FOLDER: Final = "5-pretrain"
WEIGHTS_NAME: Final = "model.safetensors"
SPLIT_NAME: Final = "split.parquet"
METRICS_NAME: Final = "metrics.json"
CURVES_NAME: Final = "curves.png"
EVALUATIONS: Final = "evaluation"
TABLE_MARKDOWN: Final = "table1.md"
TABLE_CSV: Final = "table1.csv"
PREDICTIONS_NAME: Final = "predictions.parquet"
MISTAKES_NAME: Final = "mistakes.csv"
CONFUSION_PREFIX: Final = "confusion-"
RELIABILITY_NAME: Final = "reliability.png"

TITLES: Final = {
    "sequence": "Modality and sequence",
    "view": "View",
    "contrast": "Contrast",
    "coverage": "Coverage",
    "spacing": "Slice spacing",
}
"""Of the heads, for readers, in the order of table 1."""


def find_run(run: str | Path, workspace: Workspace) -> Path:
    """Find a run's folder.

    Args:
        run: Name of a run of the workspace, or any run's folder.
        workspace: Where names are looked for.

    Raises:
        TrainingError: If there is none with weights.
    """
    for folder in (workspace.root / FOLDER / run, Path(run).resolve()):
        if (folder / WEIGHTS_NAME).exists():
            return folder
    known = sorted(path.parent.name for path in (workspace.root / FOLDER).glob(f"*/{WEIGHTS_NAME}"))
    there = f"there are {', '.join(known)}" if known else "`radnet pretrain` makes one"
    raise TrainingError(f"no run {run} in {workspace.root / FOLDER}; {there}")


def evaluation_folders(run: Path) -> list[Path]:
    """List the folders of a run's evaluations; that of its own test volumes comes first."""
    found = [path.parent for path in (run / EVALUATIONS).glob(f"*/{METRICS_NAME}")]
    return sorted(found, key=lambda folder: (folder.name != "test", folder.name))
