"""The figures of the rules are those of the ruler that came with the gold sets."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from radnet.errors import TableError
from radnet.labels.gold import TRUTHS, UNKNOWN, GoldSet, read_gold, regions
from radnet.labels.score import MEASURES, check_floors, judge, measure, missed, render, score_rules
from radnet.labels.shares import Share
from radnet.terms import CONTRASTS, REGIONS, SEQUENCES, VIEWS

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
RULER = ROOT.parent / "shared" / "gold" / "score_gold.py"
TRUTH = "collection_id,Modality,SeriesDescription,kind,plane,contrast,coverage"
ROW = "c,MR,text"
RULED = {
    "sequence": (388, 587),
    "paper_classes": (467, 587),
    "view": (318, 441),
    "contrast": (282, 352),
    "contrast_where_spoken": (282, 314),
    "coverage": (361, 520),
    "silent_where_text_is": (308, 401),
}
"""What the ruler gave on the guesses of seed 0."""
PART_OF_ANOTHER = ("paper_classes", "contrast_where_spoken")
"""Figures whose mistakes another figure counts too."""
WORDS = {"sequence": SEQUENCES, "view": VIEWS, "contrast": CONTRASTS, "coverage": REGIONS}


def gold_of(path: Path, *rows: str, header: str = TRUTH) -> GoldSet:
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return read_gold(path)


def guesses(gold: GoldSet, seed: int) -> dict[str, list[str]]:
    """Answer two thirds as people did, the others at random or not at all."""
    chance = random.Random(seed)

    def one(label: str, truth: str) -> str:
        if chance.random() < 2 / 3:
            known = ";".join(sorted(regions(truth))) or "none" if label == "coverage" else truth
            return "" if truth == UNKNOWN else known
        return chance.choice(["", *WORDS[label], *(["none"] if label == "coverage" else [])])

    return {label: [one(label, truth) for truth in gold.truths[label]] for label in TRUTHS}


@pytest.mark.skipif(not RULER.exists(), reason="the ruler stands beside the repository, not in it")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", ["header_texts", "header_texts_head_neck", "header_texts_sequences"])
def test_figures_equal_the_rulers_to_the_digit(name: str, seed: int, tmp_path: Path) -> None:
    gold = read_gold(GOLDEN / f"{name}.csv")
    ours = guesses(gold, seed)
    pl.DataFrame(ours).write_csv(tmp_path / "labels.csv", quote_style="always")
    command = [sys.executable, str(RULER), str(GOLDEN / f"{name}.csv"), str(tmp_path / "labels.csv")]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    figures = [f"{key:24s} {share}" for key, share in measure(judge(gold, ours)).items()]

    assert figures == told[: len(MEASURES)]


def test_figures_of_known_answers_stay_as_the_ruler_gave_them() -> None:
    gold = read_gold(GOLDEN / "header_texts.csv")

    figures = {name: (share.right, share.n) for name, share in measure(judge(gold, guesses(gold, 0))).items()}

    assert figures == RULED


@pytest.mark.parametrize(
    ("truth", "ours", "marks"),
    [
        pytest.param("ct,axial,yes,lung", "ct,axial,yes,lung", {"sequence": True, "view": True}, id="right"),
        pytest.param(
            "pd,axial,yes,lung",
            "stir,axial,yes,lung",
            {"sequence": False, "paper_classes": True},
            id="both are no class of the paper",
        ),
        pytest.param(
            "pd,axial,yes,lung",
            ",axial,yes,lung",
            {"sequence": False, "paper_classes": True},
            id="silence is no class of the paper",
        ),
        pytest.param(
            "pd,axial,yes,lung",
            "pd,axial,,lung",
            {"contrast": False, "contrast_where_spoken": None},
            id="silence on contrast",
        ),
        pytest.param(
            "pd,unknown,unknown,unknown",
            "pd,axial,,",
            {"view": None, "silent_view": False, "silent_contrast": True},
            id="an answer where the text does not tell",
        ),
        pytest.param(
            "pd,unknown,unknown,unknown",
            "pd,,,none",
            {"coverage": None, "silent_coverage": True},
            id="no region is no answer there",
        ),
        pytest.param(
            "pd,axial,no,liver;kidney",
            "pd,axial,no,kidney;liver",
            {"coverage": True},
            id="regions in any order",
        ),
        pytest.param("pd,axial,no,partial", "pd,axial,no,none", {"coverage": True}, id="none of the nine"),
        pytest.param("pd,axial,no,partial", "pd,axial,no,", {"coverage": False}, id="silence on coverage"),
        pytest.param(
            "localizer,axial,no,partial",
            "localizer,axial,no,lung",
            {"coverage": None, "silent_coverage": None},
            id="localizers have no coverage",
        ),
    ],
)
def test_a_cell_is_marked(truth: str, ours: str, marks: dict[str, bool | None], tmp_path: Path) -> None:
    gold = gold_of(tmp_path / "gold.csv", f"{ROW},{truth}")

    (mark,) = judge(gold, {name: [word] for name, word in zip(TRUTHS, ours.split(","), strict=True)})

    assert {name: mark[name] for name in marks} == marks


def test_a_second_reading_and_unusable_cells_are_heeded(tmp_path: Path) -> None:
    header = "Modality,kind,kind_strict,plane,plane_ok,contrast,coverage,coverage_lenient"
    gold = gold_of(
        tmp_path / "gold.csv",
        "MR,dwi,derived,axial,False,yes,liver,liver;kidney",
        "MR,dwi,derived,axial,True,yes,liver,liver;kidney",
        header=header,
    )
    ours = {
        "sequence": ["derived"] * 2,
        "view": ["coronal"] * 2,
        "contrast": ["yes"] * 2,
        "coverage": ["liver;kidney", "kidney"],
    }

    marks = judge(gold, ours)

    assert [mark["sequence"] for mark in marks] == [True, True]
    assert [mark["view"] for mark in marks] == [None, False]
    assert [mark["coverage"] for mark in marks] == [True, False]


def test_our_own_names_of_columns_are_taken_too(tmp_path: Path) -> None:
    gold = gold_of(
        tmp_path / "gold.csv",
        "MR,t2,t2_se,axial,no,none",
        header="Modality,SeriesDescription," + ",".join(TRUTHS),
    )

    assert gold.truths["view"].to_list() == ["axial"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("g.parquet", "", r"must end in .csv", id="suffix"),
        pytest.param(
            "g.csv", "Modality,kind,plane\nMR,ct,axial\n", r"lacks the truths contrast, cov", id="truth"
        ),
        pytest.param(
            "g.csv",
            f"{TRUTH},view\n{ROW},ct,axial,no,lung,axial\n",
            r"view stands there under two",
            id="twice",
        ),
        pytest.param("g.csv", f"{TRUTH}\n", r"holds no row", id="empty"),
        pytest.param(
            "g.csv",
            f"{TRUTH}\n{ROW},t1,ax,maybe,spleen\n",
            r"line 2: unknown value 't1' of seq.*'ax' of view.*'maybe' of contrast.*'spleen' of coverage",
            id="words of no label",
        ),
        pytest.param(
            "g.csv", "kind,plane,contrast,coverage\nct,axial,no,lung\n", r"no column named", id="header"
        ),
    ],
)
def test_a_gold_set_that_cannot_be_used_is_refused(
    name: str, text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(TableError, match=message):
        score_rules(tmp_path / name)


def test_mistakes_name_the_rules_behind_them(tmp_path: Path) -> None:
    gold_of(
        tmp_path / "gold.csv",
        "c,MR,SAG T2 FSE,t1_se,sagittal,unknown,unknown",
        "c,MR,qqq,t1_se,unknown,unknown,unknown",
    )

    wrong, silent = score_rules(tmp_path / "gold.csv").mistakes

    assert (wrong.line, wrong.label, wrong.truth, wrong.ours) == (2, "sequence", "t1_se", "t2_se")
    assert wrong.rules
    assert (silent.line, silent.ours, silent.status, silent.rules) == (3, "", "unknown", ())


def test_figures_come_by_modality_and_collection_and_add_up() -> None:
    score = score_rules(GOLDEN / "header_texts_sequences.csv")

    for groups in (score.by_modality, score.by_collection):
        for name in MEASURES:
            assert sum(group[name].n for group in groups.values()) == score.measures[name].n
            assert sum(group[name].right for group in groups.values()) == score.measures[name].right
    wrong = sum(
        share.n - share.right for name, share in score.measures.items() if name not in PART_OF_ANOTHER
    )
    assert len(score.mistakes) == wrong
    assert f"mistakes: {wrong}" in render(score)


def test_a_floor_is_missed_below_it_and_without_a_row() -> None:
    measures = {"view": Share.of(9, 10), "contrast": Share.of(0, 0)}

    assert missed(measures, {"view": 90}) == []
    assert missed(measures, {"view": 90.1, "contrast": 1}) == ["view 90.0 < 90.1", "contrast has no row < 1"]


def test_a_floor_of_no_figure_is_refused() -> None:
    with pytest.raises(TableError, match=r"unknown measure 'contrst' in --floor; did you mean 'contrast'"):
        check_floors(["contrst"])


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        pytest.param(0, 10, 0.0, 27.8, id="none right"),
        pytest.param(10, 10, 72.2, 100.0, id="all right"),
        pytest.param(50, 100, 40.4, 59.6, id="half"),
    ],
)
def test_intervals_are_wilsons(right: int, n: int, low: float, high: float) -> None:
    share = Share.of(right, n)

    assert (share.low, share.high) == (pytest.approx(low, abs=0.05), pytest.approx(high, abs=0.05))
