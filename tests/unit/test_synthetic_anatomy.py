from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest
from synthetic_bodies import SEEDS, adult, centre_mm, coarse, largest_share, mask

from radnet.synthetic.anatomy import make_body
from radnet.synthetic.spine import CORD_END_MM, vertebra_heights
from radnet.synthetic.structures import NUMBER, TISSUE_OF, VERTEBRAE
from radnet.synthetic.tissue import tissues
from radnet.terms import REGIONS

pytestmark = pytest.mark.xdist_group("bodies")

WOMENS = {"breast_fat", "breast_gland", "uterus", "uterine_cavity", "ovary"}
MENS = {"prostate", "seminal_vesicle", "testis"}
BY_CHANCE = {"cyst", "tumour", "pleural_effusion", "gallstone", "metal", "rectum_gas"}
BONES = [name for name, tissue in TISSUE_OF.items() if tissue in ("bone", "marrow")]

DIGEST = "d0706d5a7ae7b38f1d4014eaa005070115f0613e7049c24c7ec0d15f0bf3c30a"
"""SHA-256 of the labels of one body, promised to be equal on every machine; it changes with the anatomy."""


def test_equal_seeds_give_equal_bodies_and_others_differ():
    again = make_body(SEEDS["F"], "F", lesion=True)
    assert again.labels.tobytes() == adult("F").labels.tobytes()
    assert again.stature == adult("F").stature
    assert coarse(1).labels.tobytes() != coarse(2).labels.tobytes()


def test_labels_are_those_of_every_other_machine():
    labels = make_body(7, "M", step_mm=4.0).labels
    assert hashlib.sha256(labels.tobytes()).hexdigest() == DIGEST


@pytest.mark.parametrize(("sex", "foreign"), [("F", MENS), ("M", WOMENS)])
def test_every_structure_is_in_both_sexes_save_what_is_one_sexs_own(sex, foreign):
    counts = np.bincount(adult(sex).labels.ravel(), minlength=256)
    present = {name for name, number in NUMBER.items() if counts[number]}
    assert set(NUMBER) - present - BY_CHANCE == foreign
    assert present & foreign == set()


def test_there_are_enough_structures_and_every_vertebra_has_its_number():
    assert len(NUMBER) >= 45
    assert len({NUMBER[name] for name in VERTEBRAE}) == 25
    assert set(adult("F").tissues) <= set(tissues())


def test_women_have_all_nine_regions_and_men_no_breast():
    assert set(adult("F").boxes) == set(REGIONS)
    assert set(REGIONS) - set(adult("M").boxes) == {"breast"}


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ("uterus", "liver"),
        ("bladder", "kidney_cortex"),
        ("kidney_cortex", "heart"),
        ("liver", "lung"),
        ("lung", "thyroid"),
        ("larynx", "oropharynx"),
        ("oropharynx", "nasopharynx"),
        ("nasopharynx", "sphenoid_sinus"),
        ("sphenoid_sinus", "ventricle"),
        ("hyoid", "mandible"),
    ],
)
def test_organs_lie_in_order_from_seat_to_vertex(lower, upper):
    assert centre_mm(adult("F"), lower)[2] < centre_mm(adult("F"), upper)[2]


@pytest.mark.parametrize(
    ("name", "axis", "sign"),
    [
        ("liver", 0, -1),
        ("gallbladder", 0, -1),
        ("spleen", 0, 1),
        ("stomach_gas", 0, 1),
        ("left_ventricle", 0, 1),
        ("right_atrium", 0, -1),
        ("vena_cava", 0, -1),
        ("eye", 1, -1),
        ("breast_gland", 1, -1),
        ("cord", 1, 1),
        ("kidney_cortex", 1, 1),
    ],
)
def test_organs_lie_on_their_side(name, axis, sign):
    assert sign * centre_mm(adult("F"), name)[axis] > 5


@pytest.mark.parametrize("organ", ["stomach", "colon"])
def test_gas_rises_in_a_patient_on_the_back(organ):
    body = adult("M")
    assert centre_mm(body, f"{organ}_gas")[1] < centre_mm(body, f"{organ}_content")[1]


@pytest.mark.parametrize("sex", ["F", "M"])
def test_vertebrae_follow_each_other_along_the_body(sex):
    heights = [centre_mm(adult(sex), f"{name}_marrow")[2] for name in VERTEBRAE]
    assert (np.diff(heights) < -8).all()
    assert len(vertebra_heights()) == 7 + 12 + 5


@pytest.mark.parametrize("side", [-1, 1])
def test_each_kidney_is_one_piece(side):
    body = adult("M")
    kidney = mask(body, "kidney_cortex", "kidney_medulla")
    half = int(-body.origin_mm[0] / body.voxel_mm[0])
    kidney[:, :, :half] &= side < 0
    kidney[:, :, half:] &= side > 0
    assert largest_share(kidney) > 0.97


@pytest.mark.parametrize("names", [("liver", "liver_vessel"), ("spleen",), ("airway",), ("heart",)])
def test_organs_hang_together(names):
    assert largest_share(mask(adult("F"), *names)) > 0.9


@pytest.mark.parametrize("sex", ["F", "M"])
def test_the_cord_runs_unbroken_from_the_skull_to_the_loin(sex):
    body = adult(sex)
    cord = mask(body, "cord")
    ends = [body.world((0, 0, height))[2] for height in (CORD_END_MM + 15, 735)]
    first, last = (int((end - body.origin_mm[2]) / body.voxel_mm[2]) for end in ends)
    planes = [np.argwhere(plane) for plane in cord[first:last]]
    assert all(len(found) for found in planes)
    steps = np.diff([found.mean(0) for found in planes], axis=0)
    assert np.abs(steps).max() * 2.0 < 4


@pytest.mark.parametrize("sex", ["F", "M"])
def test_no_lung_lies_outside_the_rib_cage(sex):
    body = adult(sex)
    lung, cage = mask(body, "lung"), mask(body, "rib", "sternum", "costal_cartilage", *VERTEBRAE)
    planes = np.flatnonzero(lung.any((1, 2)))
    reach = int(30 / body.voxel_mm[2])
    for plane in planes[:: max(1, len(planes) // 25)]:
        near = cage[max(0, plane - reach) : plane + reach].any(0)
        hull = cv2.convexHull(np.argwhere(near)[:, ::-1].astype(np.int32))
        within = np.zeros(near.shape, np.uint8)
        cv2.fillConvexPoly(within, hull, 1)
        outside = lung[plane] & (within == 0)
        assert outside.sum() <= 0.01 * lung[plane].sum() + 4


def test_no_bone_lies_bare():
    body = adult("M")
    bone, air = mask(body, *BONES), mask(body, "outside")
    beside = air[:, :-2, 1:-1] | air[:, 2:, 1:-1] | air[:, 1:-1, :-2] | air[:, 1:-1, 2:]
    assert not (bone[:, 1:-1, 1:-1] & beside).any()


def test_the_cortex_is_folded():
    """Fluid reaches deep between the gyri: much of the cortex borders on it."""
    body = adult("M")
    grey, fluid = mask(body, "grey_matter"), mask(body, "brain_csf")
    top = int((body.world((0, 0, 815))[2] - body.origin_mm[2]) / body.voxel_mm[2])
    grey, fluid = grey[top:], fluid[top:]
    reached = np.zeros_like(grey)
    for axis in range(3):
        for step in (-1, 1):
            reached |= np.roll(fluid, step, axis)
    assert 0.35 < (grey & reached).sum() / grey.sum() < 0.95


@pytest.mark.parametrize("region", REGIONS)
def test_the_box_of_a_region_is_as_large_as_an_adults(region):
    low, high = adult("F").boxes[region]
    assert (high - low > 10).all()
    assert (low >= adult("F").origin_mm - adult("F").voxel_mm).all()


@pytest.mark.parametrize(
    ("region", "least_mm", "most_mm"),
    [("brain", 115, 175), ("lung", 210, 340), ("liver", 130, 240), ("kidney", 90, 170), ("pelvis", 170, 270)],
)
def test_heights_of_regions_are_those_of_adults(region, least_mm, most_mm):
    for sex in ("F", "M"):
        low, high = adult(sex).boxes[region]
        assert least_mm < high[2] - low[2] < most_mm


def test_a_box_ends_where_its_structures_end():
    body = adult("M")
    found = np.argwhere(mask(body, "liver"))[:, ::-1]
    low, high = body.origin_mm + (found.min(0) - 0.5) * 2.0, body.origin_mm + (found.max(0) + 0.5) * 2.0
    np.testing.assert_allclose(body.boxes["liver"], [low, high])


@pytest.mark.parametrize("sex", ["F", "M"])
def test_nothing_lies_on_the_faces_of_the_map(sex):
    labels = adult(sex).labels
    faces = [labels[0], labels[-1], labels[:, 0], labels[:, -1], labels[:, :, 0], labels[:, :, -1]]
    assert all((face == NUMBER["outside"]).all() for face in faces)


def test_arms_lie_beside_head_or_trunk():
    up, down = coarse(3, arms="up"), coarse(3, arms="down")
    shoulder = up.world((0, 0, 600))[2]
    assert centre_mm(up, "humerus")[2] > shoulder
    assert centre_mm(down, "humerus")[2] < shoulder
    for body in (up, down):
        assert mask(body, "forearm_bone").any()


@pytest.mark.parametrize("step_mm", [3.0, 5.0])
def test_a_body_is_as_large_at_every_resolution(step_mm):
    fine, rough = coarse(4, sex="M"), make_body(4, "M", step_mm=step_mm)
    assert (rough.voxel_mm == step_mm).all()
    sizes = [(body.labels > 0).sum() * body.voxel_mm.prod() for body in (fine, rough)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.03)
