"""Take whole scans of a body, at the scanner's own resolution, with the structure of every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from radnet.geometry import canonical_affine
from radnet.synthetic.ct import CtTechnique
from radnet.synthetic.examinations import Examination
from radnet.synthetic.sampling import Subject, structures_at
from radnet.synthetic.tissue import Tissue
from radnet.synthetic.volumes import acquire

MR_FULL_SCALE: Final = 2000.0
"""Grey value of the brightest tissue of an MR scan."""


@dataclass(frozen=True)
class Scan:
    """A scan and what is in it.

    Attributes:
        images: (slices, rows, columns) int16: HU, or grey values of MR.
        structures: (slices, rows, columns) uint8 structure number at the centre of each pixel, as in the
            body's label map; organ masks are comparisons with it.
        affine: (4, 4) from (slice, row, column, 1) to LPS mm at voxel centres.
    """

    images: NDArray[np.int16]
    structures: NDArray[np.uint8]
    affine: NDArray[np.float64]


def take_scan(
    subject: Subject, examination: Examination, seed: Sequence[int], patient: Sequence[Tissue] | None = None
) -> Scan:
    """Take a scan at full resolution; needs about 30 bytes a pixel while it is made.

    Args:
        subject: Who is scanned.
        examination: How.
        seed: Of noise.
        patient: Tissue of each structure; the table's without it.
    """
    host, plan = subject.arrays.host, examination.plan
    values = host(acquire(subject, examination, seed, patient))
    if not isinstance(examination.technique, CtTechnique):
        values = values * np.float32(MR_FULL_SCALE)
    step = plan.positions[1] - plan.positions[0]
    orientation, spacing = (*plan.row, *plan.column), (plan.pixel_mm, plan.pixel_mm)
    return Scan(
        images=np.rint(values).astype(np.int16),
        structures=host(structures_at(subject, plan)).astype(np.uint8),
        affine=canonical_affine(plan.positions[0], orientation, spacing, plan.shape, step),
    )
