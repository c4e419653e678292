"""Cut a description into words as consoles write them.

`T1_POST-GD`, `t1PostGd` and `T1 post Gd` are the same three words. Accents and case are dropped, signs
separate. A decimal number stays one word, so that `5.0` is never a phase number.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_TEXT: Final = 1 << 17
"""Characters that are read; the longest DICOM description has 64, a CSV cell may hold anything."""
_CAMEL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD: Final = re.compile(r"\d+\.\d+(?![a-z0-9])|[a-z0-9]+")
_DIGITS: Final = re.compile(r"\d+")
_LETTERS_WITHOUT_ACCENT: Final = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe"})


def fold(text: str) -> str:
    """Drop case, accents and control characters, and part words at a capital: `FatSat` is `fat sat`."""
    parted = _CAMEL.sub(" ", text[:MAX_TEXT])
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", parted) if not unicodedata.combining(letter)
    )
    return " ".join(plain.casefold().translate(_LETTERS_WITHOUT_ACCENT).split())


def words_of(folded: str) -> list[str]:
    """Return the words of a folded text, in order; all signs separate."""
    return _WORD.findall(folded)


def shape(word: str) -> str:
    """Return a word with every run of digits as `#`: `b800` has the shape `b#`."""
    return _DIGITS.sub("#", word)
