"""List everything in the sources that may be DICOM: files, and the members of archives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from radnet.errors import SourceError
from radnet.sources.archive import HEAD_BYTES, Archive, may_be_archive, recognise
from radnet.sources.entries import DAMAGED_ARCHIVE, NESTED_ARCHIVE, UNREADABLE_FILE, VANISHED, Entry, Refused
from radnet.sources.names import name_of, text_of
from radnet.sources.opening import MEMBER_MARK, open_archive, open_blob
from radnet.sources.walk import walk


def list_entries(sources: Iterable[Path | str], exclude: Path | None = None) -> Iterator[Entry | Refused]:
    """Yield every file and archive member of the sources, and everything that cannot be read.

    Args:
        sources: Folders, archives and single files; their order does not matter.
        exclude: A folder that is passed over, such as a workspace that lies inside a source.

    Yields:
        An Entry for what can be tried, in the order of folders; a Refused for the rest.

    Raises:
        SourceError: If a source does not exist.
    """
    for found in walk(sources, exclude):
        if isinstance(found, Entry):
            yield from expand(found)
        else:
            yield found


def expand(entry: Entry) -> Iterator[Entry | Refused]:
    """Yield the members of a file that is an archive, or the file itself.

    Args:
        entry: A file on disk.

    Yields:
        Entries whose `mtime_ns` is the archive's, and a Refused for every member that cannot be read.
    """
    if not (may_be_archive(entry.path) or entry.path == entry.source):
        yield entry
        return
    try:
        with open_blob(entry.path) as blob:
            kind = recognise(blob.pread(0, HEAD_BYTES))
        if kind is None:
            yield entry
            return
        archive = open_archive(name_of(entry.path))
    except OSError as error:
        reason = VANISHED if isinstance(error, FileNotFoundError) else UNREADABLE_FILE
        yield _refused(entry, reason, type(error).__name__)
        return
    yield from _members(archive, entry, entry.path if kind == "tar.gz" else None)
    if archive.damage:
        yield _refused(entry, DAMAGED_ARCHIVE, archive.damage)


def _members(archive: Archive, entry: Entry, stream: str | None) -> Iterator[Entry | Refused]:
    for member in archive.members():
        path = entry.path + MEMBER_MARK + text_of(member.name)
        found = Entry(entry.source, path, member.size, entry.mtime_ns, stream)
        if member.refusal:
            yield _refused(found, member.refusal)
        elif not may_be_archive(member.name):
            yield found
        else:
            yield _nested(archive, member.name, found)


def _nested(archive: Archive, name: str, found: Entry) -> Entry | Refused:
    """Look into a member that is named like an archive: those are not opened."""
    try:
        with archive.open(name) as blob:
            nested = recognise(blob.pread(0, HEAD_BYTES)) is not None
    except (OSError, SourceError) as error:
        return _refused(found, DAMAGED_ARCHIVE, type(error).__name__)
    return _refused(found, NESTED_ARCHIVE) if nested else found


def _refused(entry: Entry, reason: str, error: str | None = None) -> Refused:
    return Refused(entry.source, entry.path, reason, error, entry.size, entry.mtime_ns)
