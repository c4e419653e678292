"""Open by its path what a listing has named: a file, or a member as `archive.zip!member`.

A `!` may also stand in a real name: the path itself is tried first, then the longest part before a `!` that
is a file. Open archives are kept, a few in each process, so that members can be read in any order.
"""

from __future__ import annotations

import errno
import os
from functools import lru_cache
from typing import Final

from radnet.errors import SourceError
from radnet.sources.archive import HEAD_BYTES, Archive, recognise
from radnet.sources.blob import Blob, FileBlob
from radnet.sources.names import name_of, text_of
from radnet.sources.tars import TarArchive
from radnet.sources.zips import ZipArchive

MEMBER_MARK: Final = "!"
OPEN_ARCHIVES: Final = 8
"""Archives that a process keeps open."""
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
    archive = open_archive(holder)
    try:
        return archive.open(member)
    except KeyError:
        raise SourceError(
            f"{text_of(holder)}: has lost a member since it was scanned; run `radnet scan` again"
        ) from None


def open_archive(name: str) -> Archive:
    """Open an archive, or hand out the one that this process has open already.

    Args:
        name: The file's name as `os` functions take it.

    Raises:
        OSError: If the file cannot be opened.
        SourceError: If it is no archive.
    """
    status = os.stat(name)
    return _open_archive(name, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=OPEN_ARCHIVES)
def _open_archive(name: str, size: int, mtime_ns: int) -> Archive:
    """Open an archive; size and time are in the signature so that a changed file is opened anew."""
    with FileBlob(name) as blob:
        kind = recognise(blob.pread(0, HEAD_BYTES))
    if kind is None:
        raise SourceError(f"{text_of(name)}: is no zip or tar file any more; run `radnet scan` again")
    return ZipArchive(name) if kind == "zip" else TarArchive(name, compressed=kind == "tar.gz")


def _parted(name: str, error: OSError) -> tuple[str, str]:
    """Split a path at the last `!` before which a file stands; without one, the error stands."""
    at = name.rfind(MEMBER_MARK)
    while at > 0:
        if os.path.isfile(name[:at]):
            return name[:at], name[at + 1 :]
        at = name.rfind(MEMBER_MARK, 0, at)
    raise error
