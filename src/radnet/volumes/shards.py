"""The files that hold volumes: many in one shard, each a stretch of bytes.

A plain shard is an ordinary `.npy` file of shape (volumes, slices, rows, columns) whose header fills one
page: 48 x 192 x 192 bytes are whole pages too, so a volume is one page-in. A compressed shard (`.zst`) is a
row of zstd frames, each a `.npy` file of one volume. A shard is named after what it holds and appears whole
or not at all.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import zstandard
from numpy.typing import NDArray

Volume = NDArray[np.uint8]

PLAIN_SUFFIX: Final = ".npy"
COMPRESSED_SUFFIX: Final = ".zst"
HEADER_BYTES: Final = 4096
"""One page of memory."""
ZSTD_LEVEL: Final = 3
SUFFIXES: Final = {"none": PLAIN_SUFFIX, "zstd": COMPRESSED_SUFFIX}
"""Of a shard, by the configuration's word for its compression."""

_NPY_MAGIC: Final = b"\x93NUMPY\x01\x00"
_NPY_LENGTH: Final = struct.Struct("<H")
_NAME_DIGITS: Final = 16


def pack(volume: Volume, compression: str) -> bytes:
    """Return the bytes that stand for a volume in a shard."""
    if compression == "none":
        return volume.tobytes()
    file = io.BytesIO()
    np.save(file, volume)
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(file.getvalue())


def digest_of(volume: Volume) -> str:
    """Return the SHA-256 of a volume's voxels as hex digits."""
    return hashlib.sha256(np.ascontiguousarray(volume).data).hexdigest()


def packed_digest(packed: bytes, compression: str) -> str:
    """Return the digest of a packed volume's voxels, or of nothing when it cannot be unpacked."""
    if compression == "none":
        return hashlib.sha256(packed).hexdigest()
    try:
        return digest_of(volume_at(np.frombuffer(packed, np.uint8), 0, len(packed)))
    except (ValueError, EOFError):
        return ""


def shard_name(members: Iterable[str], suffix: str) -> str:
    """Name a shard after what stands in it, in order."""
    return hashlib.sha256("".join(members).encode()).hexdigest()[:_NAME_DIGITS] + suffix


def write_shard(path: Path, volumes: Iterable[bytes], shape: Sequence[int]) -> list[tuple[int, int]]:
    """Write packed volumes one after the other.

    Args:
        path: Final name; the suffix says whether the volumes are compressed.
        volumes: As `pack` returns them.
        shape: Number of volumes, slices, rows, columns.

    Returns:
        Offset and length in bytes of each.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    places = []
    with partial.open("wb") as file:
        if path.suffix == PLAIN_SUFFIX:
            file.write(_npy_header(shape))
        for volume in volumes:
            places.append((file.tell(), len(volume)))
            file.write(volume)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return places


def open_shard(path: Path) -> NDArray[np.uint8]:
    """Map a shard into memory: (volumes, slices, rows, columns), or the bytes of a compressed one.

    Raises:
        OSError: If it is missing.
        ValueError: If it is damaged.
    """
    if path.suffix == PLAIN_SUFFIX:
        return np.asarray(np.load(path, mmap_mode="r"))
    return np.asarray(np.memmap(path, np.uint8, "r"))


def volume_at(shard: NDArray[np.uint8], offset: int, length: int) -> Volume:
    """Return one volume of an open shard, read-only.

    Args:
        shard: From `open_shard`.
        offset: As `write_shard` returned it.
        length: That too.

    Raises:
        ValueError: If the shard is too short or damaged there.
    """
    if shard.ndim > 1:
        number = (offset - HEADER_BYTES) // length
        if number >= len(shard):
            raise ValueError("the shard holds fewer volumes")
        volume: Volume = shard[number]
        return volume
    try:
        content = zstandard.ZstdDecompressor().decompress(shard[offset : offset + length].data)
    except zstandard.ZstdError as error:
        raise ValueError("the compressed volume is damaged") from error
    volume = np.load(io.BytesIO(content))
    volume.flags.writeable = False
    return volume


def _npy_header(shape: Sequence[int]) -> bytes:
    fields = repr({"descr": "|u1", "fortran_order": False, "shape": tuple(shape)}).encode()
    length = HEADER_BYTES - len(_NPY_MAGIC) - _NPY_LENGTH.size
    return _NPY_MAGIC + _NPY_LENGTH.pack(length) + fields.ljust(length - 1) + b"\n"
