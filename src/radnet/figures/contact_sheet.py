"""Many small pictures on one sheet, in rows with a title: to be looked at by someone who knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from radnet.errors import RadnetError

Grey = NDArray[np.uint8]

TITLE_WIDTH: Final = 150
HEAD_HEIGHT: Final = 22
GAP: Final = 2
PAPER_GREY: Final = 40
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
FONT_SCALE: Final = 0.42
SMALL_SCALE: Final = 0.32


@dataclass(frozen=True)
class SheetRow:
    """One row of a sheet.

    Attributes:
        title: Stands on its left.
        pictures: (height, width) grey levels; None leaves a place empty.
        captions: One a picture, written into its corner; or none at all.
    """

    title: str
    pictures: Sequence[Grey | None]
    captions: Sequence[str] = ()


def contact_sheet(rows: Sequence[SheetRow], columns: Sequence[str], cell: int = 112) -> Grey:
    """Draw a sheet.

    Args:
        rows: From top to bottom.
        columns: Heading of each column; rows may be shorter.
        cell: Side of a picture's place in pixels; pictures are shrunk or enlarged to fit, in proportion.

    Returns:
        (height, width) grey levels.

    Raises:
        RadnetError: If there are no rows, or a row has more pictures than there are columns.
    """
    if not rows or any(len(row.pictures) > len(columns) for row in rows):
        raise RadnetError("a contact sheet needs rows, none with more pictures than it has columns")
    step = cell + GAP
    sheet = np.full((HEAD_HEIGHT + step * len(rows), TITLE_WIDTH + step * len(columns)), PAPER_GREY, np.uint8)
    for number, heading in enumerate(columns):
        _write(sheet, heading, (TITLE_WIDTH + number * step + 2, HEAD_HEIGHT - 7), FONT_SCALE)
    for line, row in enumerate(rows):
        top = HEAD_HEIGHT + line * step
        _write(sheet, row.title, (4, top + cell // 2), FONT_SCALE)
        for number, picture in enumerate(row.pictures):
            if picture is None:
                continue
            left = TITLE_WIDTH + number * step
            place = sheet[top : top + cell, left : left + cell]
            place[:] = 0
            _put(place, picture)
            if row.captions:
                _write(sheet, row.captions[number], (left + 2, top + 9), SMALL_SCALE)
    return sheet


def _put(place: Grey, picture: Grey) -> None:
    """Centre a picture, as large as it fits."""
    scale = len(place) / max(picture.shape)
    height, width = (max(1, round(side * scale)) for side in picture.shape)
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    shown = cv2.resize(np.ascontiguousarray(picture), (width, height), interpolation=kind)
    top, left = (len(place) - height) // 2, (len(place) - width) // 2
    place[top : top + height, left : left + width] = shown


def _write(sheet: Grey, words: str, place: tuple[int, int], size: float) -> None:
    cv2.putText(sheet, words, place, FONT, size, 0, 3, cv2.LINE_AA)
    cv2.putText(sheet, words, place, FONT, size, 255, 1, cv2.LINE_AA)
