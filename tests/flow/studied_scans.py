"""Small scans with masks in the layout of LiTS, bright inside the organ."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np

CANARY = "Quillfeather"
SHAPE = (14, 24, 24)
SPACING_MM = (4.0, 3.0, 3.0)


def write_scans(folder: Path, count: int) -> Path:
    """Write so many pairs; each organ lies elsewhere. A header's free text names somebody."""
    affine = np.diag([-SPACING_MM[2], -SPACING_MM[1], SPACING_MM[0], 1.0])
    for number in range(count):
        rng = np.random.default_rng(number)
        centre = np.array(SHAPE) * rng.uniform(0.4, 0.6, 3)
        grid = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
        mask = (np.linalg.norm((grid - centre) / np.array([4, 6, 6]), axis=-1) < 1).astype(np.uint8)
        image = np.where(mask, 120, 20) + rng.normal(0, 8, SHAPE)
        image[:, :3] = -1000
        for name, values in (("volume", image.astype(np.int16)), ("segmentation", mask)):
            picture = nib.Nifti1Image(values.transpose(2, 1, 0), affine)
            picture.header["descrip"] = CANARY.encode()
            nib.save(picture, folder / f"{name}-{number}.nii.gz")
    return folder
