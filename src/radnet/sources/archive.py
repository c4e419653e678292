"""What zip and tar files have in common: how they are recognised, and what an open one can do.

An archive is recognised by its first bytes. Inside a walked folder only files with an archive's suffix are
looked into, so that a million DICOM files cost not one extra open; a wrong suffix costs that one open and
the file is then read like any other. A source that the user names is looked into whatever its suffix.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from radnet.sources.blob import Blob

Kind = Literal["zip", "tar", "tar.gz"]

SUFFIXES: Final = (".zip", ".tar", ".tgz", ".gz")
HEAD_BYTES: Final = 8192
"""Enough to inflate the first block of a compressed tar file."""
_ZIP_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP_MAGIC: Final = b"\x1f\x8b\x08"
_GZIP_WINDOW: Final = 31  # zlib's code for a gzip wrapper


@dataclass(frozen=True, slots=True)
class Member:
    """A name in an archive.

    Attributes:
        name: As the archive spells it, possibly with surrogate escapes.
        size: Bytes when unpacked, as the archive says.
        refusal: Why it cannot be read, or None.
    """

    name: str
    size: int
    refusal: str | None = None


class Archive(Protocol):
    """An open archive; it closes with its last reference."""

    @property
    def damage(self) -> str | None:
        """Class of the error behind which no members could be listed, or None."""

    def members(self) -> Iterator[Member]:
        """Yield files, never folders, in the archive's order; of equal names the last."""

    def open(self, name: str) -> Blob:
        """Open a member.

        Raises:
            KeyError: If there is none of that name.
            SourceError: If it is damaged.
        """


def may_be_archive(path: str) -> bool:
    """Say whether a path's suffix is one of an archive's."""
    return path.lower().endswith(SUFFIXES)


def recognise(head: bytes) -> Kind | None:
    """Tell an archive's kind by its first HEAD_BYTES bytes; None when it is none."""
    if head.startswith(_ZIP_MAGIC):
        return "zip"
    if head.startswith(_GZIP_MAGIC):
        try:
            inflated = zlib.decompressobj(_GZIP_WINDOW).decompress(head, tarfile.BLOCKSIZE)
        except zlib.error:
            return None
        return "tar.gz" if _is_tar(inflated) else None
    return "tar" if _is_tar(head) else None


def _is_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True
