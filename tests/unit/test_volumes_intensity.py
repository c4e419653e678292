"""Grey levels follow the configured window and never break on constant volumes."""

from __future__ import annotations

import numpy as np
import pytest

from radnet.config import VolumesConfig
from radnet.volumes.intensity import Window, choose_window, grey_levels, percentile_window

RAMP = np.linspace(-2000, 3000, 1001, dtype=np.float32).reshape(1, 7, 143)


@pytest.mark.parametrize(
    ("intensity", "modality", "expected"),
    [
        pytest.param("windows", "CT", (-1000, 1000), id="CT has a window in HU"),
        pytest.param("windows", "MR", (-1975, 2975), id="MR spans its percentiles"),
        pytest.param("windows", None, (-1975, 2975), id="unknown scale spans its percentiles"),
        pytest.param("min_max", "CT", (-2000, 3000), id="the paper spans everything"),
    ],
)
def test_window_follows_policy_and_modality(intensity: str, modality: str, expected: Window) -> None:
    window = choose_window(RAMP, modality, VolumesConfig.model_validate({"intensity": intensity}))
    assert window == pytest.approx(expected)


def test_levels_are_linear_rounded_and_clipped() -> None:
    volume = np.array([[[-3000, -1000, 0, 3.92, 3.93, 1000, 9000]]], np.float32)
    assert grey_levels(volume, Window(-1000, 1000)).tolist() == [[[0, 0, 128, 128, 128, 255, 255]]]


def test_min_max_uses_all_levels() -> None:
    levels = grey_levels(np.arange(256, dtype=np.float32) * 3.7 - 40, Window(-40, 255 * 3.7 - 40))
    assert levels.tolist() == list(range(256))


@pytest.mark.parametrize("intensity", ["windows", "min_max"])
def test_constant_volume_is_black(intensity: str) -> None:
    volume = np.full((2, 3, 4), 7.0, np.float32)
    window = choose_window(volume, "MR", VolumesConfig.model_validate({"intensity": intensity}))
    assert window == (7, 7)
    assert not grey_levels(volume, window).any()


def test_percentiles_that_meet_give_way_to_all_values() -> None:
    volume = np.zeros(10_000, np.float32)
    volume[0] = 50
    assert percentile_window(volume, (0.5, 99.5)) == (0, 50)
