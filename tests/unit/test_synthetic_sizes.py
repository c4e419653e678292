"""Organs against published sizes and places: tests/golden/organ_sizes.csv and organ_levels.csv."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from synthetic_bodies import adult, coarse, mask, volume_ml

from radnet.synthetic.anatomy import Body
from radnet.synthetic.build import Organ
from radnet.synthetic.spine import vertebra_heights
from radnet.synthetic.structures import VERTEBRAE

pytestmark = pytest.mark.xdist_group("bodies")

GOLDEN = Path(__file__).parents[1] / "golden"
SEEDS = (11, 12, 13, 14)


def rows(name: str) -> list[dict[str, str]]:
    with (GOLDEN / name).open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


SIZES, LEVELS = rows("organ_sizes.csv"), rows("organ_levels.csv")


@pytest.mark.parametrize("row", SIZES, ids=lambda row: f"{row['organ']} {row['sex']}")
def test_organs_are_as_large_as_published(row):
    bodies = [adult(row["sex"]), *(coarse(seed, sex=row["sex"]) for seed in SEEDS)]
    whole = [body for body in bodies if "absent_kidney" not in body.build.findings]
    sizes = [volume_ml(body, *row["structures"].split()) for body in whole]
    assert float(row["least_ml"]) < min(sizes) <= max(sizes) < float(row["most_ml"]), sizes
    assert row["source"]


def spans(body: Body) -> dict[str, tuple[float, float]]:
    """Lower and upper end of every vertebra, mm."""
    ends = {
        name: (body.world((0, 0, height - segment / 2))[2], body.world((0, 0, height + segment / 2))[2])
        for name, (height, segment, _, _) in zip(VERTEBRAE, vertebra_heights(), strict=False)
    }
    ends["sacrum"] = (body.world((0, 0, 60))[2], body.world((0, 0, 175))[2])
    return ends


@pytest.mark.parametrize("row", LEVELS, ids=lambda row: row["landmark"])
@pytest.mark.parametrize("sex", ["F", "M"])
def test_landmarks_lie_at_their_vertebrae(row, sex):
    body = adult(sex)
    found = mask(body, *row["structures"].split())
    half = int(-body.origin_mm[0] / body.voxel_mm[0])
    if row["side"] == "right":
        found[:, :, half:] = False
    elif row["side"] == "left":
        found[:, :, :half] = False
    planes = np.flatnonzero(found.any((1, 2)))
    height = body.origin_mm[2] + (planes[-1] if row["edge"] == "top" else planes[0]) * body.voxel_mm[2]
    ends = spans(body)
    assert ends[row["lowest"]][0] < height < ends[row["highest"]][1]


def test_the_heavier_have_more_fat_under_the_skin_and_in_the_belly():
    bodies = [coarse(3, sex="M", height_mm=1750.0, weight_kg=weight) for weight in (58.0, 75.0, 95.0, 125.0)]
    for name in ("fat", "inner_fat"):
        sizes = [volume_ml(body, name) for body in bodies]
        assert (np.diff(sizes) > 0.05 * sizes[0]).all(), (name, sizes)


def test_the_belly_grows_forward_with_its_fat_and_the_spine_stays():
    lean, stout = (coarse(3, sex="M", height_mm=1750.0, weight_kg=weight) for weight in (60.0, 120.0))
    fronts = []
    for body in (lean, stout):
        plane = int((body.world((0, 0, 250))[2] - body.origin_mm[2]) / body.voxel_mm[2])
        ys = np.flatnonzero((body.labels[plane] > 0).any(1))
        fronts.append(body.origin_mm[1] + ys[0] * body.voxel_mm[1])
    assert fronts[1] < fronts[0] - 40
    middles = [
        np.argwhere(mask(body, "l3_marrow")).mean(0)[1] * 4 + body.origin_mm[1] for body in (lean, stout)
    ]
    assert abs(middles[0] - middles[1]) < 4


def test_taller_people_have_longer_spines_and_nearly_the_same_head():
    short, tall = (coarse(6, sex="F", height_mm=height, weight_kg=65.0) for height in (1500.0, 1850.0))
    lengths, heads = [], []
    for body in (short, tall):
        planes = np.flatnonzero(mask(body, "t1", "l5").any((1, 2)))
        lengths.append(np.ptp(planes) * 4.0)
        heads.append(np.ptp(body.boxes["brain"], axis=0)[2])
    assert lengths[1] > 1.18 * lengths[0]
    assert heads[1] < 1.1 * heads[0]


def test_age_widens_ventricles_and_takes_cortex_and_muscle():
    young, old = (
        coarse(
            8,
            sex="M",
            height_mm=1750.0,
            weight_kg=75.0,
            age_years=age,
            visceral_share=1.0,
            findings=frozenset(),
        )
        for age in (22.0, 88.0)
    )
    assert volume_ml(old, "ventricle") > 1.5 * volume_ml(young, "ventricle")
    assert volume_ml(old, "grey_matter", "white_matter") < 0.95 * volume_ml(
        young, "grey_matter", "white_matter"
    )
    assert volume_ml(old, "muscle") < volume_ml(young, "muscle")
    assert "old_marrow" in old.tissues
    assert "old_marrow" not in young.tissues


def test_the_caller_sets_the_size_of_an_organ():
    plain = coarse(9, sex="F", organs=_Frozen())
    large = coarse(9, sex="F", organs=_Frozen(spleen=Organ(size=1.4)))
    assert volume_ml(large, "spleen") > 1.5 * volume_ml(plain, "spleen")
    assert volume_ml(large, "uterus") == pytest.approx(volume_ml(plain, "uterus"), rel=0.02)


class _Frozen(dict):  # type: ignore[type-arg]
    """A mapping that a cache can hold."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self)))


def test_bodies_differ_in_shape():
    """No two of a panel are alike: outlines, fat and organ volumes spread as adults' do."""
    panel = [coarse(seed) for seed in range(30, 38)]
    for names, least in ((("fat",), 0.25), (("liver",), 0.06), (("inner_fat",), 0.06), (("muscle",), 0.06)):
        sizes = np.array([volume_ml(body, *names) for body in panel])
        assert sizes.std() / sizes.mean() > least, (names, sizes)
