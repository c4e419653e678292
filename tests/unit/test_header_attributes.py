"""The table of wanted attributes is that of the standard, and fills every column."""

from __future__ import annotations

import pytest
from pydicom.datadict import dictionary_VR, tag_for_keyword

from radnet.scan.attributes import CHARACTER_SET, PATIENT_ID, SEQUENCES, TAGS, Attribute, Wanted
from radnet.scan.functional_groups import GROUPS
from radnet.scan.values import vr_code
from radnet.tables import IDENTITY_COLUMNS, INSTANCE_ATTRIBUTES, SERIES_ATTRIBUTES

MADE_BY_READER = {"TransferSyntaxUID", "empty_attributes", "unreadable_attributes"}


def _columns(wanted: Wanted) -> set[str]:
    columns: set[str] = set()
    for target in wanted.values():
        columns |= {target.column} if isinstance(target, Attribute) else _columns(target)
    return columns


@pytest.mark.parametrize("keyword", TAGS)
def test_tag_and_vr_are_those_of_the_standard(keyword: str) -> None:
    group, element, vr = TAGS[keyword]
    tag = tag_for_keyword(keyword)
    assert tag == group << 16 | element
    assert vr in dictionary_VR(tag).split(" or ")


def test_every_column_is_filled() -> None:
    columns = {*IDENTITY_COLUMNS, *SERIES_ATTRIBUTES, *INSTANCE_ATTRIBUTES} - MADE_BY_READER
    assert columns == (set(TAGS) - {CHARACTER_SET, PATIENT_ID}) | _columns(SEQUENCES)


def test_frames_never_change_an_image_s_identity() -> None:
    assert not _columns(GROUPS) & set(IDENTITY_COLUMNS)


def test_vr_codes_are_the_letters_in_the_file() -> None:
    assert vr_code("US").to_bytes(2, "little") == b"US"
