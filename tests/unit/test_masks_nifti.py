from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radnet.errors import MaskError
from radnet.masks.nifti import read_nifti, write_nifti_mask

VALUES = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)


def write(folder: Path, values: np.ndarray, affine: np.ndarray, name: str = "map.nii.gz") -> Path:
    path = folder / name
    nib.save(nib.Nifti1Image(values, affine), path)
    return path


def place_of(volume, value: int) -> np.ndarray:
    """LPS mm of the voxel that holds a value."""
    index = np.argwhere(volume.values == value)[0]
    return (volume.affine @ [*index, 1])[:3]


def test_a_volume_in_ras_comes_out_in_lps_with_slices_to_the_head(tmp_path):
    affine = np.diag([2.0, 3.0, 5.0, 1.0])
    affine[:3, 3] = 10, 20, 30
    volume = read_nifti(write(tmp_path, VALUES, affine))
    assert volume.values.shape == (4, 3, 2)
    np.testing.assert_allclose(volume.spacing_mm, [5, 3, 2])
    # value 0 lies at RAS 10, 20, 30
    np.testing.assert_allclose(place_of(volume, 0), [-10, -20, 30])
    # columns grow to the left, rows to the back, slices to the head
    np.testing.assert_allclose(volume.affine[:3, :3], [[0, 0, 2], [0, 3, 0], [5, 0, 0]])
    assert volume.tilt_deg == pytest.approx(0, abs=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    order=st.permutations([0, 1, 2]),
    signs=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    spacing=st.tuples(*[st.floats(0.5, 8)] * 3),
)
def test_every_voxel_keeps_its_place_however_it_is_stored(order, signs, spacing):
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, along in enumerate(order):
        affine[along, axis] = signs[axis] * spacing[axis]
    affine[:3, 3] = 7, -11, 13
    with tempfile.TemporaryDirectory() as folder:
        volume = read_nifti(write(Path(folder), VALUES, affine, "map.nii"))
        for index in np.ndindex(VALUES.shape):
            ras = (affine @ [*index, 1])[:3]
            np.testing.assert_allclose(place_of(volume, VALUES[index]), ras * [-1, -1, 1], atol=1e-3)
    assert (np.diag(volume.affine[[2, 1, 0], :3]) > 0).all()


def test_a_turned_volume_says_by_how_much(tmp_path):
    angle = np.radians(12)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert read_nifti(write(tmp_path, VALUES, affine)).tilt_deg == pytest.approx(12, abs=0.01)


def test_a_fourth_dimension_of_one_is_dropped(tmp_path):
    assert read_nifti(write(tmp_path, VALUES[..., None], np.eye(4))).values.shape == (4, 3, 2)


def test_a_time_series_is_refused(tmp_path):
    path = write(tmp_path, np.zeros((2, 3, 4, 5), np.int16), np.eye(4))
    with pytest.raises(MaskError, match="has the shape 2 x 3 x 4 x 5; expected three dimensions"):
        read_nifti(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MaskError, match=r"nothing.nii is not there; name a NIfTI file"):
        read_nifti(tmp_path / "nothing.nii")


@pytest.mark.parametrize(
    "content",
    [b"no nifti at all", gzip.compress(b"nor this", mtime=0), b""],
    ids=["text", "packed text", "nothing"],
)
def test_what_is_no_nifti_is_refused(tmp_path, content):
    path = tmp_path / "map.nii.gz"
    path.write_bytes(content)
    with pytest.raises(MaskError, match="cannot be read as NIfTI"):
        read_nifti(path)


def test_a_truncated_file_is_refused(tmp_path):
    path = write(tmp_path, np.random.default_rng(0).integers(0, 99, (40, 40, 40), np.int16), np.eye(4))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(MaskError, match="cannot be read as NIfTI"):
        read_nifti(path)


def broken(folder: Path, change) -> Path:
    """A file whose header is changed after it was written."""
    path = write(folder, VALUES, np.eye(4), "map.nii")
    content = bytearray(path.read_bytes())
    header = np.frombuffer(content, nib.nifti1.header_dtype, 1).copy()
    change(header[0])
    content[: header.nbytes] = header.tobytes()
    path.write_bytes(bytes(content))
    return path


def no_orientation(header):
    header["sform_code"] = header["qform_code"] = 0


def no_spacing(header):
    header["pixdim"][1:4] = 0


def infinite(header):
    header["srow_x"][3] = np.inf


def flat(header):
    header["srow_x"] = header["srow_y"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (no_orientation, "has neither sform nor qform, so left and right are unknown"),
        (no_spacing, r"does not say how far its voxels are apart \(pixdim\)"),
        (infinite, "has an affine with numbers that are not finite"),
        (flat, "has an affine that does not span a volume"),
    ],
)
def test_a_file_that_does_not_say_where_it_lies_is_refused(tmp_path, change, message):
    with pytest.raises(MaskError, match=message):
        read_nifti(broken(tmp_path, change))


def test_an_image_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "map.mgz"
    nib.save(nib.MGHImage(VALUES.astype(np.int32), np.eye(4)), path)
    with pytest.raises(MaskError, match="is a MGHImage; expected a NIfTI file"):
        read_nifti(path)


@settings(max_examples=30, deadline=None)
@given(
    order=st.permutations([0, 1, 2]),
    signs=st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3),
    top=st.sampled_from([1, 255, 300]),
)
def test_a_written_mask_keeps_every_voxel_in_its_place(order, signs, top):
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, along in enumerate(order):
        affine[along, axis] = signs[axis] * (1.5 + axis)
    affine[:3, 3] = 4, -5, 6
    mask = (VALUES.transpose(2, 1, 0) * (top // 23)).astype(np.int32)
    with tempfile.TemporaryDirectory() as folder:
        write_nifti_mask(Path(folder) / "mask.nii.gz", mask, affine)
        volume = read_nifti(Path(folder) / "mask.nii.gz")
    for value in np.unique(mask)[1:]:
        here = np.argwhere(volume.values == value) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
        there = np.argwhere(mask == value) @ affine[:3, :3].T + affine[:3, 3]
        np.testing.assert_allclose(sorted(map(tuple, here)), sorted(map(tuple, there)), atol=1e-4)


def test_equal_masks_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_nifti_mask(tmp_path / f"{name}.nii.gz", VALUES.astype(bool), np.eye(4)[[2, 1, 0, 3]])
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("name", "mask", "affine", "message"),
    [
        ("mask.png", VALUES, np.eye(4), "is no name of a NIfTI file"),
        ("mask.nii", VALUES[0], np.eye(4), "has 2 dimensions"),
        ("mask.nii", VALUES - 1, np.eye(4), "whole numbers from 0 to 32767"),
        ("mask.nii", VALUES / 2, np.eye(4), "whole numbers from 0 to 32767"),
        ("mask.nii", VALUES, np.zeros((4, 4)), "does not span a volume"),
    ],
)
def test_what_is_no_mask_is_not_written(tmp_path, name, mask, affine, message):
    with pytest.raises(MaskError, match=message):
        write_nifti_mask(tmp_path / name, mask, affine)
    assert not list(tmp_path.iterdir())
