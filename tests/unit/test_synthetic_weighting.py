from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radnet.errors import RadnetError
from radnet.synthetic import protocols
from radnet.synthetic.ct import CtTechnique
from radnet.synthetic.patients import VISITS
from radnet.synthetic.signal import MrTechnique
from radnet.synthetic.techniques import SEQUENCES_DRAWN, draw_technique
from radnet.synthetic.weighting import sequence_of, t1_weighting, t2_weighting
from radnet.terms import PAPER_SEQUENCES, SEQUENCES


@pytest.mark.parametrize("contrast", [False, True], ids=["native", "agent"])
@pytest.mark.parametrize("sequence", SEQUENCES_DRAWN)
def test_a_drawn_technique_makes_the_sequence_that_was_asked_for(sequence, contrast):
    rng = np.random.default_rng(3)
    for _ in range(60):
        technique = draw_technique(sequence, contrast, rng)
        assert sequence_of(technique) == sequence
        assert technique.contrast == contrast


def test_drawn_words_are_those_of_the_project_and_hold_the_papers():
    assert set(PAPER_SEQUENCES) <= set(SEQUENCES_DRAWN) <= set(SEQUENCES)


def test_a_sequence_without_physics_is_refused():
    with pytest.raises(RadnetError, match="'perfusion' has no physics"):
        draw_technique("perfusion", False, np.random.default_rng(1))


def test_the_hospitals_series_are_what_their_parameters_make():
    stored_as = {"other": "ct", "localizer": None, "dynamic": "gre_t1"}
    for visit in VISITS:
        for exam in visit.exams:
            for series in exam.series:
                expected = stored_as.get(series.sequence, series.sequence)
                if expected is not None:
                    assert sequence_of(series.technique) == expected, series.description


@pytest.mark.parametrize(
    ("technique", "expected"),
    [
        (MrTechnique(500, 10), "t1_se"),
        (MrTechnique(5000, 100), "t2_se"),
        (MrTechnique(3000, 15), "pd"),
        (MrTechnique(1000, 90, echo_train=128), "t2_se"),
        (MrTechnique(4000, 60, 160), "stir"),
        (MrTechnique(2200, 10, 800), "t1_flair"),
        (MrTechnique(9000, 110, 2500), "t2_flair"),
        (MrTechnique(600, 25, flip_deg=20, family="gradient_echo"), "gre_t2star"),
        (MrTechnique(5, 2, flip_deg=12, family="gradient_echo"), "gre_t1"),
        (CtTechnique(), "ct"),
    ],
)
def test_textbook_parameters_have_their_textbook_name(technique, expected):
    assert sequence_of(technique) == expected


def test_an_agent_or_fat_saturation_does_not_change_the_name():
    for name in ("T1_SE", "T2_SE", "T2_FLAIR", "T1_FLAIR_3T", "STIR"):
        technique = getattr(protocols, name)
        changed = replace(technique, phase="arterial", fat_saturated=True)
        assert sequence_of(changed) == sequence_of(technique)


def test_weighting_is_the_derivative_of_the_closed_formula():
    technique = MrTechnique(tr_ms=600, te_ms=20)
    x = 600 / 1188
    assert t1_weighting(technique) == pytest.approx(x * np.exp(-x) / (1 - np.exp(-x)), rel=1e-2)
    assert t2_weighting(technique) == pytest.approx(20 / 95, rel=1e-2)
