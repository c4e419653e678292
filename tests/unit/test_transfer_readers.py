"""Scans with masks are found in every layout, placed by their affines, and refused by name if they misfit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from transfer_scans import body, organ, write_nifti

from radnet.errors import CaseError, MaskError
from radnet.transfer.cases import CaseFiles, Layout, Preparation
from radnet.transfer.grid import restore_mask, volume_ml
from radnet.transfer.layouts import organ_labels, pair_case
from radnet.transfer.nifti_scans import read_scan, write_mask
from radnet.transfer.readers import find_cases, prepare_case, prepare_cases, survey

SMALL = Preparation(slice_mm=4.0, matrix=32)


def pair(folder: Path, name: str, image: str = "{}_image", mask: str = "{}_label", **how: object) -> None:
    write_nifti(folder / f"{image.format(name)}.nii.gz", body(), **how)
    write_nifti(folder / f"{mask.format(name)}.nii.gz", organ(), **how)


def dataset(folder: Path, **told: object) -> None:
    (folder / "dataset.json").write_text(json.dumps(told))


def names(cases: list[CaseFiles]) -> list[str]:
    return [case.case_id for case in cases]


def test_lits_is_found_with_its_tumours_in_the_liver(tmp_path):
    for number in (0, 10, 2):
        mask = organ()
        mask[10:12][mask[10:12] > 0] = 2
        write_nifti(tmp_path / f"batch/volume-{number}.nii", body())
        write_nifti(tmp_path / f"segmentations/segmentation-{number}.nii", mask)
    write_nifti(tmp_path / "batch/volume-77.nii", body())
    found = survey(tmp_path, "liver")
    assert found.layout == "lits"
    assert sorted(names(list(found.cases))) == ["volume-0", "volume-10", "volume-2"]
    assert found.left_out == (("volume-77.nii", "no segmentation"),)
    assert {case.labels for case in found.cases} == {(1, 2)}
    assert prepare_case(found.cases[0], SMALL).original_mask.sum() == organ().sum()
    alone = find_cases(tmp_path, "liver", labels=[1])
    assert prepare_case(alone[0], SMALL).original_mask.sum() < organ().sum()


def test_the_decathlon_is_found_by_what_its_json_says(tmp_path):
    pair(tmp_path, "liver_1", "imagesTr/{}", "labelsTr/{}")
    write_nifti(tmp_path / "imagesTs/liver_9.nii.gz", body())
    dataset(
        tmp_path,
        labels={"0": "background", "1": "liver", "2": "cancer"},
        modality={"0": "CT"},
        training=[{"image": "./imagesTr/liver_1.nii.gz", "label": "./labelsTr/liver_1.nii.gz"}],
    )
    found = survey(tmp_path, "liver")
    assert (found.layout, found.left_out) == ("decathlon", (("liver_9.nii.gz", "test image"),))
    (case,) = found.cases
    assert (case.case_id, case.labels, case.modality) == ("liver_1", (1, 2), "CT")
    with pytest.raises(CaseError, match="no label 'spleen'; it has cancer, liver"):
        find_cases(tmp_path, "spleen")


def test_nnunet_takes_the_first_channel_and_regions_of_several_labels(tmp_path):
    pair(tmp_path, "a", "imagesTr/{}_0000", "labelsTr/{}")
    write_nifti(tmp_path / "imagesTr/a_0001.nii.gz", body())
    write_nifti(tmp_path / "imagesTr/b_0000.nii.gz", body())
    labels = {"background": 0, "right_kidney": 2, "left_kidney": [1, 3], "spleen": 4}
    dataset(tmp_path, labels=labels, channel_names={"0": "T2"}, file_ending=".nii.gz", numTraining=1)
    found = survey(tmp_path, "kidney")
    assert found.layout == "nnunet"
    (case,) = found.cases
    assert (case.case_id, case.labels, case.modality) == ("a", (1, 2, 3), "MR")
    assert case.image[0].endswith("a_0000.nii.gz")
    assert sorted(found.left_out) == [("a_0001.nii.gz", "a further channel"), ("b_0000.nii.gz", "no label")]


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{}_image", "{}_label"),
        ("{}", "{}_seg"),
        ("images/{}", "labels/{}"),
        ("imagesTr/{}_0000", "labelsTr/{}"),
        ("img/{}_img", "masks/{}-mask"),
    ],
)
def test_pairs_are_told_by_their_names(tmp_path, image, mask):
    for name in ("case_01", "case_02"):
        pair(tmp_path, name, image, mask)
    found = survey(tmp_path, "liver")
    assert (found.layout, found.left_out) == ("pairs", ())
    assert names(list(found.cases)) == ["case_01", "case_02"]
    case = prepare_case(found.cases[1], SMALL)
    assert case.original_mask.sum() == organ().sum()


def test_what_has_no_partner_is_named(tmp_path):
    pair(tmp_path, "a")
    write_nifti(tmp_path / "b_image.nii.gz", body())
    write_nifti(tmp_path / "c_label.nii.gz", organ())
    assert survey(tmp_path, "liver").left_out == (
        ("b_image.nii.gz", "no mask"),
        ("c_label.nii.gz", "no image"),
    )


def test_a_table_says_what_names_do_not(tmp_path):
    pair(tmp_path / "x", "one", "{}", "{}-organ")
    (tmp_path / "cases.csv").write_text(
        "case,patient,image,mask,modality\nk1,p1,x/one.nii.gz,x/one-organ.nii.gz,MR\n"
    )
    (case,) = find_cases(tmp_path, "liver")
    assert (case.case_id, case.patient_id, case.modality, case.layout) == ("k1", "p1", "MR", "listed")
    table = "image,mask,labels\nx/one.nii.gz,x/one-organ.nii.gz,"
    (tmp_path / "cases.csv").write_text(f"{table}1 2\n")
    assert find_cases(tmp_path, "liver")[0].labels == (1, 2)
    assert find_cases(tmp_path, "liver", (3,))[0].labels == (3,)
    (tmp_path / "cases.csv").write_text(f"{table}liver\n")
    with pytest.raises(CaseError, match="line 2: labels are whole numbers"):
        find_cases(tmp_path, "liver")
    (tmp_path / "cases.csv").write_text("image,mask\nx/one.nii.gz,x/gone.nii.gz\n")
    with pytest.raises(CaseError, match=r"line 2: .*gone.nii.gz is not there"):
        find_cases(tmp_path, "liver")


def test_patients_are_told_apart_as_bids_names_them(tmp_path):
    for name in ("sub-01_ses-1", "sub-01_ses-2", "sub-02_ses-1"):
        pair(tmp_path, name)
    assert [case.patient_id for case in find_cases(tmp_path, "liver")] == ["sub-01", "sub-01", "sub-02"]


@pytest.mark.parametrize("codes", ["LPS", "RAS", "LAS", "RPI", "PSR", "SLA"])
def test_however_a_scan_is_stored_its_case_is_the_same(tmp_path, codes):
    """The slice axis is the coarsest one, wherever it is stored."""
    pair(tmp_path, "plain")
    pair(tmp_path, "other", codes=codes)
    one, other = (prepare_case(case, SMALL) for case in find_cases(tmp_path, "liver")[::-1])
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.mask, other.mask)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-3)


@pytest.mark.parametrize(
    ("spacing", "view", "first"),
    [
        ((5, 2, 2), "axial", (20, 40, 48)),
        ((2, 5, 2), "coronal", (40, 20, 48)),
        ((2, 2, 5), "sagittal", (48, 20, 40)),
    ],
    ids=["axial", "coronal", "sagittal"],
)
def test_scans_keep_the_view_that_they_were_taken_in(tmp_path, spacing, view, first):
    scan = read_scan(write_nifti(tmp_path / "a.nii.gz", body(), spacing))
    assert (scan.view, scan.values.shape) == (view, first)
    directions = np.sign(np.round(scan.grid.affine[:3, :3] / scan.grid.spacing_mm)).T.tolist()
    expected = {
        "axial": [[0, 0, 1], [0, 1, 0], [1, 0, 0]],
        "coronal": [[0, 1, 0], [0, 0, -1], [1, 0, 0]],
        "sagittal": [[-1, 0, 0], [0, 0, -1], [0, 1, 0]],
    }
    assert directions == expected[view]
    # every voxel keeps its place
    lps = np.diag([spacing[2], spacing[1], spacing[0], 1.0])
    lps[:3, 3] = -70, -60, 1500
    index = (11, 7, 30)
    place = (lps @ [*index[::-1], 1])[:3]
    found = np.linalg.solve(scan.grid.affine, [*place, 1])[:3].round().astype(int)
    assert scan.values[tuple(found)] == body()[index]


@pytest.mark.parametrize("spacing", [(5, 2, 2), (2, 5, 2), (2, 2, 5)], ids=["axial", "coronal", "sagittal"])
@pytest.mark.parametrize("codes", ["LPS", "RAS", "PIR"])
def test_a_mask_is_written_with_the_shape_and_affine_of_its_file(tmp_path, spacing, codes):
    import nibabel as nib

    path = write_nifti(tmp_path / "a.nii.gz", organ(), spacing, codes)
    scan = read_scan(path)
    write_mask(np.asarray(scan.values, np.uint8), scan, tmp_path / "mask.nii.gz")
    one, other = nib.load(path), nib.load(tmp_path / "mask.nii.gz")
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(one.dataobj), np.asarray(other.dataobj))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii.gz", "mask.nii.gz"]


def test_a_prepared_case_is_what_the_network_takes(tmp_path):
    pair(tmp_path, "a")
    case = prepare_case(find_cases(tmp_path, "liver")[0], Preparation(slice_mm=5.0, matrix=32))
    assert case.image.shape == case.mask.shape == (16, 32, 32)
    assert (case.image.dtype, case.mask.dtype, case.modality) == (np.uint8, np.uint8, "CT")
    np.testing.assert_allclose(case.spacing_mm, [5, 3.75, 4.5])
    assert tuple(case.window) == (-1000, 1000)
    # 120 HU and its ramp of 20: grey levels near (1130 / 2000) * 255
    assert case.image[case.mask > 0].mean() == pytest.approx(144, abs=3)
    assert volume_ml(case.mask, case.grid) == pytest.approx(case.original_ml, rel=0.03)
    restored = restore_mask(case.mask, case.grid, case.scan)
    both = (restored & case.original_mask).sum()
    assert 2 * both / (restored.sum() + case.original_mask.sum()) > 0.9


def test_grey_levels_of_mr_are_made_once_a_scan_by_its_percentiles(tmp_path):
    values = np.clip(body(), 0, None).astype(np.int16)
    values[0, 0, 0] = 30_000
    write_nifti(tmp_path / "a_image.nii.gz", values)
    write_nifti(tmp_path / "a_label.nii.gz", organ())
    case = prepare_case(find_cases(tmp_path, "liver")[0], SMALL)
    assert case.modality == "MR"
    assert case.window.high < 200
    assert case.image[case.mask > 0].mean() > 200


@pytest.mark.parametrize(
    ("values", "spacing", "message"),
    [
        (
            organ((20, 40, 47)),
            (4, 3, 3),
            "mask .*a_label.nii.gz is 20 x 40 x 47 and image .*a_image.nii.gz 20 x 40",
        ),
        (organ(), (4, 3, 3.2), "mask .*a_label.nii.gz lies elsewhere"),
        (organ() * 0.5, (4, 3, 3), "a_label.nii.gz holds other than whole numbers"),
        (organ() * 0, (4, 3, 3), "case a: no voxel of its mask is liver; it holds nothing"),
        (
            organ() + 2 * np.roll(organ(), 3, 0),
            (4, 3, 3),
            "case a: its mask holds the labels 1, 2, 3; say which",
        ),
    ],
    ids=["shape", "place", "probabilities", "empty", "several labels"],
)
def test_masks_that_do_not_fit_are_refused_by_name(tmp_path, values, spacing, message):
    write_nifti(tmp_path / "a_image.nii.gz", body())
    write_nifti(tmp_path / "a_label.nii.gz", values.astype(np.float32), spacing)
    with pytest.raises(CaseError, match=message):
        prepare_case(find_cases(tmp_path, "liver")[0], SMALL)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mask_may_be_half_a_voxel_off_and_no_more(tmp_path, axis):
    write_nifti(tmp_path / "a_image.nii.gz", body())
    moved = np.eye(4)
    moved[axis, 3] = 1.4
    write_nifti(tmp_path / "a_label.nii.gz", organ(), turn=moved)
    assert prepare_case(find_cases(tmp_path, "liver")[0], SMALL).mask.any()
    moved[axis, 3] = 1.6
    write_nifti(tmp_path / "a_label.nii.gz", organ(), turn=moved)
    with pytest.raises(CaseError, match="lies elsewhere in the patient"):
        prepare_case(find_cases(tmp_path, "liver")[0], SMALL)


def turned(degrees: float, shear: float = 0.0) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turn[1, 2] += shear
    return turn


def test_tilted_scans_are_taken_and_oblique_and_sheared_ones_refused(tmp_path):
    pair(tmp_path, "a", turn=turned(10))
    case = prepare_case(find_cases(tmp_path, "liver")[0], SMALL)
    assert volume_ml(case.mask, case.grid) == pytest.approx(case.original_ml, rel=0.03)
    pair(tmp_path, "a", turn=turned(30))
    with pytest.raises(CaseError, match=r"a_image.nii.gz is oblique \(30 degrees"):
        prepare_case(find_cases(tmp_path, "liver")[0], SMALL)
    pair(tmp_path, "a", turn=turned(0, 0.2))
    with pytest.raises(CaseError, match=r"a_image.nii.gz is sheared by 11.3 degrees"):
        prepare_case(find_cases(tmp_path, "liver")[0], SMALL)


def test_a_case_that_cannot_be_used_is_left_out_and_the_others_stay(tmp_path):
    pair(tmp_path, "a")
    pair(tmp_path, "b")
    (tmp_path / "b_label.nii.gz").write_bytes(b"no nifti")
    prepared = prepare_cases(find_cases(tmp_path, "liver"), SMALL)
    assert [case.case_id for case in prepared.cases] == ["a"]
    ((name, why),) = prepared.left_out
    assert name == "b"
    assert "b_label.nii.gz cannot be read" in why
    (tmp_path / "a_image.nii.gz").unlink()
    (tmp_path / "a_label.nii.gz").unlink()
    with pytest.raises(CaseError, match=r"none of 1 cases can be used; the first: .*b_label"):
        prepare_cases([pair_case(tmp_path / "b_image.nii.gz", tmp_path / "b_label.nii.gz", "liver")], SMALL)


def test_prepared_cases_are_kept_until_files_or_settings_change(tmp_path):
    pair(tmp_path / "data", "a")
    pair(tmp_path / "data", "b")
    files = find_cases(tmp_path / "data", "liver")
    first = prepare_cases(files, SMALL, tmp_path / "cache")
    again = prepare_cases(files, SMALL, tmp_path / "cache")
    assert (first.n_cached, again.n_cached) == (0, 2)
    for one, other in zip(first.cases, again.cases, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        np.testing.assert_array_equal(one.original_mask, other.original_mask)
        np.testing.assert_allclose(one.scan.affine, other.scan.affine)
        assert (one.digest, one.window, one.modality) == (other.digest, other.window, other.modality)
    assert prepare_cases(files, Preparation(slice_mm=4.0, matrix=16), tmp_path / "cache").n_cached == 0
    prepare_cases(files, SMALL, tmp_path / "cache")
    write_nifti(tmp_path / "data/a_image.nii.gz", body() + np.int16(7))
    assert prepare_cases(files, SMALL, tmp_path / "cache").n_cached == 1
    (tmp_path / "cache/b.npz").write_bytes(b"damaged")
    assert prepare_cases(files, SMALL, tmp_path / "cache").n_cached == 1


@pytest.mark.parametrize(
    ("organ_name", "expected"),
    [("liver", (1, 2)), ("tumour", (2,)), ("lung", (4, 5)), ("kidney", (7,))],
)
def test_labels_are_chosen_by_the_words_of_their_names(organ_name, expected):
    own = {"background": [0], "Liver": [1], "Liver tumour": [2]}
    rest = {"left lung": [4], "lung_right": [5], "kidneys": [7]}
    assert organ_labels({**own, **rest}, organ_name, "here") == expected


def test_tumours_count_for_the_only_organ_and_for_none_of_several():
    assert organ_labels({"pancreas": [1], "cancer": [2]}, "pancreas", "here") == (1, 2)
    assert organ_labels({"pancreas": [1], "cancer": [2], "liver": [3]}, "pancreas", "here") == (1,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "holds neither NIfTI files nor DICOM images"),
        (
            lambda folder: write_nifti(folder / "a.nii.gz", body()),
            "no image has a mask \\(a.nii.gz: no mask\\)",
        ),
        (lambda folder: dataset(folder, name="x"), "is no dataset.json"),
        (lambda folder: dataset(folder, labels={"liver": 1}, file_ending=".mha"), "files end in .mha"),
        (lambda folder: (folder / "cases.csv").write_text("a,b\n1,2\n"), "columns image and mask"),
    ],
    ids=["nothing", "no mask", "json", "ending", "table"],
)
def test_a_folder_without_cases_is_refused(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(CaseError, match=message):
        find_cases(tmp_path, "liver")


def test_wrong_arguments_are_refused(tmp_path):
    with pytest.raises(CaseError, match="no such folder"):
        find_cases(tmp_path / "gone", "liver")
    with pytest.raises(CaseError, match="labels must be whole numbers above 0"):
        find_cases(tmp_path, "liver", labels=[0])
    with pytest.raises(CaseError, match="'PET' is neither CT nor MR"):
        survey(tmp_path, "liver", modality="PET")
    with pytest.raises(CaseError, match="both must be above 0"):
        Preparation(slice_mm=0)
    with pytest.raises(MaskError, match="is not there"):
        prepare_case(pair_case(tmp_path / "a.nii", tmp_path / "b.nii", "liver"), SMALL)


def test_every_layout_is_documented():
    text = (Path(__file__).parents[2] / "docs/reference/scans-with-masks.md").read_text("utf-8")
    assert {layout for layout in get_args(Layout) if f"| `{layout}` |" not in text} == set()
