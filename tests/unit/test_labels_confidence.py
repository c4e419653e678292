"""A label carries how often its rule was right, and only while the rule reads as it did then."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from radnet.config import RadnetConfig
from radnet.errors import RuleError, TableError
from radnet.labels.calibration import calibrate_rules, render
from radnet.labels.confidence import CONFIDENCE_COLUMNS, CONFIDENCE_NAME, load_confidence, rule_digest
from radnet.labels.lexicon import Lexicon
from radnet.labels.parse import Parser
from radnet.labels.rules import Rule, load_rules
from radnet.labels.table import label_table

RULE = """
[[rule]]
name = "ours"
value = "stir"
tier = "series"
when = { series = { says = ["@zebra"] } }
why = "a house word"
"""
GOLD = """\
collection_id,Modality,SeriesDescription,kind,plane,contrast,coverage
a,MR,zorgblatt,stir,unknown,unknown,unknown
a,MR,zorgblatt,pd,unknown,unknown,unknown
b,MR,zorgblatt,stir,unknown,unknown,unknown
b,MR,zorgblatt,unknown,unknown,unknown,unknown
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "sequence.toml").write_text(RULE)
    (tmp_path / "lexicon.toml").write_text('[group.zebra]\nwords = ["zorgblatt"]\nwhy = "ours"\n')
    (tmp_path / "gold.csv").write_text(GOLD)
    return tmp_path


def config_of(folder: Path) -> RadnetConfig:
    return RadnetConfig.model_validate({"labels": {"rules": [folder]}})


def calibrated(site: Path) -> pl.DataFrame:
    calibrate_rules([site / "gold.csv"], site / CONFIDENCE_NAME, config_of(site))
    return pl.read_csv(site / CONFIDENCE_NAME, schema=CONFIDENCE_COLUMNS)


def confidence(site: Path) -> float | None:
    frame = pl.DataFrame({"Modality": ["MR"], "SeriesDescription": ["zorgblatt"]})
    labels, _ = label_table(frame, config_of(site))
    assert labels["sequence_rule"].to_list() == ["ours"]
    return labels["sequence_confidence"].to_list()[0]


def test_every_rule_of_the_four_labels_has_a_row(site: Path) -> None:
    table = calibrated(site)
    named = {
        (label, rule.name)
        for label, rules in load_rules([site]).tables.items()
        for rule in rules.rules
        if label != "form"
    }

    assert {*table.select("label", "rule").iter_rows()} == named
    assert table.filter(pl.col("n") == 0)["low"].null_count() == (table["n"] == 0).sum()


def test_a_rule_is_counted_where_people_could_tell(site: Path) -> None:
    row = calibrated(site).row(by_predicate=pl.col("rule") == "ours", named=True)

    assert (row["right"], row["n"], row["collections"]) == (2, 3, 2)
    assert (row["low"], row["share"], row["high"]) == (0.2077, 0.6667, 0.9385)


def test_a_label_carries_the_lower_limit_of_its_rule(site: Path) -> None:
    assert confidence(site) is None

    calibrated(site)

    assert confidence(site) == 0.2077


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        pytest.param("sequence.toml", 'tier = "series"', 'tier = "special"', id="the rule"),
        pytest.param("lexicon.toml", '["zorgblatt"]', '["zorgblatt", "other"]', id="a group that it names"),
    ],
)
def test_a_rule_that_reads_otherwise_has_none(site: Path, name: str, old: str, new: str) -> None:
    calibrated(site)
    changed = (site / name).read_text().replace(old, new)

    (site / name).write_text(changed)

    assert confidence(site) is None
    stale = list(load_confidence([site]).stale(load_rules([site])))
    assert stale[0] == ("sequence", "ours")
    assert {name.removesuffix("-by-protocol") for _, name in stale} == {"ours"}


def test_why_and_cases_do_not_make_a_figure_stale(site: Path) -> None:
    calibrated(site)

    (site / "sequence.toml").write_text(
        RULE.replace("a house word", "another reason") + 'cases = { stir = ["zorgblatt"] }'
    )

    assert confidence(site) == 0.2077


def test_conflicts_and_silence_and_people_have_none(site: Path) -> None:
    calibrated(site)
    (site / "people.csv").write_text("SeriesInstanceUID,label,value\n1.3,sequence,pd\n")
    config = RadnetConfig.model_validate({"labels": {"rules": [site], "decisions": site / "people.csv"}})
    frame = pl.DataFrame(
        {
            "SeriesInstanceUID": ["1.1", "1.2", "1.3"],
            "Modality": ["MR"] * 3,
            "SeriesDescription": ["zorgblatt t2", "qqq", "zorgblatt"],
        }
    )

    labels, _ = label_table(frame, config)

    assert labels["sequence_status"].to_list() == ["conflict", "unknown", "decided"]
    assert labels["sequence_rule"].to_list()[2] == "person"
    assert labels["sequence_confidence"].to_list() == [None] * 3


def test_digests_tell_rules_apart() -> None:
    def digest(word: str, phrase: str) -> str:
        lexicon = Lexicon({"group": (phrase,)})
        condition = Parser(lexicon).condition({"SeriesDescription": {word: ["@group"]}}, "when")
        assert condition is not None
        return rule_digest(Rule("r", ("ct",), False, "series", condition, "", {}, ""), lexicon)

    assert digest("says", "a") == digest("says", "a")
    assert len({digest("says", "a"), digest("says", "b"), digest("says_none", "a")}) == 3


def test_the_confidence_of_a_collection_is_compared_with_what_others_gave(site: Path) -> None:
    found = calibrate_rules([site / "gold.csv"], site / "c.csv", config_of(site))

    assert (found.labels, found.right) == (3, 2)
    assert sum(band.outcome.n for band in found.bands) == found.labels
    assert "never seen there" in render(found)


def test_a_file_that_is_no_such_table_is_refused(site: Path) -> None:
    (site / CONFIDENCE_NAME).write_text("no,table\n1,2\n")

    with pytest.raises(RuleError, match=r"confidence.csv: cannot be read; write it again"):
        load_confidence([site])


def test_a_folder_that_does_not_exist_is_refused(site: Path) -> None:
    with pytest.raises(TableError, match="the folder to write to does not exist"):
        calibrate_rules([site / "gold.csv"], site / "no" / "c.csv")
