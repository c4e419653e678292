"""Open by its path what a listing has named: a file, or a member as `archive.zip!member`.

A member may itself be an archive: `outer.zip!inner.zip!member`. A `!` may also stand in a real name: the
path itself is tried first, then the longest part before a `!` that is a file. Open archives are kept, a few
in each process, so that members can be read in any order.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from functools import lru_cache
from typing import Final

from radnet.errors import SourceError
from radnet.sources.archive import HEAD_BYTES, Archive, recognise
from radnet.sources.blob import Blob, FileBlob, MemoryBlob, SliceBlob
from radnet.sources.names import name_of, text_of
from radnet.sources.tars import TarArchive
from radnet.sources.zips import ZipArchive

MEMBER_MARK: Final = "!"
OPEN_ARCHIVES: Final = 8
"""Archives that a process keeps open."""
OPEN_NESTED_ARCHIVES: Final = 1
"""Archives within archives that a process keeps open; a compressed one is held in memory."""
MAX_NESTED_BYTES: Final = 256 << 20
"""Largest compressed member that is opened as an archive."""
_NOT_A_PATH: Final = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


def open_blob(path: str) -> Blob:
    """Open a file or an archive's member.

    Args:
        path: As a listing gave it (`Entry.path`, the tables' column `path`).

    Returns:
        A blob to be closed after use, e.g. by `with`.

    Raises:
        OSError: If the file or the archive cannot be opened.
        SourceError: If the archive is damaged or has no such member any more.
    """
    name = name_of(path)
    try:
        return FileBlob(name)
    except OSError as error:
        if error.errno not in _NOT_A_PATH or MEMBER_MARK not in name:
            raise
        holder, member = _parted(name, error)
    blob = _find(holder, member)
    if blob is None:
        raise SourceError(
            f"{text_of(holder)}: has lost a member since it was scanned; run `radnet scan` again"
        )
    return blob


def open_archive(name: str, nested: str | None = None) -> Archive:
    """Open an archive, or hand out the one that this process has open already.

    Args:
        name: The file's name as `os` functions take it.
        nested: A member of it that is the archive to be opened.

    Raises:
        OSError: If the file cannot be opened.
        KeyError: If there is no such member.
        SourceError: If it is no archive, or a nested one too large to be held in memory.
    """
    status = os.stat(name)
    if nested is not None:
        return _open_nested(name, status.st_size, status.st_mtime_ns, nested)
    return _open_archive(name, status.st_size, status.st_mtime_ns)


def _find(holder: str, member: str) -> Blob | None:
    """Open a member, or a member of the archive that stands before a `!` of its name."""
    archive = open_archive(holder)
    with suppress(KeyError):
        return archive.open(member)
    at = member.rfind(MEMBER_MARK)
    while at > 0:
        with suppress(KeyError):
            return open_archive(holder, member[:at]).open(member[at + 1 :])
        at = member.rfind(MEMBER_MARK, 0, at)
    return None


# size and time are in the signatures so that a changed file is opened anew


@lru_cache(maxsize=OPEN_ARCHIVES)
def _open_archive(name: str, size: int, mtime_ns: int) -> Archive:
    return _understood(FileBlob(name), text_of(name))


@lru_cache(maxsize=OPEN_NESTED_ARCHIVES)
def _open_nested(name: str, size: int, mtime_ns: int, nested: str) -> Archive:
    blob = _open_archive(name, size, mtime_ns).open(nested)
    label = f"{text_of(name)}{MEMBER_MARK}{text_of(nested)}"
    if isinstance(blob, SliceBlob):
        return _understood(blob, label)
    if blob.size > MAX_NESTED_BYTES:
        raise SourceError(f"{label}: is compressed and too large to be read inside its archive; unpack it")
    with blob:  # compressed: going back and forth in it would inflate it again and again
        held = MemoryBlob(blob.pread(0, blob.size))
    return _understood(held, label)


def _understood(blob: Blob, label: str) -> Archive:
    kind = recognise(blob.pread(0, HEAD_BYTES))
    if kind is None:
        raise SourceError(f"{label}: is no zip or tar file any more; run `radnet scan` again")
    return ZipArchive(blob, label) if kind == "zip" else TarArchive(blob, label, kind == "tar.gz")


def _parted(name: str, error: OSError) -> tuple[str, str]:
    """Split a path at the last `!` before which a file stands; without one, the error stands."""
    at = name.rfind(MEMBER_MARK)
    while at > 0:
        if os.path.isfile(name[:at]):
            return name[:at], name[at + 1 :]
        at = name.rfind(MEMBER_MARK, 0, at)
    raise error
