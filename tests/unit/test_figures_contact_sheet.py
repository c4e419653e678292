from __future__ import annotations

import numpy as np
import pytest

from radnet.errors import RadnetError
from radnet.figures.contact_sheet import GAP, HEAD_HEIGHT, TITLE_WIDTH, SheetRow, contact_sheet


def grey(level: int, shape: tuple[int, int] = (10, 10)) -> np.ndarray:
    return np.full(shape, level, np.uint8)


def test_pictures_stand_in_their_row_and_column():
    rows = [SheetRow("one", [grey(100), None]), SheetRow("two", [grey(150), grey(200)])]
    sheet = contact_sheet(rows, ["a", "b"], cell=40)
    assert sheet.shape == (HEAD_HEIGHT + 2 * (40 + GAP), TITLE_WIDTH + 2 * (40 + GAP))
    step = 40 + GAP
    for row, column, level in ((0, 0, 100), (1, 0, 150), (1, 1, 200)):
        assert sheet[HEAD_HEIGHT + row * step + 30, TITLE_WIDTH + column * step + 30] == level
    assert sheet[HEAD_HEIGHT + 30, TITLE_WIDTH + step + 30] not in (100, 150, 200, 0)


def test_pictures_keep_their_proportions():
    sheet = contact_sheet([SheetRow("tall", [grey(200, (40, 10))])], ["a"], cell=40)
    place = sheet[HEAD_HEIGHT : HEAD_HEIGHT + 40, TITLE_WIDTH : TITLE_WIDTH + 40]
    assert (place == 200).sum() == 40 * 10
    assert (place[:, 0] == 0).all()


def test_captions_are_written():
    plain, told = (
        contact_sheet([SheetRow("row", [grey(0)], captions)], ["a"], cell=60) for captions in ((), ("word",))
    )
    assert told.sum() > plain.sum()


@pytest.mark.parametrize("rows", [[], [SheetRow("long", [grey(1), grey(2)])]], ids=["none", "too long"])
def test_a_sheet_without_room_is_refused(rows):
    with pytest.raises(RadnetError, match="needs rows"):
        contact_sheet(rows, ["a"])
