"""Dirt at the rates of real archives, truth untouched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from radnet.synthetic import dirt
from radnet.synthetic.patients import VISITS
from radnet.synthetic.protocols import Exam, Protocol, Visit

ROUNDS = 150

Pair = tuple[Exam, Protocol, Protocol]


def soiled_series(modality: str) -> list[Pair]:
    """Exam, series before and series after, over many rounds."""
    rng = np.random.default_rng(3)
    found: list[Pair] = []
    for _ in range(ROUNDS):
        for visit in VISITS:
            after = dirt.soil(visit, rng)
            for old, new in zip(visit.exams, after.exams, strict=True):
                if old.modality == modality:
                    found += [(old, *pair) for pair in zip(old.series, new.series, strict=True)]
    return found


@pytest.fixture(scope="module", params=["CT", "MR"])
def soiled(request: pytest.FixtureRequest) -> tuple[str, list[Pair]]:
    return request.param, soiled_series(request.param)


def share(found: list[bool]) -> float:
    assert len(found) > 500
    return sum(found) / len(found)


def header(protocol: Protocol) -> dict[str, object]:
    return dict(protocol.header)


def test_equal_states_soil_alike_and_others_do_not():
    first, again, other = (dirt.soil(VISITS[1], np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_truth_is_left_as_it_was(soiled):
    _, series = soiled
    for _, before, after in series:
        texts = {name: getattr(before, name) for name in ("description", "header", "note", "untold")}
        assert replace(after, **texts) == before


def test_body_parts_are_empty_and_wrong_at_the_measured_rates(soiled):
    modality, series = soiled
    named = [(exam, header(after)) for exam, _, after in series if exam.body_part]
    empty = [words.get("BodyPartExamined", "kept") in (None, "") for _, words in named]
    assert share(empty) == pytest.approx(dirt.RATES[modality].no_body_part, abs=0.02)
    pairs = zip(named, empty, strict=True)
    wrong = [bool(words.get("BodyPartExamined")) for (_, words), is_empty in pairs if not is_empty]
    assert share(wrong) == pytest.approx(dirt.WRONG_BODY_PART, abs=0.02)
    assert all(words.get("BodyPartExamined") != exam.body_part for exam, words in named)


def test_descriptions_are_missing_and_worded_at_the_measured_rates(soiled):
    modality, series = soiled
    rates = dirt.RATES[modality]
    gone = ["SeriesDescription" in header(after) for _, _, after in series]
    assert share(gone) == pytest.approx(rates.no_description, abs=0.006)
    texts = [after.description for _, before, after in series if before.sequence != "localizer"]
    planes = [bool(dirt.PLANE.search(text)) for text in texts if text]
    assert share(planes) == pytest.approx(rates.plane_word, abs=0.03)
    said = [bool(dirt.CONTRAST.search(text)) for text in texts if text]
    assert share(said) == pytest.approx(rates.contrast_word, abs=0.02)


def test_words_that_are_added_are_true(soiled):
    _, series = soiled
    for _, before, after in series:
        if before.sequence == "localizer":
            continue
        plane = dirt.PLANE.search(after.description)
        if plane and not dirt.PLANE.search(before.description):
            assert plane.group(1) in dirt.PLANE_WORDS[before.view]
        said = dirt.CONTRAST.search(after.description)
        if said and not dirt.CONTRAST.search(before.description):
            assert said.group(1) in dirt.CONTRAST_WORDS[before.technique.contrast]


def test_agents_are_lost_after_and_stick_before_the_injection(soiled):
    modality, series = soiled
    with_agent = [pair for pair in series if pair[0].agent and pair[1].sequence != "localizer"]
    wrong = ["ContrastBolusAgent" in header(after) for _, _, after in with_agent]
    assert share(wrong) == pytest.approx(dirt.RATES[modality].wrong_agent, abs=0.03)
    for exam, before, after in with_agent:
        if "ContrastBolusAgent" in header(after):
            expected = None if before.technique.contrast else exam.agent
            assert header(after)["ContrastBolusAgent"] == expected
        sticks = bool(header(after).get("ContrastBolusAgent"))
        misleads = sticks and not dirt.CONTRAST.search(after.description)
        assert ("contrast" in after.untold) == misleads


def test_numbers_are_shared_and_protocols_misnamed_at_their_rates(soiled):
    modality, series = soiled
    shared = ["SeriesNumber" in header(after) for _, _, after in series]
    assert 2 * share(shared) == pytest.approx(dirt.RATES[modality].equal_number, abs=0.02)
    renamed = ["ProtocolName" in header(after) for _, _, after in series]
    assert share(renamed) == pytest.approx(dirt.WRONG_PROTOCOL, abs=0.02)


def test_the_note_names_the_dirt():
    rng = np.random.default_rng(0)
    soiled = [dirt.soil(visit, rng) for _ in range(20) for visit in VISITS]
    notes = {protocol.note for visit in soiled for exam in visit.exams for protocol in exam.series}
    said = {word for note in notes for word in note.split(", ") if word}
    assert {"no body part", "wrong body part", "agent sticks", "agent missing", "no description"} <= said


def test_a_text_is_never_emptied():
    exam = VISITS[0].exams[0]
    visit = Visit("M", (replace(exam, series=(replace(exam.series[1], description="AX"),)),))
    for seed in range(30):
        assert dirt.soil(visit, np.random.default_rng(seed)).exams[0].series[0].description
