"""From the plain data of a rule file to conditions, collecting every fault on the way."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from radnet.labels.conditions import (
    NUMBER_OPERATORS,
    OPERATORS,
    STATE_OPERATORS,
    WORD_OPERATORS,
    Condition,
    Either,
    Never,
    Test,
    Words,
    combine,
)
from radnet.labels.evidence import KNOWN_ATTRIBUTES
from radnet.labels.lexicon import Lexicon
from radnet.labels.text import fold, words_of
from radnet.terms import CONTRASTS, FORMS, LABELS, REGIONS, SEQUENCES, VIEWS

CONCLUSIONS: Final = ("form", *LABELS)
"""Labels that a later table may test like attributes, in the order in which they are decided."""
OBLIQUE: Final = "oblique"
"""A decided view that is none of the three planes."""
VALUES: Final[dict[str, tuple[str, ...]]] = {
    "form": FORMS,
    "sequence": SEQUENCES,
    "view": (*VIEWS, OBLIQUE),
    "contrast": CONTRASTS,
    "coverage": REGIONS,
}
"""Words that a rule may vote for, and that a later one may ask for, by label."""


def nearest(word: str, known: Collection[str]) -> str:
    """Say what was probably meant, or what there is."""
    near = difflib.get_close_matches(word, [str(name) for name in known], n=1, cutoff=0.5)
    if near:
        return f"did you mean '{near[0]}'?"
    listed = sorted(known)
    return f"known are {', '.join(listed)}" if len(listed) <= len(OPERATORS) + len(FORMS) else "none is near"


@dataclass(slots=True)
class Parser:
    """Reads conditions of one file.

    Attributes:
        lexicon: Groups and named texts that the file may use.
        where: File and rule that is being read, for faults.
        conclusions: Labels that are decided before and may be tested.
        faults: What was wrong so far, a sentence each.
    """

    lexicon: Lexicon
    where: str = ""
    conclusions: tuple[str, ...] = CONCLUSIONS
    faults: list[str] = field(default_factory=list)

    def fault(self, sentence: str) -> None:
        """Note a fault at the present place."""
        self.faults.append(f"{self.where}: {sentence}")

    def condition(self, data: Any, key: str) -> Condition | None:
        """Read a table of tests, all of which must hold.

        Args:
            data: `{ Attribute = { operator = argument } }`, with `any` and `not`; a bare list means `is`.
            key: Where it stands in the rule, for faults.

        Returns:
            The condition, or None when there is none or it is faulty.
        """
        if not isinstance(data, Mapping):
            self.fault(f"'{key}' must be a table of attributes")
            return None
        parts = [part for name, value in data.items() for part in self._entry(name, value, f"{key}.{name}")]
        return combine(tuple(parts)) if parts else None

    def _entry(self, name: str, value: Any, key: str) -> list[Condition]:
        if name == "any":
            return self._alternatives(value, key)
        if name == "not":
            inner = self.condition(value, key)
            return [Never(inner)] if inner else []
        if isinstance(value, list):
            value = {"is": value}
        if not isinstance(value, Mapping) or not value:
            self.fault(f"'{key}' must be a table of operators, such as {{ filled = true }}")
            return []
        known = [*KNOWN_ATTRIBUTES, *self.conclusions, *self.lexicon.texts]
        if name not in known:
            self.fault(f"unknown attribute '{name}' in '{key}'; {nearest(name, known)}")
            return []
        tests = [self._test(name, operator, argument, key) for operator, argument in value.items()]
        return [test for test in tests if test]

    def _alternatives(self, value: Any, key: str) -> list[Condition]:
        if not isinstance(value, list) or not value:
            self.fault(f"'{key}' must be a list of tables")
            return []
        parts = [self.condition(part, f"{key}[{index}]") for index, part in enumerate(value)]
        return [Either(tuple(part for part in parts if part))] if all(parts) else []

    def _test(self, name: str, operator: str, argument: Any, key: str) -> Condition | None:
        place = f"'{key}.{operator}'"
        if operator not in OPERATORS:
            self.fault(f"unknown operator in {place}; {nearest(operator, OPERATORS)}")
            return None
        if operator in WORD_OPERATORS:
            return self._words(name, operator, argument, place)
        if name in self.lexicon.texts:
            self.fault(f"{place}: '{name}' is a text of several attributes; use {', '.join(WORD_OPERATORS)}")
            return None
        if operator in STATE_OPERATORS:
            return self._state(name, operator, argument, place)
        if operator in NUMBER_OPERATORS:
            return self._number(name, operator, argument, place)
        words = self._strings(argument, place)
        for word in words:
            if operator == "is" and word not in VALUES.get(name, words):
                self.fault(f"{place}: unknown value '{word}' of {name}; {nearest(word, VALUES[name])}")
                return None
        return Test(name, operator, words) if words else None

    def _words(self, name: str, operator: str, argument: Any, place: str) -> Condition | None:
        words = self._strings(argument, place)
        for word in words:
            if word.startswith("@") and word[1:] not in self.lexicon.groups:
                self.fault(f"{place}: unknown group '{word}'; {nearest(word[1:], self.lexicon.groups)}")
                return None
            if not words_of(fold(word)):
                self.fault(f"{place}: '{word}' holds no letter and no digit; signs only separate words")
                return None
        if name in KNOWN_ATTRIBUTES and KNOWN_ATTRIBUTES[name].is_numeric():
            self.fault(f"{place}: '{name}' is a number; use {', '.join(NUMBER_OPERATORS)}")
            return None
        return Words(self.lexicon.texts.get(name, (name,)), operator, words) if words else None

    def _state(self, name: str, operator: str, argument: Any, place: str) -> Condition | None:
        if not isinstance(argument, bool):
            self.fault(f"{place} must be true or false")
            return None
        return Test(name, operator, argument)

    def _number(self, name: str, operator: str, argument: Any, place: str) -> Condition | None:
        if not (name in KNOWN_ATTRIBUTES and KNOWN_ATTRIBUTES[name].is_numeric()):
            self.fault(f"{place}: '{name}' is no number")
            return None
        numbers = argument if operator == "between" else [argument]
        wanted = 2 if operator == "between" else 1
        if not _numbers(numbers) or len(numbers) != wanted:
            self.fault(f"{place} must be {'two numbers' if wanted > 1 else 'a number'}")
            return None
        if not all(map(math.isfinite, numbers)) or sorted(numbers) != list(numbers):
            self.fault(f"{place} holds for no number; give finite numbers, the lower one first")
            return None
        return Test(name, operator, tuple(float(number) for number in numbers))

    def _strings(self, argument: Any, place: str) -> tuple[str, ...]:
        if not isinstance(argument, list) or not argument or not all(isinstance(x, str) for x in argument):
            self.fault(f"{place} must be a list of words")
            return ()
        return tuple(argument)


def _numbers(values: Any) -> bool:
    return isinstance(values, Sequence) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
