from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import highdicom
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from stored_series import FRAME, SERIES, STUDY, Stored, stored_series

from radnet.errors import MaskError
from radnet.geometry import canonical_affine, canonical_axes
from radnet.masks.codes import ORGANS, PAIRED, code_of, name_of
from radnet.masks.geometry import frames_of, to_series
from radnet.masks.seg import read_seg, write_seg

NOON = datetime(2020, 1, 2, 12)
SERIES_OF_FOUR = Stored(
    "CT",
    False,
    np.array([[0.0, 0, z] for z in (0, 2, 4, 6)]),
    np.array([1.0, 0, 0, 0, 1, 0]),
    (1.0, 1.0),
    (4, 5),
)


def drawn_masks(shape: tuple[int, ...], seed: int, organs: tuple[str, ...]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    masks = {organ: (rng.random(shape) < 0.4).astype(np.uint8) for organ in organs}
    for mask in masks.values():  # most organs are on some slices only
        mask[rng.random(shape[0]) < 0.3] = 0
    return masks


def by_highdicom(path: Path, series: Stored, organ: int) -> np.ndarray:
    """Read a mask with the ruler, in the order of the series."""
    seg = highdicom.seg.segread(path)
    headers = series.headers()
    choice = {"segment_numbers": [organ], "assert_missing_frames_are_empty": True}
    if series.enhanced:
        numbers = range(1, len(series.positions) + 1)
        uid = headers[0].SOPInstanceUID
        return seg.get_pixels_by_source_frame(uid, list(numbers), **choice)[..., 0]
    uids = [header.SOPInstanceUID for header in headers]
    return seg.get_pixels_by_source_instance(uids, **choice)[..., 0]


@settings(max_examples=40, deadline=None)
@given(series=stored_series(), seed=st.integers(0, 1000))
def test_every_voxel_comes_back_by_highdicom_and_by_us(series, seed):
    masks = drawn_masks(series.mask_shape, seed, ("liver", "left_kidney", "right_kidney"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "masks.dcm"
        write_seg(path, masks, series.headers(), when=NOON)
        for number, mask in enumerate(masks.values(), 1):
            np.testing.assert_array_equal(by_highdicom(path, series, number), mask)
        ours = read_seg(path, series.headers())
    assert list(ours.masks) == list(masks)
    for organ, mask in masks.items():
        np.testing.assert_array_equal(ours.masks[organ], mask)
    assert ours.series_uid == SERIES
    assert len(ours.sop_uids) == len(series.positions)


@settings(max_examples=40, deadline=None)
@given(series=stored_series(even=True), seed=st.integers(0, 1000))
def test_every_voxel_keeps_its_place_in_the_body_without_the_series(series, seed):
    masks = drawn_masks(series.mask_shape, seed, ("liver", "spleen"))
    masks["liver"][:, 0, 0] = 1  # on every slice, so that nothing is cut off
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "masks.dcm"
        write_seg(path, masks, series.headers(), when=NOON)
        ours = read_seg(path)
    frames = frames_of(series.headers())
    for organ, mask in masks.items():
        here = np.argwhere(ours.masks[organ]) @ ours.affine[:3, :3].T + ours.affine[:3, 3]
        n, row, column = np.argwhere(mask).T
        there = frames.positions[n] + row[:, None] * frames.row_step + column[:, None] * frames.column_step
        np.testing.assert_allclose(sorted(map(tuple, here.round(4))), sorted(map(tuple, there.round(4))))


@settings(max_examples=60, deadline=None)
@given(series=stored_series(even=True), seed=st.integers(0, 1000))
def test_a_canonical_mask_comes_back_to_the_stored_slices(series, seed):
    stored = drawn_masks(series.mask_shape, seed, ("liver",))["liver"]
    axes = canonical_axes(series.orientation)
    order = np.argsort(series.positions @ axes.slice_direction)
    canonical = stored[order]
    if axes.transpose:
        canonical = canonical.transpose(0, 2, 1)
    canonical = canonical[:, :: -1 if axes.flip_rows else 1, :: -1 if axes.flip_columns else 1]
    affine = canonical_affine(
        series.positions[order[0]],
        series.orientation,
        series.spacing,
        series.shape,
        2.5 * axes.slice_direction,
    )
    for interpolation in ("linear", "nearest"):
        back = to_series(canonical, affine, frames_of(series.headers()), interpolation)
        np.testing.assert_array_equal(back, stored)


@pytest.mark.parametrize("turn_deg", [0, 20])
def test_a_ball_on_a_coarser_grid_comes_back_as_a_ball(turn_deg):
    """The grid is that of a network: 5 mm slices, or one aslant of the series."""
    angle = np.radians(turn_deg)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[0, 0, 2.0], [0, 2, 0], [5, 0, 0]])
    affine[:3, 3] = -affine[:3, :3] @ [9.5, 31.5, 31.5]
    index = np.indices((20, 64, 64)).reshape(3, -1)
    inside = np.linalg.norm(affine[:3, :3] @ index + affine[:3, 3:], axis=0) < 30
    series = replace(
        SERIES_OF_FOUR, positions=np.array([[-39.5, -39.5, z] for z in (-20.0, 0, 4, 31)]), shape=(80, 80)
    )
    result = to_series(inside.reshape(20, 64, 64), affine, frames_of(series.headers()))
    volumes = result.sum(axis=(1, 2)) / (np.pi * np.maximum(30**2 - series.positions[:, 2] ** 2, 0)).clip(1)
    np.testing.assert_allclose(volumes[:3], 1, atol=0.08)
    assert volumes[3] < 500


def test_a_mask_ends_where_its_outer_voxels_end():
    mask, affine = np.ones((1, 2, 2), np.uint8), np.eye(4)
    affine[:3, :3] = [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    series = replace(SERIES_OF_FOUR, positions=np.array([[-1.0, -0.5, z] for z in (0.4, 0.6)]))
    result = to_series(mask, affine, frames_of(series.headers()))
    np.testing.assert_array_equal(result[0], [[0, 1, 1, 0, 0]] * 3 + [[0] * 5])
    assert not result[1].any()


def test_a_segmentation_refers_to_its_series_and_says_no_more_of_the_patient(tmp_path):
    mask = drawn_masks(SERIES_OF_FOUR.mask_shape, 1, ("right_kidney",))
    write_seg(tmp_path / "masks.dcm", mask, SERIES_OF_FOUR.headers(), algorithm="small net", when=NOON)
    dataset = dcmread(tmp_path / "masks.dcm")
    assert (dataset.StudyInstanceUID, dataset.FrameOfReferenceUID) == (STUDY, FRAME)
    assert dataset.SegmentationType == "BINARY"
    assert dataset.PatientName == "Quillfeather^Ottoline"
    segment = dataset.SegmentSequence[0]
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    assert segment.SegmentAlgorithmName == "small net"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "64033007"
    modifiers = segment.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence
    assert modifiers[0].CodeMeaning == "Right"
    content = (tmp_path / "masks.dcm").read_bytes()
    for text in (b"Knee", b"Larkspur", b"Foxglove"):
        assert text not in content


def test_frames_of_a_multi_frame_object_are_named_by_their_own_numbers(tmp_path):
    series = replace(SERIES_OF_FOUR, enhanced=True, modality="MR")
    mask = np.ones((2, *series.shape), np.uint8)
    write_seg(tmp_path / "masks.dcm", {"liver": mask}, series.headers(), frames=[4, 2], when=NOON)
    seg = highdicom.seg.segread(tmp_path / "masks.dcm")
    got = seg.get_pixels_by_source_frame("1.2.6.1", [4, 2], segment_numbers=[1])
    np.testing.assert_array_equal(got[..., 0], mask)
    whole = read_seg(tmp_path / "masks.dcm", series.headers()).masks["liver"]
    assert whole.any(axis=(1, 2)).tolist() == [False, True, False, True]


def test_equal_masks_at_one_time_give_equal_bytes(tmp_path):
    masks = drawn_masks(SERIES_OF_FOUR.mask_shape, 2, ("liver",))
    for name in ("a", "b"):
        write_seg(tmp_path / name, masks, SERIES_OF_FOUR.headers(), when=NOON)
    masks["liver"][0, 0, 0] ^= 1
    write_seg(tmp_path / "c", masks, SERIES_OF_FOUR.headers(), when=NOON)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    uids = [dcmread(tmp_path / name).SOPInstanceUID for name in ("a", "c")]
    assert uids[0] != uids[1]


def test_headers_of_real_scanners_are_enough(tmp_path):
    """No thickness, no sex that the standard knows, a date that is none, a name in another script."""
    headers = SERIES_OF_FOUR.headers()
    for header in headers:
        del header.SliceThickness
        header.SpecificCharacterSet = "ISO_IR 144"
        header.PatientName = "Люкceмбypг"
        header.PatientSex = "unknown"
        header["StudyDate"].value = "yesterday"
        del header.AccessionNumber, header.StudyID
    masks = drawn_masks(SERIES_OF_FOUR.mask_shape, 3, ("liver",))
    with warnings.catch_warnings(record=True) as caught:
        write_seg(tmp_path / "masks.dcm", masks, headers, when=NOON)
    assert "Люк" not in "".join(str(warning.message) for warning in caught)
    dataset = dcmread(tmp_path / "masks.dcm")
    assert (dataset.PatientName, dataset.PatientSex, dataset.StudyDate) == ("Люкceмбypг", "", "")
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.SliceThickness == 2


def broken(**changes):
    headers = SERIES_OF_FOUR.headers()
    for keyword, value in changes.items():
        setattr(headers[1], keyword, value)
    return headers


LIVER = {"liver": np.ones(SERIES_OF_FOUR.mask_shape, np.uint8)}


@pytest.mark.parametrize(
    ("masks", "headers", "message"),
    [
        ({}, SERIES_OF_FOUR.headers(), "no organ was given"),
        ({"gizzard": LIVER["liver"]}, SERIES_OF_FOUR.headers(), "organ 'gizzard' has no code"),
        ({"liver": LIVER["liver"][:3]}, SERIES_OF_FOUR.headers(), "is 3 x 4 x 5; the slices are 4 x 4 x 5"),
        ({"liver": LIVER["liver"] * 2}, SERIES_OF_FOUR.headers(), "other values than 0 and 1"),
        (LIVER, [], "no slice of the series"),
        (LIVER, broken(ImagePositionPatient=[0, 0, 4]), "two slices lie at one position"),
        (LIVER, broken(ImageOrientationPatient=[1, 0, 0, 0, 0, -1]), "not parallel"),
        (LIVER, broken(PixelSpacing=[2, 1]), "differ in PixelSpacing"),
        (LIVER, broken(Rows=9), "differ in rows and columns"),
        (LIVER, broken(ImagePositionPatient=None), "slice 2 has no ImagePositionPatient"),
        (LIVER, broken(SeriesInstanceUID="1.9"), "of several series"),
        (LIVER, broken(SOPInstanceUID=None), "has no SOPInstanceUID"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path, masks, headers, message):
    with pytest.raises(MaskError, match=message):
        write_seg(tmp_path / "masks.dcm", masks, headers)
    assert not list(tmp_path.iterdir())


def test_a_series_without_frame_of_reference_is_sent_to_nifti(tmp_path):
    headers = SERIES_OF_FOUR.headers()
    for header in headers:
        del header.FrameOfReferenceUID
    with pytest.raises(MaskError, match=r"no FrameOfReferenceUID.*NIfTI"):
        write_seg(tmp_path / "masks.dcm", LIVER, headers)


def test_a_segmentation_of_another_series_is_refused(tmp_path):
    write_seg(tmp_path / "masks.dcm", LIVER, SERIES_OF_FOUR.headers())
    with pytest.raises(MaskError, match="drawn on another series"):
        read_seg(tmp_path / "masks.dcm", broken(SeriesInstanceUID="1.9")[1:2])
    with pytest.raises(MaskError, match="where its series has no slice"):
        read_seg(tmp_path / "masks.dcm", SERIES_OF_FOUR.headers()[:3])
    other = replace(SERIES_OF_FOUR, spacing=(2.0, 2.0))
    with pytest.raises(MaskError, match="other rows, columns, pixel spacing"):
        read_seg(tmp_path / "masks.dcm", other.headers())


def test_what_is_no_segmentation_is_refused(tmp_path):
    with pytest.raises(MaskError, match="is not there"):
        read_seg(tmp_path / "none.dcm")
    (tmp_path / "text.dcm").write_text("no DICOM")
    with pytest.raises(MaskError, match="is no DICOM file"):
        read_seg(tmp_path / "text.dcm")
    write_seg(tmp_path / "masks.dcm", LIVER, SERIES_OF_FOUR.headers())
    dataset = dcmread(tmp_path / "masks.dcm")
    del dataset.SegmentSequence
    dataset.save_as(tmp_path / "headless.dcm")
    with pytest.raises(MaskError, match="cannot be read as a segmentation"):
        read_seg(tmp_path / "headless.dcm")
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    dataset.save_as(tmp_path / "image.dcm")
    with pytest.raises(MaskError, match="is a CT Image Storage; expected a segmentation"):
        read_seg(tmp_path / "image.dcm")


def test_uneven_slices_need_the_series(tmp_path):
    series = replace(SERIES_OF_FOUR, positions=np.array([[0.0, 0, z] for z in (0, 2, 3, 6.3)]))
    write_seg(tmp_path / "masks.dcm", LIVER, series.headers())
    with pytest.raises(MaskError, match="unevenly spaced"):
        read_seg(tmp_path / "masks.dcm")
    ours = read_seg(tmp_path / "masks.dcm", series.headers())
    assert ours.affine is None
    np.testing.assert_array_equal(ours.masks["liver"], LIVER["liver"])


def test_fractional_segmentations_and_label_maps_of_others_are_read(tmp_path):
    shares = np.linspace(0, 1, 80, dtype=np.float32).reshape(SERIES_OF_FOUR.mask_shape)
    for kind, pixels in (("FRACTIONAL", shares), ("LABELMAP", (shares >= 0.5).astype(np.uint8))):
        write_seg(tmp_path / "ours.dcm", LIVER, SERIES_OF_FOUR.headers())
        ours = highdicom.seg.segread(tmp_path / "ours.dcm")
        highdicom.seg.Segmentation(
            SERIES_OF_FOUR.headers(),
            pixels,
            kind,
            [ours.get_segment_description(1)],
            highdicom.UID(),
            1,
            highdicom.UID(),
            1,
            "maker",
            "model",
            "1",
            "1",
        ).save_as(tmp_path / "other.dcm")
        got = read_seg(tmp_path / "other.dcm", SERIES_OF_FOUR.headers()).masks
        np.testing.assert_array_equal(got["liver"], shares >= 0.5)


def test_every_code_is_named_back():
    names = [*ORGANS, *(f"{side}_{organ}" for organ in PAIRED for side in ("left", "right"))]
    for name in names:
        code = code_of(name)
        assert code is not None
        assert name_of(code, "whatever") == name
    assert code_of("left_liver") is None
    assert name_of(replace(code_of("liver"), value="1"), "Left  Lobe") == "left_lobe"


def test_segmentations_need_no_torch():
    check = "import sys, highdicom, radnet.masks.seg; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
