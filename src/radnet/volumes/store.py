"""Read volumes by the stack that they were made of.

The index says where each volume lies and what its voxels must digest to; only whole shards are ever in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from radnet.errors import WorkspaceError
from radnet.tables import read_table
from radnet.volumes.shards import Volume, digest_of, open_shard, volume_at

INDEX_NAME: Final = "index.parquet"


class VolumeStore:
    """Volumes by stack; can be sent to the workers of a data loader, each of which opens its own files.

    Args:
        folder: The stage's folder, e.g. `work/4-volumes`.

    Attributes:
        folder: That folder.
        index: Its index, one row a volume (`tables.VOLUME_COLUMNS`).

    Raises:
        WorkspaceError: If there is no index.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.index: pl.DataFrame = read_table(self.folder / INDEX_NAME, "build")
        places = self.index.select("stack_id", "shard", "offset", "length")
        self._places = {stack_id: tuple(place) for stack_id, *place in places.iter_rows()}
        self._shards: dict[str, NDArray[np.uint8]] = {}

    def __len__(self) -> int:
        """Return the number of volumes."""
        return len(self._places)

    def __getstate__(self) -> dict[str, Any]:
        """Leave open shards behind."""
        return {**self.__dict__, "_shards": {}}

    @property
    def ids(self) -> tuple[str, ...]:
        """Stacks that have a volume, sorted."""
        return tuple(self._places)

    def read(self, stack_id: str) -> Volume:
        """Return a volume.

        Args:
            stack_id: One of `ids`.

        Returns:
            (slices, rows, columns) uint8, read-only; of an uncompressed store a view of the file itself.

        Raises:
            WorkspaceError: If the stack has none, or its shard is missing or damaged.
        """
        if stack_id not in self._places:
            raise WorkspaceError(
                f"{self.folder}: no volume of stack {stack_id} was built; failures.parquet tells why"
            )
        name, offset, length = self._places[stack_id]
        try:
            if name not in self._shards:
                self._shards[name] = open_shard(self.folder / name)
            return volume_at(self._shards[name], offset, length)
        except (OSError, ValueError, EOFError) as error:
            raise WorkspaceError(
                f"{self.folder / name}: is missing or damaged; delete it and run `radnet build` again"
            ) from error

    def verify(self) -> tuple[str, ...]:
        """Read everything; return the stacks whose volume is unreadable or differs from its digest."""
        return tuple(
            stack_id
            for stack_id, digest in self.index.select("stack_id", "digest").iter_rows()
            if not self._is_intact(stack_id, digest)
        )

    def _is_intact(self, stack_id: str, digest: str) -> bool:
        try:
            return digest_of(self.read(stack_id)) == digest
        except WorkspaceError:
            return False
