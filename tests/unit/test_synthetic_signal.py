from __future__ import annotations

from cmath import exp as complex_exp
from dataclasses import replace
from math import cos, exp, log, pi, radians, sin

import pytest

from radnet.synthetic import protocols
from radnet.synthetic.signal import MrTechnique, fat_phase, mr_signal
from radnet.synthetic.tissue import PHASES, tissues

FIELDS = pytest.mark.parametrize("field_t", [1.5, 3.0])


def signal(name: str, technique: MrTechnique) -> float:
    return mr_signal(tissues()[name], technique)


def times(name: str, field_t: float) -> tuple[float, float, float, float]:
    """Proton density, T1, T2 and T2* of a row."""
    row = tissues()[name]
    own = row.relaxation[field_t]
    return row.proton_density, own.t1_ms, own.t2_ms, own.t2star_ms


def spin_echo(name: str, t: MrTechnique) -> float:
    density, t1, t2, _ = times(name, t.field_t)
    return density * (1 - exp(-t.tr_ms / t1)) * exp(-t.te_ms / t2)


def inversion_recovery(name: str, t: MrTechnique) -> float:
    density, t1, t2, _ = times(name, t.field_t)
    assert t.ti_ms is not None
    return density * abs(1 - 2 * exp(-t.ti_ms / t1) + exp(-t.tr_ms / t1)) * exp(-t.te_ms / t2)


def spoiled_echo(name: str, t: MrTechnique) -> float:
    density, t1, _, t2star = times(name, t.field_t)
    e1, flip = exp(-t.tr_ms / t1), radians(t.flip_deg)
    return density * sin(flip) * (1 - e1) / (1 - cos(flip) * e1) * exp(-t.te_ms / t2star)


def prepared_echo(name: str, t: MrTechnique) -> float:
    density, t1, _, t2star = times(name, t.field_t)
    assert t.ti_ms is not None
    recovery = abs(1 - 2 * exp(-t.ti_ms / t1) + exp(-t.tr_ms / t1))
    return density * sin(radians(t.flip_deg)) * recovery * exp(-t.te_ms / t2star)


def diffusion(name: str, t: MrTechnique) -> float:
    return spin_echo(name, t) * exp(-t.b_s_mm2 * tissues()[name].adc_um2_ms / 1000)


@FIELDS
@pytest.mark.parametrize(
    ("formula", "technique"),
    [
        (spin_echo, MrTechnique(tr_ms=600, te_ms=20)),
        (spin_echo, MrTechnique(tr_ms=4000, te_ms=100, echo_train=15)),
        (spin_echo, MrTechnique(tr_ms=3000, te_ms=20)),
        (inversion_recovery, MrTechnique(tr_ms=4000, te_ms=60, ti_ms=160)),
        (inversion_recovery, MrTechnique(tr_ms=2200, te_ms=12, ti_ms=800)),
        (inversion_recovery, MrTechnique(tr_ms=9000, te_ms=120, ti_ms=2500)),
        (prepared_echo, MrTechnique(1900, 3, 900, 9, family="gradient_echo")),
        (spoiled_echo, MrTechnique(8, 4, flip_deg=20, family="gradient_echo")),
        (spoiled_echo, MrTechnique(600, 20, flip_deg=20, family="gradient_echo")),
        (spin_echo, MrTechnique(tr_ms=600, te_ms=20, fat_saturated=True)),
        (diffusion, MrTechnique(tr_ms=5000, te_ms=90, b_s_mm2=1000)),
    ],
    ids=[
        "t1", "t2", "pd", "stir", "t1_flair", "t2_flair", "mprage", "gre", "t2star", "fat_saturated", "dwi",
    ],
)  # fmt: skip
def test_ratio_of_two_tissues_is_the_closed_formula_of_the_sequence(formula, technique, field_t):
    technique = replace(technique, field_t=field_t)
    for one, two in (("white_matter", "grey_matter"), ("spleen", "kidney_cortex"), ("csf", "bile")):
        expected = formula(one, technique) / formula(two, technique)
        assert signal(one, technique) / signal(two, technique) == pytest.approx(expected)


def test_an_adc_map_shows_the_coefficients_of_the_table():
    ratio = signal("csf", protocols.ADC) / signal("white_matter", protocols.ADC)
    assert ratio == pytest.approx(tissues()["csf"].adc_um2_ms / tissues()["white_matter"].adc_um2_ms)


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


def test_an_echo_train_keeps_fat_bright():
    single = MrTechnique(tr_ms=4000, te_ms=100)
    assert signal("fat", replace(single, echo_train=16)) > 2 * signal("fat", single)
    assert signal("liver", replace(single, echo_train=16)) < 1.6 * signal("liver", single)


def test_diffusion_weighting_darkens_what_moves_freely():
    unweighted = replace(protocols.DWI, b_s_mm2=0)
    ratio = signal("csf", protocols.DWI) / signal("csf", unweighted)
    assert ratio == pytest.approx(exp(-1000 * 3.0e-3))
    assert signal("grey_matter", protocols.DWI) > signal("csf", protocols.DWI)


def test_fat_saturation_takes_fat_and_leaves_liver():
    plain = replace(protocols.VIBE, fat_saturated=False)
    assert signal("fat", protocols.VIBE) < 0.2 * signal("fat", plain)
    assert signal("spleen", protocols.VIBE) == pytest.approx(signal("spleen", plain))


@FIELDS
def test_fat_turns_against_water_with_the_echo_time(field_t):
    opposed_ms = 500 / (3.4 * 42.577 * field_t)
    technique = MrTechnique(150, opposed_ms, flip_deg=70, field_t=field_t, family="gradient_echo")
    assert fat_phase(technique) == pytest.approx(-1)
    assert fat_phase(replace(technique, te_ms=2 * opposed_ms)) == pytest.approx(1)
    assert fat_phase(replace(technique, te_ms=opposed_ms / 2)) == pytest.approx(complex_exp(0.5j * pi))
    assert fat_phase(replace(technique, family="spin_echo")) == 1


def test_dixon_pictures_of_water_and_fat_add_up_to_in_phase_and_differ_by_opposed_phase():
    opposed = MrTechnique(150, 500 / (3.4 * 42.577 * 1.5), flip_deg=70, family="gradient_echo")
    water, fat = (signal("marrow", replace(opposed, species=kind)) for kind in ("water", "fat"))
    assert signal("marrow", opposed) == pytest.approx(abs(water - fat))
    assert signal("spleen", replace(opposed, species="fat")) == 0


@FIELDS
@pytest.mark.parametrize("phase", [phase for phase in PHASES if phase != "native"])
def test_an_agent_brightens_organs_and_tumours_in_t1_and_leaves_brain_and_fluid(phase, field_t):
    native = MrTechnique(tr_ms=550, te_ms=10, field_t=field_t)
    agent = replace(native, phase=phase)
    for name in ("tumour_enhancing", "spleen", "kidney_cortex", "pancreas", "thyroid", "mucosa"):
        assert signal(name, agent) > 1.1 * signal(name, native), name
    for name in ("fat", "csf", "white_matter", "grey_matter", "bile"):
        assert signal(name, agent) == pytest.approx(signal(name, native), rel=0.06), name


def test_flow_empties_vessels_in_a_spin_echo_alone():
    assert signal("blood", protocols.T2_SE) < 0.2 * signal("csf", protocols.T2_SE)
    assert signal("blood", protocols.VIBE_GD) > signal("muscle", protocols.VIBE_GD)
