"""What a listing yields: files that can be tried, and things that cannot.

Nothing is dropped silently: what is not an `Entry` is a `Refused` with a reason. The reasons are part of
the closed list in `radnet.scan.skipped`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

UNREADABLE_FOLDER: Final = "unreadable_folder"
UNREADABLE_FILE: Final = "unreadable_file"
VANISHED: Final = "vanished"
BROKEN_LINK: Final = "broken_link"
NOT_A_FILE: Final = "not_a_file"
DAMAGED_ARCHIVE: Final = "damaged_archive"
NESTED_ARCHIVE: Final = "nested_archive"
ENCRYPTED_MEMBER: Final = "encrypted_member"
UNSUPPORTED_MEMBER: Final = "unsupported_member"

REFUSALS: Final = (
    UNREADABLE_FOLDER,
    UNREADABLE_FILE,
    VANISHED,
    BROKEN_LINK,
    NOT_A_FILE,
    DAMAGED_ARCHIVE,
    NESTED_ARCHIVE,
    ENCRYPTED_MEMBER,
    UNSUPPORTED_MEMBER,
)
"""Every reason that a listing can give."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, or a member of an archive, that may be DICOM.

    Attributes:
        source: The source it was found in, absolute.
        path: Absolute path text (`radnet.sources.names`); `archive.zip!member` inside an archive.
        size: Bytes, as the file system or the archive says.
        mtime_ns: When the file, or the archive that holds it, was last changed.
        stream: The archive, when it is compressed as a whole and best read by one worker; else None.
    """

    source: str
    path: str
    size: int
    mtime_ns: int
    stream: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Something in a source that cannot be read.

    Attributes:
        source: The source it was found in, absolute.
        path: Absolute path text.
        reason: One of REFUSALS.
        error: Class of the error, or None when nothing failed.
        size: Bytes, where known.
        mtime_ns: When it was last changed, where known.
    """

    source: str
    path: str
    reason: str
    error: str | None = None
    size: int | None = None
    mtime_ns: int | None = None
