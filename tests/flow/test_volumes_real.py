"""Volumes of real scans equal what pydicom and torch make of the same slices."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pydicom
import pytest
from numpy.typing import NDArray

from radnet.config import RadnetConfig
from radnet.executors import Workers
from radnet.scan.stage import scan_archive
from radnet.series.stage import group_series
from radnet.tables import LABEL_COLUMNS, conform, write_table
from radnet.volumes.intensity import Window, grey_levels
from radnet.volumes.stage import build_volumes
from radnet.volumes.store import VolumeStore

SCANS = Path(__file__).parents[2].parent / "shared" / "data" / "dicom"
SERIAL = Workers("serial")

pytestmark = pytest.mark.skipif(not SCANS.exists(), reason="the real scans are not beside this checkout")


def frames(path: Path) -> list[Any]:
    """Read all images of a folder or zip file: (slice position, modality values, header)."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            files = [io.BytesIO(archive.read(name)) for name in archive.namelist() if name[-1] != "/"]
    else:
        files = [io.BytesIO(file.read_bytes()) for file in sorted(path.iterdir())]
    found = []
    for file in files:
        dataset = pydicom.dcmread(file)
        pixels = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns).astype(np.float32)
        for number, plane in enumerate(pixels):
            header = dataset
            if "PerFrameFunctionalGroupsSequence" in dataset:
                group = dataset.PerFrameFunctionalGroupsSequence[number]
                header = pydicom.Dataset()
                header.ImagePositionPatient = group.PlanePositionSequence[0].ImagePositionPatient
                header.ImageOrientationPatient = group.PlaneOrientationSequence[0].ImageOrientationPatient
                header.RescaleSlope = header.RescaleIntercept = None
            plane = plane * float(header.get("RescaleSlope") or 1) + float(
                header.get("RescaleIntercept") or 0
            )
            found.append((header, plane))
    return found


def torch_volume(path: Path, columns: int, rows: int, slices: int) -> NDArray[np.float32]:
    """Stack and resize by torch; the arguments give the signed axis (1 to 3) along which each index grows."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    found = frames(path)
    axis, sign = abs(slices) - 1, np.sign(slices)
    found.sort(key=lambda item: sign * float(item[0].ImagePositionPatient[axis]))
    across, down = np.reshape(found[0][0].ImageOrientationPatient, (2, 3)).astype(float)
    stack = np.stack([plane for _, plane in found])
    if across[abs(columns) - 1] * columns < 0:
        stack = stack[:, :, ::-1]
    if down[abs(rows) - 1] * rows < 0:
        stack = stack[:, ::-1]
    tensor = torch.from_numpy(np.ascontiguousarray(stack))[None, None]
    size = (min(len(stack), 48), 192, 192)
    resized = torch.nn.functional.interpolate(tensor, size=size, mode="trilinear", align_corners=False)
    result: NDArray[np.float32] = resized[0, 0].numpy()
    return result


@pytest.mark.parametrize(
    ("place", "axes"),
    [
        pytest.param("ct_abdomen_jpeg2000", (1, 2, 3), id="JPEG 2000, padded"),
        pytest.param("mr_brain_mprage_sagittal.zip", (2, -3, -1), id="zip, 192 slices"),
        pytest.param("mr_brain_enhanced_multiframe/5_anat-T1w_acq-tfl", (2, -3, -1), id="enhanced"),
    ],
)
def test_volume_is_one_grey_level_from_torch(place: str, axes: tuple[int, int, int], tmp_path: Path) -> None:
    scan_archive([str(SCANS / place)], tmp_path, workers=SERIAL)
    group_series(tmp_path)
    stacks = pl.read_parquet(tmp_path / "2-series/series.parquet").filter(geometry="uniform")
    (tmp_path / "3-labels").mkdir()
    kept = conform(stacks.select("stack_id", decision=pl.lit("keep")), LABEL_COLUMNS)
    write_table(kept, tmp_path / "3-labels/labels.parquet")
    build_volumes(tmp_path, RadnetConfig(), SERIAL)
    store = VolumeStore(tmp_path / "4-volumes")
    (row,) = store.index.iter_rows(named=True)
    reference = torch_volume(SCANS / place, *axes)
    expected = grey_levels(reference, Window(row["window_low"], row["window_high"])).astype(int)
    volume = store.read(row["stack_id"])
    inner = volume[row["pad_before"] : 48 - row["pad_after"]]
    assert np.abs(inner - expected).max() <= 1
    assert volume.any(axis=(1, 2)).sum() == len(expected)
