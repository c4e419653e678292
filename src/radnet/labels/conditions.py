"""Conditions of rules: tests of attributes, and how they combine.

All keys of a `when` must hold. `any` is a list of which one must hold, `not` one that must not. A test
never holds where the attribute has no value, except for `absent` and `empty` themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np

from radnet.labels.evidence import Evidence, Mask, Nothing, Value
from radnet.labels.text import fold, shape

TEXT_OPERATORS: Final = ("says", "says_all", "says_none", "begins", "is", "has", "has_none")
NUMBER_OPERATORS: Final = ("at_least", "below", "between")
STATE_OPERATORS: Final = ("absent", "empty", "filled")
WORD_OPERATORS: Final = ("says", "says_all", "says_none")
"""Operators that read words; they alone may be used on a named text."""
OPERATORS: Final = (*TEXT_OPERATORS, *NUMBER_OPERATORS, *STATE_OPERATORS)

Match = tuple[str, str]
"""An attribute and what was matched in it."""


@dataclass(frozen=True, slots=True)
class Words:
    """Words in one or several attributes that form one text."""

    attributes: tuple[str, ...]
    operator: str
    words: tuple[str, ...]

    def holds(self, evidence: Evidence) -> Mask:
        """Return the rows where it holds."""
        heard = [
            reduce(np.logical_or, (evidence.heard(name, words) for name in self.attributes))
            for words in self.words
        ]
        if self.operator == "says_all":
            return reduce(np.logical_and, heard)
        some = reduce(np.logical_or, heard)
        return ~some if self.operator == "says_none" else some

    def matches(self, evidence: Evidence, row: int) -> Iterator[Match]:
        """Yield what a row says of it."""
        if self.operator == "says_none":
            return
        for name in self.attributes:
            value = evidence.value(name, row)
            heard = evidence.reader.hear(value) if isinstance(value, str) else {}
            for phrase in dict.fromkeys(heard[words] for words in self.words if words in heard):
                yield name, phrase


@dataclass(frozen=True, slots=True)
class Test:
    """A test of one attribute's value."""

    attribute: str
    operator: str
    argument: tuple[str, ...] | tuple[float, ...] | bool

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attribute, as a tuple."""
        return (self.attribute,)

    def holds(self, evidence: Evidence) -> Mask:
        """Return the rows where it holds."""
        return evidence.mask(self.attribute, (self.operator, self.argument), self.passes)

    def passes(self, value: Value) -> bool:
        """Say whether it holds for a value."""
        if isinstance(self.argument, bool):
            return _state(self.operator, value) == self.argument
        if isinstance(value, Nothing):
            return self.operator == "has_none"
        if isinstance(value, float) and self.operator in NUMBER_OPERATORS:
            return _number(self.operator, self.argument, value)
        return isinstance(value, str) and _text(self.operator, self.argument, value)

    def matches(self, evidence: Evidence, row: int) -> Iterator[Match]:
        """Yield the value of a row."""
        value = evidence.value(self.attribute, row)
        if isinstance(value, Nothing):
            yield self.attribute, value.value
        else:
            yield self.attribute, value if isinstance(value, str) else f"{value:g}"


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold; no parts always hold."""

    parts: tuple[Condition, ...]

    @property
    def attributes(self) -> tuple[str, ...]:
        """Attributes of all parts."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.attributes))

    def holds(self, evidence: Evidence) -> Mask:
        """Return the rows where it holds."""
        whole = np.ones(evidence.height, dtype=bool)
        return reduce(np.logical_and, (part.holds(evidence) for part in self.parts), whole)

    def matches(self, evidence: Evidence, row: int) -> Iterator[Match]:
        """Yield what a row says of each part."""
        for part in self.parts:
            yield from part.matches(evidence, row)


@dataclass(frozen=True, slots=True)
class Either:
    """At least one part holds."""

    parts: tuple[Condition, ...]

    @property
    def attributes(self) -> tuple[str, ...]:
        """Attributes of all parts."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.attributes))

    def holds(self, evidence: Evidence) -> Mask:
        """Return the rows where it holds."""
        return reduce(np.logical_or, (part.holds(evidence) for part in self.parts))

    def matches(self, evidence: Evidence, row: int) -> Iterator[Match]:
        """Yield what a row says of the first part that holds."""
        for part in self.parts:
            if part.holds(evidence)[row]:
                yield from part.matches(evidence, row)
                return


@dataclass(frozen=True, slots=True)
class Never:
    """The part does not hold."""

    part: Condition

    @property
    def attributes(self) -> tuple[str, ...]:
        """Attributes of the part."""
        return self.part.attributes

    def holds(self, evidence: Evidence) -> Mask:
        """Return the rows where it holds."""
        return ~self.part.holds(evidence)

    def matches(self, evidence: Evidence, row: int) -> Iterator[Match]:
        """Yield nothing: what is not there cannot be shown."""
        yield from ()


Condition = Words | Test | Every | Either | Never


def words_in(condition: Condition) -> Iterator[str]:
    """Yield the words and groups that a condition listens for."""
    if isinstance(condition, Words):
        yield from condition.words
    elif isinstance(condition, Every | Either):
        for part in condition.parts:
            yield from words_in(part)
    elif isinstance(condition, Never):
        yield from words_in(condition.part)


def _state(operator: str, value: Value) -> bool:
    if operator == "filled":
        return not isinstance(value, Nothing)
    return isinstance(value, Nothing) and value.value == operator


def _number(operator: str, argument: tuple[str, ...] | tuple[float, ...], value: float) -> bool:
    low = float(argument[0])
    if operator == "at_least":
        return value >= low
    if operator == "below":
        return value < low
    return low <= value <= float(argument[1])


def _text(operator: str, argument: tuple[str, ...] | tuple[float, ...], value: str) -> bool:
    wanted = {str(word).casefold() for word in argument}
    if operator == "begins":
        return shape(fold(value).replace(" ", "")).startswith(tuple(wanted))
    if operator == "is":
        return value.strip().casefold() in wanted
    values = {part.strip().casefold() for part in value.split("\\")}
    return bool(values & wanted) == (operator == "has")


def combine(parts: Mapping[str, Condition] | tuple[Condition, ...]) -> Condition:
    """Return a condition that holds when all parts do."""
    listed = tuple(parts.values()) if isinstance(parts, Mapping) else tuple(parts)
    return listed[0] if len(listed) == 1 else Every(listed)
