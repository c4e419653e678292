"""Acquire a series and store its files as scanners and export tools do: loose, zipped or in a tarball."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, JPEG2000Lossless, JPEGLSLossless, RLELossless

from radnet.synthetic import headers
from radnet.synthetic.anatomy import Body
from radnet.synthetic.coils import Coils
from radnet.synthetic.ct import CtArtefacts, CtTechnique, acquire_ct
from radnet.synthetic.enhanced import Volume, enhance
from radnet.synthetic.furniture import Furniture
from radnet.synthetic.headers import SeriesPlace
from radnet.synthetic.identity import PHYSICIAN, uid
from radnet.synthetic.lossless import jpeg_lossless
from radnet.synthetic.mosaic import mosaic
from radnet.synthetic.mr import MrArtefacts, acquire_mr, patient_tissues
from radnet.synthetic.planning import prescribe
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.protocols import PD, Elements, Form, Part, Protocol, Stray, Syntax, Trap, Vendor
from radnet.synthetic.randomness import host_generator
from radnet.synthetic.sampling import Subject
from radnet.synthetic.signal import MrTechnique
from radnet.synthetic.tissue import Spread

ZIP_TIME: Final = (2020, 1, 1, 0, 0, 0)
"""Time of every member of an archive file, so that equal seeds give equal bytes."""
DEFLATE_LEVEL: Final = 1

COMPRESSIONS: Final[dict[Syntax, UID]] = {
    "rle": RLELossless,
    "jpeg_ls": JPEGLSLossless,
    "jpeg_2000": JPEG2000Lossless,
}
"""Transfer syntaxes that pydicom compresses to."""

FILE_NAMES: Final[dict[Vendor, Callable[[int, str], str]]] = {
    "siemens": lambda number, _: f"IM{number:05d}.dcm",
    "ge": lambda number, _: f"I{number}",
    "philips": lambda _, sop_uid: sop_uid,
    "toshiba": lambda number, _: f"A{number % 3}/IMG{number:04d}.DCM",
    "canon": lambda number, _: f"IMG{number:04d}",
    "uih": lambda number, _: f"{number:08d}.dcm",
    "hitachi": lambda _, sop_uid: f"{sop_uid}.dcm",
}
"""Name of a file by instance number and SOPInstanceUID; two of the vendors use no suffix."""

MR_FULL_SCALE: Final[dict[Vendor, float]] = {
    "siemens": 900.0,
    "ge": 2600.0,
    "philips": 1800.0,
    "toshiba": 3000.0,
    "canon": 3000.0,
    "uih": 1400.0,
    "hitachi": 2200.0,
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
        first: Number of its first instance, or frame of an enhanced object, from 1.
        header: Elements that tell it from the series' other stacks.
        form: How its pixels came about.
    """

    plans: tuple[Prescription, ...]
    technique: CtTechnique | MrTechnique
    sequence: str
    first: int = 1
    header: Elements = ()
    form: Form = "original"

    @property
    def images(self) -> int:
        """How many slices there are."""
        return sum(len(plan.positions) for plan in self.plans)


def stacks(body: Body, place: SeriesPlace) -> list[Stack]:
    """Return the stacks of a series: one, or one for each part or for each plane of a long localizer."""
    protocol = place.protocol
    plans = tuple(prescribe(body, protocol))
    alone = Stack(plans, protocol.technique, protocol.sequence, form=protocol.true_form)
    if protocol.trap == "three_plane":
        found = [replace(alone, plans=(plan,)) for plan in plans]
    elif protocol.trap == "dual_echo":
        found = [
            replace(alone, technique=PD, sequence="pd", header=(("EchoNumbers", 1),)),
            replace(alone, header=(("EchoNumbers", 2),)),
        ]
    elif protocol.parts:
        found = [_part(body, protocol, part) for part in protocol.parts]
    else:
        found = [alone]
    firsts = accumulate((stack.images for stack in found), initial=1)
    return [replace(stack, first=first) for stack, first in zip(found, firsts, strict=False)]


def _part(body: Body, protocol: Protocol, part: Part) -> Stack:
    plans = prescribe(body, replace(protocol, view=part.view or protocol.view))
    return Stack(tuple(plans), part.technique, part.sequence, header=part.header, form=part.form)


def file_of(place: SeriesPlace, number: int) -> str:
    """Return the name of the file that holds an instance, in its series' folder or archive file."""
    number = 1 if is_enhanced(place) else number
    return FILE_NAMES[place.exam.vendor](number, place.instance_uid(number))


def is_enhanced(place: SeriesPlace) -> bool:
    """Say whether a series is one multi-frame object."""
    return place.protocol.storage == "enhanced" or place.protocol.trap == "enhanced"


def acquire(subject: Subject, place: SeriesPlace, parts: list[Stack]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file of a series.

    Args:
        subject: The patient, on NumPy: the bytes must not depend on what is installed.
        place: Patient, study and series.
        parts: As `stacks` returns them.
    """
    if is_enhanced(place):
        yield _enhanced_file(subject, place, parts)
        return
    number = 0
    for count, part in enumerate(parts, 1):
        for plane, plan in enumerate(part.plans):
            dataset = headers.template(place, part.technique, plan)
            headers.override(dataset, part.header)
            images = _images(subject, plan, part.technique, place, (count, plane))
            if place.protocol.storage == "mosaic":
                plan, images = mosaic(dataset, plan, images)
            for index, image in enumerate(images):
                number += 1
                name, content = _file(dataset, place, plan, index, number, image)
                yield name, content
                if number == 1:
                    yield from _strays(place, content)


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
    syntax = headers.syntax_of(place.protocol)
    # compressing replaces the pixels of what it is given
    given = copy(dataset) if syntax in COMPRESSIONS else dataset
    return file_of(place, number), encode(given, meta, syntax)


def _enhanced_file(subject: Subject, place: SeriesPlace, parts: list[Stack]) -> tuple[str, bytes]:
    volumes = [
        Volume(
            headers.template(place, part.technique, part.plans[0]),
            part.technique,
            part.plans[0],
            list(_images(subject, part.plans[0], part.technique, place, (count, 0))),
            part.header,
        )
        for count, part in enumerate(parts, 1)
    ]
    dataset = enhance(place, volumes)
    meta = headers.file_meta(place, dataset.SOPClassUID)
    return file_of(place, 1), encode(dataset, meta, headers.syntax_of(place.protocol))


def stray_names(place: SeriesPlace) -> dict[str, str]:
    """Return the kinds of the files that lie among a series' own, by name."""
    return {STRAY_NAMES[kind]: kind for kind in place.protocol.strays}


def _strays(place: SeriesPlace, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the files that lie among a series' own; copies are of its first image."""
    for kind in place.protocol.strays:
        yield STRAY_NAMES[kind], _STRAYS[kind](place, content)


def _copied(place: SeriesPlace, content: bytes) -> bytes:
    return content


def _recompressed(place: SeriesPlace, content: bytes) -> bytes:
    dataset = dcmread(io.BytesIO(content))
    return encode(dataset, dataset.file_meta, "jpeg_ls")


def _cut_off(place: SeriesPlace, content: bytes) -> bytes:
    """Return an instance of its own that ends within its pixels."""
    dataset = dcmread(io.BytesIO(content))
    dataset.SOPInstanceUID = uid("cut off", *place.keys)
    whole = encode(dataset, dataset.file_meta)
    return whole[: len(whole) - len(dataset.PixelData) // 2]


def _foreign(place: SeriesPlace, content: bytes) -> bytes:
    return f"Viewer settings of Dr {PHYSICIAN}\n".encode() * 8


STRAY_NAMES: Final[dict[Stray, str]] = {
    "copy": "zz Copy of image.dcm",
    "recompressed": "zz recompressed.dcm",
    "truncated": "zz partial.dcm",
    "foreign": "zz viewer.ini",
}
"""Names that sort behind those of images, so that the first path is the image's own."""
_STRAYS: Final[dict[Stray, Callable[[SeriesPlace, bytes], bytes]]] = {
    "copy": _copied,
    "recompressed": _recompressed,
    "truncated": _cut_off,
    "foreign": _foreign,
}


def encode(dataset: Dataset, meta: FileMetaDataset, compression: Syntax | UID | None = None) -> bytes:
    """Return a DICOM file.

    Args:
        dataset: With uncompressed pixels.
        meta: File meta information; the instance's own identifier is filled in.
        compression: Transfer syntax to compress to; None or one that does not compress for none.
    """
    buffer = io.BytesIO()
    if compression == "bare":
        dcmwrite(buffer, dataset, implicit_vr=True, little_endian=True, enforce_file_format=False)
        return buffer.getvalue()
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta = meta
    wanted = compression if isinstance(compression, UID) else COMPRESSIONS.get(compression or "")
    if wanted is not None:
        dataset.compress(wanted, generate_instance_uid=False)
    dcmwrite(buffer, dataset, enforce_file_format=True)
    content = buffer.getvalue()
    return jpeg_lossless(content) if compression == "jpeg" else content


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
