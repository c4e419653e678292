"""The words that rules may name, and how a text is read with them.

A group holds phrases that mean the same; a rule names it as `@group`. In a phrase `#` stands for a run of
digits (`b#` is b800) and a final `*` for any ending (`abdom*`). The longest phrase wins: inside `no contrast`
the word `contrast` is not heard, which is also how misleading words are silenced. A run of letters that no
phrase knows is cut into known words if nothing is left over: `t2axfs` is `t2 ax fs`, but `br` is never `b`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from radnet.labels.text import fold, shape, words_of

SHORTEST_PIECE: Final = 3
SHORT_PIECES: Final = "short_piece"
"""Group of the shorter words into which a run may be cut nevertheless; few, or any word would fall apart."""
LONGEST_RUN: Final = 48
"""Letters of a run that is still cut into words; longer ones are identifiers."""
_PATTERN_WORD: Final = re.compile(r"\d+\.\d+(?![a-z0-9#])|[a-z0-9#]+(?:\.#)?\*?")


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words in sequence, and the groups that hold them."""

    words: tuple[str, ...]
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A phrase in a text.

    Attributes:
        start: Place of its first word.
        stop: Place after its last word.
        phrase: The phrase.
        within: Whether it lies inside a longer one, and is not heard.
    """

    start: int
    stop: int
    phrase: Phrase
    within: bool


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Groups of phrases, spellings and named texts.

    Attributes:
        groups: Phrases by group name.
        spellings: What consoles write with signs or abbreviate, and the word that is meant (`w/o`: without).
        texts: Attributes by the name of the text that they form together (`study`: StudyDescription, ...).
        unread: Phrases, as the reader keeps them, that are left out: how much hangs on them can be measured.
    """

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spellings: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unread: frozenset[tuple[str, ...]] = frozenset()


class Reader:
    """Reads texts with a lexicon; every distinct text once."""

    def __init__(self, lexicon: Lexicon, literals: Iterable[str] = ()) -> None:
        """Index the lexicon's phrases.

        Args:
            lexicon: Groups and spellings.
            literals: Phrases that rules name themselves; each is a group of its own name.
        """
        self._signs = _sign_pattern(lexicon.spellings)
        self._spellings = {fold(key): value for key, value in lexicon.spellings.items()}
        self._first: dict[str, list[Phrase]] = {}
        self._vocabulary = {spelling for spelling in self._spellings if spelling.isalnum()}
        self._short = frozenset(lexicon.groups.get(SHORT_PIECES, ()))
        self._prefixes: tuple[int, ...] = ()
        self._heard: dict[str, dict[str, str]] = {}
        self._cuts: dict[str, tuple[str, ...]] = {}
        self._index(lexicon, literals)

    def _index(self, lexicon: Lexicon, literals: Iterable[str]) -> None:
        holders: dict[tuple[str, ...], list[str]] = {}
        for group, phrases in lexicon.groups.items():
            for phrase in phrases:
                holders.setdefault(self._pattern(phrase), []).append("@" + group)
        for literal in literals:
            holders.setdefault(self._pattern(literal), []).append(literal)
        for words in lexicon.unread & {*holders}:
            del holders[words]
        for words, names in holders.items():
            self._first.setdefault(words[0], []).append(Phrase(words, tuple(dict.fromkeys(names))))
            self._vocabulary.update(words)
        stems = {len(word) - 1 for word in self._vocabulary if word.endswith("*")}
        self._prefixes = tuple(sorted(stems))

    def _pattern(self, phrase: str) -> tuple[str, ...]:
        found = _PATTERN_WORD.findall(self._spelled(fold(phrase)))
        meant = (part for word in found for part in self._spellings.get(word, word).split())
        return tuple(shape(word) if "#" in word else word for word in meant)

    def _spelled(self, folded: str) -> str:
        if self._signs is None:
            return folded
        return self._signs.sub(lambda match: f" {self._spellings[match[0]]} ", folded)

    def words(self, text: str) -> list[str]:
        """Return the words that a text is read as."""
        words: list[str] = []
        for word in self.written(text):
            for piece in self.cut(word):
                words.extend(self.meant(piece).split())
        return words

    def signs(self, text: str) -> list[tuple[str, str]]:
        """Return the spellings with a sign that a text holds, each with what is read in its place."""
        if self._signs is None:
            return []
        return [(found[0], self._spellings[found[0]]) for found in self._signs.finditer(fold(text))]

    def written(self, text: str) -> list[str]:
        """Return the words of a text as they stand, spellings with a sign replaced."""
        return words_of(self._spelled(fold(text)))

    def meant(self, word: str) -> str:
        """Return the words that are read in place of a word: its spelling, or itself."""
        return self._spellings.get(word, word)

    def names(self, word: str) -> bool:
        """Say whether a phrase holds exactly this word, digits and all."""
        return word in self._vocabulary

    def hear(self, text: str) -> dict[str, str]:
        """Return the groups whose phrases a text holds, each with the words that matched."""
        heard = self._heard.get(text)
        if heard is None:
            heard = self._heard[text] = self._listen(self.words(text))
        return heard

    def spans(self, words: list[str]) -> list[Span]:
        """Return the phrases that words in sequence hold; the longest is heard, not those inside it."""
        found = [
            (start, start + len(phrase.words), phrase)
            for start in range(len(words))
            for phrase in self._candidates(words[start])
            if self._matches(phrase, words, start)
        ]
        return [
            Span(
                start,
                stop,
                phrase,
                any(low <= start and stop <= high and high - low > stop - start for low, high, _ in found),
            )
            for start, stop, phrase in found
        ]

    def _listen(self, words: list[str]) -> dict[str, str]:
        heard: dict[str, str] = {}
        for span in self.spans(words):
            for group in () if span.within else span.phrase.groups:
                heard.setdefault(group, " ".join(words[span.start : span.stop]))
        return heard

    def _keys(self, word: str) -> Iterable[str]:
        yield word
        if any(letter.isdigit() for letter in word):
            yield shape(word)
        for length in self._prefixes:
            if length <= len(word):
                yield word[:length] + "*"

    def _candidates(self, word: str) -> Iterable[Phrase]:
        for key in self._keys(word):
            yield from self._first.get(key, ())

    def _matches(self, phrase: Phrase, words: list[str], start: int) -> bool:
        if start + len(phrase.words) > len(words):
            return False
        return all(
            pattern in self._keys(words[start + offset])
            for offset, pattern in enumerate(phrase.words)
            if offset
        )

    def _known(self, word: str) -> bool:
        return any(key in self._vocabulary for key in self._keys(word))

    def cut(self, word: str) -> tuple[str, ...]:
        """Return the known words into which a run of letters falls, or the run itself."""
        if word.isdecimal() or "." in word or len(word) > LONGEST_RUN or self._known(word):
            return (word,)
        cut = self._cuts.get(word)
        if cut is None:
            cut = self._cuts[word] = self._fewest_pieces(word) or (word,)
        return cut

    def _fewest_pieces(self, word: str) -> tuple[str, ...]:
        best: list[tuple[str, ...] | None] = [()] + [None] * len(word)
        for stop in range(1, len(word) + 1):
            for start in range(stop):
                before = best[start]
                if before is None or _within_number(word, start) or not self._piece(word[start:stop]):
                    continue
                other = best[stop]
                if other is None or len(before) < len(other):
                    best[stop] = (*before, word[start:stop])
        found = best[-1]
        return found if found and not all(piece.isdecimal() for piece in found) else ()

    def _piece(self, piece: str) -> bool:
        if piece.isdecimal():
            return True
        if len(piece) < SHORTEST_PIECE and piece not in self._short and not piece[-1].isdecimal():
            return False
        return piece in self._vocabulary or shape(piece) in self._vocabulary


def _within_number(word: str, place: int) -> bool:
    return 0 < place < len(word) and word[place - 1].isdecimal() and word[place].isdecimal()


def _sign_pattern(spellings: Mapping[str, str]) -> re.Pattern[str] | None:
    """Match spellings that hold a sign; a letter at their edge must be the edge of a word."""
    signed = sorted((fold(key) for key in spellings if not key.isalnum()), key=len, reverse=True)
    if not signed:
        return None
    return re.compile("|".join(_edged(spelling) for spelling in signed))


def _edged(spelling: str) -> str:
    left = r"(?<![a-z0-9])" if spelling[0].isalnum() else ""
    right = r"(?![a-z0-9])" if spelling[-1].isalnum() else ""
    return f"{left}{re.escape(spelling)}{right}"
