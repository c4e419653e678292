"""DICOM scans find their masks: SEG by its series, a mask series by its slices, PNG files by their order."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from transfer_scans import CANARY, body, organ, write_dicom, write_nifti, write_png

from radnet.errors import CaseError
from radnet.masks.seg import write_seg
from radnet.transfer.cases import Preparation
from radnet.transfer.readers import find_cases, prepare_case, survey

SMALL = Preparation(slice_mm=4.0, matrix=32)
STORED = [
    pytest.param((1, 0, 0, 0, 1, 0), id="as it is"),
    pytest.param((-1, 0, 0, 0, 1, 0), id="columns to the right"),
    pytest.param((0, 1, 0, 1, 0, 0), id="transposed"),
    pytest.param((0, -1, 0, 1, 0, 0), id="transposed and flipped"),
]


def write_masked(folder: Path, paths: list[Path], organ_name: str = "liver") -> None:
    """Write a SEG of the organ, on the slices as they are stored."""
    headers = [pydicom.dcmread(path) for path in paths]
    planes = np.stack([(h.pixel_array >= 110).astype(np.uint8) for h in headers])
    write_seg(folder / "seg.dcm", {organ_name: planes}, headers)


@pytest.fixture
def plain(tmp_path):
    """The case that NIfTI gives."""
    write_nifti(tmp_path / "nifti/a_image.nii.gz", body())
    write_nifti(tmp_path / "nifti/a_label.nii.gz", organ())
    return prepare_case(find_cases(tmp_path / "nifti", "liver")[0], SMALL)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("downwards", [False, True], ids=["upwards", "downwards"])
def test_a_seg_gives_the_case_that_nifti_gives_however_the_series_is_stored(
    tmp_path, plain, orientation, downwards
):
    paths = write_dicom(tmp_path / "dicom/p1", orientation=orientation, downwards=downwards)
    write_masked(tmp_path / "dicom", paths)
    found = survey(tmp_path / "dicom", "liver")
    assert (found.layout, found.left_out) == ("dicom_seg", ())
    case = prepare_case(found.cases[0], SMALL)
    np.testing.assert_array_equal(case.image, plain.image)
    np.testing.assert_array_equal(case.mask, plain.mask)
    np.testing.assert_array_equal(case.original_mask, plain.original_mask)
    np.testing.assert_allclose(case.affine, plain.affine, atol=1e-3)


@pytest.mark.parametrize("orientation", STORED)
def test_a_mask_series_is_known_by_what_it_holds(tmp_path, plain, orientation):
    write_dicom(tmp_path / "dicom/scan", orientation=orientation)
    write_dicom(tmp_path / "dicom/mask", organ().astype(np.int16) * 3, "1.2.7", orientation=orientation)
    (case,) = find_cases(tmp_path / "dicom", "liver")
    assert (case.layout, case.case_id) == ("dicom_series", "scan")
    np.testing.assert_array_equal(prepare_case(case, SMALL).mask, plain.mask)
    with pytest.raises(CaseError, match="case scan: no voxel of its mask is 1; it holds 3"):
        prepare_case(find_cases(tmp_path / "dicom", "liver", labels=[1])[0], SMALL)
    with zipfile.ZipFile(tmp_path / "dicom/all.zip", "w") as archive:
        for path in sorted(tmp_path.glob("dicom/*/*.dcm")):
            archive.write(path, path.relative_to(tmp_path / "dicom"))
            path.unlink()
    (packed,) = find_cases(tmp_path / "dicom", "liver")
    np.testing.assert_array_equal(prepare_case(packed, SMALL).mask, plain.mask)


@pytest.mark.parametrize("downwards", [False, True], ids=["upwards", "downwards"])
def test_png_files_follow_the_names_of_the_slices(tmp_path, plain, downwards):
    """As in CHAOS, whose series may count from the head or from the feet."""
    write_dicom(tmp_path / "dicom/7/DICOM_anon", downwards=downwards)
    write_png(tmp_path / "dicom/7/Ground", organ(), downwards)
    (case,) = find_cases(tmp_path / "dicom", "liver")
    assert (case.layout, case.case_id, case.modality) == ("dicom_png", "7", "CT")
    np.testing.assert_array_equal(prepare_case(case, SMALL).mask, plain.mask)


def test_a_zip_beside_its_masks_is_a_scan_too(tmp_path, plain):
    paths = write_dicom(tmp_path / "scratch")
    (tmp_path / "dicom").mkdir()
    with zipfile.ZipFile(tmp_path / "dicom/series.zip", "w") as archive:
        for path in paths:
            archive.write(path, f"series/{path.name}")
    write_png(tmp_path / "dicom/liver_mask", organ())
    (case,) = find_cases(tmp_path / "dicom", "liver")
    assert case.case_id == "dicom"
    np.testing.assert_array_equal(prepare_case(case, SMALL).mask, plain.mask)


def test_grey_levels_of_chaos_name_the_organs_of_mr(tmp_path, plain):
    write_dicom(tmp_path / "dicom/1/T2SPIR/DICOM_anon", modality="MR")
    mask = organ() * np.uint8(63) + np.roll(organ(), 9, 2) * (1 - organ()) * np.uint8(252)
    write_png(tmp_path / "dicom/1/T2SPIR/Ground", mask, grey=1)
    case = prepare_case(find_cases(tmp_path / "dicom", "liver")[0], SMALL)
    np.testing.assert_array_equal(case.original_mask, plain.original_mask)
    spleen = prepare_case(find_cases(tmp_path / "dicom", "spleen")[0], SMALL)
    assert not (spleen.original_mask & case.original_mask).any()
    with pytest.raises(CaseError, match="holds the labels 63, 252; say which are pancreas"):
        prepare_case(find_cases(tmp_path / "dicom", "pancreas")[0], SMALL)


def test_what_has_no_mask_or_is_no_volume_is_named(tmp_path):
    write_masked(tmp_path, write_dicom(tmp_path / "dicom/a"))
    (tmp_path / "seg.dcm").rename(tmp_path / "dicom/seg.dcm")
    write_dicom(tmp_path / "dicom/b", series="1.2.5", study="1.3", patient="P2")
    write_dicom(tmp_path / "dicom/c", body()[:3], series="1.2.6", study="1.4", patient="P3")
    gap = write_dicom(tmp_path / "dicom/d", series="1.2.8", study="1.5", patient="P4")
    gap[7].unlink()
    found = survey(tmp_path / "dicom", "liver")
    assert [case.case_id for case in found.cases] == ["a"]
    assert sorted(found.left_out) == [("b", "no mask"), ("c", "too_few_slices"), ("d", "missing_slice")]


def test_masks_of_other_organs_and_series_are_named(tmp_path):
    paths = write_dicom(tmp_path / "dicom/a")
    write_masked(tmp_path / "dicom", paths, "spleen")
    with pytest.raises(CaseError, match=r"no DICOM series .* has a mask \(seg.dcm: no segment is the liver"):
        find_cases(tmp_path / "dicom", "liver")
    assert len(find_cases(tmp_path / "dicom", "spleen")) == 1
    with pytest.raises(CaseError, match="segments are chosen by the organ's name"):
        find_cases(tmp_path / "dicom", "spleen", labels=[1])
    for path in paths:
        path.unlink()
    write_dicom(tmp_path / "dicom/a", series="1.2.99")
    with pytest.raises(CaseError, match=r"seg.dcm: its series is not there"):
        find_cases(tmp_path / "dicom", "spleen")


def test_png_files_that_are_too_few_or_too_small_are_refused(tmp_path):
    write_dicom(tmp_path / "dicom/a")
    write_png(tmp_path / "dicom/masks", organ()[:-1])
    with pytest.raises(CaseError, match="masks: 19 PNG files for series of 20 slices"):
        find_cases(tmp_path / "dicom", "liver")
    write_png(tmp_path / "dicom/masks", organ()[:, 1:])
    with pytest.raises(CaseError, match=r"case a: organ_GT_000.png is 39 x 48, its slice 40 x 48"):
        prepare_case(find_cases(tmp_path / "dicom", "liver")[0], SMALL)


def test_masks_of_several_people_are_never_guessed(tmp_path):
    write_dicom(tmp_path / "dicom/a")
    write_dicom(tmp_path / "dicom/b", series="1.2.5", study="1.3", patient="P2")
    write_png(tmp_path / "dicom/masks", organ())
    with pytest.raises(CaseError, match="masks: 20 PNG files for series of none slices"):
        find_cases(tmp_path / "dicom", "liver")


def test_patients_are_hashes_that_stay_and_no_text_of_a_header_gets_out(tmp_path):
    """Two studies of one PatientID are one patient; without PatientID a study is."""
    for number, (patient, study) in enumerate([("MRN1", "1.9"), ("MRN1", "1.5"), ("", "1.7"), ("", "1.8")]):
        folder = tmp_path / f"dicom/s{number}"
        write_dicom(folder / "scan", series=f"1.2.{number}", patient=patient, study=study)
        write_png(folder / "masks", organ())
    cases = find_cases(tmp_path / "dicom", "liver")
    owners = [case.patient_id for case in cases]
    assert owners[0] == owners[1]
    assert len(set(owners)) == 3
    assert owners == [case.patient_id for case in find_cases(tmp_path / "dicom", "liver")]
    told = " ".join(f"{case.case_id} {case.patient_id}" for case in cases)
    assert CANARY not in told
    assert "MRN1" not in told


def test_a_damaged_slice_is_named_without_the_patient(tmp_path):
    paths = write_dicom(tmp_path / "dicom/a")
    write_png(tmp_path / "dicom/masks", organ())
    (case,) = find_cases(tmp_path / "dicom", "liver")
    paths[5].write_bytes(paths[5].read_bytes()[:-500])
    with pytest.raises(CaseError, match=r"slice 6 of series [0-9a-f]{12} cannot be read") as raised:
        prepare_case(case, SMALL)
    assert CANARY not in str(raised.value)
