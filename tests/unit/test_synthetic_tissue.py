from __future__ import annotations

import csv
from importlib import resources

import pytest

from radnet.synthetic.structures import REGION_STRUCTURES, TISSUE_OF
from radnet.synthetic.tissue import Relaxation, tissues
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


def test_contrast_never_lowers_a_ct_number():
    assert all(tissue.hu_contrast >= tissue.hu for tissue in tissues().values())
