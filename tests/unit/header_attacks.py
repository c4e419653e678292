"""Write a hostile file, read it in a process of its own and print the outcome and the memory that it took.

Usage: python header_attacks.py ATTACK FOLDER
"""

from __future__ import annotations

import os
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from header_samples import KEY, encoded, image
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    EnhancedMRImageStorage,
    ExplicitVRBigEndian,
    MRImageStorage,
)

from radnet.scan.reader import read_instances
from radnet.scan.rows import rows_to_frame
from radnet.scan.skipped import Skipped
from radnet.sources.blob import FileBlob

UNDEFINED = 0xFFFFFFFF
FRAME_GROUPS = (0x5200, 0x9230)
ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, UNDEFINED)
EMPTY_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0)


def long_header(group: int, element: int, vr: bytes, length: int, order: str = "<") -> bytes:
    return struct.pack(f"{order}HH2sHI", group, element, vr, 0, length)


def parts(sop_class: str = MRImageStorage) -> tuple[bytes, bytes]:
    """Return a good file's bytes before and from Pixel Data."""
    good = encoded(image(sop_class))
    at = good.index(b"\xe0\x7f\x10\x00OW")
    return good[:at], good[at:]


def big_endian_parts() -> tuple[bytes, bytes]:
    good = encoded(image(), ExplicitVRBigEndian)
    at = good.index(b"\x7f\xe0\x00\x10OW")
    return good[:at], good[at:]


def zeros(size: int) -> Iterator[bytes]:
    block = bytes(1 << 20)
    for _ in range(size >> 20):
        yield block


def deflated() -> Iterator[bytes]:
    """A gigabyte of zeros in a megabyte."""
    start = encoded(image(), DeflatedExplicitVRLittleEndian)
    head, _ = parts()
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    yield start[: 144 + struct.unpack_from("<I", start, 140)[0]]
    yield squeeze.compress(head[head.index(b"\x08\x00\x16\x00UI") :])
    yield squeeze.compress(long_header(0x0009, 0x1001, b"OB", 1 << 30))
    for block in zeros(1 << 30):
        yield squeeze.compress(block)
    yield squeeze.flush()


def absurd_length() -> Iterator[bytes]:
    head, tail = parts()
    yield head + long_header(0x0029, 0x1010, b"OB", 0xFFFFFFF0) + tail


def huge_text() -> Iterator[bytes]:
    """A SeriesDescription of half a gigabyte."""
    head, tail = parts()
    yield head + long_header(0x0008, 0x103E, b"UT", 1 << 29)
    yield from zeros(1 << 29)
    yield tail


def nested() -> Iterator[bytes]:
    """Half a million sequences in each other, within one that is wanted."""
    head, _ = parts()
    inner = long_header(0x0009, 0x1001, b"SQ", UNDEFINED) + ITEM
    yield head + long_header(0x0018, 0x0012, b"SQ", UNDEFINED) + ITEM + inner * 500_000


def nested_big_endian() -> Iterator[bytes]:
    head, _ = big_endian_parts()
    item = struct.pack(">HHI", 0xFFFE, 0xE000, UNDEFINED)
    yield head + (long_header(0x0009, 0x1001, b"SQ", UNDEFINED, ">") + item) * 300_000


def tiny_elements() -> Iterator[bytes]:
    """Twelve million times the same wanted element."""
    head, tail = parts()
    yield head + struct.pack("<HH2sH", 0x0008, 0x0008, b"CS", 0) * 12_000_000 + tail


def tiny_elements_big_endian() -> Iterator[bytes]:
    head, tail = big_endian_parts()
    yield head + struct.pack(">HH2sH", 0x0018, 0x0010, b"LO", 0) * 4_000_000 + tail


def many_frames() -> Iterator[bytes]:
    head, tail = parts(EnhancedMRImageStorage)
    count = 3_000_000
    yield head + long_header(*FRAME_GROUPS, b"SQ", 8 * count) + EMPTY_ITEM * count + tail


def many_codes() -> Iterator[bytes]:
    """Two million code meanings in a wanted sequence."""
    head, tail = parts()
    code = struct.pack("<HHI", 0xFFFE, 0xE000, 10) + struct.pack("<HH2sH2s", 8, 0x104, b"LO", 2, b"ab")
    yield head + long_header(0x0008, 0x2218, b"SQ", len(code) * 2_000_000) + code * 2_000_000 + tail


def endless_groups() -> Iterator[bytes]:
    """Functional groups of 300 MiB that claim two gigabytes."""
    head, _ = parts(EnhancedMRImageStorage)
    yield head + long_header(*FRAME_GROUPS, b"SQ", 1 << 31) + ITEM * 1000
    yield from zeros(300 << 20)


ATTACKS: dict[str, Callable[[], Iterator[bytes]]] = {
    attack.__name__: attack
    for attack in (
        deflated,
        absurd_length,
        huge_text,
        nested,
        nested_big_endian,
        tiny_elements,
        tiny_elements_big_endian,
        many_frames,
        many_codes,
        endless_groups,
    )
}


def _read(path: str) -> str:
    with FileBlob(path) as blob:
        try:
            return f"rows {rows_to_frame(read_instances(blob, KEY)).height}"
        except Skipped as skipped:
            return skipped.reason


def main(attack: str, folder: str) -> None:
    path = Path(folder) / "hostile"
    child = os.fork()  # the making takes memory of its own
    if not child:
        with path.open("wb") as file:
            file.writelines(ATTACKS[attack]())
        os._exit(0)
    os.waitpid(child, 0)
    outcome = _read(str(path))
    path.unlink()
    print(outcome, _peak_mib())


def _peak_mib() -> int:
    """Say how much memory this process has held at most; `ru_maxrss` would count its parent's as well."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("utf-8").splitlines())
    return int(status["VmHWM"].split()[0]) // 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
