"""Files that lie in every real archive and are no image of a volume.

What others made of a series lies on a file-set of its own, as a viewer burns it to a disc: DICOMDIR and the
numbered folders that it lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.fileset import DIRECTORY_RECORDERS, FileSet
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, EnhancedMRImageStorage, MRImageStorage

from radnet.geometry import distinct_positions
from radnet.masks.geometry import frames_of
from radnet.synthetic.derived import Parent, capture, presentation, structure_set
from radnet.synthetic.identity import ACCESSION_PREFIX, PHYSICIAN, uid
from radnet.synthetic.mask_files import SEG_NAME, write_masks
from radnet.synthetic.organ_masks import OrganMap, organ_masks
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.reports import dose_report, report
from radnet.synthetic.series import encode

IMAGES: Final = (CTImageStorage, MRImageStorage, EnhancedCTImageStorage, EnhancedMRImageStorage)
DIRECTORY: Final = "DICOMDIR"
FILE_SET_ID: Final = "SYNTHETIC"
TRUNCATED_SHARE: Final = 0.6
"""How much of a file is left when it is cut off."""


def write_oddities(folder: Path, image: Path, organs: OrganMap, seed: int) -> dict[str, str]:
    """Write one file of each kind; contours and masks only if the image's series shows an organ.

    Args:
        folder: Root of the archive.
        image: A good image file of the archive, to copy and to cut off; what is derived is derived from its
            series, as far as that lies in the same folder.
        organs: Of the body that the series shows.
        seed: Of the archive.

    Returns:
        Kind of each file by its path relative to the root.
    """
    contents = {
        "README.txt": ("text", f"Exported for Dr {PHYSICIAN}, see {ACCESSION_PREFIX}.\n".encode()),
        "partial/IM00001.dcm": ("truncated", _truncated(image, seed)),
        "partial/IM00002.dcm": ("empty", b""),
        "copies/Copy of image.dcm": ("duplicate", image.read_bytes()),
    }
    derived = _derived(_parent(image, seed), organs)
    contents |= _file_set(derived, seed)
    for name, (_, data) in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return {name: kind for name, (kind, _) in contents.items()}


def _parent(image: Path, seed: int) -> Parent:
    """Read the headers of an image's series, one a position."""
    first = dcmread(image, stop_before_pixels=True)
    if "PerFrameFunctionalGroupsSequence" in first:
        return Parent([first], frames_of([first]), seed)
    headers = list(_siblings(image, first))
    frames = frames_of(headers)
    numbers = distinct_positions(frames.positions @ frames.normal)
    order = [int(np.flatnonzero(numbers == number)[0]) for number in range(int(numbers.max()) + 1)]
    chosen = [headers[index] for index in order]
    return Parent(chosen, frames_of(chosen), seed)


def _siblings(image: Path, first: Dataset) -> Iterable[Dataset]:
    """Yield the headers of an image's series, each once; other files lie among them."""
    found = set()
    for path in sorted(path for path in image.parent.iterdir() if path.is_file()):
        try:
            header = dcmread(path, stop_before_pixels=True)
        except InvalidDicomError:
            continue
        same = header.get("SeriesInstanceUID") == first.SeriesInstanceUID
        alike = header.get("ImageOrientationPatient") == first.ImageOrientationPatient
        if same and alike and header.SOPClassUID in IMAGES and header.SOPInstanceUID not in found:
            found.add(header.SOPInstanceUID)
            yield header


def _derived(parent: Parent, organs: OrganMap) -> dict[str, Dataset]:
    """Make one object of each kind."""
    made = {"secondary_capture": capture(parent), "presentation_state": presentation(parent)}
    made["structured_report"] = report(parent)
    if parent.first.Modality == "CT":
        made["dose_report"] = dose_report(parent)
    masks = _masks(parent, organs)
    if masks:
        largest = max(masks, key=lambda organ: int(masks[organ].sum()))
        made["structure_set"] = structure_set(parent, largest, masks[largest])
        with TemporaryDirectory() as folder:
            write_masks(folder, masks, parent.headers)
            made["segmentation"] = dcmread(Path(folder) / SEG_NAME)
            made["segmentation"].PixelData  # noqa: B018 - read before the folder goes
    return made


def _masks(parent: Parent, organs: OrganMap) -> dict[str, NDArray[np.uint8]]:
    frames = parent.frames
    plan = Prescription(
        positions=frames.positions,
        row=frames.orientation[:3],
        column=frames.orientation[3:],
        shape=frames.shape,
        pixel_mm=float(frames.pixel_spacing[0]),
        thickness_mm=1.0,
    )
    return organ_masks(organs, plan)


def _file_set(derived: dict[str, Dataset], seed: int) -> dict[str, tuple[str, bytes]]:
    """Return kind and content of the files of a file-set by name."""
    files = FileSet()
    files.ID, files.UID = FILE_SET_ID, uid("directory", seed)
    kinds = {dataset.SOPInstanceUID: kind for kind, dataset in derived.items()}
    with _strict_records():
        for dataset in derived.values():
            files.add(dataset)
    with TemporaryDirectory() as place:
        files.write(place)
        root = Path(place)
        names = {
            Path(instance.path).relative_to(root).as_posix(): kinds[instance.SOPInstanceUID]
            for instance in files
        }
        names[DIRECTORY] = "directory"
        return {name: (kind, (root / name).read_bytes()) for name, kind in sorted(names.items())}


@contextmanager
def _strict_records() -> Iterator[None]:
    """Let pydicom copy no more of a report to the directory than belongs there: the title's modifiers."""
    recorders: dict[str, Any] = DIRECTORY_RECORDERS
    usual = recorders["SR DOCUMENT"]

    def strict(dataset: Dataset) -> Dataset:
        record: Dataset = usual(dataset)
        kept = [part for part in record.ContentSequence if part.RelationshipType == "HAS CONCEPT MOD"]
        record.ContentSequence = kept
        return record

    recorders["SR DOCUMENT"] = strict
    try:
        yield
    finally:
        recorders["SR DOCUMENT"] = usual


def _truncated(image: Path, seed: int) -> bytes:
    """Return a file of a series of its own that ends within its pixels."""
    dataset = dcmread(image)
    dataset.SOPInstanceUID = uid("truncated", seed)
    dataset.SeriesInstanceUID = uid("truncated series", seed)
    data = encode(dataset, dataset.file_meta)
    return data[: int(len(data) * TRUNCATED_SHARE)]
