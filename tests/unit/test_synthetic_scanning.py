"""CT and MR of bodies whose every voxel is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from phantoms import Phantom, halves, middle_plan, subject, uniform

from radnet.synthetic.coils import Coils
from radnet.synthetic.ct import CtArtefacts, CtTechnique, acquire_ct
from radnet.synthetic.furniture import Furniture
from radnet.synthetic.mr import MrArtefacts, acquire_mr, patient_tissues
from radnet.synthetic.prescription import volume_resize
from radnet.synthetic.signal import MrTechnique, mr_signal
from radnet.synthetic.tissue import NO_SPREAD, PHASES, Spread, tissues

QUIET_CT = CtTechnique(noise_hu=0.01)
T1 = MrTechnique(tr_ms=500, te_ms=12, noise=1e-4)
OPPOSED = MrTechnique(150, 500 / (3.4 * 42.577 * 1.5), flip_deg=70, family="gradient_echo", noise=1e-4)
ORGANS = ("liver", "spleen", "kidney_cortex", "muscle", "fat", "lung", "white_matter", "grey_matter", "csf")


def ct(phantom: Phantom, technique: CtTechnique = QUIET_CT, plan=None, **options) -> np.ndarray:
    return acquire_ct(subject(phantom), plan or middle_plan(phantom), technique, (1,), **options)


def mr(phantom: Phantom, technique: MrTechnique = T1, plan=None, **options) -> np.ndarray:
    return acquire_mr(subject(phantom), plan or middle_plan(phantom), technique, (1,), **options)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", ORGANS)
def test_ct_numbers_are_those_of_the_table(name, phase):
    image = ct(uniform(name), replace(QUIET_CT, phase=phase))
    assert image.mean() == pytest.approx(tissues()[name].hu[phase], abs=3)


@pytest.mark.parametrize("field_t", [1.5, 3.0])
@pytest.mark.parametrize(
    "technique",
    [T1, MrTechnique(4000, 100, echo_train=12), MrTechnique(9000, 110, 2480), MrTechnique(4000, 40, 160)],
    ids=["t1", "t2", "flair", "stir"],
)
def test_ratio_of_two_tissues_in_a_picture_is_that_of_their_signals(technique, field_t):
    technique = replace(technique, field_t=field_t, noise=1e-4)
    image = mr(halves("white_matter", "grey_matter"), technique, artefacts=MrArtefacts(phase_axis=1))
    white, grey = image[0, 8:24, 2:9].mean(), image[0, 8:24, -9:-2].mean()
    expected = mr_signal(tissues()["white_matter"], technique) / mr_signal(
        tissues()["grey_matter"], technique
    )
    assert white / grey == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("kernel", ["soft", "bone", "lung"])
def test_ct_noise_is_what_was_asked_for(kernel):
    image = ct(uniform("liver"), CtTechnique(noise_hu=20, kernel=kernel))
    assert image.std() == pytest.approx(20, rel=0.2)


def test_soft_kernels_make_coarse_noise_and_sharp_ones_fine_noise():
    def neighbours(kernel: str) -> float:
        image = ct(
            uniform("csf"), CtTechnique(noise_hu=30, kernel=kernel), middle_plan(uniform("csf"), size=48)
        )
        return float(np.corrcoef(image[0, :, :-1].ravel(), image[0, :, 1:].ravel())[0, 1])

    assert neighbours("soft") > neighbours("lung") + 0.2


def test_slices_that_overlap_share_noise():
    phantom = uniform("csf")
    technique = CtTechnique(noise_hu=30)
    apart = ct(phantom, technique, middle_plan(phantom, 8, thickness_mm=4.0))
    overlapping = ct(phantom, technique, middle_plan(phantom, 8, thickness_mm=4.0, spacing_mm=2.0))
    shared = [np.corrcoef(i[:-1].ravel(), i[1:].ravel())[0, 1] for i in (apart, overlapping)]
    assert abs(shared[0]) < 0.1
    assert shared[1] == pytest.approx(0.5, abs=0.15)


def test_noise_is_louder_where_the_rays_are_weak():
    phantom = uniform("muscle", 150)
    image = ct(phantom, CtTechnique(noise_hu=15), middle_plan(phantom, size=150, pixel_mm=2.4))
    middle, corner = image[0, 60:90, 60:90].std(), image[0, :10, :10].std()
    assert middle > 1.5 * corner


def test_noise_of_an_empty_picture_is_what_was_asked_for():
    phantom = uniform("muscle")
    plan = middle_plan(phantom)
    far = replace(plan, positions=plan.positions + 3000)
    assert ct(phantom, CtTechnique(noise_hu=6), far).std() < 7


def test_iodine_is_brighter_at_a_low_voltage():
    numbers = [
        ct(uniform("kidney_cortex"), replace(QUIET_CT, phase="portal", kvp=kvp)).mean()
        for kvp in (80, 120, 140)
    ]
    assert numbers[0] > numbers[1] + 50 > numbers[2] + 60


def test_oral_contrast_fills_the_bowel_alone():
    assert ct(uniform("bowel_content"), replace(QUIET_CT, oral=True)).mean() > 150
    assert ct(uniform("liver"), replace(QUIET_CT, oral=True)).mean() < 80


def test_a_table_lies_behind_the_back_and_clothes_around_it():
    phantom = uniform("muscle", 60)
    plan = middle_plan(phantom, size=100, pixel_mm=2.2)
    furniture = Furniture(
        table=True, gap_mm=6, thickness_mm=30, half_width_mm=70, hollow_mm=0, cloth_points=3
    )
    bare, furnished = ct(phantom, plan=plan)[0], ct(phantom, plan=plan, artefacts=CtArtefacts(furniture))[0]
    added = furnished - bare > 25
    assert added[85:].mean() > 0.2
    assert added[:15].mean() < 0.1
    assert added[15:23, 40:60].any()
    inside = slice(30, 70)
    np.testing.assert_allclose(furnished[inside, inside], bare[inside, inside], atol=3)


def test_a_round_field_is_empty_in_the_corners():
    image = ct(uniform("muscle"), artefacts=CtArtefacts(round_field=True))[0]
    assert image[0, 0] == image[-1, 0] == -1024
    assert image[16, 16] > 0


def test_metal_streaks_a_ct_and_blackens_mr():
    labels = np.full((60, 60, 60), 1, np.uint8)
    labels[0] = labels[-1] = labels[:, 0] = labels[:, -1] = labels[:, :, 0] = labels[:, :, -1] = 0
    plain = Phantom(labels, ("air", "muscle", "metal"))
    with_metal = labels.copy()
    with_metal[24:36, 26:34, 12:20] = 2
    metal = Phantom(with_metal, ("air", "muscle", "metal"))
    plan = middle_plan(plain, size=50, pixel_mm=2.0)
    clean, streaked = ct(plain, plan=plan)[0], ct(metal, plan=plan)[0]
    assert np.abs(streaked - clean)[20:30, 25:45].mean() > 20
    assert np.abs(ct(metal, plan=plan, artefacts=CtArtefacts(streaks=0))[0] - clean)[20:30, 30:45].mean() < 5
    bright, dark = mr(plain, plan=plan)[0], mr(metal, plan=plan)[0]
    assert dark[25, 11] < 0.1 * bright[25, 11]
    assert dark[25, 17] < 0.7 * bright[25, 17]  # beyond the metal itself
    assert dark[25, 40] == pytest.approx(bright[25, 40], rel=0.1)


def test_fillings_make_some_of_the_teeth_metal():
    plain, filled = (
        ct(uniform("tooth"), artefacts=CtArtefacts(fillings=share, streaks=0)) for share in (0, 0.2)
    )
    assert filled.max() > 3000 > plain.max()


def test_mr_of_air_is_the_noise_of_two_channels():
    phantom = halves("air", "muscle")
    image = mr(phantom, replace(T1, noise=0.02))[0, :, :10]
    assert image.mean() == pytest.approx(0.02 * np.sqrt(np.pi / 2), rel=0.1)  # Rayleigh
    assert image.min() >= 0


def test_a_resize_keeps_tissue_and_lowers_noise_as_averaging_does():
    phantom = uniform("csf")
    plan = middle_plan(phantom, slices=20, size=64, pixel_mm=0.5, thickness_mm=2.0)
    whole = mr(phantom, replace(T1, noise=0.05), plan)
    small = mr(phantom, replace(T1, noise=0.05), plan, resize=volume_resize(plan, (20, 32, 32)))
    assert small.mean() == pytest.approx(whole.mean(), rel=0.02)
    assert small.std() == pytest.approx(whole.std() / 2, rel=0.25)


def test_a_surface_coil_is_brighter_at_the_back():
    phantom = uniform("muscle", 100)
    plan = middle_plan(phantom, size=64, pixel_mm=2.5)
    image = mr(phantom, replace(T1, surface_coil=True), plan)[0]
    assert image[-8:].mean() > 1.7 * image[:8].mean()


def test_coils_shade_and_correction_takes_it_away():
    phantom = uniform("muscle", 100)
    plan = middle_plan(phantom, size=64, pixel_mm=2.5)
    ranges = []
    for uniformity in (0.0, 0.9):
        image = mr(phantom, plan=plan, artefacts=MrArtefacts(Coils(6, 0.18, uniformity, seed=3)))[0]
        ranges.append(image.max() / np.median(image))
    assert ranges[0] > 1.3
    assert ranges[1] < 1 + 0.5 * (ranges[0] - 1)


def test_what_lies_outside_wraps_along_the_phase_axis_alone():
    phantom = uniform("muscle", 60)
    plan = middle_plan(phantom, size=40, pixel_mm=2.0)
    bare = mr(phantom, plan=plan)[0]
    wrapped = mr(phantom, plan=plan, artefacts=MrArtefacts(phase_axis=1, wrap=True))[0]
    assert wrapped[1, 20] == pytest.approx(2 * bare[1, 20], rel=0.04)
    assert wrapped[20, 1] == pytest.approx(bare[20, 1], rel=0.05)


def test_motion_leaves_ghosts_along_the_phase_axis():
    labels = np.zeros((40, 60, 60), np.uint8)
    labels[1:-1, 26:34, 26:34] = 1
    phantom = Phantom(labels, ("air", "muscle"))
    plan = middle_plan(phantom, size=60, pixel_mm=2.0)
    image = mr(phantom, plan=plan, artefacts=MrArtefacts(phase_axis=1, ghost=0.1, ghost_share=0.25))[0]
    assert image[30 + 15, 30] == pytest.approx(0.1 * image[30, 30], rel=0.2)
    assert image[30, 30 + 15] < 0.01 * image[30, 30]


def test_fat_is_shifted_along_the_frequency_axis_by_its_bandwidth():
    labels = np.zeros((40, 60, 60), np.uint8)
    labels[1:-1, 10:50, 26:34] = 1
    phantom = Phantom(labels, ("air", "fat"))
    plan = middle_plan(phantom, size=60, pixel_mm=2.0)
    places = []
    for bandwidth in (2000.0, 40.0):
        image = mr(phantom, replace(T1, bandwidth_hz=bandwidth), plan, artefacts=MrArtefacts(phase_axis=1))[0]
        places.append((image[30] * np.arange(60)).sum() / image[30].sum())
    expected = 3.4 * 42.577 * 1.5 * (1 / 40 - 1 / 2000)
    assert places[1] - places[0] == pytest.approx(0.95 * expected, rel=0.1)  # the rest is water


def test_opposed_phase_rims_the_border_of_fat_and_water():
    phantom = halves("fat", "muscle")
    plan = middle_plan(phantom, size=48, pixel_mm=1.0)
    line = mr(phantom, replace(OPPOSED, bandwidth_hz=5000.0), plan)[0, 20:28].mean(0)
    assert line.min() < 0.4 * min(line[4], line[-5])
    in_phase = mr(phantom, replace(OPPOSED, te_ms=2 * OPPOSED.te_ms, bandwidth_hz=5000.0), plan)[
        0, 20:28
    ].mean(0)
    assert in_phase.min() > 0.8 * min(in_phase[4], in_phase[-5])


def test_every_second_slice_is_darker_with_cross_talk():
    phantom = uniform("muscle")
    image = mr(phantom, plan=middle_plan(phantom, 6), artefacts=MrArtefacts(cross_talk=0.2)).mean((1, 2))
    np.testing.assert_allclose(image[1::2] / image[::2], 0.8, rtol=0.02)


def test_equal_seeds_give_equal_pictures_and_others_do_not():
    phantom = uniform("muscle")
    noisy = replace(T1, noise=0.05)
    one, same = mr(phantom, noisy), mr(phantom, noisy)
    other = acquire_mr(subject(phantom), middle_plan(phantom), noisy, (2,))
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()


@pytest.mark.parametrize("turned", [False, True], ids=["straight", "turned"])
def test_torch_makes_the_pictures_of_numpy(turned):
    pytest.importorskip("torch")
    phantom = halves("fat", "liver")
    turn = None
    if turned:
        from radnet.synthetic.shapes import rotation

        turn = rotation((9.0, 4.0, -6.0))
    plan = middle_plan(phantom, 12, 40, 1.5, 3.0, turn=turn)
    resize = volume_resize(plan, (8, 32, 32))
    imperfect = MrArtefacts(Coils(4, seed=2), wrap=True, ghost=0.05, cut_off=1.4)
    furnished = CtArtefacts(Furniture(table=True, cloth_points=2), round_field=True)
    here, there = subject(phantom), subject(phantom, "cpu")
    for technique in (replace(T1, noise=0.02), replace(OPPOSED, noise=0.02)):
        one = acquire_mr(here, plan, technique, (1,), imperfect, resize=resize)
        two = there.arrays.host(acquire_mr(there, plan, technique, (1,), imperfect, resize=resize))
        np.testing.assert_allclose(one, two, atol=2e-5)
    one = acquire_ct(here, plan, CtTechnique("portal"), (1,), furnished, resize=resize)
    two = there.arrays.host(acquire_ct(there, plan, CtTechnique("portal"), (1,), furnished, resize=resize))
    np.testing.assert_allclose(one, two, atol=0.05)


def test_patients_differ_and_a_patient_does_not():
    someone = subject(halves("liver", "fat"))
    assert patient_tissues(someone, NO_SPREAD, 1) == [tissues()[name] for name in ("air", "liver", "fat")]
    one, again, other = (patient_tissues(someone, Spread(), number) for number in (1, 1, 2))
    assert one == again
    assert one != other
    assert one[0] == tissues()["air"]
