"""Tar files, plain and gzip-compressed, read in place.

A plain tar file is random access. A compressed one is inflated once from front to back to learn what it
holds; that pass leaves an index of restart points, so that any member can be read later without inflating
all before it. Other compressions (bzip2, xz) have no such index and are not opened.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from typing import Any, Final, Self

from radnet.errors import SourceError
from radnet.sources.archive import Member
from radnet.sources.blob import Blob, BlobFile, SliceBlob
from radnet.sources.entries import NOT_A_FILE, UNSUPPORTED_MEMBER

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

    def __init__(self, blob: Blob, label: str, compressed: bool) -> None:
        self.damage: str | None = None
        self._places: dict[str, tuple[int, int, str | None]] = {}  # start, size, refusal
        limit = max(MAX_INFLATED_BYTES, MAX_INFLATION * blob.size) if compressed else blob.size
        try:
            if compressed:
                gzip = _indexed(blob)
                self._blob: Blob = _GzipBlob(gzip, label, limit)
                self._list(gzip, limit)
            else:
                self._blob = blob
                self._list(BlobFile(blob), limit)
        except DAMAGE as error:
            self.damage = type(error).__name__

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
        return SliceBlob(self._blob, start, size)

    def _list(self, file: Any, limit: int) -> None:
        tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 - closes nothing of ours
        while (info := tar.next()) is not None:
            tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header
            if info.offset_data + info.size > limit:
                raise tarfile.ReadError("members beyond the end, or inflating beyond measure")
            if not info.isdir():
                self._places.pop(info.name, None)
                self._places[info.name] = (info.offset_data, info.size, _refusal(info))
        file.seek(tar.offset)
        # tarfile takes a damaged header for the end; the true end is zeros or nothing
        if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError("damaged header")


class _GzipBlob:
    """The inflated bytes of a gzip file."""

    def __init__(self, gzip: Any, label: str, size: int) -> None:
        self._gzip = gzip
        self._label = label
        self.size = size

    def pread(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end.

        Raises:
            SourceError: If the file is damaged there.
        """
        try:
            return bytes(self._gzip.pread(length, offset))
        except DAMAGE as error:
            raise SourceError(f"{self._label}: this tar file is damaged; copy it again") from error

    def close(self) -> None:
        """Do nothing: it closes with its last member."""

    def __enter__(self) -> Self:
        """Return the blob itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Do nothing."""


def _indexed(blob: Blob) -> Any:
    from indexed_gzip import IndexedGzipFile  # ships no types, and only these archives need it

    spacing = max(POINT_BYTES, 3 * blob.size // POINTS)
    file = BlobFile(blob)
    return IndexedGzipFile(fileobj=file, spacing=spacing, buffer_size=POINT_BYTES, readbuf_size=POINT_BYTES)


def _refusal(info: tarfile.TarInfo) -> str | None:
    if info.issparse():
        return UNSUPPORTED_MEMBER
    return None if info.isreg() else NOT_A_FILE
