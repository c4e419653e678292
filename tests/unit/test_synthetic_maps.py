from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from radnet.errors import BodyError
from radnet.synthetic.maps import SHIPPED, body_from_map, load_table
from radnet.synthetic.structures import NUMBER, TISSUE_OF
from radnet.synthetic.tissue import tissues

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "nifti"

TABLE = """
name = "mine"
source = "made up"

[[label]]
numbers = [7, 8]
structure = "liver"

[[label]]
numbers = [300]
structure = "strange organ"
tissue = "spleen"
regions = ["kidney"]

[[label]]
numbers = [9]
structure = "white_matter"
tissue = "oedema"
"""


def write_map(folder: Path, values: np.ndarray, affine: np.ndarray | None = None) -> Path:
    path = folder / "map.nii.gz"
    nib.save(nib.Nifti1Image(values, np.diag([2.0, 2.0, 3.0, 1.0]) if affine is None else affine), path)
    return path


def write_table(folder: Path, text: str = TABLE) -> Path:
    path = folder / "table.toml"
    path.write_text(text, encoding="utf-8")
    return path


def blocks() -> np.ndarray:
    """A map in RAS of 20 x 20 x 10 voxels with one block of each number."""
    values = np.zeros((20, 20, 10), np.int16)
    values[2:6, 3:7, 1:4] = 7
    values[12:16, 3:7, 1:4] = 300
    values[2:6, 12:16, 6:9] = 9
    return values


def test_a_map_becomes_a_body_with_our_numbers_tissues_and_boxes(tmp_path):
    body = body_from_map(write_map(tmp_path, blocks()), write_table(tmp_path), sex="F")
    assert body.labels.shape == (10, 20, 20)
    assert body.sex == "F"
    assert body.build is None
    found = set(np.unique(body.labels).tolist())
    assert {NUMBER["outside"], NUMBER["liver"], len(NUMBER), len(NUMBER) + 1} == found
    assert body.tissues[: len(NUMBER)] == tuple(TISSUE_OF.values())
    assert body.tissues[len(NUMBER) :] == ("spleen", "oedema")
    np.testing.assert_allclose(body.voxel_mm, [2, 2, 3])
    # RAS x of 4 to 10 mm are LPS x of -10 to -4; half a voxel more on either side
    np.testing.assert_allclose(body.boxes["liver"], [[-11, -13, 1.5], [-3, -5, 10.5]])
    assert set(body.boxes) == {"liver", "kidney", "brain"}


def test_a_structure_with_another_tissue_still_counts_for_its_region(tmp_path):
    body = body_from_map(write_map(tmp_path, blocks()), write_table(tmp_path))
    np.testing.assert_allclose(body.boxes["brain"][:, 2], [16.5, 25.5])


def test_what_lies_between_is_filled_where_the_table_says_so(tmp_path):
    table = write_table(tmp_path, 'between = "fat"\n' + TABLE)
    body = body_from_map(write_map(tmp_path, blocks()), table)
    assert body.tissues[-1] == "fat"
    assert not (body.labels == len(body.tissues) - 1).any()  # no column has labels on both sides
    values = blocks()
    values[2:16, [3, 9], 2] = 7  # two bars in front of and behind the gap between the blocks
    body = body_from_map(write_map(tmp_path, values), table)
    filled = body.labels == len(body.tissues) - 1
    assert filled[2].any()
    assert not filled[[0, 1, 3, 4, 7]].any()
    labelled = np.argwhere((body.labels[2] > 0) & ~filled[2])
    found = np.argwhere(filled[2])
    assert (found.min(0) >= labelled.min(0)).all()
    assert (found.max(0) <= labelled.max(0)).all()


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_tables_are_whole(name):
    table = load_table(name)
    assert table.source
    for row in table.label:
        assert (row.tissue or TISSUE_OF[row.structure]) in tissues()


@pytest.mark.parametrize(
    ("name", "number", "structure"),
    [
        ("synthseg", 41, "white_matter"),
        ("synthseg", 16, "brain_stem"),
        ("totalsegmentator", 5, "liver"),
        ("totalsegmentator", 3, "kidney_cortex"),
        ("totalsegmentator", 27, "l5_marrow"),
        ("totalsegmentator", 50, "c1_marrow"),
        ("totalsegmentator", 90, "grey_matter"),
        ("totalsegmentator", 117, "costal_cartilage"),
        ("chaos", 63, "liver"),
        ("chaos", 126, "kidney_cortex"),
        ("chaos", 252, "spleen"),
        ("chaos", 4, "spleen"),
    ],
)
def test_shipped_tables_know_their_numbers(name, number, structure):
    rows = [row for row in load_table(name).label if number in row.numbers]
    assert [row.structure for row in rows] == [structure]


def test_totalsegmentator_is_complete():
    numbers = sorted(number for row in load_table("totalsegmentator").label for number in row.numbers)
    assert numbers == list(range(1, 118))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "table.toml is not TOML"),
        (TABLE + "colour = 3\n", r"table.toml, label\.2\.colour: Extra inputs are not permitted"),
        ('name = "x"\nsource = "y"\nlabel = []\n', "table.toml, label: "),
        (TABLE.replace('"spleen"', '"jelly"'), "unknown tissue 'jelly'"),
        ('between = "jelly"\n' + TABLE, "unknown tissue 'jelly'"),
        (TABLE.replace('["kidney"]', '["knee"]'), "unknown region 'knee'; known are brain"),
        (TABLE.replace('tissue = "spleen"\n', ""), "'strange organ' is no structure of ours, so it needs"),
        (TABLE.replace("[300]", "[8]"), "number 8 stands in two rows"),
    ],
)
def test_a_faulty_table_is_refused(tmp_path, text, message):
    with pytest.raises(BodyError, match=message):
        load_table(write_table(tmp_path, text))


def test_an_unknown_table_is_refused():
    with pytest.raises(BodyError, match=r"atlas is neither a shipped table \(synthseg, totalseg"):
        load_table("atlas")


def test_numbers_that_the_table_does_not_name_are_refused(tmp_path):
    values = blocks()
    values[0, 0, 0] = 77
    with pytest.raises(BodyError, match="table 'mine' does not name: 77; add rows"):
        body_from_map(write_map(tmp_path, values), write_table(tmp_path))


@pytest.mark.parametrize("value", [7.5, np.nan])
def test_an_image_is_no_label_map(tmp_path, value):
    values = blocks().astype(np.float32)
    values[3, 3, 3] = value
    with pytest.raises(BodyError, match="holds values that are no whole numbers"):
        body_from_map(write_map(tmp_path, values), write_table(tmp_path))


def test_a_map_that_lies_askew_is_refused(tmp_path):
    angle = np.radians(30)
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    with pytest.raises(BodyError, match="is turned by 30 degrees against the body's axes; resample"):
        body_from_map(write_map(tmp_path, blocks(), affine), write_table(tmp_path))


def test_too_many_structures_of_its_own_are_refused(tmp_path):
    rows = "".join(
        f'\n[[label]]\nnumbers = [{number}]\nstructure = "own {number}"\ntissue = "fat"\n'
        for number in range(1000, 1120)
    )
    with pytest.raises(BodyError, match=r"table 'mine' names 12\d structures of its own; at most"):
        body_from_map(write_map(tmp_path, blocks()), write_table(tmp_path, TABLE + rows))


@pytest.mark.skipif(not SHARED.is_dir(), reason="real label maps are not here (../shared/data/nifti)")
def test_real_brain_maps_become_bodies():
    path = SHARED / "brain_label_maps" / "training_seg_02.nii.gz"
    body = body_from_map(path, "synthseg")
    low, high = body.boxes["brain"]
    assert (high - low > 110).all()
    assert (high - low < 190).all()
    eyes = np.argwhere(body.labels == NUMBER["eye"]).mean(0)
    cerebellum = np.argwhere(body.labels == NUMBER["cerebellum_grey"]).mean(0)
    assert eyes[1] < cerebellum[1]  # rows grow to the back
    assert cerebellum[0] < np.argwhere(body.labels == NUMBER["grey_matter"]).mean(0)[0]


@pytest.mark.skipif(not SHARED.is_dir(), reason="real label maps are not here (../shared/data/nifti)")
def test_a_real_liver_lies_on_the_right():
    path = SHARED / "abdomen_mr_t2spir_liver" / "case_01_label.nii.gz"
    body = body_from_map(path, "chaos")
    liver, spleen = (np.argwhere(body.labels == NUMBER[name]).mean(0)[2] for name in ("liver", "spleen"))
    assert liver < spleen  # columns grow to the left
