"""Bytes that can be read from any place: a file, or a member of an archive.

Header readers and pixel decoders see only this, so that neither knows where DICOM lies.
"""

from __future__ import annotations

from typing import Protocol


class Blob(Protocol):
    """A readable stretch of bytes of known size."""

    @property
    def size(self) -> int:
        """Bytes in all."""

    def pread(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end.

        Raises:
            OSError: If the medium fails.
            SourceError: If the archive that holds it is damaged there.
        """

    def close(self) -> None:
        """Let go of what was opened for this blob alone."""
