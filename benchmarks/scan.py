"""Reading headers: ours against pydicom, GDCM and dicomsdl, in one interleaved run.

Writes an archive as it comes from scanners (80 to 150 elements a file, private elements, sequences, several
transfer syntaxes) and measures the CPU time a file on one core of every way to read it, then the wall time of
one worker process against two. Ours is measured as a scan reads, in chunks in the order of the folder, where
most files are read by what differs from their neighbours; in random order over all series; each file alone;
and with opening by path and packing into a table, as a worker does. Ratios are to be read, not microseconds:
machines are shared. dicomsdl is measured as its manual shows it, an attribute at a time, and by its bulk
call, which tells neither absent from empty nor reads sequences and private elements.

    python benchmarks/scan.py --files 5000 --rounds 5
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import dicomsdl
import gdcm
import polars as pl
import pydicom
from pydicom.multival import MultiValue
from scan_archive import write_archive

from radnet.config import ScanConfig
from radnet.executors import Workers, map_chunks
from radnet.scan.attributes import CHARACTER_SET, PATIENT_ID, TAGS
from radnet.scan.neighbours import Neighbours
from radnet.scan.reader import FIRST_BYTES, read_instances
from radnet.scan.reading import read_chunk
from radnet.sources import Entry
from radnet.sources.blob import FileBlob
from radnet.tables import INSTANCE_COLUMNS, INTEGER, REAL, REALS

KEY: Final = b"a key for the benchmark, 32 bytes"
KEYWORDS: Final = list(TAGS)
CHUNK_FILES: Final = ScanConfig().chunk_files
BEFORE_PIXELS: Final = 0x7FE0000F
RESULTS: Final = Path(__file__).parent / "results" / "scan.json"
TARGETS: Final = {"pydicom": 8.0, "GDCM or dicomsdl": 1.7, "dicomsdl getValues": 1.7, "two processes": 1.7}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--reads", type=int, default=100_000, help="files read to compare one and two processes"
    )
    parser.add_argument("--folder", type=Path, help="where to write the archive; temporary by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        files = write_archive(options.folder or Path(temporary), options.files)
        values = check_values(files[: len(files) // 5])
        times = measure(files, options.rounds)
        processes = measure_processes(files, options.reads, options.rounds)
    report(times, processes, values, len(files))


def read_floor(files: Sequence[str]) -> None:
    for name in files:
        with FileBlob(name) as blob:
            blob.pread(0, FIRST_BYTES)


def read_ours(files: Sequence[str]) -> None:
    for start in range(0, len(files), CHUNK_FILES):
        neighbours = Neighbours()
        for name in files[start : start + CHUNK_FILES]:
            with FileBlob(name) as blob:
                read_instances(blob, KEY, neighbours)


def read_ours_shuffled(files: Sequence[str]) -> None:
    read_ours(Random(0).sample(files, len(files)))


def read_ours_alone(files: Sequence[str]) -> None:
    for name in files:
        with FileBlob(name) as blob:
            read_instances(blob, KEY)


def read_ours_to_tables(files: Sequence[str]) -> None:
    entries = [Entry("", name, 0, 0) for name in files]
    for start in range(0, len(entries), CHUNK_FILES):
        read_chunk(entries[start : start + CHUNK_FILES], KEY)


def read_pydicom_before_pixels(files: Sequence[str]) -> None:
    for name in files:
        dataset = pydicom.dcmread(name, stop_before_pixels=True)
        [dataset.get(keyword) for keyword in KEYWORDS]


def read_pydicom_specific_tags(files: Sequence[str]) -> None:
    tags: list[Any] = KEYWORDS
    for name in files:
        dataset = pydicom.dcmread(name, stop_before_pixels=True, specific_tags=tags)
        [dataset.get(keyword) for keyword in KEYWORDS]


def read_gdcm(files: Sequence[str]) -> None:
    scanner = gdcm.Scanner()
    for group, element, _ in TAGS.values():
        scanner.AddTag(gdcm.Tag(group, element))
    assert scanner.Scan(list(files))


def read_dicomsdl(files: Sequence[str]) -> None:
    for name in files:
        dataset = dicomsdl.open_file(name, BEFORE_PIXELS)
        [getattr(dataset, keyword) for keyword in KEYWORDS]


def read_dicomsdl_bulk(files: Sequence[str]) -> None:
    for name in files:
        dicomsdl.open_file(name, BEFORE_PIXELS).getValues(KEYWORDS)


READERS: Final[dict[str, Callable[[Sequence[str]], None]]] = {
    "open, read 16 KiB, close": read_floor,
    "radnet": read_ours,
    "radnet, random order": read_ours_shuffled,
    "radnet, each file alone": read_ours_alone,
    "radnet, into tables": read_ours_to_tables,
    "pydicom stop_before_pixels": read_pydicom_before_pixels,
    "pydicom specific_tags": read_pydicom_specific_tags,
    "GDCM Scanner": read_gdcm,
    "dicomsdl": read_dicomsdl,
    "dicomsdl getValues": read_dicomsdl_bulk,
}


def measure(files: Sequence[str], rounds: int) -> dict[str, float]:
    """Return the median CPU microseconds a file of each reader, in rounds over all of them."""
    times: dict[str, list[float]] = {name: [] for name in READERS}
    for _ in range(rounds):
        for name, read in READERS.items():
            start = time.process_time()
            read(files)
            times[name].append((time.process_time() - start) / len(files) * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def measure_processes(files: Sequence[str], reads: int, rounds: int) -> dict[int, float]:
    """Return the median wall seconds a file of one and of two worker processes.

    The clock runs from the first chunk that comes back: a scan starts its workers once, in 0.3 s.
    """
    times: dict[int, list[float]] = {1: [], 2: []}
    work = partial(read_chunk, patient_key=KEY)
    for _ in range(rounds):
        for count, values in times.items():
            frames = map_chunks(work, _chunks(files, reads), Workers("processes", count))
            next(frames)
            start = time.perf_counter()
            read = sum(frame.height for frame in frames if isinstance(frame, pl.DataFrame))
            values.append((time.perf_counter() - start) / read)
    return {count: statistics.median(values) for count, values in times.items()}


def _chunks(files: Sequence[str], reads: int) -> Iterator[list[Entry]]:
    for start in range(0, reads, CHUNK_FILES):
        at = start % len(files)
        yield [Entry("", name, 0, 0) for name in files[at : at + CHUNK_FILES]]


def check_values(files: Sequence[str]) -> int:
    """Compare our values with pydicom's; return how many are equal.

    Raises:
        SystemExit: If one differs.
    """
    equal, neighbours = 0, Neighbours()
    for name in files:
        with FileBlob(name) as blob:
            (row,) = read_instances(blob, KEY, neighbours)
        dataset = pydicom.dcmread(name, stop_before_pixels=True)
        for keyword in KEYWORDS:
            if keyword in (CHARACTER_SET, PATIENT_ID, "DiffusionBValue"):  # ours may be private
                continue
            if row.get(keyword) != _plain(dataset.get(keyword), INSTANCE_COLUMNS[keyword]):
                raise SystemExit(f"{keyword} differs from pydicom's")
            equal += 1
    return equal


def _plain(value: Any, dtype: pl.DataType) -> Any:
    values = list(value) if isinstance(value, MultiValue) else [value]
    if value is None:
        return None
    if dtype == REALS:
        return [float(part) for part in values]
    if dtype in (REAL, INTEGER):
        return values[0]
    return "\\".join(str(part) for part in values)


def report(times: dict[str, float], processes: dict[int, float], values: int, count: int) -> None:
    ours = times["radnet"]
    print(f"{count} files; {values} values equal to pydicom's")
    print(f"{'reader':<28}{'us a file':>11}{'x radnet':>10}")
    for name, value in sorted(times.items(), key=lambda item: item[1]):
        print(f"{name:<28}{value:>11.0f}{value / ours:>10.2f}")
    ratios = {
        "pydicom": min(times[name] for name in times if name.startswith("pydicom")) / ours,
        "GDCM or dicomsdl": min(times["GDCM Scanner"], times["dicomsdl"]) / ours,
        "dicomsdl getValues": times["dicomsdl getValues"] / ours,
        "two processes": processes[1] / processes[2],
    }
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.2f}x (to reach: {TARGETS[name]}x)")
    RESULTS.parent.mkdir(exist_ok=True)
    result = {
        "files": count,
        "values_equal": values,
        "us_a_file": times,
        "ratios": ratios,
        "targets": TARGETS,
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
