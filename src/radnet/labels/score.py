"""How often the rules are right on headers that people labelled.

A cell counts only where people could tell; where they could not, an answer is wrong (`silent_where_text_is`),
so that guessing does not pay. Silence counts as wrong for `contrast`, not for `contrast_where_spoken`.
Localizers are left out for coverage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from radnet.config import RadnetConfig
from radnet.errors import TableError
from radnet.labels.engine import Labelled
from radnet.labels.gold import TRUTHS, UNKNOWN, UNTOLD, GoldSet, answers, label_gold, read_gold, regions
from radnet.labels.parse import nearest
from radnet.labels.shares import Share
from radnet.labels.vote import NO_VALUE, Ballot
from radnet.terms import PAPER_SEQUENCES

MEASURES: Final[dict[str, tuple[str, ...]]] = {
    "sequence": ("sequence",),
    "paper_classes": ("paper_classes",),
    "view": ("view",),
    "contrast": ("contrast",),
    "contrast_where_spoken": ("contrast_where_spoken",),
    "coverage": ("coverage",),
    "silent_where_text_is": ("silent_view", "silent_contrast", "silent_coverage"),
}
"""Figures, and the marks of a row that each counts."""
MISTAKEN: Final = {name.removeprefix("silent_"): (name, f"silent_{name}") for name in TRUTHS}
"""Marks by label; one that is False is a mistake."""
EXCLUDED: Final = "excluded"
LOCALIZER: Final = "localizer"
DERIVED: Final = "derived"

Marks = dict[str, bool | None]
"""Of one row: right, wrong, or not asked."""
Measures = dict[str, Share]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong cell.

    Attributes:
        line: Of the row in the file.
        label: Which label.
        truth: What people read.
        ours: What the rules said; empty is unknown.
        status: decided, conflict or unknown.
        rules: Rules whose votes made it.
        collection: Where the row comes from.
        study: Study description.
        series: Series description.
    """

    line: int
    label: str
    truth: str
    ours: str
    status: str
    rules: tuple[str, ...]
    collection: str
    study: str
    series: str


@dataclass(frozen=True, slots=True)
class Score:
    """All figures of one gold set.

    Attributes:
        gold: The file.
        rows: Its rows.
        measures: The figures.
        by_modality: The figures by Modality.
        by_collection: The figures by collection_id.
        mistakes: Every wrong cell.
    """

    gold: str
    rows: int
    measures: Measures
    by_modality: dict[str, Measures]
    by_collection: dict[str, Measures]
    mistakes: tuple[Mistake, ...]


def score_rules(path: Path | str, config: RadnetConfig = RadnetConfig()) -> Score:
    """Measure the rules on a table of headers with truths.

    Args:
        path: The CSV table, as `read_gold` takes it.
        config: Its rules are measured; people's decisions are left out.

    Raises:
        RuleError: If a rule table has a fault.
        TableError: If the table cannot be used.
    """
    gold = read_gold(path)
    labelled = label_gold(gold, config)
    marks = judge(gold, answers(labelled))
    return Score(
        str(path),
        len(marks),
        measure(marks),
        _by(gold, marks, "Modality"),
        _by(gold, marks, "collection_id"),
        tuple(_mistakes(gold, labelled, marks)),
    )


def check_floors(floors: Iterable[str]) -> None:
    """Refuse a floor of a figure that there is not.

    Raises:
        TableError: If a name is no measure.
    """
    for name in floors:
        if name not in MEASURES:
            raise TableError(f"unknown measure '{name}' in --floor; {nearest(name, MEASURES)}")


def missed(measures: Measures, floors: Mapping[str, float]) -> list[str]:
    """Return the figures that lie below their floor, in words; one without a row does.

    Args:
        measures: The figures.
        floors: Percent by name of the measure.
    """
    shares = {name: measures[name].percent for name in floors}
    return [
        f"{name} {'has no row' if share is None else f'{share:.1f}'} < {floors[name]:g}"
        for name, share in shares.items()
        if share is None or share < floors[name]
    ]


def judge(gold: GoldSet, ours: Mapping[str, Sequence[str]]) -> list[Marks]:
    """Mark every row of a gold set.

    Args:
        gold: The truths.
        ours: What was said, by label, as `gold.answers` writes it.
    """
    rows = zip(*(ours[name] for name in TRUTHS), strict=True)
    given = (dict(zip(TRUTHS, row, strict=True)) for row in rows)
    return [_mark(truth, said) for truth, said in zip(gold.truths.iter_rows(named=True), given, strict=True)]


def measure(marks: list[Marks]) -> Measures:
    """Sum marks up to figures."""
    shares = {}
    for name, parts in MEASURES.items():
        asked = [mark[part] for mark in marks for part in parts if mark[part] is not None]
        shares[name] = Share.of(sum(map(bool, asked)), len(asked))
    return shares


def _mark(truth: Mapping[str, str | bool], ours: Mapping[str, str]) -> Marks:
    asked = {name: bool(truth[f"{name}_ok"]) for name in TRUTHS}
    told = {name: asked[name] and truth[name] not in UNTOLD for name in ("sequence", "view", "contrast")}
    wanted = {truth["sequence"], truth["sequence_strict"]}
    sequence = ours["sequence"]
    right = sequence == truth["sequence"] or (sequence == DERIVED == truth["sequence_strict"])
    covers = truth["sequence"] != LOCALIZER
    spoken = ours["contrast"] not in UNTOLD
    silent = {name: asked[name] and truth[name] == UNKNOWN for name in ("view", "contrast")}
    silent["coverage"] = covers and truth["coverage"] == UNKNOWN
    return {
        "sequence": right if told["sequence"] else None,
        "paper_classes": _paper(sequence) in map(_paper, wanted) if told["sequence"] else None,
        "view": ours["view"] == truth["view"] if told["view"] else None,
        "contrast": ours["contrast"] == truth["contrast"] if told["contrast"] else None,
        "contrast_where_spoken": (
            ours["contrast"] == truth["contrast"] if told["contrast"] and spoken else None
        ),
        "coverage": (
            _covered(truth, ours["coverage"])
            if asked["coverage"] and covers and truth["coverage"] != UNKNOWN
            else None
        ),
        **{f"silent_{name}": ours[name] in UNTOLD if holds else None for name, holds in silent.items()},
        "silent_sequence": None,
    }


def _paper(word: str | bool) -> str | bool:
    return word if word in PAPER_SEQUENCES else EXCLUDED


def _covered(truth: Mapping[str, str | bool], ours: str) -> bool:
    readings = (regions(str(truth[name])) for name in ("coverage", "coverage_lenient"))
    return ours != "" and regions(ours) in readings


def _by(gold: GoldSet, marks: list[Marks], attribute: str) -> dict[str, Measures]:
    if attribute not in gold.headers.columns:
        return {}
    rows: dict[str, list[Marks]] = {}
    for value, mark in zip(gold.headers[attribute].fill_null(""), marks, strict=True):
        rows.setdefault(value, []).append(mark)
    return {value: measure(rows[value]) for value in sorted(rows)}


def _mistakes(gold: GoldSet, labelled: Labelled, marks: list[Marks]) -> Iterator[Mistake]:
    ours = answers(labelled)
    ballots = {ballot.label: ballot for ballot in labelled.ballots}
    texts = {
        name: gold.headers[name].fill_null("") if name in gold.headers.columns else None
        for name in ("collection_id", "StudyDescription", "SeriesDescription")
    }
    for row, mark in enumerate(marks):
        for label, parts in MISTAKEN.items():
            if all(mark[part] is not False for part in parts):
                continue
            yield Mistake(
                gold.rows[row],
                label,
                gold.truths[label][row],
                ours[label][row],
                labelled.labels[f"{label}_status"][row],
                deciding_rules(ballots[label], row),
                *("" if text is None else text[row] for text in texts.values()),
            )


def deciding_rules(ballot: Ballot, row: int) -> tuple[str, ...]:
    """Return the rules behind a label: those of the deciding tier that voted, and those that removed."""
    winner = int(ballot.winners[row])
    if winner == NO_VALUE:
        return ()
    tier = ballot.rules[winner].tier
    return tuple(
        rule.name
        for rule, mask in zip(ballot.rules, ballot.masks, strict=True)
        if mask[row] and (rule.remove or rule.tier == tier)
    )


def render(score: Score) -> str:
    """Return figures and mistakes as text."""
    lines = [f"{score.gold}: {score.rows} rows", ""]
    lines.extend(f"{name:24s} {share}" for name, share in score.measures.items())
    for title, groups in (("by modality", score.by_modality), ("by collection", score.by_collection)):
        if groups:
            lines += ["", title, *_grouped(groups)]
    lines += ["", f"mistakes: {len(score.mistakes)}"]
    lines.extend(_told(mistake) for mistake in score.mistakes)
    return "\n".join(lines)


def _grouped(groups: Mapping[str, Measures]) -> Iterator[str]:
    width = max(map(len, groups))
    yield "  ".join([" " * width, *(name.rjust(9)[:21] for name in MEASURES)])
    for value, measures in groups.items():
        cells = (
            f"{share.right}/{share.n}".rjust(max(9, min(21, len(name)))) for name, share in measures.items()
        )
        yield "  ".join([value.ljust(width), *cells])


def _told(mistake: Mistake) -> str:
    rules = ", ".join(mistake.rules) or "no rule spoke"
    return (
        f"line {mistake.line}: {mistake.label} is {mistake.truth}, read {mistake.ours or UNKNOWN} "
        f"[{mistake.status}: {rules}]; {mistake.collection}: {mistake.study!r}, {mistake.series!r}"
    )
