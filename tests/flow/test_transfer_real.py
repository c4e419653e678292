"""Real scans with real masks: prepared, their masks keep volume and place on the way to the grid and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from radnet.transfer.cases import Case, Preparation
from radnet.transfer.grid import restore_mask, volume_ml
from radnet.transfer.layouts import pair_case
from radnet.transfer.readers import find_cases, prepare_case, survey

SCANS = Path(__file__).parents[2].parent / "shared" / "data"
MR = SCANS / "nifti/abdomen_mr_t2spir_liver"
CROPS = SCANS / "nifti/abdomen_ct_crop_organs"
COARSE = Preparation(slice_mm=5.0, matrix=96)

pytestmark = pytest.mark.skipif(not SCANS.exists(), reason="the real scans are not beside this checkout")


def ceiling(case: Case) -> float:
    """Dice of the mask with itself after the way to the grid and back."""
    restored = restore_mask(case.mask, case.grid, case.scan)
    both = int((restored & case.original_mask).sum())
    return 2 * both / int(restored.sum() + case.original_mask.sum())


def is_sound(case: Case) -> bool:
    measured = volume_ml(case.mask, case.grid)
    return abs(measured / case.original_ml - 1) < 0.03 and ceiling(case) > 0.97


def test_the_15_mr_scans_prepare_with_their_livers():
    found = survey(MR, "liver", labels=[1])
    assert (found.layout, len(found.cases), found.left_out) == ("pairs", 15, ())
    for files in found.cases:
        case = prepare_case(files, COARSE)
        assert (case.modality, case.image.shape[1:]) == ("MR", (96, 96)), case.case_id
        np.testing.assert_allclose(case.spacing_mm, [5, 10 / 3, 10 / 3], rtol=1e-3)
        assert is_sound(case), case.case_id
        assert 1000 < case.original_ml < 4000
        # T2-SPIR shows liver darker than its surroundings' bright parts and brighter than air
        assert 20 < np.median(case.image[case.mask > 0]) < 200


def test_liver_lies_on_the_patients_right_in_every_mr_scan():
    """Columns grow to the left: a scan that is mirrored anywhere on the way would stand out."""
    for files in find_cases(MR, "liver", labels=[1]):
        case = prepare_case(files, COARSE)
        columns = np.argwhere(case.mask)[:, 2]
        body = np.argwhere(case.image > 30)[:, 2]
        assert columns.mean() < body.mean() - 4, case.case_id


def test_the_dicom_ct_prepares_with_its_png_masks():
    found = survey(SCANS / "dicom/ct_abdomen_portal", "liver")
    assert (found.layout, found.left_out) == ("dicom_png", ())
    (files,) = found.cases
    case = prepare_case(files, COARSE)
    assert (case.modality, case.scan.shape, case.image.shape) == ("CT", (78, 512, 512), (31, 96, 96))
    assert is_sound(case)
    # portal-venous liver is 100 to 160 HU; a mask on the wrong slices would take in air and bone
    hounsfield = case.image[case.mask > 0] / 255 * 2000 - 1000
    assert 110 < np.median(hounsfield) < 160
    assert hounsfield.std() < 50


@pytest.mark.parametrize(("image", "mask", "modality"), [("ct_sm", "seg", "CT"), ("mr_sm", "seg_mr", "MR")])
def test_crops_prepare_with_their_labels(image, mask, modality):
    files = pair_case(CROPS / f"example_{image}.nii.gz", CROPS / f"example_{mask}.nii.gz", "liver", [5])
    case = prepare_case(files, COARSE)
    assert case.modality == modality
    assert is_sound(case)
