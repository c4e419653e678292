"""Acquire a series and store its files as scanners and export tools do: loose, zipped or in a tarball."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, JPEG2000Lossless, RLELossless

from radnet.synthetic import headers
from radnet.synthetic.anatomy import Body
from radnet.synthetic.coils import Coils
from radnet.synthetic.ct import CtArtefacts, CtTechnique, acquire_ct
from radnet.synthetic.enhanced import enhance
from radnet.synthetic.furniture import Furniture
from radnet.synthetic.headers import SeriesPlace
from radnet.synthetic.mr import MrArtefacts, acquire_mr, patient_tissues
from radnet.synthetic.planning import prescribe
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.protocols import PD, Trap, Vendor
from radnet.synthetic.randomness import host_generator
from radnet.synthetic.sampling import Subject
from radnet.synthetic.signal import MrTechnique
from radnet.synthetic.tissue import Spread

ZIP_TIME: Final = (2020, 1, 1, 0, 0, 0)
"""Time of every member of an archive file, so that equal seeds give equal bytes."""
DEFLATE_LEVEL: Final = 1

COMPRESSIONS: Final[dict[Trap, UID]] = {"jpeg2000": JPEG2000Lossless, "rle": RLELossless}
"""Transfer syntax of the series that are stored compressed."""

FILE_NAMES: Final[dict[Vendor, Callable[[int, str], str]]] = {
    "siemens": lambda number, _: f"IM{number:05d}.dcm",
    "ge": lambda number, _: f"I{number}",
    "philips": lambda _, sop_uid: sop_uid,
    "toshiba": lambda number, _: f"A{number % 3}/IMG{number:04d}.DCM",
}
"""Name of a file by instance number and SOPInstanceUID; two of the vendors use no suffix."""

MR_FULL_SCALE: Final[dict[Vendor, float]] = {
    "siemens": 900.0,
    "ge": 2600.0,
    "philips": 1800.0,
    "toshiba": 3000.0,
}
"""Grey value of the brightest tissue: each vendor scales in its own way (from memory)."""
MR_HIGHEST: Final = 4095
"""Of 12 bits."""

Pixels = NDArray[np.int16] | NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Stack:
    """Slices of one series that belong together.

    Attributes:
        plans: Where they lie; more than one only for a localizer.
        technique: How they are made.
        sequence: What they look like.
    """

    plans: tuple[Prescription, ...]
    technique: CtTechnique | MrTechnique
    sequence: str


def stacks(body: Body, place: SeriesPlace) -> list[Stack]:
    """Return the stacks of a series: one, or one for each echo or for each plane of a long localizer."""
    protocol = place.protocol
    plans = tuple(prescribe(body, protocol))
    if protocol.trap == "three_plane":
        return [Stack((plan,), protocol.technique, protocol.sequence) for plan in plans]
    last = Stack(plans, protocol.technique, protocol.sequence)
    return [Stack(plans, PD, "pd"), last] if protocol.trap == "dual_echo" else [last]


def acquire(subject: Subject, place: SeriesPlace, parts: list[Stack]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file of a series.

    Args:
        subject: The patient, on NumPy: the bytes must not depend on what is installed.
        place: Patient, study and series.
        parts: As `stacks` returns them.
    """
    number = 0
    for echo, part in enumerate(parts, 1):
        for plane, plan in enumerate(part.plans):
            dataset = headers.template(place, part.technique, plan)
            if place.protocol.trap == "dual_echo":
                dataset.EchoNumbers = echo
            images = _images(subject, plan, part.technique, place, (echo, plane))
            if place.protocol.trap == "enhanced" and isinstance(part.technique, MrTechnique):
                yield _enhanced_file(dataset, place, part.technique, plan, list(images))
                continue
            for index, image in enumerate(images):
                number += 1
                yield _file(dataset, place, plan, index, number, image)


def _images(
    subject: Subject,
    plan: Prescription,
    technique: CtTechnique | MrTechnique,
    place: SeriesPlace,
    part: tuple[int, int],
) -> NDArray[Any]:
    """Acquire the slices of a plan as they are stored: HU, or grey values in the vendor's range."""
    patient = patient_tissues(subject, Spread(), f"{place.keys[0]} {place.keys[1]}")
    seed = (*place.keys, *part)
    rng = host_generator(*place.keys, "artefacts")
    host = subject.arrays.host
    if isinstance(technique, CtTechnique):
        table = Furniture(table=True, gap_mm=rng.uniform(5, 20), half_width_mm=rng.uniform(190, 250))
        artefacts = CtArtefacts(table, streaks=0.5)
        numbers = host(acquire_ct(subject, plan, technique, seed, artefacts, patient))
        return np.asarray(np.rint(numbers), np.int16)
    coils = Coils(
        int(rng.integers(4, 9)), rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.9), int(rng.integers(1 << 30))
    )
    imperfect = MrArtefacts(coils, cut_off=rng.uniform(1.0, 1.4))
    values = host(acquire_mr(subject, plan, technique, seed, imperfect, patient))
    full_scale = MR_FULL_SCALE[place.exam.vendor]
    stored: NDArray[np.uint16] = np.clip(np.rint(values * full_scale), 0, MR_HIGHEST).astype(np.uint16)
    return stored


def _file(
    dataset: Dataset, place: SeriesPlace, plan: Prescription, index: int, number: int, image: Pixels
) -> tuple[str, bytes]:
    headers.set_slice(dataset, place, plan, index, number)
    headers.set_pixels(dataset, place, image)
    meta = headers.file_meta(place, dataset.SOPClassUID)
    name = FILE_NAMES[place.exam.vendor](number, dataset.SOPInstanceUID)
    return name, encode(dataset, meta, COMPRESSIONS.get(place.protocol.trap))


def _enhanced_file(
    dataset: Dataset,
    place: SeriesPlace,
    technique: MrTechnique,
    plan: Prescription,
    images: list[NDArray[np.uint16]],
) -> tuple[str, bytes]:
    enhance(dataset, place, technique, plan, images)
    meta = headers.file_meta(place, dataset.SOPClassUID)
    return FILE_NAMES[place.exam.vendor](1, dataset.SOPInstanceUID), encode(dataset, meta)


def encode(dataset: Dataset, meta: FileMetaDataset, compression: UID | None = None) -> bytes:
    """Return a DICOM file.

    Args:
        dataset: With uncompressed pixels.
        meta: File meta information; the instance's own identifier is filled in.
        compression: Transfer syntax to compress to; None for none.
    """
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta = meta
    if compression is not None:
        dataset.compress(compression, generate_instance_uid=False)
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def store(files: Iterable[tuple[str, bytes]], folder: Path, trap: Trap) -> int:
    """Write a series' files.

    Args:
        files: Names and contents.
        folder: Where they go; an archive file takes its name and a suffix.
        trap: `zip` and `tar_gz` make an archive file, all else a folder.

    Returns:
        How many there are.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if trap == "zip":
        return _store_zip(files, folder)
    return _store_tar(files, folder) if trap == "tar_gz" else _store_loose(files, folder)


def _store_loose(files: Iterable[tuple[str, bytes]], folder: Path) -> int:
    count = 0
    for name, content in files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        count += 1
    return count


def _store_zip(files: Iterable[tuple[str, bytes]], folder: Path) -> int:
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w", compresslevel=DEFLATE_LEVEL) as archive:
        for name, content in files:
            member = zipfile.ZipInfo(f"{folder.name}/{name}", ZIP_TIME)
            archive.writestr(member, content, zipfile.ZIP_DEFLATED, DEFLATE_LEVEL)
        return len(archive.namelist())


def _store_tar(files: Iterable[tuple[str, bytes]], folder: Path) -> int:
    with (
        folder.with_suffix(".tar.gz").open("wb") as raw,
        gzip.GzipFile("", "wb", DEFLATE_LEVEL, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        return len(archive.getmembers())
