"""Bytes that can be read from any place: a file, or a member of an archive.

Header readers and pixel decoders see only this, so that neither knows where DICOM lies. A blob closes itself
at the end of a `with` block.
"""

from __future__ import annotations

import io
import os
import stat
from typing import Final, Protocol, Self

OPEN_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""Without waiting: a file that has become a pipe since it was listed must not hang the reader."""


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

    def __enter__(self) -> Self:
        """Return the blob itself."""

    def __exit__(self, *exception: object) -> None:
        """Close."""


class FileBlob:
    """A plain file; costs one open, one stat and one close beside the reads."""

    __slots__ = ("_descriptor", "size")

    def __init__(self, name: str) -> None:
        descriptor = os.open(name, OPEN_FLAGS)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError("not a regular file")
            # only headers, or some slices, are wanted: reading ahead doubles the time on a cold disk
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        self.size = status.st_size

    def pread(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end."""
        data = os.pread(self._descriptor, length, offset)
        if len(data) == length or offset + len(data) >= self.size or not data:
            return data
        return self._rest(data, offset, length)

    def _rest(self, data: bytes, offset: int, length: int) -> bytes:
        """Go on where the system returned less than asked: network file systems, and 2 GiB at a time."""
        pieces = [data]
        done = len(data)
        while done < length and (piece := os.pread(self._descriptor, length - done, offset + done)):
            pieces.append(piece)
            done += len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        """Return the blob itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the file."""
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            self.close()


class MemoryBlob:
    """Bytes held in memory."""

    __slots__ = ("_data", "size")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def pread(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end."""
        return self._data[offset : offset + length]

    def close(self) -> None:
        """Do nothing: the bytes go with the blob."""

    def __enter__(self) -> Self:
        """Return the blob itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Do nothing."""


class SliceBlob:
    """Bytes that stand as they are in another blob; keeps that one open, closes nothing."""

    __slots__ = ("_holder", "_start", "size")

    def __init__(self, holder: Blob, start: int, size: int) -> None:
        self._holder = holder
        self._start = start
        self.size = size

    def pread(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer only at the end."""
        length = min(length, self.size - offset)
        return self._holder.pread(self._start + offset, length) if length > 0 else b""

    def close(self) -> None:
        """Do nothing: the archive stays open for its other members."""

    def __enter__(self) -> Self:
        """Return the blob itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Do nothing."""


class BlobFile(io.RawIOBase):
    """A blob as a file object, for libraries that want one."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._position = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Move."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._blob.size}[whence]
        if start + offset < 0:
            raise OSError("before the start of the file")
        self._position = start + offset
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes, all that are left if negative."""
        left = max(self._blob.size - self._position, 0)
        data = self._blob.pread(self._position, left if size is None or size < 0 else min(size, left))
        self._position += len(data)
        return data
