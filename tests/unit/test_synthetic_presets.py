from __future__ import annotations

from collections import Counter
from itertools import chain

import numpy as np
import pytest

from radnet.errors import SourceError
from radnet.synthetic.mix import GROUPS, draw_visit
from radnet.synthetic.presets import PRESETS, preset
from radnet.synthetic.protocols import Protocol
from radnet.synthetic.signal import MrTechnique
from radnet.synthetic.weighting import sequence_of

TRAINING = 12_000
"""Series of table A3's training column, whose numbers follow."""
SEQUENCES = {"ct": 5149, "t1_se": 2187, "t2_se": 3477, "t1_flair": 463, "t2_flair": 724}
VIEWS = {"axial": 8424, "coronal": 1298, "sagittal": 2278}
AGENTS = {True: 3381, False: 8619}
"""Read as swapped in the table, see `radnet.synthetic.mix`."""
REGIONS = {
    "brain": 4966,
    "upper_head_neck": 1070,
    "lower_head_neck": 953,
    "lung": 1002,
    "breast": 1011,
    "liver": 2818,
    "kidney": 3544,
    "intestine": 2179,
    "pelvis": 3901,
}


def drawn(seed: int, patients: int) -> list[Protocol]:
    visits = [draw_visit(seed, index) for index in range(patients)]
    series = chain.from_iterable(exam.series for visit in visits for exam in visit.exams)
    return [protocol for protocol in series if protocol.sequence != "localizer"]


@pytest.fixture(scope="module")
def many() -> list[Protocol]:
    return drawn(5, 1500)


def test_the_groups_add_up_to_the_table():
    assert sum(group.series for group in GROUPS) == TRAINING
    sequences: Counter[str] = Counter()
    regions: Counter[str] = Counter()
    for group in GROUPS:
        sequences.update(group.sequences)
        regions.update(dict.fromkeys(group.wide.holds, group.series))
        assert group.wide.holds == group.long.holds
    assert sequences == SEQUENCES
    assert regions == REGIONS


@pytest.mark.parametrize(
    ("expected", "word"),
    [
        (SEQUENCES, lambda protocol: protocol.sequence),
        (VIEWS, lambda protocol: protocol.view),
        (AGENTS, lambda protocol: protocol.technique.contrast),
    ],
    ids=["sequence", "view", "contrast"],
)
def test_drawn_series_follow_the_table(many, expected, word):
    found = Counter(word(protocol) for protocol in many)
    for name, count in expected.items():
        assert found[name] / len(many) == pytest.approx(count / TRAINING, abs=0.025), name


def test_few_patients_have_every_common_region():
    found = Counter(region for protocol in drawn(2, 40) for region in protocol.field.holds)
    assert set(found) >= {"brain", "breast", "liver", "kidney", "intestine", "pelvis"}


def test_a_patient_has_about_four_series():
    counts = [sum(len(exam.series) for exam in draw_visit(1, index).exams) for index in range(300)]
    assert 3.7 < np.mean(counts) < 4.3


def test_techniques_make_the_sequence_they_are_called(many):
    for protocol in many:
        if isinstance(protocol.technique, MrTechnique):
            assert sequence_of(protocol.technique) == protocol.sequence


def test_agents_are_given_once_and_stay():
    for index in range(200):
        (exam,) = draw_visit(1, index).exams
        given = [protocol.technique.contrast for protocol in exam.series]
        assert given == sorted(given)
        assert bool(exam.agent) == any(given)
        fields = {
            p.technique.field_t for p in exam.series if p.sequence != "localizer" and exam.modality == "MR"
        }
        assert len(fields) <= 1


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_visit_follows_from_seed_and_place_alone(name):
    found = preset(name)
    assert [found.visit(3, index) for index in (4, 0)] == [found.visit(3, index) for index in (4, 0)]


def test_drawn_visits_of_other_seeds_and_patients_differ():
    assert len({draw_visit(seed, index) for seed in range(3) for index in range(20)}) == 60


def test_headers_of_the_paper_preset_are_soiled():
    visits = [preset("paper").visit(1, index) for index in range(60)]
    headers = [dict(s.header) for visit in visits for exam in visit.exams for s in exam.series]
    missing = sum(not header.get("BodyPartExamined", "there") for header in headers) / len(headers)
    assert 0.1 < missing < 0.4


@pytest.mark.parametrize(
    ("name", "match"), [("papr", "did you mean paper"), ("x", "one of tiny, demo, traps")]
)
def test_an_unknown_preset_is_refused(name, match):
    with pytest.raises(SourceError, match=match):
        preset(name)
