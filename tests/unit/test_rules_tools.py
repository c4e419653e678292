"""The tools around the rules say what rules do, which of them do nothing, and how a text is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from radnet.config import RadnetConfig
from radnet.errors import TableError
from radnet.labels import check, trace

CONTRAST = """
label = "contrast"
[[rule]]
name = "first"
value = "yes"
tier = "series"
when = { series = { says = ["zorg", "zorgblatt"] } }
why = "a house word"
cases = { yes = ["zorg"], abstain = ["t2"] }

[[rule]]
name = "narrower"
value = "yes"
tier = "series"
when = { series = { says = ["zorgblatt"] } }
why = "the same, fewer words"
cases = { yes = ["zorgblatt"] }

[[rule]]
name = "lower"
value = "no"
tier = "study"
when = { series = { says = ["zorg"] } }
why = "weaker evidence"
cases = { no = ["zorg"] }
"""
TABLE = (
    "collection_id,Modality,SeriesDescription\n"
    "a,MR,zorg 1\nb,MR,zorgblatt 5.0\nb,MR,ax t2 i70f\nb,MR,AX_T2 I50f\n"
)


def config_of(folder: Path, text: str = CONTRAST) -> RadnetConfig:
    (folder / "contrast.toml").write_text(text)
    return RadnetConfig.model_validate({"labels": {"rules": [folder]}})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "table.csv").write_text(TABLE)
    return tmp_path / "table.csv"


def test_rules_that_do_nothing_are_named(tmp_path: Path, table: Path) -> None:
    found = check.check_rules(config_of(tmp_path), table).table
    assert found is not None

    def ours(idle: tuple[check.Idle, ...]) -> list[tuple[str, int, str | None]]:
        return [(one.rule, one.votes, one.by) for one in idle if one.rule in ("first", "narrower", "lower")]

    assert ours(found.never_vote) == []
    assert ours(found.never_decide) == [("lower", 1, None)]
    assert ours(found.always_agree) == [("narrower", 1, "first")]
    assert "first-by-protocol" in {one.rule for one in found.never_vote}


def test_of_two_rules_that_always_vote_together_the_later_is_named(tmp_path: Path, table: Path) -> None:
    twin = CONTRAST.replace('["zorgblatt"] } }', '["zorg", "zorgblatt"] } }')
    found = check.check_rules(config_of(tmp_path, twin), table).table
    assert found is not None

    agreeing = {one.rule: one.by for one in found.always_agree}

    assert agreeing["narrower"] == "first"
    assert "first" not in agreeing


def test_a_case_that_fails_is_told(tmp_path: Path) -> None:
    found = check.check_rules(config_of(tmp_path, CONTRAST.replace('yes = ["zorg"]', 'yes = ["t2"]')))

    assert [(one.rule, one.header["SeriesDescription"], one.should_vote) for one in found.failures] == [
        ("first", "t2", True)
    ]
    assert "contrast/first must vote on" in check.render(found)


def test_the_shipped_rules_pass() -> None:
    found = check.check_rules()

    assert found.failures == ()
    assert found.cases > found.rules


def read(text: str, **header: str) -> trace.Trace:
    return trace.trace(text, header=header)


def test_a_text_is_traced_word_by_word() -> None:
    found = read("Ax T2_FRFSE 5.0 I70f w/o", Modality="MR")

    assert [(word.word, word.fate) for word in found.words] == [
        ("ax", "heard"),
        ("t2", "heard"),
        ("frfse", "heard"),
        ("5.0", "number"),
        ("i70f", "ignored"),
        ("without", "heard"),
    ]
    assert found.replaced == (trace.Replaced("w/o", "without", "spelling"),)
    assert {label.label: label.value for label in found.labels} == {
        "form": "original",
        "sequence": "t2_se",
        "view": "axial",
        "contrast": "no",
        "coverage": "unknown",
    }


def test_what_is_written_together_is_traced_to_its_pieces() -> None:
    assert trace.Replaced("t2axfs", "t2 ax fs", "cut") in read("t2axfs").replaced


def test_a_phrase_within_a_longer_one_is_not_heard() -> None:
    heard = {phrase.words: phrase.heard for phrase in read("no contrast").phrases}

    assert heard == {"no contrast": True, "contrast": False}


def test_the_trace_ends_in_the_labels_that_labelling_gives() -> None:
    votes = {label.label: label.votes for label in read("SAG T1 POST GAD", Modality="MR").labels}

    assert votes["view"][0].role == "decides"
    assert votes["view"][0].text == "sag"
    text = trace.render(read("SAG T1 POST GAD", Modality="MR"))
    assert "view: sagittal [decided]" in text


def test_a_text_may_stand_in_another_attribute() -> None:
    found = trace.trace("CT CAP", "StudyDescription", {"Modality": "CT"})

    assert next(label.value for label in found.labels if label.label == "coverage").startswith("lung")


def test_an_unknown_attribute_is_refused() -> None:
    with pytest.raises(TableError, match="no column named by a DICOM keyword"):
        trace.trace("text", "Description")


@pytest.mark.parametrize("text", ["(a+)+$", ".*", "[ab]{2}", "(a|a)*b", "^t2$"])
def test_what_looks_like_a_pattern_is_read_as_words(text: str, tmp_path: Path) -> None:
    """No operator takes a regular expression, so that none can run for ever."""
    rule = '[[rule]]\nname = "ours"\nvalue = "yes"\ntier = "header"\nwhy = "a whole value"\n'
    rule += f"when = {{ ContrastBolusAgent = {{ is = ['{text}'] }} }}\n"
    config = config_of(tmp_path, 'label = "contrast"\n' + rule)
    votes = [
        [
            vote.rule
            for label in trace.trace(value, "ContrastBolusAgent", config=config).labels
            for vote in label.votes
        ]
        for value in (text, "a" * 5000, "t2")
    ]

    assert ["ours" in found for found in votes] == [True, False, False]


def test_a_spelling_is_no_pattern_either(tmp_path: Path) -> None:
    (tmp_path / "lexicon.toml").write_text('[spelling]\n"(a+)+$" = "zorg"\n')
    config = config_of(tmp_path)

    assert [word.word for word in trace.trace("t2 (a+)+$", config=config).words] == ["t2", "zorg"]
    assert [word.word for word in trace.trace("t2 aaaa", config=config).words] == ["t2", "aaaa"]
