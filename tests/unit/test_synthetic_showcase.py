from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from radnet.errors import RadnetError, WorkspaceError
from radnet.executors import Workers
from radnet.synthetic import showcase, volume_files
from radnet.synthetic.anatomy import Body, make_body
from radnet.synthetic.arrays import NUMPY
from radnet.synthetic.showcase import LOOKS, write_contact_sheet
from radnet.synthetic.techniques import SEQUENCES_DRAWN
from radnet.synthetic.volumes import Design
from radnet.terms import VIEWS

pytestmark = pytest.mark.xdist_group("contact sheet")  # its fixtures are dear


@cache
def body(sex: str) -> Body:
    return make_body(21, "F" if sex == "F" else "M")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two looks of two regions of two bodies that are made once."""
    monkeypatch.setattr(showcase, "make_body", lambda seed, sex: body(sex))
    monkeypatch.setattr(volume_files, "make_body", lambda seed, sex: body(sex))
    monkeypatch.setattr(showcase, "LOOKS", (LOOKS[1], LOOKS[7]))
    monkeypatch.setattr(showcase, "SHOWN_TARGETS", ("chest", "breast"))


def sheet(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)


def test_every_sequence_is_shown():
    assert {look.sequence for look in LOOKS} == set(SEQUENCES_DRAWN)
    assert {look.phase for look in LOOKS} == {"native", "arterial", "portal", "delayed"}


def test_a_sheet_shows_every_look_in_every_region_and_view(tmp_path):
    seen = []
    summary = write_contact_sheet(
        tmp_path / "a.png", 4, device=NUMPY, cell=40, progress=lambda *counts: seen.append(counts)
    )
    assert summary.synthetic == 2 * 2 * len(VIEWS)
    assert summary.real == 0
    assert seen == [(1, 2), (2, 2)]
    picture = sheet(summary.sheet)
    assert picture.shape[1] > 40 * 2 * len(VIEWS)
    again = write_contact_sheet(tmp_path / "b.png", 4, device=NUMPY, cell=40)
    assert again.sheet.read_bytes() == summary.sheet.read_bytes()


def test_volumes_of_a_workspace_stand_below(tmp_path):
    design = Design(shape=(8, 24, 24), sequences=("ct", "t2_se"))
    volume_files.write_volumes(tmp_path / "w", 4, 2, device=NUMPY, design=design, workers=Workers("serial"))
    plain = write_contact_sheet(tmp_path / "a.png", 4, device=NUMPY, cell=40)
    beside = write_contact_sheet(tmp_path / "b.png", 4, real=tmp_path / "w", device=NUMPY, cell=40)
    assert beside.real == 4
    above, both = sheet(plain.sheet), sheet(beside.sheet)
    assert both.shape[0] > above.shape[0]
    np.testing.assert_array_equal(both[: len(above)], above)
    assert both[len(above) :].std() > 10


def test_a_workspace_without_volumes_is_named(tmp_path):
    with pytest.raises(WorkspaceError, match="radnet build"):
        write_contact_sheet(tmp_path / "a.png", real=tmp_path, device=NUMPY)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RadnetError, match="no folder"):
        write_contact_sheet(tmp_path / "nowhere" / "a.png")
