from __future__ import annotations

import numpy as np
import pytest
from synthetic_bodies import coarse, mask, volume_ml

from radnet.synthetic.anatomy import make_body
from radnet.synthetic.build import CHANCES

SHOWN = {
    "brain_tumour": "lesion",
    "breast_tumour": "lesion",
    "dental_filling": "metal",
    "gallstones": "gallstone",
    "hip_prosthesis": "metal",
    "kidney_cyst": "cyst",
    "liver_cyst": "cyst",
    "liver_tumour": "tumour",
    "lung_mass": "tumour",
    "lung_nodule": "tumour",
    "pleural_effusion": "pleural_effusion",
    "spine_screws": "metal",
}


@pytest.mark.parametrize("finding", SHOWN)
def test_a_finding_that_is_asked_for_is_there_and_else_it_is_not(finding):
    step = 2.5 if finding in ("gallstones", "dental_filling", "lung_nodule") else 4.0
    ill = make_body(21, "F", step_mm=step, findings=frozenset({finding}))
    assert volume_ml(ill, SHOWN[finding]) > 0
    healthy = coarse(21, sex="F", findings=frozenset())
    assert volume_ml(healthy, SHOWN[finding]) == 0
    if step == 4.0:  # nothing but the finding has changed
        changed = (ill.labels != healthy.labels).mean()
        assert 0 < changed < 0.02


def test_every_finding_is_tested():
    assert set(SHOWN) | {"absent_kidney"} == set(CHANCES)


def test_an_absent_kidney_leaves_one():
    body = coarse(22, sex="M", findings=frozenset({"absent_kidney"}))
    both = coarse(22, sex="M", findings=frozenset())
    share = volume_ml(body, "kidney_cortex") / volume_ml(both, "kidney_cortex")
    assert 0.35 < share < 0.65
    columns = np.flatnonzero(mask(body, "kidney_cortex").any((0, 1)))
    middle = -body.origin_mm[0] / body.voxel_mm[0]
    assert columns.max() < middle or columns.min() > middle


def test_an_effusion_lies_at_the_back():
    body = coarse(23, sex="M", findings=frozenset({"pleural_effusion"}))
    fluid = np.argwhere(mask(body, "pleural_effusion"))[:, 1].mean()
    lung = np.argwhere(mask(body, "lung"))[:, 1].mean()
    assert fluid > lung + 5


def test_a_lesion_can_be_demanded_of_any_body():
    body = make_body(24, "M", lesion=True, step_mm=4.0, findings=frozenset())
    assert volume_ml(body, "lesion") > 0.5
    assert body.build.findings == {"brain_tumour"}


def test_men_have_no_tumour_of_the_breast():
    body = coarse(25, sex="M", findings=frozenset({"breast_tumour"}))
    assert volume_ml(body, "lesion") == 0
