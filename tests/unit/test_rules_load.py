"""A fault in a rule table is refused at load, with file, rule, key and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from radnet.errors import RuleError
from radnet.labels.rules import NO_REGION, joined, load_rules

GOOD = """
label = "contrast"

[[rule]]
name  = "site-word"
value = "yes"
tier  = "series"
when  = { series = { says = ["zebra"] } }
why   = "our console writes it so"
"""


def overlay(folder: Path, text: str, name: str = "site.toml") -> Path:
    (folder / name).write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize(
    ("wrong", "right", "message"),
    [
        pytest.param(
            '"yes"', '"yess"', r"rule 'site-word': unknown value 'yess'; did you mean 'yes'", id="value"
        ),
        pytest.param('"series"', '"serie"', r"unknown tier 'serie'; did you mean 'series'", id="tier"),
        pytest.param(
            "series =",
            "ContrastAgent =",
            r"unknown attribute 'ContrastAgent'.*'ContrastBolus",
            id="attribute",
        ),
        pytest.param(
            "says", "say", r"unknown operator in 'when.series.say'; did you mean 'says'", id="operator"
        ),
        pytest.param('"zebra"', '"@axal"', r"unknown group '@axal'; did you mean 'axial'", id="group"),
        pytest.param("when ", "wen ", r"unknown key 'wen'; did you mean 'when'.*lacks 'when'", id="key"),
        pytest.param('["zebra"]', '"zebra"', r"'when.series.says' must be a list of words", id="type"),
        pytest.param(
            'series = { says = ["zebra"] }',
            'sequence = { is = ["t1"] }',
            r"unknown value 't1' of sequence",
            id="a conclusion nobody draws",
        ),
        pytest.param(
            'series = { says = ["zebra"] }',
            "EchoTime = { between = [50, 10] }",
            r"holds for no number",
            id="bounds the wrong way round",
        ),
        pytest.param(
            'series = { says = ["zebra"] }',
            "EchoTime = { at_least = nan }",
            r"holds for no number",
            id="not a number",
        ),
        pytest.param('["zebra"]', '["+"]', r"'\+' holds no letter and no digit", id="a phrase of signs"),
        pytest.param("series = { says", "KVP = { says", r"'KVP' is a number", id="words on a number"),
        pytest.param(
            'says = ["zebra"]',
            "filled = true",
            r"'series' is a text of several attributes",
            id="state of a text",
        ),
        pytest.param(
            'series = { says = ["zebra"] }',
            "KVP = { at_least = true }",
            r"must be a number",
            id="truth as number",
        ),
        pytest.param(
            'series = { says = ["zebra"] }',
            "KVP = { between = [1] }",
            r"must be two numbers",
            id="half a range",
        ),
        pytest.param(
            'series = { says = ["zebra"] }',
            "Modality = { below = 3 }",
            r"'Modality' is no number",
            id="number on a text",
        ),
        pytest.param(
            'series = { says = ["zebra"] }', "", r"'when' must hold at least one test", id="nothing tested"
        ),
        pytest.param(
            'series = { says = ["zebra"] }',
            'coverage = { is = ["brain"] }',
            r"unknown attribute 'coverage'",
            id="later label",
        ),
        pytest.param(
            'series = { says = ["zebra"] }',
            "any = []",
            r"'when.any' must be a list of tables",
            id="empty any",
        ),
        pytest.param(
            '"contrast"', '"contast"', r"unknown label 'contast'; did you mean 'contrast'", id="label"
        ),
        pytest.param("why   =", "wy =", r"unknown key 'wy'.*lacks 'why'", id="no reason"),
        pytest.param(
            'label = "contrast"',
            'lable = "contrast"',
            r"unknown key 'lable'; did you mean 'label'",
            id="table key",
        ),
        pytest.param("[[rule]]", "[rule]", r"'rule' must be a list of tables", id="single brackets"),
        pytest.param("[[rule]]", "[[rule", r"is not TOML", id="no TOML"),
    ],
)
def test_a_fault_names_file_rule_key_and_the_nearest_known_name(
    tmp_path: Path, wrong: str, right: str, message: str
) -> None:
    with pytest.raises(RuleError, match=message) as caught:
        load_rules([overlay(tmp_path, GOOD.replace(wrong, right))])

    assert "site.toml" in str(caught.value)


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('"yes"', '"yess"').replace("says", "say")

    with pytest.raises(RuleError, match=r"yess.*when\.series\.say"):
        load_rules([overlay(tmp_path, text)])


def test_a_name_stands_once(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"names must be unique"):
        load_rules([overlay(tmp_path, GOOD + GOOD[GOOD.index("[[rule]]") :])])


def test_a_disabled_rule_must_exist(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"unknown rule 'agent-name'; did you mean 'agent-named'"):
        load_rules([overlay(tmp_path, 'label = "contrast"\ndisable = ["agent-name"]')])


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match=r"no such folder of rule tables"):
        load_rules([tmp_path / "nowhere"])


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "contrast.tml").write_text('label = "contrast"')
    with pytest.raises(RuleError, match=r"holds no rule table; its files must end with \.toml"):
        load_rules([tmp_path])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("[grup.a]\nwords = []", r"unknown key 'grup'; did you mean 'group'", id="key"),
        pytest.param('[group.a]\nword = ["x"]', r"group 'a' must hold `words`", id="no words"),
        pytest.param(
            '[group.a]\nwords = ["?!"]', r"group 'a' holds a phrase without a word", id="no letters"
        ),
        pytest.param(
            '[text]\nplace = ["SeriesDescripton"]', r"did you mean 'SeriesDescription'", id="attribute"
        ),
    ],
)
def test_a_fault_of_the_lexicon_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RuleError, match=message):
        load_rules([overlay(tmp_path, text, "lexicon.toml")])


def test_an_overlay_adds_replaces_and_disables(tmp_path: Path) -> None:
    text = GOOD + GOOD[GOOD.index("[[rule]]") :].replace("site-word", "agent-named")
    rules = load_rules([overlay(tmp_path, 'disable = ["agent-denied"]\n' + text)]).tables["contrast"].rules
    by_name = {rule.name: rule for rule in rules}

    assert by_name["site-word"].source == by_name["agent-named"].source == str(tmp_path / "site.toml")
    assert "agent-denied" not in by_name
    assert "site-word-by-protocol" in by_name


def test_an_overlay_extends_the_lexicon(tmp_path: Path) -> None:
    book = load_rules([overlay(tmp_path, '[group.axial]\nwords = ["horizontal"]', "lexicon.toml")])

    assert "@axial" in book.reader().hear("T2 horizontal")
    assert "@axial" in book.reader().hear("T2 tra")


def test_the_papers_contrast_takes_no_overlay(tmp_path: Path) -> None:
    book = load_rules([overlay(tmp_path, GOOD)], contrast_table="contrast_paper")

    assert {rule.name for rule in book.tables["contrast"].rules} == {"paper-agent", "paper-no-agent"}


def test_regions_are_joined_in_the_order_of_the_terms() -> None:
    assert joined(["pelvis", "brain"]) == "brain;pelvis"
    assert joined([]) == NO_REGION
    assert joined(["axial"]) == "axial"
