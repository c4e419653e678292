"""The beginning of a deflated dataset, inflated in memory.

A deflate stream may hold a thousand times its size: only so much is ever inflated as a header may take.
"""

from __future__ import annotations

import zlib
from typing import Final

from radnet.scan.skipped import DAMAGED, TRUNCATED, Skipped
from radnet.sources.blob import Blob

MAX_INFLATED_BYTES: Final = 8 << 20
RAW_DEFLATE: Final = -zlib.MAX_WBITS


class Inflated:
    """The first bytes of a deflated dataset, seen as a file's are.

    Attributes:
        data: The inflated bytes.
        complete: Whether they are the whole dataset.
    """

    __slots__ = ("complete", "data")

    def __init__(self, blob: Blob, start: int) -> None:
        """Inflate.

        Args:
            blob: The file.
            start: Where the deflated dataset begins.

        Raises:
            Skipped: If the stream is damaged or ends too early.
        """
        stream = zlib.decompressobj(RAW_DEFLATE)
        deflated = blob.pread(start, MAX_INFLATED_BYTES)
        try:
            self.data = stream.decompress(deflated, MAX_INFLATED_BYTES)
        except zlib.error as error:
            raise Skipped(DAMAGED, type(error).__name__) from None
        self.complete = stream.eof
        if not stream.eof and len(self.data) < MAX_INFLATED_BYTES and start + len(deflated) >= blob.size:
            raise Skipped(TRUNCATED)

    @property
    def size(self) -> int:
        """Bytes at hand."""
        return len(self.data)

    def pread(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`."""
        return self.data[offset : offset + length]
