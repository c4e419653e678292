"""A NIfTI file gives the volume of its scan, however it is stored, or a reason."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

from radnet.config import VolumesConfig
from radnet.errors import MaskError
from radnet.predict.nifti import build_nifti, is_nifti
from radnet.volumes.pixels import SliceError

CONFIG = VolumesConfig(shape=(24, 32, 32))
SIDES = (30, 34, 20)


def scan(low: float = 0.0) -> NDArray[np.float32]:
    """Values along x (left to right of the patient), y and z of RAS."""
    x, y, z = np.meshgrid(*(np.linspace(0, 1, side) for side in SIDES), indexing="ij")
    return (low + 900 * x + 300 * y**2 + 200 * np.sin(5 * z)).astype(np.float32)


def write(path: Path, values: NDArray[np.float32], spacing: tuple[float, ...] = (2, 2, 5)) -> Path:
    nib.save(nib.Nifti1Image(values, np.diag([*spacing, 1.0])), path)
    return path


@pytest.mark.parametrize("axes", [("L", "P", "S"), ("P", "I", "R"), ("S", "A", "L")], ids="".join)
def test_a_file_stored_otherwise_gives_the_same_volume(axes: tuple[str, ...], tmp_path: Path) -> None:
    stored = nib.Nifti1Image(scan(), np.diag([2, 2, 5, 1.0]))
    nib.save(stored, tmp_path / "a.nii")
    turned = stored.as_reoriented(
        nib.orientations.ornt_transform(
            nib.io_orientation(stored.affine), nib.orientations.axcodes2ornt(axes)
        )
    )
    nib.save(turned, tmp_path / "b.nii.gz")
    one, other = (build_nifti(str(tmp_path / name), CONFIG, 16) for name in ("a.nii", "b.nii.gz"))
    assert np.array_equal(one.volume.array, other.volume.array)
    assert np.allclose(one.volume.affine, other.volume.affine)
    assert one.view == other.view == "axial"


@pytest.mark.parametrize(
    ("spacing", "view", "n_slices"),
    [
        ((5, 2, 2), "sagittal", 30),
        ((2, 5, 2), "coronal", 34),
        ((2, 2, 5), "axial", 20),
        ((2, 2, 2), "axial", 20),
    ],
)
def test_slices_lie_across_the_largest_spacing(
    spacing: tuple[float, ...], view: str, n_slices: int, tmp_path: Path
) -> None:
    built = build_nifti(str(write(tmp_path / "a.nii", scan(), spacing)), CONFIG, 16)
    assert (built.view, built.n_slices) == (view, n_slices)
    assert built.effective_spacing_mm == pytest.approx(max(spacing) * max(1, n_slices / 24))


@pytest.mark.parametrize("spacing", [(5, 2, 2), (2, 5, 2), (2, 2, 5)], ids=str)
def test_axes_run_as_those_of_a_dicom_series(spacing: tuple[float, ...], tmp_path: Path) -> None:
    """In the directions that FACTS of the volumes name; the affine says where each voxel lies."""
    built = build_nifti(str(write(tmp_path / "a.nii", scan(), spacing)), CONFIG, 16)
    directions = {"axial": ("+z", "+y", "+x"), "coronal": ("+y", "-z", "+x"), "sagittal": ("-x", "-z", "+y")}
    for column, towards in zip(built.volume.affine[:3, :3].T, directions[built.view], strict=True):
        axis = "xyz".index(towards[1])
        assert np.abs(column).argmax() == axis
        assert (column[axis] > 0) == (towards[0] == "+")
    bright = np.array(np.unravel_index(built.volume.array.argmax(), built.volume.array.shape))
    place = built.volume.affine @ [*bright, 1]
    assert place[0] < -spacing[0] * SIDES[0] * 0.8  # values grow to the patient's right, which is -x in LPS


def test_hounsfield_units_are_told_by_their_values(tmp_path: Path) -> None:
    assert build_nifti(str(write(tmp_path / "a.nii", scan(-1000))), CONFIG, 16).modality == "CT"
    assert build_nifti(str(write(tmp_path / "b.nii", scan(0))), CONFIG, 16).modality == "MR"


def test_files_in_archives_are_read(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.nii.gz", scan())
    expected = build_nifti(str(plain), CONFIG, 16).volume.array
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(plain, "in/a.nii.gz")
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(plain, "a.nii.gz")
    for name in ("a.zip!in/a.nii.gz", "a.tar.gz!a.nii.gz"):
        assert np.array_equal(build_nifti(str(tmp_path / name), CONFIG, 16).volume.array, expected)


def test_a_bad_file_in_an_archive_is_told_by_its_own_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("bad.nii", b"no nifti")
    with pytest.raises(MaskError, match=r"a\.zip!bad\.nii"):
        build_nifti(f"{tmp_path}/a.zip!bad.nii", CONFIG, 16)


def test_what_is_no_scan_has_its_reason(tmp_path: Path) -> None:
    labels = np.zeros(SIDES, np.int16)
    labels[5:20, 5:20] = 3
    nib.save(nib.Nifti1Image(labels, np.diag([2, 2, 5, 1])), tmp_path / "labels.nii")
    colours = np.zeros(SIDES, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colours, np.diag([2, 2, 5, 1])), tmp_path / "colours.nii")
    for name, reason, least in (("labels", "label_map", 16), ("colours", "colour", 16)):
        with pytest.raises(SliceError) as refused:
            build_nifti(str(tmp_path / f"{name}.nii"), CONFIG, least)
        assert refused.value.reason == reason
    with pytest.raises(SliceError) as refused:
        build_nifti(str(write(tmp_path / "a.nii", scan())), CONFIG, 21)
    assert refused.value.reason == "too_few_slices"


def test_names_tell_nifti_files() -> None:
    assert is_nifti("a/b.NII.GZ")
    assert is_nifti("a.zip!b.nii")
    assert not is_nifti("a.nii.txt")
