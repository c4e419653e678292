"""What the sources hold right now: the list that a scan works off and is judged complete by.

A million files are a few hundred MB here: one table, filled in slabs, never a list of objects.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from radnet.sources import Entry, Refused, expand, walk
from radnet.tables import INTEGER, SKIPPED_COLUMNS, TEXT

ENTRY_COLUMNS: Final[dict[str, pl.DataType]] = {
    "source": TEXT,
    "path": TEXT,
    "size": INTEGER,
    "mtime_ns": INTEGER,
    "stream": TEXT,  # the compressed archive that one worker should read front to back
}
FILE_KEY: Final = ("path", "size", "mtime_ns")
"""A file is the same as long as these are."""
_SLAB_ROWS: Final = 50_000
_DIGEST_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything that the sources hold.

    Attributes:
        files: ENTRY_COLUMNS, one row a file or archive member, in the order of folders.
        refused: SKIPPED_COLUMNS, what cannot be read.
        digest: Over the files on disk.
    """

    files: pl.DataFrame
    refused: pl.DataFrame
    digest: str


def take_inventory(sources: Iterable[Path | str], exclude: Path) -> Inventory:
    """List the sources.

    Args:
        sources: Folders, archives and single files.
        exclude: The workspace, which may lie inside a source.

    Raises:
        SourceError: If a source does not exist.
    """
    files = _Slabs(ENTRY_COLUMNS)
    refused = _Slabs(SKIPPED_COLUMNS)
    digest = _Digest()
    for found in walk(sources, exclude):
        digest.add(found)
        for item in expand(found) if isinstance(found, Entry) else (found,):
            if isinstance(item, Entry):
                files.add((item.source, item.path, item.size, item.mtime_ns, item.stream))
            else:
                refused.add((item.source, item.path, item.size, item.mtime_ns, item.reason, item.error))
    # a member and a plain file can share a path, `a.zip!b` beside `a.zip`: it stands for one of them
    listed = files.frame().unique("path", keep="first", maintain_order=True)
    return Inventory(listed, refused.frame(), digest.text())


def digest_sources(sources: Iterable[Path | str], exclude: Path) -> str:
    """Digest the files on disk without opening any; equal to the inventory's digest.

    Raises:
        SourceError: If a source does not exist.
    """
    digest = _Digest()
    for found in walk(sources, exclude):
        digest.add(found)
    return digest.text()


def chunks(files: pl.DataFrame, n_files: int, n_members: int) -> Iterator[list[Entry]]:
    """Cut a list of files into pieces of work, in its order.

    Args:
        files: ENTRY_COLUMNS.
        n_files: Files in a piece.
        n_members: Members in a piece of one compressed archive: each worker that touches it pays a pass.

    Yields:
        Lists of entries; a compressed archive shares none with other files.
    """
    chunk: list[Entry] = []
    for row in files.iter_rows():
        entry = Entry(*row)
        most = n_members if entry.stream else n_files
        if chunk and (entry.stream != chunk[0].stream or len(chunk) >= most):
            yield chunk
            chunk = []
        chunk.append(entry)
    if chunk:
        yield chunk


class _Slabs:
    """Rows on their way into a table."""

    def __init__(self, columns: dict[str, pl.DataType]) -> None:
        self._columns = columns
        self._rows: list[tuple[object, ...]] = []
        self._frames = [pl.DataFrame(schema=columns)]

    def add(self, row: tuple[object, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) >= _SLAB_ROWS:
            self._settle()

    def frame(self) -> pl.DataFrame:
        self._settle()
        return pl.concat(self._frames)

    def _settle(self) -> None:
        self._frames.append(pl.DataFrame(self._rows, schema=self._columns, orient="row"))
        self._rows = []


class _Digest:
    """A digest that does not depend on the order of a folder's entries: the sum of the files' digests."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, found: Entry | Refused) -> None:
        what = found.reason if isinstance(found, Refused) else ""
        text = f"{found.path}\0{found.size}\0{found.mtime_ns}\0{what}"
        self._sum += int.from_bytes(hashlib.sha256(text.encode()).digest())

    def text(self) -> str:
        return (self._sum % (1 << 8 * _DIGEST_BYTES)).to_bytes(_DIGEST_BYTES).hex()
