r"""File names as text that every table can hold, and back.

A POSIX file name is bytes and need not be UTF-8, but a Parquet text must be. A byte that is no UTF-8 becomes
`\xNN` (`\x80` to `\xff`). A backslash that would read like such an escape becomes `\x5c`, so that the way
back is exact for every name; all other names stay as they are.
"""

from __future__ import annotations

import re
from typing import Final

_LOOKS_ESCAPED: Final = re.compile(r"\\(?=x(?:5c|[89a-f][0-9a-f]))")
_ESCAPE: Final = re.compile(rb"\\x(5c|[89a-f][0-9a-f])")


def text_of(name: str) -> str:
    """Turn a file name as Python holds it (surrogate escapes) into valid Unicode text."""
    if "\\" in name:
        name = _LOOKS_ESCAPED.sub(r"\\x5c", name)
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def name_of(text: str) -> str:
    """Turn such a text back into the file name for `os` functions."""
    if "\\x" not in text:
        return text
    data = _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), text.encode("utf-8"))
    return data.decode("utf-8", "surrogateescape")
