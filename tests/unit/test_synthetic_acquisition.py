from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import cos, exp, log, radians, sin

import numpy as np
import pytest
from radnet.synthetic.acquisition import CtTechnique, MrTechnique, acquire_ct, acquire_mr, mr_signal

from radnet.synthetic import protocols
from radnet.synthetic.anatomy import Body, make_body
from radnet.synthetic.sampling import Prescription
from radnet.synthetic.structures import NUMBER
from radnet.synthetic.tissue import tissues


def signal(name: str, technique: MrTechnique) -> float:
    return mr_signal(tissues()[name], technique)


@pytest.mark.parametrize("field_t", [1.5, 3.0])
def test_spin_echo_ratio_of_white_to_grey_is_the_closed_formula(field_t):
    technique = MrTechnique(tr_ms=600, te_ms=20, field_t=field_t)
    expected = []
    for name in ("white_matter", "grey_matter"):
        row = tissues()[name]
        times = row.relaxation[field_t]
        expected.append(row.proton_density * (1 - exp(-600 / times.t1_ms)) * exp(-20 / times.t2_ms))
    ratio = signal("white_matter", technique) / signal("grey_matter", technique)
    assert ratio == pytest.approx(expected[0] / expected[1])


def test_spoiled_gradient_echo_ratio_is_the_closed_formula():
    technique = MrTechnique(tr_ms=8, te_ms=4, flip_deg=20, family="gradient_echo")
    expected = []
    for name in ("liver", "spleen"):
        row = tissues()[name]
        e1 = exp(-8 / row.relaxation[1.5].t1_ms)
        steady = sin(radians(20)) * (1 - e1) / (1 - cos(radians(20)) * e1)
        expected.append(row.proton_density * steady * exp(-4 / row.relaxation[1.5].t2star_ms))
    assert signal("liver", technique) / signal("spleen", technique) == pytest.approx(
        expected[0] / expected[1]
    )


@pytest.mark.parametrize("tr_ms", [6000, 9000, 12000])
def test_fluid_vanishes_at_the_null_of_its_inversion_recovery(tr_ms):
    t1_ms = tissues()["csf"].relaxation[1.5].t1_ms
    null_ms = t1_ms * log(2 / (1 + exp(-tr_ms / t1_ms)))
    at_null = MrTechnique(tr_ms=tr_ms, te_ms=110, ti_ms=null_ms)
    assert signal("csf", at_null) == pytest.approx(0, abs=1e-12)
    assert signal("csf", replace(at_null, ti_ms=null_ms / 2)) > 0.1
    assert signal("csf", replace(at_null, ti_ms=null_ms * 2)) > 0.1


@pytest.mark.parametrize("technique", [protocols.T2_FLAIR, protocols.T2_FLAIR_3T], ids=["1.5T", "3T"])
def test_fluid_is_dark_and_grey_brighter_than_white_in_t2_flair(technique):
    assert signal("csf", technique) < 0.1 * signal("white_matter", technique)
    assert signal("grey_matter", technique) > signal("white_matter", technique)


@pytest.mark.parametrize(
    "technique",
    [protocols.T1_SE, protocols.T1_FLAIR_3T, protocols.MPRAGE],
    ids=["spin echo", "flair", "mprage"],
)
def test_white_is_brighter_than_grey_and_grey_than_fluid_in_t1(technique):
    assert signal("white_matter", technique) > signal("grey_matter", technique) > signal("csf", technique)


@pytest.mark.parametrize("technique", [protocols.T2_SE, protocols.T2_SE_3T], ids=["1.5T", "3T"])
def test_fluid_is_brighter_than_grey_and_grey_than_white_in_t2(technique):
    assert signal("csf", technique) > signal("grey_matter", technique) > signal("white_matter", technique)


def test_short_inversion_darkens_fat():
    assert signal("fat", protocols.STIR) < 0.2 * signal("fat", replace(protocols.STIR, ti_ms=None))


def test_diffusion_weighting_darkens_what_moves_freely():
    unweighted = replace(protocols.DWI, b_s_mm2=0)
    ratio = signal("csf", protocols.DWI) / signal("csf", unweighted)
    assert ratio == pytest.approx(exp(-1000 * 3.0e-3))
    assert signal("grey_matter", protocols.DWI) > signal("csf", protocols.DWI)


def test_fat_saturation_takes_fat_and_leaves_liver():
    plain = replace(protocols.VIBE, fat_saturated=False)
    assert signal("fat", protocols.VIBE) < 0.2 * signal("fat", plain)
    assert signal("liver", protocols.VIBE) > 0.9 * signal("liver", plain)


def test_gadolinium_brightens_a_tumour_and_leaves_white_matter():
    plain, agent = protocols.T1_SE, protocols.T1_SE_GD
    assert signal("lesion", agent) > 1.3 * signal("lesion", plain)
    assert signal("white_matter", agent) < 1.05 * signal("white_matter", plain)


def test_flow_empties_vessels_in_a_spin_echo_alone():
    assert signal("blood", protocols.T2_SE) < 0.2 * signal("csf", protocols.T2_SE)
    assert signal("blood", protocols.VIBE_GD) > signal("muscle", protocols.VIBE_GD)


@cache
def uniform_body(structure: str) -> Body:
    labels = np.full((40, 40, 40), NUMBER[structure], np.uint8)
    whole = make_body(1)
    return replace(whole, labels=labels)


def middle_slice(body: Body, size: int = 32) -> Prescription:
    middle = body.origin_mm + 20 * body.voxel_mm
    corner = middle - np.array([size / 2, size / 2, 0])
    return Prescription(corner[None], np.eye(3)[0], np.eye(3)[1], (size, size), 1.0, 4.0)


@pytest.mark.parametrize(("contrast", "expected"), [(False, 60), (True, 110)], ids=["native", "portal"])
def test_ct_of_liver_has_the_number_of_the_table_and_the_noise_asked_for(contrast, expected):
    body = uniform_body("liver")
    technique = CtTechnique(contrast=contrast, noise_hu=20)
    (image,) = acquire_ct(body, middle_slice(body), technique, np.random.default_rng(1))
    assert image.mean() == pytest.approx(expected, abs=4)
    assert image.std() == pytest.approx(20, rel=0.15)


def test_mr_of_air_is_the_noise_of_two_channels():
    body = uniform_body("outside")
    technique = replace(protocols.T1_SE, noise=0.02)
    (image,) = acquire_mr(body, middle_slice(body), technique, np.random.default_rng(1))
    assert image.mean() == pytest.approx(0.02 * 2000 * np.sqrt(np.pi / 2), rel=0.05)  # Rayleigh
    assert image.min() >= 0


def test_a_surface_coil_is_brighter_at_the_back():
    body = uniform_body("muscle")
    technique = replace(protocols.SPINE_T1, noise=0.001)
    (image,) = acquire_mr(body, middle_slice(body), technique, np.random.default_rng(1))
    assert image[-4:].mean() > 1.2 * image[:4].mean()
