"""What the score becomes in a collection that the rules were not fitted to.

Rules written by hand cannot be refitted without a collection. Instead each collection is read without the
rules and the phrases that no other collection of the gold set supports. It is no bound: common words go where
the gold set holds them once, which is too strict; spellings, exceptions, thresholds and what two collections
share stay, though they were chosen with all rows in view, which is too lenient.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from radnet.config import RadnetConfig
from radnet.errors import TableError
from radnet.labels.engine import Labelled, Labeller
from radnet.labels.evidence import KNOWN_ATTRIBUTES
from radnet.labels.gold import GoldSet, answers, label_gold, read_gold
from radnet.labels.rules import Rulebook
from radnet.labels.score import MEASURES, Marks, Measures, deciding_rules, judge, measure
from radnet.tables import TEXT

Collections = set[str]
Phrase = tuple[str, ...]
RuleKey = tuple[str, str]
"""Label and rule."""
NAME_WIDTH: Final = 24


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The score with and without what only a row's own collection supports.

    Attributes:
        gold: The file.
        collections: How many it holds.
        rules: Rules that decide there, or in a gold set beside it.
        phrases: Phrases that are heard there, or beside it.
        single_rules: Rules that decide in one collection only, as `label/rule`, with that collection.
        single_phrases: Phrases that are heard in one collection only, with that collection.
        with_all: The figures of all rules.
        without: The figures when each collection is read without its own.
        by_collection: The latter by collection.
    """

    gold: str
    collections: int
    rules: int
    phrases: int
    single_rules: dict[str, str]
    single_phrases: dict[str, str]
    with_all: Measures
    without: Measures
    by_collection: dict[str, Measures]


@dataclass(frozen=True, slots=True)
class Support:
    """In which collections rules decide and phrases are heard."""

    rules: dict[RuleKey, Collections] = field(default_factory=lambda: defaultdict(set))
    phrases: dict[Phrase, Collections] = field(default_factory=lambda: defaultdict(set))

    def add(self, gold: GoldSet, labelled: Labelled) -> None:
        """Count a gold set."""
        names = gold.collections()
        for ballot in labelled.ballots:
            for row, name in enumerate(names):
                for rule in deciding_rules(ballot, row):
                    self.rules[ballot.label, rule].add(name)
        reader = labelled.evidence.reader
        for text, name in _texts(gold, names):
            for span in reader.spans(reader.words(text)):
                if not span.within:
                    self.phrases[span.phrase.words].add(name)

    def without(self, collection: str, rulebook: Rulebook) -> Rulebook:
        """Return rules without those, and without the phrases, that one collection alone supports."""
        phrases = frozenset(phrase for phrase, found in self.phrases.items() if found == {collection})
        tables = {
            label: replace(
                table,
                rules=tuple(
                    rule for rule in table.rules if self.rules.get((label, rule.name)) != {collection}
                ),
            )
            for label, table in rulebook.tables.items()
        }
        return replace(rulebook, lexicon=replace(rulebook.lexicon, unread=phrases), tables=tables)


def score_held_out(
    path: Path | str, config: RadnetConfig = RadnetConfig(), beside: Iterable[Path | str] = ()
) -> HeldOut:
    """Score each collection of a gold set without the rules and phrases that it alone supports.

    Args:
        path: The CSV table, as `read_gold` takes it, with `collection_id`.
        config: Its rules are measured.
        beside: Further gold sets, which support rules and phrases but are not scored.

    Raises:
        RuleError: If a rule table has a fault.
        TableError: If the table cannot be used or names no collections.
    """
    gold = read_gold(path)
    names = gold.collections()
    if not any(names):
        raise TableError(f"{path}: has no collection_id, so that no collection can be held out")
    labeller = Labeller(config.labels.model_copy(update={"decisions": None}))
    labelled = label_gold(gold, config, labeller)
    support = Support()
    support.add(gold, labelled)
    for other in map(read_gold, beside):
        support.add(other, label_gold(other, config, labeller))
    marks = {name: _marks(name, gold, support, labeller) for name in sorted(set(names))}
    return HeldOut(
        gold=str(path),
        collections=len(marks),
        rules=len(support.rules),
        phrases=len(support.phrases),
        single_rules=_single({"/".join(rule): found for rule, found in support.rules.items()}),
        single_phrases=_single({" ".join(phrase): found for phrase, found in support.phrases.items()}),
        with_all=measure(judge(gold, answers(labelled))),
        without=measure([mark for part in marks.values() for mark in part]),
        by_collection={name: measure(part) for name, part in marks.items()},
    )


def _marks(name: str, gold: GoldSet, support: Support, labeller: Labeller) -> list[Marks]:
    """Mark the rows of one collection, labelled without what it alone supports."""
    part = gold.only([row for row, other in enumerate(gold.collections()) if other == name])
    reduced = Labeller(labeller.config, support.without(name, labeller.rulebook))
    return judge(part, answers(reduced.label(part.headers)))


def render(found: HeldOut) -> str:
    """Return the outcome as text."""
    lines = [
        f"{found.gold}: {found.collections} collections",
        f"{len(found.single_rules)} of {found.rules} deciding rules and {len(found.single_phrases)} of "
        f"{found.phrases} phrases have one collection only",
        "",
        f"{'':{NAME_WIDTH}s} {'all rules':>29s}   without what only its own collection supports",
    ]
    for name in MEASURES:
        lines.append(f"{name:{NAME_WIDTH}s} {found.with_all[name]!s:>29}   {found.without[name]!s}")
    lines += ["", "rules that decide in one collection only"]
    lines.extend(f"  {rule}: {collection}" for rule, collection in found.single_rules.items())
    return "\n".join(lines)


def _texts(gold: GoldSet, names: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each text that rules read, with the collection of its row."""
    for column in gold.headers.iter_columns():
        if column.dtype == TEXT and column.name in KNOWN_ATTRIBUTES:
            yield from {pair for pair in zip(column.fill_null(""), names, strict=True) if pair[0]}


def _single(support: Mapping[str, Collections]) -> dict[str, str]:
    return {name: next(iter(found)) for name, found in sorted(support.items()) if len(found) == 1}
