"""Find every file of the sources on disk, whatever lies between them.

Real folders are walked first, depth first; symbolic links are followed after that. A folder is known by
device and inode, so that loops end and a folder reached twice is walked once. A linked file is listed under
its link only if its real folder was not walked, so that one real file has one row. Hard links are names in
their own right: they are listed, and the scan tells them as duplicates.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from radnet.errors import SourceError
from radnet.sources.entries import (
    BROKEN_LINK,
    NOT_A_FILE,
    UNREADABLE_FILE,
    UNREADABLE_FOLDER,
    VANISHED,
    Entry,
    Refused,
)
from radnet.sources.names import text_of

_Key: TypeAlias = tuple[int, int]


def walk(sources: Iterable[Path | str], exclude: Path | None = None) -> Iterator[Entry | Refused]:
    """Yield the files of the sources; archives are files here.

    Args:
        sources: Folders and files; their order does not matter.
        exclude: A folder that is passed over, such as a workspace that lies inside a source.

    Yields:
        An Entry for every regular file, a Refused for everything that is none or cannot be looked at.

    Raises:
        SourceError: If a source does not exist, cannot be looked at, or is what is passed over.
    """
    roots = sorted({os.path.abspath(source) for source in sources})
    walker = _Walker(exclude)
    for root in roots:
        walker.add_root(root)
    yield from walker.run()


class _Walker:
    """One walk; holds folders, never files, so that a million files cost no memory."""

    def __init__(self, exclude: Path | None) -> None:
        self._seen: set[_Key] = set()
        self._folders: list[tuple[str, str]] = []  # a stack of (source, path)
        self._links: deque[tuple[str, str]] = deque()
        self._file_links: list[tuple[str, str]] = []
        if exclude is not None and exclude.is_dir():
            self._seen.add(_key(exclude.stat()))

    def add_root(self, root: str) -> None:
        try:
            status = os.stat(root)
        except OSError as error:
            raise SourceError(
                f"{text_of(root)}: there is no such source ({error.strerror}); "
                "name a folder, a zip or tar file, or a DICOM file"
            ) from error
        if stat.S_ISDIR(status.st_mode) and _key(status) in self._seen:
            raise SourceError(
                f"{text_of(root)}: is the workspace itself; name the folder that holds the DICOM files, or "
                "another workspace by --work"
            )
        # a named file may lie in a named folder: it is looked at last, like a link
        (self._folders if stat.S_ISDIR(status.st_mode) else self._file_links).append((root, root))

    def run(self) -> Iterator[Entry | Refused]:
        self._folders.reverse()
        while self._folders or self._links:
            if not self._folders:
                self._folders.append(self._links.popleft())
            yield from self._folder(*self._folders.pop())
        yield from self._linked_files()

    def _folder(self, source: str, path: str) -> Iterator[Entry | Refused]:
        inner: list[str] = []
        links: list[str] = []
        try:
            key = _key(os.stat(path))
            if key in self._seen:
                return
            self._seen.add(key)
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        links.append(entry.path)
                    elif entry.is_dir(follow_symlinks=False):
                        inner.append(entry.path)
                    else:
                        yield _file(source, entry.path)
        except OSError as error:
            reason = VANISHED if isinstance(error, FileNotFoundError) else UNREADABLE_FOLDER
            yield Refused(text_of(source), text_of(path), reason, type(error).__name__)
        self._folders.extend((source, name) for name in sorted(inner, reverse=True))
        for name in sorted(links):
            (self._links if os.path.isdir(name) else self._file_links).append((source, name))

    def _linked_files(self) -> Iterator[Entry | Refused]:
        listed: set[_Key] = set()
        for source, path in self._file_links:
            try:
                real = os.path.realpath(path, strict=True)
                key = _key(os.stat(real))
                if _key(os.stat(os.path.dirname(real))) in self._seen or key in listed:
                    continue
                listed.add(key)
            except OSError as error:
                yield Refused(text_of(source), text_of(path), BROKEN_LINK, type(error).__name__)
                continue
            yield _file(source, path)


def _file(source: str, path: str) -> Entry | Refused:
    try:
        status = os.stat(path)
    except OSError as error:
        reason = VANISHED if isinstance(error, FileNotFoundError) else UNREADABLE_FILE
        return Refused(text_of(source), text_of(path), reason, type(error).__name__)
    if not stat.S_ISREG(status.st_mode):
        return Refused(text_of(source), text_of(path), NOT_A_FILE)
    return Entry(text_of(source), text_of(path), status.st_size, status.st_mtime_ns)


def _key(status: os.stat_result) -> _Key:
    return status.st_dev, status.st_ino
