"""What is built but not yet in a shard: a file a stack, so that a killed run loses only what it held in hand.

A part is one line of JSON (its row of the index) and then the packed volume. A note says that a stack failed
and why; it stays until the stack succeeds, since every run tries failed stacks again. Both carry the digest
of the inputs they come from, by which stale ones are known.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_PART: Final = ".part"
_NOTE: Final = ".failed"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WaitingVolume:
    """A packed volume and where its bytes lie.

    Attributes:
        row: Its row of the index, less shard and offset.
        path: The file.
        offset: Of the first byte in it.
    """

    row: Row
    path: Path
    offset: int

    def read(self) -> bytes:
        """Return the packed volume."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.row["length"])


class Parts:
    """The folder of parts and notes.

    Args:
        folder: Where they lie; must exist.
        desk: Folder within it that no other process uses, where files are written before they appear; by
            default the folder itself.
    """

    def __init__(self, folder: Path, desk: Path | None = None) -> None:
        self._folder = folder
        self._desk = desk or folder
        for leftover in self._desk.glob(".*.partial"):
            leftover.unlink()

    def add_volume(self, row: Row, packed: bytes) -> None:
        """Keep a volume; it appears whole or not at all, and a note on its stack goes."""
        self._write(row["stack_id"] + _PART, json.dumps(row).encode() + b"\n" + packed)
        (self._folder / (row["stack_id"] + _NOTE)).unlink(missing_ok=True)

    def add_note(self, stack_id: str, reason: str, error: str, inputs: str) -> None:
        """Keep that a stack failed."""
        note = {"stack_id": stack_id, "reason": reason, "error": error, "inputs": inputs}
        self._write(stack_id + _NOTE, json.dumps(note).encode() + b"\n")

    def volumes(self, planned: Mapping[str, str]) -> dict[str, WaitingVolume]:
        """Return the volumes that were made from these inputs.

        Args:
            planned: Digest of the inputs by stack.
        """
        return {
            row["stack_id"]: WaitingVolume(row, path, start)
            for path, row, start, size in self._read(_PART)
            if planned.get(row["stack_id"]) == row["inputs"] and size == start + row["length"]
        }

    def notes(self, planned: Mapping[str, str]) -> list[Row]:
        """Return the failures of these inputs, sorted by stack."""
        return [row for _, row, *_ in self._read(_NOTE) if planned.get(row["stack_id"]) == row["inputs"]]

    def names(self) -> set[str]:
        """Return the names of all parts and notes that are there now."""
        return {path.name for suffix in (_PART, _NOTE) for path in self._folder.glob(f"[!.]*{suffix}")}

    def clear(self, names: set[str], notes: list[Row]) -> None:
        """Remove the parts and notes of these names but for these notes; what came since stays."""
        for name in names - {row["stack_id"] + _NOTE for row in notes}:
            (self._folder / name).unlink(missing_ok=True)

    def _write(self, name: str, content: bytes) -> None:
        partial = self._desk / f".{name}.{os.getpid()}.partial"
        partial.write_bytes(content)
        partial.replace(self._folder / name)

    def _read(self, suffix: str) -> Iterator[tuple[Path, Row, int, int]]:
        """Yield the files of a suffix: path, first line, where that ends, and size in bytes."""
        for path in sorted(self._folder.glob(f"[!.]*{suffix}")):
            try:
                with path.open("rb") as file:
                    line, size = file.readline(), os.fstat(file.fileno()).st_size
                row = json.loads(line)
            except (FileNotFoundError, ValueError):
                continue  # another share has built the stack since; or torn by a power cut
            yield path, row, len(line), size
