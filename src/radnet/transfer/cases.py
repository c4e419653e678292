"""Scans with the mask of an organ: where their files lie, and what a segmenter is trained on.

A prepared case is on the network's grid (`radnet.transfer.grid`), its grey levels made once a scan. The mask
as it was drawn stays with it, packed, because scores belong to the scan as people see it. A case without the
organ or with a mask that does not fit is refused by name: it is never trained on as an empty one.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from radnet.config import TransferConfig, VolumesConfig
from radnet.errors import CaseError
from radnet.networks.segmenter_spec import SegmenterSpec
from radnet.transfer.grid import Grid, Mask, resample_image, resample_mask, volume_ml
from radnet.volumes.intensity import Window, choose_window, grey_levels

Layout = Literal["listed", "lits", "decathlon", "nnunet", "pairs", "dicom_seg", "dicom_series", "dicom_png"]

DETAIL: Final = 1.5
"""Times finer than the window's planes that scans are kept for training."""
FINER: Final = 2
"""Times finer that planes are made for a second pass, which looks at a part of them."""
FORMAT: Final = 1
"""Grows when the same files would give other voxels."""


@dataclass(frozen=True)
class CaseFiles:
    """A scan and its mask, not read yet.

    Attributes:
        case_id: Unique within the data; a part of a file's name.
        patient_id: Whose scan it is; cases of one patient stay on one side of a split.
        image: One NIfTI file, or the slices of a DICOM stack by `path` (`archive.zip!member` in an archive).
        mask: NIfTI file, DICOM SEG, slices of a mask series, or PNG files in the order of the slices.
        labels: Numbers in the mask that are the organ; empty means every number but 0.
        organ: What is outlined, e.g. `liver`.
        layout: How the files are laid out.
        modality: CT, MR or None: told by the values.
        stack: Of a DICOM scan, all that its pixels are read from (`radnet.transfer.stacks.Stack`).
    """

    case_id: str
    patient_id: str
    image: tuple[str, ...]
    mask: tuple[str, ...]
    labels: tuple[int, ...]
    organ: str
    layout: Layout
    modality: str | None = None
    stack: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Preparation:
    """What a scan is turned into; a segmenter keeps it, for new scans must be prepared alike.

    Attributes:
        slice_mm: Distance of slices (3D-RADNet section 2.3: 5 mm).
        matrix: Rows and columns, those of the pretrained network's input.
        intensity: How grey levels are made, as of the pretrained network.
        ct_window: HU that become grey levels 0 and 255.
        mr_percentiles: Percentiles of the resampled scan that do in MR.
    """

    slice_mm: float = 5.0
    matrix: int = 192
    intensity: Literal["windows", "min_max"] = "windows"
    ct_window: tuple[float, float] = (-1000.0, 1000.0)
    mr_percentiles: tuple[float, float] = (0.5, 99.5)

    def __post_init__(self) -> None:
        if not 0 < self.slice_mm < float("inf") or self.matrix < 1:
            raise CaseError(
                f"slices {self.slice_mm:g} mm apart on a matrix of {self.matrix}: both must be above 0"
            )

    @property
    def volumes(self) -> VolumesConfig:
        """The same as a `[volumes]` table."""
        return VolumesConfig(
            intensity=self.intensity, ct_window=self.ct_window, mr_percentiles=self.mr_percentiles
        )


PAPER: Final = Preparation()
"""As in the paper, but for its intensity."""


def segmenter_preparation(
    spec: SegmenterSpec, again: bool | None = None, others: Sequence[int] = ()
) -> Preparation:
    """Return how new scans are prepared for a trained segmenter.

    Args:
        spec: The segmenter's.
        again: Whether the box around the first mask is looked at again; None does as the spec says.
        others: Rows and columns that other networks see of the same planes.
    """
    second = spec.second_pass == "on" if again is None else again
    matrix = max(*spec.window[1:], *others) * (FINER if second else 1)
    return Preparation(spec.slice_mm, matrix, spec.intensity, spec.ct_window, spec.mr_percentiles)


def training_preparation(settings: TransferConfig, grey: VolumesConfig) -> Preparation:
    """Return how scans are prepared for a training with these settings."""
    matrix = settings.matrix or math.ceil(DETAIL * max(settings.window[1:]))
    return Preparation(settings.slice_mm, matrix, grey.intensity, grey.ct_window, grey.mr_percentiles)


@dataclass(frozen=True)
class Case:
    """A scan on the network's grid, with the organ's mask.

    Attributes:
        case_id: Unique within the data.
        patient_id: Whose scan it is.
        image: (slices, rows, columns) grey levels, in the canonical axes of the view of acquisition.
        mask: 0 or 1, on the same grid.
        affine: (4, 4) from (slice, row, column, 1) to LPS mm.
        spacing_mm: (3,) between slices, rows and columns.
        scan: The grid of the scan as it was read, its axes turned to the canonical ones.
        packed_mask: The mask on that grid, one bit a voxel, compressed.
        window: Values that became grey levels 0 and 255.
        modality: CT or MR.
        organ: What is outlined.
    """

    case_id: str
    patient_id: str
    image: NDArray[np.uint8]
    mask: Mask
    affine: NDArray[np.float64]
    spacing_mm: NDArray[np.float64]
    scan: Grid
    packed_mask: bytes
    window: Window
    modality: str
    organ: str

    @property
    def grid(self) -> Grid:
        """Where image and mask lie."""
        slices, rows, columns = self.image.shape
        return Grid((slices, rows, columns), self.affine)

    @property
    def original_mask(self) -> Mask:
        """0 or 1 on the grid of the scan, unpacked at each call."""
        return unpack_mask(self.packed_mask, self.scan)

    @property
    def original_spacing_mm(self) -> NDArray[np.float64]:
        """(3,) spacing of the scan's grid."""
        return self.scan.spacing_mm

    @property
    def original_ml(self) -> float:
        """Volume of the mask as it was drawn."""
        return volume_ml(self.original_mask, self.scan)

    @property
    def digest(self) -> str:
        """SHA-256 of the grey levels and their grid."""
        known = hashlib.sha256(np.ascontiguousarray(self.image).tobytes())
        known.update(json.dumps([self.image.shape, self.affine.round(6).tolist()]).encode())
        return known.hexdigest()


@dataclass(frozen=True)
class Scan:
    """A scan and perhaps its mask as they were read, in canonical axes.

    Attributes:
        read_slice: Returns slice i as (rows, columns) modality values.
        grid: Where its voxels lie.
        modality: CT or MR.
        mask: Not zero where the organ is, on the same grid; None when there is none.
    """

    read_slice: Any
    grid: Grid
    modality: str
    mask: NDArray[Any] | None = None


def prepare_image(scan: Scan, wanted: Preparation) -> tuple[NDArray[np.uint8], Grid, Window]:
    """Resample a scan and make its grey levels, once for the whole of it.

    Returns:
        The grey levels, their grid, and the values that became 0 and 255.
    """
    grid = scan.grid.resampled(wanted.slice_mm, wanted.matrix)
    values = resample_image(scan.read_slice, scan.grid, grid)
    fill_blank(values)
    window = choose_window(values, scan.modality, wanted.volumes)
    return grey_levels(values, window), grid, window


def prepare_scan(scan: Scan, files: CaseFiles, wanted: Preparation) -> Case:
    """Make a case of a scan with its mask.

    Raises:
        CaseError: If the mask is empty, or so small that nothing is left of it on the network's grid.
    """
    if scan.mask is None or not scan.mask.any():
        raise CaseError(f"case {files.case_id}: {files.organ} is not in its mask; leave the case out")
    image, grid, window = prepare_image(scan, wanted)
    mask = resample_mask(scan.mask, scan.grid, grid)
    if not mask.any():
        raise CaseError(
            f"case {files.case_id}: nothing of {files.organ} is left on slices {wanted.slice_mm:g} mm apart "
            f"and a matrix of {wanted.matrix}; take a finer grid, or leave the case out"
        )
    return Case(
        case_id=files.case_id,
        patient_id=files.patient_id,
        image=image,
        mask=mask,
        affine=grid.affine,
        spacing_mm=grid.spacing_mm,
        scan=scan.grid,
        packed_mask=pack_mask(scan.mask),
        window=window,
        modality=scan.modality,
        organ=files.organ,
    )


def fill_blank(values: NDArray[np.float32]) -> None:
    """Give slices of padding alone (NaN) the least value of the others, in place.

    Raises:
        CaseError: If there are no others.
    """
    blank = ~np.isfinite(values)
    if blank.all():
        raise CaseError("every voxel of the scan is padding or no number; leave the scan out")
    if blank.any():
        values[blank] = values[~blank].min()


def pack_mask(mask: NDArray[Any]) -> bytes:
    """Pack a mask, one bit a voxel, and compress it."""
    return zlib.compress(np.packbits(mask != 0).tobytes(), 1)


def unpack_mask(packed: bytes, grid: Grid) -> Mask:
    """Undo `pack_mask`."""
    bits = np.frombuffer(zlib.decompress(packed), np.uint8)
    return np.unpackbits(bits, count=int(np.prod(grid.shape))).reshape(grid.shape)


def on_disk(path: str) -> str:
    """Return the file itself, or of `archive.zip!member` the archive."""
    return path if Path(path).exists() else path.partition("!")[0]


def files_digest(files: CaseFiles, wanted: Preparation) -> str:
    """Return the digest of what a prepared case is made from: files by size and time, and settings."""
    listed = []
    for path in sorted({on_disk(name) for name in (*files.image, *files.mask)}):
        stat = Path(path).stat()
        listed.append((Path(path).name, stat.st_size, stat.st_mtime_ns))
    settings = [FORMAT, wanted.slice_mm, wanted.matrix, wanted.volumes.model_dump(mode="json")]
    known = [files.case_id, files.patient_id, files.labels, files.organ, files.modality, listed, settings]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
