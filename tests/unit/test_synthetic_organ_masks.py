from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from stored_series import Stored
from synthetic_bodies import coarse, mask

from radnet.geometry import STANDARD_ORIENTATIONS
from radnet.masks.codes import code_of
from radnet.masks.nifti import read_nifti
from radnet.masks.seg import read_seg
from radnet.synthetic.anatomy import Body
from radnet.synthetic.coverage import covered_regions
from radnet.synthetic.mask_files import write_masks
from radnet.synthetic.organ_masks import (
    LESION_HOSTS,
    ORGANS,
    OrganMap,
    covered_organs_mm,
    organ_map,
    organ_masks,
    organs_cell,
)
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.structures import NUMBER

FINDINGS = frozenset({"liver_tumour", "liver_cyst", "kidney_cyst", "lung_mass", "breast_tumour"})


@cache
def patient() -> tuple[Body, OrganMap]:
    body = coarse(3, sex="F", findings=FINDINGS)
    return body, organ_map(body)


def whole(body: Body, view: str = "axial", gap_mm: float = 8.0, pixel_mm: float = 4.0) -> Prescription:
    """A scan that holds the whole body."""
    row, column = np.array(STANDARD_ORIENTATIONS[view], float).reshape(2, 3)
    normal = np.cross(row, column)
    size = np.array(body.labels.shape[::-1]) * body.voxel_mm
    low, high = body.origin_mm, body.origin_mm + size
    corner = np.where(row + column + normal > 0, low, high)
    counts = [
        int(np.ceil(abs(axis @ size) / step))
        for axis, step in ((normal, gap_mm), (column, pixel_mm), (row, pixel_mm))
    ]
    positions = corner + np.arange(counts[0])[:, None] * gap_mm * normal
    return Prescription(positions, row, column, (counts[1], counts[2]), pixel_mm, gap_mm)


def middle_mm(plan: Prescription, organ: np.ndarray) -> np.ndarray:
    n, row, column = np.argwhere(organ).T
    points = plan.positions[n] + (row[:, None] * plan.column + column[:, None] * plan.row) * plan.pixel_mm
    return points.mean(0)


@pytest.mark.parametrize("view", sorted(STANDARD_ORIENTATIONS))
def test_organs_have_their_volume_and_place_in_every_view(view):
    body, organs = patient()
    plan = whole(body, view)
    masks = organ_masks(organs, plan)
    voxel_ml = 8 * 4 * 4 / 1000
    for organ, names in {"liver": ("liver", "liver_vessel"), "spleen": ("spleen",)}.items():
        truth = mask(body, *names)
        ml = truth.sum() * body.voxel_mm.prod() / 1000
        assert masks[organ].sum() * voxel_ml == pytest.approx(ml, rel=0.25)
        z, y, x = np.argwhere(truth).T
        centre = body.origin_mm + np.stack([x, y, z], 1).mean(0) * body.voxel_mm
        np.testing.assert_allclose(middle_mm(plan, masks[organ]), centre, atol=6)
    total = np.sum(list(masks.values()), axis=0)
    assert total.max() == 1  # organs do not overlap
    for organ in ("kidney", "lung", "breast"):
        left, right = (middle_mm(plan, masks[f"{side}_{organ}"])[0] for side in ("left", "right"))
        assert left > right + 40


def test_a_lesion_belongs_to_the_organ_it_grows_in():
    body, organs = patient()
    labels = np.pad(body.labels, 1)
    for lesion in ("tumour", "cyst", "lesion"):
        inside = labels == NUMBER[lesion]
        found = {ORGANS[number - 1].split("_")[-1] for number in np.unique(organs.numbers[inside]) if number}
        assert inside.any()
        assert (organs.numbers[inside] > 0).mean() > 0.99
        assert found <= set(LESION_HOSTS[lesion])
    assert organs.numbers[labels == NUMBER["liver"]].min() == ORGANS.index("liver") + 1


def test_every_organ_has_a_code():
    assert all(code_of(organ) is not None for organ in ORGANS)


def test_an_organ_is_covered_until_a_slice_with_it_is_missing():
    body, organs = patient()
    plan = whole(body, gap_mm=5.0)
    liver = organ_masks(organs, plan)["liver"]
    shown = np.flatnonzero(liver.any(axis=(1, 2)))
    enough = replace(plan, positions=plan.positions[shown[0] - 1 : shown[-1] + 2])
    assert covered_organs_mm(organs, enough)["liver"] == pytest.approx(5 * len(shown), abs=9)
    for cut in (slice(shown[0] + 1, shown[-1] + 2), slice(shown[0] - 1, shown[-1])):
        assert "liver" not in covered_organs_mm(organs, replace(plan, positions=plan.positions[cut]))
    last = np.flatnonzero(liver.any(axis=(0, 1)))[-1]  # the spleen lies further left
    narrow = replace(enough, shape=(enough.shape[0], int(last) + 2))
    assert "liver" in covered_organs_mm(organs, narrow)
    assert "spleen" not in covered_organs_mm(organs, narrow)


def test_organs_of_covered_regions_are_covered():
    body, organs = patient()
    for view in STANDARD_ORIENTATIONS:
        plan = whole(body, view)
        covered = covered_organs_mm(organs, plan)
        regions = covered_regions(body, plan, of_breast=True)
        assert {"liver", "brain", "kidney", "lung"} <= set(regions)
        assert {"liver", "brain", "left_kidney", "right_kidney", "left_lung"} <= set(covered)
        reach = np.ptp(body.boxes["liver"], axis=0) @ np.abs(plan.normal)
        assert covered["liver"] == pytest.approx(reach, abs=9)


def test_covered_organs_are_written_in_whole_millimetres():
    assert organs_cell({"liver": 152.4, "spleen": 97.6}) == "liver:152;spleen:98"
    assert organs_cell({}) == "none"


LOW = np.array([-3.0, 2.0, 1.0])
MASKS = {
    "liver": np.arange(5 * 4 * 3).reshape(5, 4, 3).astype(np.uint8) % 2,
    "spleen": np.zeros((5, 4, 3), np.uint8),
}


def stored(heights: list[float], enhanced: bool = False) -> Stored:
    positions = LOW + np.array(heights)[:, None] * [0, 0, 1]
    return Stored("MR", enhanced, positions, np.array([1.0, 0, 0, 0, 1, 0]), (2.0, 2.0), (4, 3))


@pytest.mark.parametrize("enhanced", [False, True])
def test_masks_of_a_stack_are_written_twice_in_its_own_geometry(tmp_path, enhanced):
    series = stored([8.0, 4, 0, 12, 16], enhanced)
    written = write_masks(tmp_path / "masks", MASKS, series.headers())
    assert [path.name for path in written] == ["liver.nii.gz", "spleen.nii.gz", "masks.dcm"]
    got = read_seg(written[-1], series.headers()).masks["liver"]
    np.testing.assert_array_equal(got, MASKS["liver"])
    volume = read_nifti(written[0])
    np.testing.assert_array_equal(volume.values, MASKS["liver"][[2, 1, 0, 3, 4]])
    np.testing.assert_allclose(volume.affine[:3, 3], LOW)
    np.testing.assert_allclose(volume.spacing_mm, [4, 2, 2])


def test_equal_stacks_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_masks(tmp_path / name, MASKS, stored([0.0, 4, 8, 12, 16]).headers())
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_uneven_and_repeated_positions(tmp_path):
    """A gap leaves the SEG alone; of repeated positions the first is marked."""
    names = [
        path.name for path in write_masks(tmp_path / "gap", MASKS, stored([0.0, 4, 8, 16, 20]).headers())
    ]
    assert names == ["masks.dcm"]
    series = stored([0.0, 4, 0, 4, 8])
    written = write_masks(tmp_path / "twice", MASKS, series.headers())
    assert len(written) == 3
    first = read_seg(written[-1], [series.headers()[index] for index in (0, 1, 4)]).masks["liver"]
    np.testing.assert_array_equal(first, MASKS["liver"][[0, 1, 4]])


def test_a_stack_without_organs_has_no_masks(tmp_path):
    assert write_masks(tmp_path / "none", {}, stored([0.0, 4]).headers()) == []
    assert not Path(tmp_path / "none").exists()
