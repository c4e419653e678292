from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from radnet.synthetic.anatomy import Body, make_body
from radnet.synthetic.skeleton import vertebra_heights
from radnet.synthetic.structures import NUMBER
from radnet.terms import REGIONS


@cache
def body(seed: int = 5, sex: str = "F") -> Body:
    return make_body(seed, "F" if sex == "F" else "M", lesion=True)


def centre(name: str) -> np.ndarray:
    """Mean LPS position of a structure."""
    found = np.argwhere(body().labels == NUMBER[name])[:, ::-1]
    return body().origin_mm + found.mean(0) * body().voxel_mm


def test_equal_seeds_give_equal_bodies_and_others_differ():
    again = make_body(5, "F", lesion=True)
    assert again.labels.tobytes() == body().labels.tobytes()
    assert again.scale == body().scale
    assert make_body(6, "F").labels.tobytes() != body().labels.tobytes()


def test_every_structure_is_somewhere_in_a_man_or_a_woman():
    present = set(np.unique(body().labels)) | set(np.unique(body(5, "M").labels))
    assert {name for name, number in NUMBER.items() if number not in present} == set()


def test_women_have_all_nine_regions_and_men_no_breast():
    assert set(body().boxes) == set(REGIONS)
    assert set(REGIONS) - set(body(5, "M").boxes) == {"breast"}


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ("prostate", "liver"),
        ("bladder", "kidney_cortex"),
        ("kidney_cortex", "heart"),
        ("liver", "lung"),
        ("lung", "thyroid"),
        ("larynx", "oropharynx"),
        ("oropharynx", "nasopharynx"),
        ("nasopharynx", "sphenoid_sinus"),
        ("sphenoid_sinus", "ventricle"),
    ],
)
def test_organs_lie_in_order_from_seat_to_vertex(lower, upper):
    name = "uterus" if lower == "prostate" else lower
    assert centre(name)[2] < centre(upper)[2]


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [
        ("liver", 0, -1),
        ("gallbladder", 0, -1),
        ("spleen", 0, 1),
        ("stomach_gas", 0, 1),
        ("heart", 0, 1),
        ("eye", 1, -1),
        ("breast_gland", 1, -1),
        ("cord", 1, 1),
        ("kidney_cortex", 1, 1),
    ],
)
def test_organs_lie_on_their_side(name, axis, sign):
    assert sign * centre(name)[axis] > 5


def test_gas_rises_in_the_stomach_of_a_patient_on_the_back():
    assert centre("stomach_gas")[1] < centre("stomach_content")[1]


def test_vertebrae_follow_each_other_along_the_body():
    heights = [height for height, _, _ in vertebra_heights()]
    assert len(heights) == 7 + 12 + 5
    assert (np.diff(heights) < 0).all()
    marrow = (body().labels == NUMBER["vertebra_marrow"]).any(axis=2)
    column = marrow.any(axis=1)
    changes = int(np.abs(np.diff(column.astype(int))).sum())
    assert changes >= 24  # discs part the bodies


@pytest.mark.parametrize("region", REGIONS)
def test_the_box_of_a_region_touches_its_structures_on_every_side(region):
    low, high = body().boxes[region]
    assert (high - low > 10).all()
    assert (low >= body().origin_mm - body().voxel_mm).all()


@pytest.mark.parametrize(
    ("region", "least_mm", "most_mm"),
    [("brain", 110, 170), ("lung", 210, 330), ("liver", 120, 220), ("kidney", 90, 160), ("pelvis", 170, 270)],
)
def test_heights_of_regions_are_those_of_adults(region, least_mm, most_mm):
    low, high = body().boxes[region]
    assert least_mm < high[2] - low[2] < most_mm


def test_nothing_lies_on_the_faces_of_the_map():
    labels = body().labels
    faces = [labels[0], labels[-1], labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]]
    assert all((face == NUMBER["outside"]).all() for face in faces)
