from __future__ import annotations

import csv
from importlib import resources

import numpy as np
import pytest

from radnet.synthetic.structures import REGION_STRUCTURES, TISSUE_OF
from radnet.synthetic.tissue import PHASES, Relaxation, Spread, tissues, varied
from radnet.terms import REGIONS


def test_every_structure_has_a_tissue_of_the_table():
    assert set(TISSUE_OF.values()) <= set(tissues())


def test_every_row_of_the_table_names_its_source():
    text = resources.files("radnet.synthetic").joinpath("tissues.csv").read_text("utf-8")
    assert all(row["source"].strip() for row in csv.DictReader(text.splitlines()))


def test_every_region_of_the_paper_is_made_of_structures():
    assert set(REGION_STRUCTURES) == set(REGIONS)
    assert all(name in TISSUE_OF for names in REGION_STRUCTURES.values() for name in names)


@pytest.mark.parametrize("field_t", [1.5, 3.0])
def test_transverse_times_are_ordered_as_physics_demands(field_t):
    for tissue in tissues().values():
        relaxation = tissue.relaxation[field_t]
        assert relaxation.t2star_ms <= relaxation.t2_ms <= relaxation.t1_ms, tissue.name


def test_gadolinium_adds_its_relaxation_rate():
    plain = Relaxation(t1_ms=1000, t2_ms=100, t2star_ms=50)
    agent = plain.with_gadolinium(0.5, 1.5)
    assert 1000 / agent.t1_ms == pytest.approx(1 + 4.1 * 0.5)
    assert 1000 / agent.t2_ms == pytest.approx(10 + 4.6 * 0.5)
    assert plain.with_gadolinium(0.0, 1.5).t1_ms == pytest.approx(plain.t1_ms)


@pytest.mark.parametrize("phase", PHASES)
def test_an_agent_never_lowers_a_ct_number_nor_is_in_anyone_without_it(phase):
    for tissue in tissues().values():
        assert tissue.hu[phase] >= tissue.hu["native"]
        assert (tissue.gadolinium_mmol[phase] > 0) <= (phase != "native")


def test_vessels_and_organs_enhance_in_the_order_of_the_phases():
    hu = {name: tissues()[name].hu for name in ("arterial_blood", "venous_blood", "liver", "urine")}
    assert hu["arterial_blood"]["arterial"] > hu["venous_blood"]["arterial"] + 100
    assert hu["arterial_blood"]["arterial"] > hu["arterial_blood"]["portal"] > hu["arterial_blood"]["delayed"]
    assert hu["liver"]["portal"] > hu["liver"]["arterial"]
    assert hu["urine"]["delayed"] > hu["urine"]["portal"] + 100


def test_patients_scatter_around_the_table_as_told():
    rng = np.random.default_rng(1)
    liver = tissues()["liver"]
    drawn = [varied(liver, Spread(), rng) for _ in range(2000)]
    lean = [t for t in drawn if t.fat_fraction == liver.fat_fraction]
    assert np.mean([t.hu["native"] for t in lean]) == pytest.approx(60, abs=0.5)
    assert np.std([t.hu["native"] for t in lean]) == pytest.approx(4, rel=0.1)
    assert len(lean) == pytest.approx(1000, abs=100)
    fat = [t for t in drawn if t.fat_fraction > liver.fat_fraction + 0.08]
    assert np.mean([t.hu["native"] for t in fat]) < 50
    t1 = [t.relaxation[1.5].t1_ms for t in drawn]
    assert np.std(np.log(t1)) == pytest.approx(0.07, rel=0.1)
    assert all(
        t.relaxation[3.0].t2star_ms <= t.relaxation[3.0].t2_ms <= t.relaxation[3.0].t1_ms for t in drawn
    )
    assert {t.hu["portal"] > t.hu["native"] for t in drawn} == {True}


def test_what_is_no_patient_does_not_scatter():
    assert varied(tissues()["table"], Spread(), np.random.default_rng(1)) == tissues()["table"]
