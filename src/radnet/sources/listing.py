"""List everything in the sources that may be DICOM: files, and the members of archives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from radnet.errors import SourceError
from radnet.sources.archive import HEAD_BYTES, Archive, Member, may_be_archive, recognise
from radnet.sources.blob import SliceBlob
from radnet.sources.entries import DAMAGED_ARCHIVE, NESTED_ARCHIVE, UNREADABLE_FILE, VANISHED, Entry, Refused
from radnet.sources.names import name_of, text_of
from radnet.sources.opening import MAX_NESTED_BYTES, MEMBER_MARK, open_archive, open_blob
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
    """Yield the members of a file that is an archive, or the file itself; archives in it are opened too.

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
    stream = entry.path if kind == "tar.gz" else None
    for member in archive.members():
        found = _entry(entry, member, stream)
        if may_be_archive(member.name) and not member.refusal:
            yield from _expand_member(entry, member, found)
        else:
            yield _refused(found, member.refusal) if member.refusal else found
    if archive.damage:
        yield _refused(entry, DAMAGED_ARCHIVE, archive.damage)


def _expand_member(entry: Entry, member: Member, found: Entry) -> Iterator[Entry | Refused]:
    """Yield the members of an archive in an archive; one that lies deeper still is refused."""
    name = name_of(entry.path)
    try:
        with open_archive(name).open(member.name) as blob:
            if recognise(blob.pread(0, HEAD_BYTES)) is None:
                yield found
                return
        if member.size > MAX_NESTED_BYTES and not isinstance(blob, SliceBlob):
            yield _refused(found, NESTED_ARCHIVE)
            return
        archive = open_archive(name, member.name)
    except (OSError, SourceError) as error:
        yield _refused(found, DAMAGED_ARCHIVE, type(error).__name__)
        return
    for inner in archive.members():
        # its members go to one worker, which then opens it but once
        item = _entry(found, inner, found.stream or found.path)
        reason = inner.refusal or (NESTED_ARCHIVE if _is_archive(archive, inner) else None)
        yield _refused(item, reason) if reason else item
    if archive.damage:
        yield _refused(found, DAMAGED_ARCHIVE, archive.damage)


def _is_archive(archive: Archive, member: Member) -> bool:
    if not may_be_archive(member.name):
        return False
    try:
        with archive.open(member.name) as blob:
            return recognise(blob.pread(0, HEAD_BYTES)) is not None
    except SourceError:
        return False  # whoever reads it will say what is wrong with it


def _entry(holder: Entry, member: Member, stream: str | None) -> Entry:
    path = holder.path + MEMBER_MARK + text_of(member.name)
    return Entry(holder.source, path, member.size, holder.mtime_ns, stream)


def _refused(entry: Entry, reason: str, error: str | None = None) -> Refused:
    return Refused(entry.source, entry.path, reason, error, entry.size, entry.mtime_ns)
