"""What happened in each epoch: history.csv; reading it needs no torch."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from radnet.workspace import write_text

HISTORY_NAME: Final = "history.csv"

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
