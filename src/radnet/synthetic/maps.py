"""Take label maps from files as bodies: a NIfTI file, and a TOML table that says what its numbers mean.

Warning: most label maps are drawn on real people's scans. They serve tests, studies and networks of your own;
weights that are called "trained on no patient's data" must never have seen one.

A table looks like this:

    name   = "my atlas"
    source = "where the numbers are laid down"
    between = "muscle"            # optional: tissue of what lies unlabelled between labelled voxels

    [[label]]
    numbers   = [2, 41]
    structure = "white_matter"    # a structure of ours: it brings its tissue and counts for its regions

    [[label]]
    numbers   = [90]
    structure = "my_organ"        # or a name of your own, with a tissue and the regions it belongs to
    tissue    = "liver"
    regions   = ["liver"]

Number 0 is outside unless the table names it; a number that the table does not name is an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from radnet.errors import BodyError
from radnet.masks.nifti import NiftiVolume, read_nifti
from radnet.synthetic.anatomy import Body
from radnet.synthetic.build import Sex
from radnet.synthetic.regions import find_boxes
from radnet.synthetic.stature import Stature
from radnet.synthetic.structures import NUMBER, REGION_NUMBERS, REGION_STRUCTURES, TISSUE_OF
from radnet.synthetic.tissue import tissues
from radnet.terms import REGIONS

SHIPPED: Final = ("synthseg", "totalsegmentator", "chaos")
"""Tables that come with the package."""
MOST_TILT_DEG: Final = 20.0
"""A map that is turned farther against the body's axes is refused; less is neglected."""
MOST_STRUCTURES: Final = 255


class MapLabel(BaseModel):
    """One row of a table.

    Attributes:
        numbers: In the file.
        structure: One of ours, or a name of the table's own.
        tissue: A row of the table of tissues; None for the structure's own.
        regions: To which a structure of the table's own belongs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    numbers: tuple[int, ...] = Field(min_length=1)
    structure: str = Field(min_length=1)
    tissue: str | None = None
    regions: tuple[str, ...] = ()


class MapTable(BaseModel):
    """What the numbers of a label map mean.

    Attributes:
        name: Of the numbering.
        source: Where it is laid down.
        label: Rows; a number stands in one of them.
        between: Tissue of what lies unlabelled between labelled voxels; None leaves it outside.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: str
    label: tuple[MapLabel, ...] = Field(min_length=1)
    between: str | None = None


def load_table(table: str | Path) -> MapTable:
    """Read a table.

    Args:
        table: Name of a shipped one, or the path of a TOML file.

    Raises:
        BodyError: If it is not there, is not TOML, or holds an unknown key, tissue or region.
    """
    try:
        text = _shipped(str(table)) if str(table) in SHIPPED else Path(table).read_text("utf-8")
        read = MapTable.model_validate(tomllib.loads(text))
    except OSError:
        names = ", ".join(SHIPPED)
        raise BodyError(f"{table} is neither a shipped table ({names}) nor a file that can be read") from None
    except tomllib.TOMLDecodeError as error:
        raise BodyError(f"{table} is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise BodyError(f"{table}, {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    _check(read, str(table))
    return read


def _shipped(name: str) -> str:
    folder = resources.files("radnet.synthetic").joinpath("label_tables")
    return folder.joinpath(f"{name}.toml").read_text("utf-8")


def _check(table: MapTable, where: str) -> None:
    seen: set[int] = set()
    named = [row.tissue for row in table.label if row.tissue] + ([table.between] if table.between else [])
    for tissue in named:
        if tissue not in tissues():
            raise BodyError(f"{where}: unknown tissue '{tissue}'; tissues.csv holds those that are known")
    for row in table.label:
        if row.structure not in TISSUE_OF and row.tissue is None:
            raise BodyError(f"{where}: '{row.structure}' is no structure of ours, so it needs a tissue")
        if twice := seen.intersection(row.numbers):
            raise BodyError(f"{where}: number {min(twice)} stands in two rows; name it once")
        if unknown := set(row.regions) - set(REGIONS):
            raise BodyError(f"{where}: unknown region '{min(unknown)}'; known are {', '.join(REGIONS)}")
        seen.update(row.numbers)


def body_from_map(path: Path | str, table: str | Path, sex: Sex = "M") -> Body:
    """Take a label map as a body, at its own resolution and place.

    Args:
        path: A NIfTI file of whole numbers.
        table: Name of a shipped table, or the path of a TOML file.
        sex: Whose it is; a map does not say.

    Raises:
        MaskError: If the file cannot be read.
        BodyError: If the table does not fit it, or it lies askew in the body.
    """
    meaning = load_table(table)
    volume = read_nifti(path)
    if volume.tilt_deg > MOST_TILT_DEG:
        raise BodyError(
            f"{path} is turned by {volume.tilt_deg:.0f} degrees against the body's axes; resample it to them"
        )
    numbers, tissue_of, regions = _structures(meaning)
    labels = _translated(volume, numbers, meaning)
    if meaning.between:
        tissue_of = {**tissue_of, "between": meaning.between}
        labels[_between(labels > 0) & (labels == 0)] = len(tissue_of) - 1
    voxel = volume.spacing_mm[::-1]
    origin = volume.affine[:3, 3]
    boxes = find_boxes(labels, voxel, origin, regions)
    return Body(labels, tuple(tissue_of.values()), voxel, origin, boxes, Stature(), sex)


def _structures(
    table: MapTable,
) -> tuple[dict[int, int], dict[str, str], dict[str, tuple[int, ...]]]:
    """Return our number of each of the map's, the tissue of each name, and the numbers of each region."""
    tissue_of: dict[str, str] = dict(TISSUE_OF)
    place = dict(NUMBER)
    regions = {region: list(found) for region, found in REGION_NUMBERS.items()}
    numbers = {0: NUMBER["outside"]}
    for row in table.label:
        name = row.structure
        if name not in place or (row.tissue is not None and row.tissue != TISSUE_OF.get(name)):
            name = row.structure if row.structure not in place else f"{row.structure}: {row.tissue}"
            if name not in place:
                place[name] = len(place)
                tissue_of[name] = row.tissue or TISSUE_OF[row.structure]
                for region in (*row.regions, *_regions_of(row.structure)):
                    regions[region].append(place[name])
        numbers.update(dict.fromkeys(row.numbers, place[name]))
    if len(place) > MOST_STRUCTURES - 1:
        own = MOST_STRUCTURES - 1 - len(NUMBER)
        raise BodyError(
            f"table '{table.name}' names {len(place) - len(NUMBER)} structures of its own; at most {own}"
        )
    return numbers, tissue_of, {region: tuple(found) for region, found in regions.items()}


def _regions_of(structure: str) -> list[str]:
    return [region for region, names in REGION_STRUCTURES.items() if structure in names]


def _translated(volume: NiftiVolume, numbers: Mapping[int, int], table: MapTable) -> NDArray[np.uint8]:
    """Turn the file's numbers into ours, (z, y, x)."""
    found, inverse = np.unique(volume.values, return_inverse=True)
    if not np.isfinite(found).all() or (found != np.rint(found)).any():
        raise BodyError(f"{volume.path} holds values that are no whole numbers; a label map was expected")
    unknown = sorted({int(value) for value in found} - set(numbers))
    if unknown:
        shown = ", ".join(map(str, unknown[:8]))
        raise BodyError(
            f"{volume.path} holds numbers that table '{table.name}' does not name: {shown}; "
            "add rows to a copy of the table, or choose another"
        )
    ours = np.array([numbers[int(value)] for value in found], np.uint8)
    return np.ascontiguousarray(ours[inverse.reshape(volume.values.shape)])


def _between(labelled: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Say what lies between labelled voxels of its plane, along rows as well as along columns."""
    held = np.ones_like(labelled)
    for axis in (1, 2):
        for mask in (labelled, np.flip(labelled, axis)):
            reached = np.logical_or.accumulate(mask, axis=axis)
            held &= reached if mask is labelled else np.flip(reached, axis)
    return held
