"""Grey levels inside the organs of a painted body are those of the table of tissues."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from radnet.synthetic.anatomy import make_body
from radnet.synthetic.arrays import NUMPY, Arrays
from radnet.synthetic.ct import CtArtefacts, CtTechnique
from radnet.synthetic.examinations import draw_examination
from radnet.synthetic.fields import TARGETS
from radnet.synthetic.mr import MrArtefacts
from radnet.synthetic.sampling import Subject, prepare
from radnet.synthetic.scans import Scan, take_scan
from radnet.synthetic.signal import MrTechnique, mr_signal
from radnet.synthetic.tissue import tissues

pytestmark = pytest.mark.xdist_group("grey levels")  # its fixtures are dear

TRUNK = ("liver", "spleen", "kidney_cortex", "muscle", "fat", "lung")
HEAD = ("white_matter", "grey_matter", "csf")
T1 = MrTechnique(tr_ms=500, te_ms=12, noise=1e-4, bandwidth_hz=2000)
T2 = MrTechnique(tr_ms=4000, te_ms=90, noise=1e-4, bandwidth_hz=2000)
FLAIR = MrTechnique(tr_ms=9000, te_ms=110, ti_ms=2480, noise=1e-4)


@cache
def someone() -> Subject:
    return prepare(make_body(31, "M"), Arrays(NUMPY))


@cache
def scan(target: str, technique: CtTechnique | MrTechnique) -> Scan:
    wanted = next(t for t in TARGETS if t.name == target)
    sequence = "ct" if isinstance(technique, CtTechnique) else "t1_se"
    drawn = draw_examination(someone(), wanted, sequence, "axial", False, np.random.default_rng(2))
    plan = drawn.plan
    size = max(plan.shape) * plan.pixel_mm
    plan = replace(plan, positions=plan.positions[:: max(1, len(plan.positions) // 24)], thickness_mm=2.0)
    plan = replace(plan, shape=(200, 200), pixel_mm=size / 200)
    plain = CtArtefacts(streaks=0) if sequence == "ct" else MrArtefacts()
    return take_scan(someone(), replace(drawn, plan=plan, technique=technique, artefacts=plain), (1,))


def middle(target: str, technique: CtTechnique | MrTechnique, tissue: str) -> float:
    """Median inside a tissue, away from its borders."""
    taken = scan(target, technique)
    numbers = [n for n, name in enumerate(someone().body.tissues) if name == tissue]
    masks = np.isin(taken.structures, numbers).astype(np.uint8)
    inside = np.array([cv2.erode(mask, np.ones((3, 3), np.uint8)) for mask in masks]) > 0
    assert inside.sum() > 30
    return float(np.median(taken.images[inside]))


@pytest.mark.parametrize("phase", ["native", "portal"])
@pytest.mark.parametrize("tissue", TRUNK)
def test_ct_numbers_of_the_trunk(tissue, phase):
    found = middle("trunk", CtTechnique(phase, noise_hu=1), tissue)
    assert found == pytest.approx(tissues()[tissue].hu[phase], abs=40 if tissue == "lung" else 15)


@pytest.mark.parametrize("tissue", HEAD)
def test_ct_numbers_of_the_head(tissue):
    found = middle("brain", CtTechnique(noise_hu=1), tissue)
    narrow = tissue == "csf"  # sulci are hardly wider than a pixel and share it with cortex
    assert found == pytest.approx(tissues()[tissue].hu["native"], abs=15 if narrow else 8)


@pytest.mark.parametrize("tissue", ["spleen", "kidney_cortex", "muscle", "fat"])
@pytest.mark.parametrize("technique", [T1, T2], ids=["t1", "t2"])
def test_mr_of_the_trunk_against_the_liver(technique, tissue):
    found = middle("trunk", technique, tissue) / middle("trunk", technique, "liver")
    expected = mr_signal(tissues()[tissue], technique) / mr_signal(tissues()["liver"], technique)
    assert found == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("technique", [T1, T2], ids=["t1", "t2"])
def test_mr_of_grey_matter_against_white(technique):
    found = middle("brain", technique, "grey_matter") / middle("brain", technique, "white_matter")
    expected = mr_signal(tissues()["grey_matter"], technique) / mr_signal(
        tissues()["white_matter"], technique
    )
    assert found == pytest.approx(expected, rel=0.12)


def test_fluid_is_bright_in_t2_and_dark_in_flair():
    white = {technique: middle("brain", technique, "white_matter") for technique in (T2, FLAIR)}
    assert middle("brain", T2, "csf") > 1.5 * white[T2]
    assert middle("brain", FLAIR, "csf") < 0.5 * white[FLAIR]
