"""What is varied keeps every label true."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from radnet.config import AugmentationConfig
from radnet.training.augmentation import Draws, Known, augment
from radnet.training.grey import blur_in_plane, power_and_gain, receive_field
from radnet.training.warp import largest_fit, mirror, rotate_and_shrink

CPU = torch.device("cpu")
STILL = {name: 0 for name in AugmentationConfig.model_fields if name != "enabled"}


def volumes(n: int = 3, shape: tuple[int, int, int] = (8, 12, 10)) -> Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(1, 256, (n, *shape), np.uint8))


def known(n: int, mirrored: bool = True, sagittal: bool = False, mr: bool = True) -> Known:
    return Known(*(torch.full((n,), value) for value in (mirrored, sagittal, mr)))


def only(n: int = 3, n_slices: int = 8, **settings: float) -> Draws:
    config = AugmentationConfig.model_validate({**STILL, **settings})
    return Draws(config, 1, 0, np.arange(n), n_slices, CPU)


def test_nothing_is_changed_when_nothing_is_asked() -> None:
    assert torch.equal(augment(volumes(), known(3), only()), volumes())


@pytest.mark.parametrize(("sagittal", "axis"), [(False, 3), (True, 1)], ids=["columns", "slices"])
def test_mirroring_exchanges_left_and_right_alone(sagittal: bool, axis: int) -> None:
    mirrored = augment(volumes(), known(3, sagittal=sagittal), only(mirror=1))
    assert torch.equal(mirrored, volumes().flip(axis))


def test_without_a_known_view_nothing_is_mirrored() -> None:
    assert torch.equal(augment(volumes(), known(3, mirrored=False), only(mirror=1)), volumes())


def test_each_volume_is_mirrored_on_its_own() -> None:
    given = volumes(2).float()
    found = mirror(given, torch.tensor([True, True]), torch.tensor([True, False]))
    assert torch.equal(found[0], given[0].flip(0))
    assert torch.equal(found[1], given[1].flip(2))


def test_hounsfield_units_stay_and_mr_varies() -> None:
    varied = only(gamma=0.3, intensity=0.2, bias_field=0.3)
    assert torch.equal(augment(volumes(), known(3, mr=False), varied), volumes())
    assert not torch.equal(augment(volumes(), known(3), varied), volumes())


@pytest.mark.parametrize("angle", [-8.0, 3.0, 20.0])
def test_no_corner_is_lost_by_rotation(angle: float) -> None:
    given = torch.zeros(1, 3, 64, 96)
    given[0, :, 0, 0] = given[0, :, 0, -1] = given[0, :, -1, 0] = given[0, :, -1, -1] = 1
    given = torch.nn.functional.max_pool3d(given[None], (1, 7, 7), 1, (0, 3, 3))[0]
    ones = torch.ones(1)
    turned = rotate_and_shrink(given, torch.tensor([angle]), ones, ones)
    scale = float(largest_fit(torch.tensor([angle]), 64, 96))
    assert turned.sum() == pytest.approx(float(given.sum()) * scale**2, rel=0.06)
    edge = torch.cat([turned[0, :, 0].ravel(), turned[0, :, :, 0].ravel()])
    assert edge.max() <= 1


def test_rotation_goes_from_rows_to_columns_by_its_angle() -> None:
    given = torch.zeros(1, 1, 101, 101)
    given[0, 0, 50, 80] = 1  # 30 columns from the centre
    given = torch.nn.functional.avg_pool2d(given, 5, 1, 2)
    turned = rotate_and_shrink(given, torch.tensor([20.0]), torch.ones(1), torch.ones(1))[0, 0]
    row, column = (np.unravel_index(int(turned.argmax()), (101, 101))[axis] - 50 for axis in (0, 1))
    assert abs(np.degrees(np.arctan2(row, column))) == pytest.approx(20, abs=3)
    fit = float(largest_fit(torch.tensor([20.0]), 101, 101))
    assert np.hypot(row, column) == pytest.approx(30 * fit, abs=1.5)


def test_shrinking_along_slices_makes_them_further_apart() -> None:
    """A slab 24 slices thick at half size is 12 thick: each slice stands for twice as many mm."""
    given = torch.zeros(1, 48, 4, 4)
    given[0, 12:36] = 1
    half = torch.tensor([0.5])
    shrunk = rotate_and_shrink(given, torch.zeros(1), torch.ones(1), half)
    assert shrunk[0, :, 2, 2].sum() == pytest.approx(12, abs=0.01)
    assert (shrunk[0, :12].max(), shrunk[0, 36:].max()) == (0, 0)


def test_drawn_scales_never_enlarge() -> None:
    draws = only(200, shrink=0.3)
    for scale in (draws.plane_scale, draws.slice_scale):
        assert 0.7 <= float(scale.min()) < 0.72
        assert 0.98 < float(scale.max()) <= 1


def test_masks_move_with_the_volume() -> None:
    mask = torch.zeros(1, 8, 20, 20)
    mask[:, 2:6, 5:15, 5:15] = 1
    angle, scale = torch.tensor([10.0]), torch.tensor([0.8])
    moved = rotate_and_shrink(mask, angle, scale, scale, "nearest")
    soft = rotate_and_shrink(mask, angle, scale, scale)
    assert set(moved.unique().tolist()) == {0.0, 1.0}
    assert (moved - soft).abs().mean() < 0.05


def test_blank_slices_stay_blank() -> None:
    given = volumes(4)
    given[:, :2] = given[:, 6:] = 0
    draws = Draws(AugmentationConfig(shrink=0.0), 1, 0, np.arange(4), 8, CPU)
    varied = augment(given, known(4), draws)
    assert varied[:, :2].max() == varied[:, 6:].max() == 0
    assert varied[:, 2:6].float().std() > 10


def test_a_row_is_varied_alike_in_any_batch() -> None:
    config = AugmentationConfig()
    whole = augment(volumes(3), known(3), Draws(config, 1, 4, np.array([7, 8, 9]), 8, CPU))
    alone = augment(volumes(3)[1:2], known(1), Draws(config, 1, 4, np.array([8]), 8, CPU))
    assert torch.equal(whole[1:2], alone)
    later = augment(volumes(3)[1:2], known(1), Draws(config, 1, 5, np.array([8]), 8, CPU))
    assert not torch.equal(alone, later)


def test_only_mr_gets_a_receive_field() -> None:
    draws = only(bias_field=0.5)
    assert torch.equal(augment(volumes(), known(3, mr=False), draws), volumes())
    assert not torch.equal(augment(volumes(), known(3), draws), volumes())


def test_a_receive_field_is_smooth() -> None:
    nodes = torch.zeros(1, 3, 3, 3)
    nodes[0, 1, 1, 1] = 0.5
    field = receive_field(torch.ones(1, 9, 33, 33), nodes)[0]
    assert float(field[4, 16, 16]) == pytest.approx(np.exp(0.5), rel=1e-4)
    assert float(field[0, 0, 0]) == 1
    assert float(field.diff(dim=1).abs().max()) < 0.08


def test_lost_slices_are_of_the_middle_half() -> None:
    draws = only(50, 16, dropped_slices=4)
    counts = draws.dropped.sum(0)
    assert counts[:4].sum() == counts[12:].sum() == 0
    assert counts[4:12].min() > 0
    assert draws.dropped.sum(1).max() == 4
    varied = augment(volumes(50, (16, 4, 4)), known(50), draws)
    assert torch.equal((varied == 0).all(dim=(2, 3)), draws.dropped)


def test_grey_levels_keep_their_order_under_gamma_and_gain() -> None:
    ramp = torch.linspace(0.2, 0.8, 50).reshape(1, 1, 1, 50)
    values = (torch.tensor([1.3]), torch.tensor([0.9]), torch.tensor([0.05]))
    assert bool((power_and_gain(ramp, *values).diff() > 0).all())


def test_a_blur_keeps_the_sum_and_stays_in_its_slice() -> None:
    given = torch.zeros(2, 3, 21, 21)
    given[:, 1, 10, 10] = 1
    blurred = blur_in_plane(given, torch.tensor([1.0, 0.0]))
    assert torch.allclose(blurred.sum(dim=(2, 3)), given.sum(dim=(2, 3)), atol=1e-5)
    assert float(blurred[0, 1, 10, 10]) == pytest.approx(1 / (2 * np.pi), rel=0.01)
    assert torch.allclose(blurred[1], given[1], atol=1e-6)
