from __future__ import annotations

import numpy as np
import pytest
from phantoms import Phantom, halves, middle_plan, subject, uniform

from radnet.errors import RadnetError
from radnet.synthetic.arrays import NUMPY, Arrays
from radnet.synthetic.planning import DIRECTIONS
from radnet.synthetic.prescription import Prescription
from radnet.synthetic.profiles import Spread
from radnet.synthetic.sampling import GRAIN, TEXTURES, lay, prepare, resample, structures_at
from radnet.synthetic.shapes import rotation

REACH = (8.0, 8.0, 8.0)


def three_blocks() -> Phantom:
    """Three tissues that tell x, y and z apart, and no symmetry."""
    labels = np.zeros((30, 34, 38), np.uint8)
    labels[2:-2, 2:-2, 2:20] = 1
    labels[2:-2, 20:-2, 20:-2] = 2
    labels[18:-2, 2:20, 20:-2] = 3
    return Phantom(
        labels, ("air", "fat", "muscle", "liver"), np.array([2.0, 1.5, 2.5]), np.array([5.0, -7, 3])
    )


def seen(phantom: Phantom, plan, **options) -> np.ndarray:
    """Structure numbers as a scan mixes them."""
    someone = subject(phantom)
    laid = lay(someone, plan, REACH)
    spread = Spread(options.get("box_mm", 1.0), 0.8)
    matrices = tuple(laid.matrix(axis, spread) for axis in range(3))
    return resample(someone.arrays, (laid.codes // TEXTURES).astype(np.float32), matrices)


@pytest.mark.parametrize("view", DIRECTIONS)
def test_a_place_is_the_same_in_every_view(view):
    phantom = three_blocks()
    middle = phantom.origin_mm + (np.array(phantom.labels.shape[::-1]) - 1) / 2 * phantom.voxel_mm
    row, column = DIRECTIONS[view]
    plan = middle_plan(phantom, slices=21, size=21, pixel_mm=2.0, thickness_mm=2.0, directions=(row, column))
    found = structures_at(subject(phantom), plan)
    for slice_, r, c in ((10, 10, 10), (3, 15, 7), (16, 4, 12), (8, 18, 18)):
        point = plan.positions[slice_] + (r * column + c * row) * plan.pixel_mm
        x, y, z = np.rint((point - phantom.origin_mm) / phantom.voxel_mm).astype(int)
        assert found[slice_, r, c] == phantom.labels[z, y, x]
    assert np.abs(middle - plan.corners().mean(0)).max() < 1


@pytest.mark.parametrize("view", DIRECTIONS)
def test_every_point_of_a_turned_scan_is_its_nearest_voxel(view):
    phantom = three_blocks()
    turn = rotation((25.0, -35.0, 50.0))
    plan = middle_plan(phantom, 9, 24, 1.5, 3.0, directions=DIRECTIONS[view], turn=turn)
    along, rows, columns = plan.offsets_mm()
    points = (
        plan.positions[0]
        + along[:, None, None, None] * plan.step
        + rows[:, None, None] * plan.column
        + columns[:, None] * plan.row
    )
    places = np.floor((points - phantom.origin_mm) / phantom.voxel_mm + 0.5).astype(int)
    inside = ((places >= 0) & (places < np.array(phantom.labels.shape[::-1]))).all(-1)
    x, y, z = np.moveaxis(np.where(inside[..., None], places, 0), -1, 0)
    expected = np.where(inside, phantom.labels[z, y, x], 0)
    agree = structures_at(subject(phantom), plan) == expected
    assert agree.mean() > 0.999  # points halfway between two voxels may go either way
    assert set(np.unique(expected)) == {0, 1, 2, 3}


@pytest.mark.parametrize("view", DIRECTIONS)
def test_turned_by_nearly_nothing_is_the_straight_scan(view):
    phantom = three_blocks()
    straight, turned = (
        seen(phantom, middle_plan(phantom, 9, 24, 1.5, 3.0, directions=DIRECTIONS[view], turn=turn))
        for turn in (np.eye(3), rotation((0.01, 0.01, 0.01)))
    )
    assert np.abs(straight - turned).mean() < 0.12
    assert np.corrcoef(straight.ravel(), turned.ravel())[0, 1] > 0.96


def test_reversing_a_direction_mirrors_the_image():
    phantom = three_blocks()
    image = seen(phantom, middle_plan(phantom, 3))
    mirrored = seen(phantom, middle_plan(phantom, 3, directions=((-1.0, 0, 0), (0, 1.0, 0))))
    np.testing.assert_allclose(mirrored[::-1, :, ::-1], image, atol=0.02)


def test_an_edge_lies_where_it_is_in_the_body():
    phantom = halves("fat", "muscle")
    image = seen(phantom, middle_plan(phantom, size=60, pixel_mm=0.5))[0, 30]
    border_mm = (len(phantom.labels) // 2 - 0.5) * 2.0
    x_mm = middle_plan(phantom, size=60, pixel_mm=0.5).positions[0, 0] + np.arange(60) * 0.5
    assert np.interp(1.5, image, x_mm) == pytest.approx(border_mm, abs=0.1)


def test_thick_slices_mix_what_they_hold():
    phantom = uniform("muscle")
    plan = middle_plan(phantom, thickness_mm=20.0)
    shifted = type(plan)(
        plan.positions + np.array([0, 0, 38.0]), plan.row, plan.column, plan.shape, 1.0, 20.0
    )
    inside = seen(phantom, plan, box_mm=1.0)[0, 10:20, 4:12].mean()
    border = seen(phantom, shifted, box_mm=20.0)[0, 10:20, 4:12].mean()
    assert inside == pytest.approx(1, abs=0.01)
    assert border == pytest.approx(0.5, abs=0.08)


def test_beyond_the_body_there_is_nothing():
    phantom = uniform("muscle")
    plan = middle_plan(phantom)
    far = type(plan)(plan.positions + 3000, plan.row, plan.column, plan.shape, 1.0, 4.0)
    assert not seen(phantom, far).any()
    assert not structures_at(subject(phantom), far).any()


def test_positions_in_any_order_and_twice_give_the_same_slices():
    phantom = three_blocks()
    plan = middle_plan(phantom, 5)
    order = np.array([3, 0, 4, 0, 2])
    mixed = type(plan)(plan.positions[order], plan.row, plan.column, plan.shape, 1.0, 4.0)
    np.testing.assert_allclose(seen(phantom, mixed), seen(phantom, plan)[order], atol=1e-4)


def test_a_sheared_stack_is_made_of_its_own_slices():
    phantom = three_blocks()
    plan = middle_plan(phantom, 5, 24, 1.5, 3.0, turn=rotation((14.0, 0, 0)))
    sheared = plan.positions[2] + np.outer(np.arange(-2, 3) * 3.0, [0, 0, 1.0])
    stack = Prescription(sheared, plan.row, plan.column, plan.shape, 1.5, 3.0)
    assert abs(stack.step @ stack.normal) < 0.98
    found = structures_at(subject(phantom), stack)
    for number, position in enumerate(sheared):
        alone = Prescription(position[None], plan.row, plan.column, plan.shape, 1.5, 3.0)
        np.testing.assert_array_equal(structures_at(subject(phantom), alone)[0], found[number])
        assert np.abs(seen(phantom, alone)[0] - seen(phantom, stack)[number]).mean() < 0.12


def test_texture_has_no_mean_and_the_deviation_it_says():
    codes = prepare(uniform("liver", 110), Arrays(NUMPY)).codes[5:105, 5:105, 5:105]  # type: ignore[arg-type]
    grain = GRAIN[codes % TEXTURES]
    assert grain.mean() == pytest.approx(0, abs=0.06)
    assert grain.std() == pytest.approx(1, abs=0.12)
    beside = np.corrcoef(grain[:, :, :-1].ravel(), grain[:, :, 1:].ravel())[0, 1]
    assert 0.2 < beside < 0.6  # patches, and specks within them


def test_the_outline_of_head_and_neck_leaves_raised_arms_out():
    labels = np.zeros((10, 30, 200), np.uint8)
    labels[1:-1, 5:25, 80:120] = 1
    labels[1:-1, 10:20, [*range(5, 15), *range(185, 195)]] = 1
    someone = subject(Phantom(labels, ("air", "muscle")))
    assert np.ptp(someone.outline_mm(4, 12)[:, 0]) == pytest.approx(380)
    assert np.ptp(someone.outline_mm(4, 12, core=True)[:, 0]) == pytest.approx(80)


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(RadnetError, match="no-such-device"):
        Arrays("no-such-device")
