"""The history for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from torch.utils.tensorboard import SummaryWriter

from radnet.training.history import Row

TENSORBOARD_FOLDER: Final = "tensorboard"


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
