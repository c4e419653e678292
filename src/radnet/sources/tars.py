"""Tar files, plain and gzip-compressed, read in place.

A plain tar file is random access. A compressed one is inflated once from front to back to learn what it
holds; that pass leaves an index of restart points, so that any member can be read later without inflating
all before it. Other compressions (bzip2, xz) have no such index and are not opened.
"""

from __future__ import annotations

import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any, Final, Self

from radnet.errors import SourceError
from radnet.sources.archive import Member, StoredBlob
from radnet.sources.blob import Blob
from radnet.sources.entries import NOT_A_FILE, UNSUPPORTED_MEMBER
from radnet.sources.names import text_of

POINT_BYTES: Final = 1 << 20
"""Least distance of restart points; each holds 32 KiB of memory."""
POINTS: Final = 1024
"""Restart points aimed at, for a file that compresses to a third."""
MAX_INFLATED_BYTES: Final = 8 << 30
MAX_INFLATION: Final = 30
"""A compressed tar file may inflate to MAX_INFLATED_BYTES, or to this multiple of its size if more."""

# what tarfile and indexed_gzip raise on files that are not what they say
DAMAGE: Final = (tarfile.TarError, OSError, EOFError, ValueError, LookupError, ArithmeticError, zlib.error)


class TarArchive:
    """An open tar file; lists its members when opened."""

    def __init__(self, name: str, compressed: bool) -> None:
        self.damage: str | None = None
        self._label = text_of(name)
        self._places: dict[str, tuple[int, int, str | None]] = {}  # start, size, refusal
        self._gzip: Any = None  # indexed_gzip ships no types
        self._file: IO[bytes] = open(name, "rb")  # noqa: SIM115 - open as long as the archive is
        limit = os.fstat(self._file.fileno()).st_size
        if compressed:
            self._file.close()
            self._gzip = self._file = _inflated(name, limit)
            limit = max(MAX_INFLATED_BYTES, MAX_INFLATION * limit)
        try:
            self._list(limit)
        except DAMAGE as error:
            self.damage = type(error).__name__

    def __del__(self) -> None:
        with suppress(AttributeError):  # there is no file if it could not be opened
            self._file.close()

    def members(self) -> Iterator[Member]:
        """Yield all but folders, in the archive's order; of equal names the last."""
        for name, (_, size, refusal) in self._places.items():
            yield Member(name, size, refusal)

    def open(self, name: str) -> Blob:
        """Open a member.

        Raises:
            KeyError: If there is none of that name.
        """
        start, size, _ = self._places[name]
        if self._gzip is None:
            return StoredBlob(self, self._file.fileno(), start, size)
        return _IndexedBlob(self, start, size)

    def pread(self, offset: int, length: int) -> bytes:
        """Return bytes of the inflated archive.

        Raises:
            SourceError: If it is damaged there.
        """
        try:
            return bytes(self._gzip.pread(length, offset))
        except DAMAGE as error:
            raise SourceError(f"{self._label}: this tar file is damaged; copy it again") from error

    def _list(self, limit: int) -> None:
        tar = tarfile.open(fileobj=self._file, mode="r:")  # noqa: SIM115 - closes nothing of ours
        while (info := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header
            if info.offset_data + info.size > limit:
                raise tarfile.ReadError("members beyond the end, or inflating beyond measure")
            if not info.isdir():
                self._places.pop(info.name, None)
                self._places[info.name] = (info.offset_data, info.size, _refusal(info))
        self._file.seek(tar.offset)
        # tarfile takes a damaged header for the end; the true end is zeros or nothing
        if self._file.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError("damaged header")


class _IndexedBlob:
    """A member of a compressed tar file."""

    __slots__ = ("_archive", "_start", "size")

    def __init__(self, archive: TarArchive, start: int, size: int) -> None:
        self._archive = archive
        self._start = start
        self.size = size

    def pread(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end."""
        length = min(length, self.size - offset)
        return self._archive.pread(self._start + offset, length) if length > 0 else b""

    def close(self) -> None:
        """Do nothing: the archive stays open for its other members."""

    def __enter__(self) -> Self:
        """Return the blob itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Do nothing."""


def _inflated(name: str, size: int) -> Any:
    from indexed_gzip import IndexedGzipFile  # only for these archives

    spacing = max(POINT_BYTES, 3 * size // POINTS)
    return IndexedGzipFile(name, spacing=spacing, buffer_size=POINT_BYTES, drop_handles=False)


def _refusal(info: tarfile.TarInfo) -> str | None:
    if info.issparse():
        return UNSUPPORTED_MEMBER
    return None if info.isreg() else NOT_A_FILE
