"""Zip files, read in place.

A stored member is read from its place in the file. A compressed member is inflated from its start, no
further than the reader asks, so that a bomb costs no more than a prefix; going back starts again.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Final, Self

from radnet.errors import SourceError
from radnet.sources.archive import Member
from radnet.sources.blob import Blob, BlobFile, SliceBlob
from radnet.sources.entries import ENCRYPTED_MEMBER, UNSUPPORTED_MEMBER

_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000  # APPNOTE 4.4.4: bits 0, 6 and 13
_PATCH: Final = 0x20
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""bzip2 and LZMA cannot be inflated in bounded steps through zipfile, and no DICOM export uses them."""
_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")
_LOCAL_MAGIC: Final = b"PK\x03\x04"

# what zipfile raises on files that are not what they say
DAMAGE: Final = (
    zipfile.BadZipFile,
    ValueError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    struct.error,
    EOFError,
    OSError,
)
MEMBER_DAMAGE: Final = (zipfile.BadZipFile, ValueError, NotImplementedError, zlib.error, EOFError)


class ZipArchive:
    """An open zip file."""

    def __init__(self, blob: Blob, label: str) -> None:
        self.damage: str | None = None
        self._blob = blob
        self._label = label
        self._infos: dict[str, zipfile.ZipInfo] = {}
        try:
            self._zip = zipfile.ZipFile(BlobFile(blob))
            self._infos = self._zip.NameToInfo
        except DAMAGE as error:
            self.damage = type(error).__name__

    def members(self) -> Iterator[Member]:
        """Yield files, never folders, in the archive's order; of equal names the last."""
        for info in self._infos.values():
            if not info.is_dir():
                yield Member(info.filename, info.file_size, _refusal(info))

    def open(self, name: str) -> Blob:
        """Open a member.

        Raises:
            KeyError: If there is none of that name.
            SourceError: If it is damaged.
        """
        info = self._infos[name]
        if info.compress_type == zipfile.ZIP_STORED:
            return SliceBlob(self._blob, self._data_offset(info), info.file_size)
        try:
            return _InflatedBlob(self, self._zip.open(info), info.file_size)
        except MEMBER_DAMAGE as error:
            raise self.damaged() from error

    def damaged(self) -> SourceError:
        """Make the error for a member that cannot be read."""
        return SourceError(f"{self._label}: a member of this zip file is damaged; copy the file again")

    def _data_offset(self, info: zipfile.ZipInfo) -> int:
        header = self._blob.pread(info.header_offset, _LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(_LOCAL_MAGIC):
            raise self.damaged()
        _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        return info.header_offset + _LOCAL_HEADER.size + int(name_length) + int(extra_length)


class _InflatedBlob:
    """A compressed member; forward reads go on where the last one ended."""

    __slots__ = ("_archive", "_stream", "size")

    def __init__(self, archive: ZipArchive, stream: IO[bytes], size: int) -> None:
        self._archive = archive
        self._stream = stream
        self.size = size

    def pread(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end.

        Raises:
            SourceError: If the archive is damaged there.
        """
        try:
            if offset != self._stream.tell():
                self._stream.seek(offset)
            return self._stream.read(length)
        except MEMBER_DAMAGE as error:
            raise self._archive.damaged() from error

    def close(self) -> None:
        """Close the stream; the archive stays open for its other members."""
        self._stream.close()

    def __enter__(self) -> Self:
        """Return the blob itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the stream."""
        self.close()


def _refusal(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & _ENCRYPTED:
        return ENCRYPTED_MEMBER
    if info.compress_type not in _METHODS or info.flag_bits & _PATCH:
        return UNSUPPORTED_MEMBER
    return None
