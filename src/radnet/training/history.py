"""What happened in each epoch: history.csv, and the same for TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from torch.utils.tensorboard import SummaryWriter

from radnet.workspace import write_text

HISTORY_NAME: Final = "history.csv"
TENSORBOARD_FOLDER: Final = "tensorboard"

Row = Mapping[str, float]


def write_history(folder: Path, rows: Sequence[Row]) -> None:
    """Write one line an epoch; columns are those of the first row."""
    if not rows:
        return
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows({name: f"{value:.8g}" for name, value in row.items()} for row in rows)
    write_text(folder / HISTORY_NAME, text.getvalue())


def read_history(folder: Path) -> list[dict[str, float]]:
    """Read the lines of history.csv; none when there is no file yet."""
    path = folder / HISTORY_NAME
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as table:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(table)]


class Board:
    """TensorBoard's scalars; what a stopped training wrote after its last saved state is forgotten."""

    def __init__(self, folder: Path, first_epoch: int) -> None:
        self._writer = SummaryWriter(str(folder / TENSORBOARD_FOLDER), purge_step=first_epoch)

    def write(self, row: Row) -> None:
        """Add an epoch: `training_loss` becomes `loss/training`."""
        for name, value in row.items():
            side, _, measure = name.partition("_")
            tag = f"{measure}/{side}" if side in ("training", "validation") else name
            self._writer.add_scalar(tag, value, int(row["epoch"]))
        self._writer.flush()

    def close(self) -> None:
        """End the file."""
        self._writer.close()
