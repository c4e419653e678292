"""Montages: the body's own proportions and directions, however the voxels lie."""

from __future__ import annotations

from itertools import permutations, product

import cv2
import numpy as np
import pytest

from radnet.errors import GeometryError
from radnet.figures.montage import PANEL, SEAM, canonical, grey_png, orthogonal_panels

SPACING = np.array([5.0, 1.5, 1.0])
"""Of the phantom along (feet, back, left), mm."""
TO_FEET_BACK_LEFT = np.array([(0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0)])
"""Columns: where the canonical axes point, LPS."""


def phantom() -> np.ndarray:
    return np.random.default_rng(7).integers(0, 255, (12, 20, 30), np.uint8)


def canonical_affine() -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = TO_FEET_BACK_LEFT * SPACING
    return affine


def stored(axes: tuple[int, ...], flips: tuple[bool, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Store the phantom with other axes; its affine follows."""
    volume, affine = phantom().transpose(axes), canonical_affine()
    affine[:3, :3] = affine[:3, list(axes)]
    for axis, flip in enumerate(flips):
        if flip:
            volume = np.flip(volume, axis)
            affine[:3, axis] *= -1
    return volume, affine


@pytest.mark.parametrize("axes", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("flips", list(product((False, True), repeat=3)), ids=str)
def test_storage_order_does_not_change_what_is_shown(axes, flips):
    volume, affine = stored(axes, flips)
    turned = canonical(volume, affine)
    np.testing.assert_array_equal(turned.voxels, phantom())
    assert turned.spacing_mm == pytest.approx(SPACING)


def test_a_tilted_volume_is_turned_by_whole_axes():
    angle = np.deg2rad(17)
    tilt = np.array([(1, 0, 0), (0, np.cos(angle), -np.sin(angle)), (0, np.sin(angle), np.cos(angle))])
    affine = canonical_affine()
    affine[:3, :3] = tilt @ affine[:3, :3]
    np.testing.assert_array_equal(canonical(phantom(), affine).voxels, phantom())


def shown_extent(panel: np.ndarray) -> tuple[int, int]:
    rows, columns = (np.flatnonzero((panel == 200).sum(axis=axis) > 20) for axis in (1, 0))
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def test_panels_keep_the_proportions_in_millimetres():
    affine = canonical_affine()
    affine[:3, :3] = TO_FEET_BACK_LEFT * (4.0, 1.0, 2.0)
    picture = orthogonal_panels(np.full((20, 100, 80), 200, np.uint8), affine)  # 80 x 100 x 160 mm
    axial, coronal, sagittal = (
        picture[:, start : start + PANEL] for start in range(0, 3 * PANEL, PANEL + SEAM)
    )
    assert shown_extent(axial) == (round(PANEL * 100 / 160), PANEL)
    assert shown_extent(coronal) == (PANEL // 2, PANEL)
    assert shown_extent(sagittal) == (PANEL // 2, round(PANEL * 100 / 160))


def test_letters_stand_where_the_patient_sides_are():
    """In a dark volume only the letters are bright."""
    picture = orthogonal_panels(np.zeros((48, 48, 48), np.uint8), canonical_affine())
    axial, sagittal = picture[:, :PANEL], picture[:, -PANEL:]
    middle = slice(PANEL // 2 - 10, PANEL // 2 + 10)
    left_of_axial, left_of_sagittal = axial[middle, :20], sagittal[middle, :20]
    assert left_of_axial.max() > 200
    assert (left_of_axial != left_of_sagittal).any(), "R and A are not the same letter"
    np.testing.assert_array_equal(picture[:30, PANEL + SEAM : 2 * PANEL + SEAM], sagittal[:30])


@pytest.mark.parametrize("entry", [0.0, float("nan")], ids=["flat", "not a number"])
def test_an_affine_without_three_dimensions_is_refused(entry):
    affine = canonical_affine()
    affine[:3, 1] = entry
    with pytest.raises(GeometryError, match="spans no three dimensions"):
        canonical(phantom(), affine)


def test_png_gives_back_the_picture():
    picture = phantom()[0]
    decoded = cv2.imdecode(np.frombuffer(grey_png(picture), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded, picture)
