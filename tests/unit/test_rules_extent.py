"""Extents overrule texts, and the documented least extents are those of the rules."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from radnet.labels.rules import load_rules
from radnet.labels.table import label_table
from radnet.terms import REGIONS, VIEWS

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "coverage.md"
ROW = re.compile(r"^\| `(\w+)` \|(?:[^|]*\|){2}" + r" (\d+) \|" * 3, re.MULTILINE)
DOCUMENTED = {
    found[1]: dict(zip(VIEWS, map(int, found.groups()[1:]), strict=True))
    for found in ROW.finditer(DOCUMENT.read_text())
}
NAMES = {
    "brain": "CT HEAD",
    "upper_head_neck": "CT NECK SOFT TISSUE",
    "lower_head_neck": "CT NECK SOFT TISSUE",
    "lung": "CT CHEST",
    "breast": "MRI BREAST BILATERAL",
    "liver": "CT ABDOMEN",
    "kidney": "CT ABDOMEN",
    "intestine": "CT ABDOMEN PELVIS",
    "pelvis": "CT ABDOMEN PELVIS",
}


def coverage(study: str, view: str, extent_mm: float, **more: object) -> set[str]:
    modality = study.split()[0][:2]
    given = {
        "Modality": modality,
        "StudyDescription": study,
        "nearest_view": view,
        "tilt_deg": 0.0,
        "orientation": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "extent_mm": float(extent_mm),
        "instanceCount": 60,
    }
    return set(label_table(pl.DataFrame([{**given, **more}]))[0]["coverage"][0])


def test_every_region_has_landmarks_and_extents() -> None:
    assert set(DOCUMENTED) == set(REGIONS)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("region", REGIONS)
def test_a_region_needs_its_documented_extent(region: str, view: str) -> None:
    least = DOCUMENTED[region][view]

    assert region in coverage(NAMES[region], view, least)
    assert region not in coverage(NAMES[region], view, least - 1)


@pytest.mark.parametrize("name", sorted(set(NAMES.values())))
def test_forty_millimetres_cover_nothing_whatever_the_name(name: str) -> None:
    assert {frozenset(coverage(name, view, 40)) for view in VIEWS} == {frozenset()}


@pytest.mark.parametrize("side", ["LEFT", "RT", "BILATERAL"])
def test_a_side_makes_no_region_of_its_own(side: str) -> None:
    assert coverage("MRI BREAST", "sagittal", 100, SeriesDescription=f"SAG T1 {side} BREAST") == {"breast"}


def test_a_small_field_of_view_holds_one_side_and_so_no_region() -> None:
    assert coverage("CT CHEST", "axial", 300, ReconstructionDiameter=160.0) == set()
    assert coverage("CT CHEST", "axial", 300, ReconstructionDiameter=340.0) == {"lung"}


def test_the_least_extents_are_rules_that_can_be_disabled() -> None:
    names = {rule.name for rule in load_rules().tables["coverage"].rules if rule.remove}

    assert {f"least-extent-{region.replace('_', '-')}" for region in REGIONS} <= names
