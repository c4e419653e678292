"""How one description is read: word by word, phrase by phrase, rule by rule.

The steps are those of labelling itself: spellings with signs are replaced, what is written together is cut
into known words, spellings of single words are replaced, and of the phrases that fit the longest are heard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from radnet.config import RadnetConfig
from radnet.labels.engine import Labelled, Labeller
from radnet.labels.explain import VoteShown, shown_value, shown_votes
from radnet.labels.headers import typed_headers
from radnet.labels.lexicon import Reader, Span
from radnet.labels.vote import NO_VALUE
from radnet.terms import LABELS

SERIES: Final = "SeriesDescription"
SPELLING: Final = "spelling"
CUT: Final = "cut"
NUMBER: Final = "number"
HEARD: Final = "heard"
IGNORED: Final = "ignored"
FATES: Final = (HEARD, NUMBER, IGNORED)
"""What becomes of a word: part of a phrase that is heard, a number that no phrase wants, or unknown."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """One change between the text and its words.

    Attributes:
        written: What stands in the text.
        read: What is read in its place.
        how: spelling or cut.
    """

    written: str
    read: str
    how: str


@dataclass(frozen=True, slots=True)
class WordRead:
    """One word and what became of it: one of FATES."""

    word: str
    fate: str


@dataclass(frozen=True, slots=True)
class PhraseRead:
    """One phrase of the lexicon, or of a rule, that the text holds.

    Attributes:
        words: As in the text.
        groups: Groups that hold it, `@` before the name, and rules' own words.
        heard: False when it lies within a longer phrase.
    """

    words: str
    groups: tuple[str, ...]
    heard: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """One label and the rules that heard something.

    Attributes:
        label: form or one of the four labels.
        value: Outcome; of `form` its word.
        status: decided, conflict or unknown; empty for `form`.
        votes: All votes, the deciding one first.
    """

    label: str
    value: str
    status: str
    votes: tuple[VoteShown, ...]


@dataclass(frozen=True, slots=True)
class Trace:
    """The reading of one description.

    Attributes:
        text: As given.
        attribute: Where it stands.
        replaced: Spellings and cuts, in order.
        words: What is read.
        phrases: What is known of it.
        labels: What the rules made of it.
    """

    text: str
    attribute: str
    replaced: tuple[Replaced, ...]
    words: tuple[WordRead, ...]
    phrases: tuple[PhraseRead, ...]
    labels: tuple[Heard, ...]


def trace(
    text: str,
    attribute: str = SERIES,
    header: Mapping[str, str] | None = None,
    config: RadnetConfig = RadnetConfig(),
) -> Trace:
    """Read one description and tell every step.

    Args:
        text: The description.
        attribute: The DICOM attribute that it stands in.
        header: Further attributes, such as Modality.
        config: Its rules read.

    Raises:
        RuleError: If a rule table has a fault.
        TableError: If `attribute` and `header` name no attribute that rules read.
    """
    labeller = Labeller(config.labels.model_copy(update={"decisions": None}))
    reader = labeller.rulebook.reader()
    words = reader.words(text)
    spans = reader.spans(words)
    frame = typed_headers(
        pl.DataFrame({name: [value] for name, value in {**(header or {}), attribute: text}.items()})
    )
    return Trace(
        text,
        attribute,
        tuple(_replaced(text, reader)),
        tuple(_words(words, spans)),
        tuple(_phrases(words, spans)),
        tuple(_labels(labeller.label(frame))),
    )


def render(found: Trace) -> str:
    """Return a trace as text."""
    return "\n".join(_lines(found))


def _replaced(text: str, reader: Reader) -> Iterator[Replaced]:
    yield from (Replaced(sign, meant, SPELLING) for sign, meant in reader.signs(text))
    for word in reader.written(text):
        pieces = reader.cut(word)
        if pieces != (word,):
            yield Replaced(word, " ".join(pieces), CUT)
        for piece in pieces:
            if reader.meant(piece) != piece:
                yield Replaced(piece, reader.meant(piece), SPELLING)


def _words(words: list[str], spans: list[Span]) -> Iterator[WordRead]:
    heard = {place for span in spans if not span.within for place in range(span.start, span.stop)}
    for place, word in enumerate(words):
        number = word.replace(".", "").isdecimal()
        yield WordRead(word, HEARD if place in heard else NUMBER if number else IGNORED)


def _phrases(words: list[str], spans: list[Span]) -> Iterator[PhraseRead]:
    for span in spans:
        yield PhraseRead(" ".join(words[span.start : span.stop]), span.phrase.groups, not span.within)


def _labels(done: Labelled) -> Iterator[Heard]:
    for ballot in done.ballots:
        winner = int(ballot.winners[0])
        rule = None if winner == NO_VALUE else ballot.rules[winner].name
        status = done.labels[f"{ballot.label}_status"][0] if ballot.label in LABELS else ""
        value = shown_value(done.labels[ballot.label][0], status)
        yield Heard(ballot.label, value, status, tuple(shown_votes(ballot, done, rule)))


def _lines(found: Trace) -> Iterator[str]:
    yield f"{found.attribute}: {found.text}"
    for change in found.replaced:
        yield f"  {change.how:9}{change.written} -> {change.read}"
    yield "  words    " + " ".join(word.word for word in found.words)
    for fate in FATES[1:]:
        words = [word.word for word in found.words if word.fate == fate]
        if words:
            yield f"  {fate:9}{' '.join(words)}"
    for phrase in found.phrases:
        silenced = "" if phrase.heard else ", not heard: within a longer one"
        yield f"  phrase   {phrase.words} = {' '.join(phrase.groups)}{silenced}"
    for label in found.labels:
        yield f"{label.label}: {label.value}" + (f" [{label.status}]" if label.status else "")
        for vote in label.votes:
            yield f"  {vote.role:9}{vote.value}: {vote.attribute} {vote.text!r} ({vote.rule}, {vote.tier})"
