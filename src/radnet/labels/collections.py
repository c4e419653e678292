"""The paper's 57 collections, as the overlays in `rules/collections` tell of them.

The paper tests on other collections, not on other patients of the same ones: those of its table A1 train and
validate, those of table A2 test.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Final

import polars as pl

from radnet.labels.rules import COLLECTIONS_FOLDER

TRAINING_TABLE: Final = "A1"
TEST_TABLE: Final = "A2"


@dataclass(frozen=True, slots=True)
class Collection:
    """One row of table A1 or A2.

    Attributes:
        ids: Values of `collection_id` that mean it, the first being that of the Imaging Data Commons.
        name: As The Cancer Imaging Archive writes it.
        modality: CT, MR or both, by the paper.
        location: By the paper.
        cancer: What its patients have.
        protocols: What is known of its scans.
        table: A1 or A2.
        patients: By the paper.
        source: Where its protocols are told.
    """

    ids: tuple[str, ...]
    name: str
    modality: tuple[str, ...]
    location: str
    cancer: str
    protocols: str
    table: str
    patients: int
    source: str


@cache
def paper_collections() -> tuple[Collection, ...]:
    """Return the collections of tables A1 and A2, in the order of their names.

    Source: 3D-RADNet, tables A1 and A2.
    """
    found = []
    for path in COLLECTIONS_FOLDER.glob("*.toml"):
        data = tomllib.loads(path.read_text("utf-8"))
        if about := data.get("collection"):
            ids = tuple(data["applies"]["collection_id"]["is"])
            found.append(Collection(ids, **{**about, "modality": tuple(about["modality"])}))
    return tuple(sorted(found, key=lambda collection: (collection.table, collection.name.casefold())))


def find_collections(ids: pl.Series) -> pl.Series:
    """Return the place in `paper_collections()` that each `collection_id` means, null for any other."""
    places = {
        name.casefold(): place
        for place, collection in enumerate(paper_collections())
        for name in collection.ids
    }
    spelled = ids.cast(pl.String).str.strip_chars().str.to_lowercase()
    return spelled.replace_strict(places, default=None, return_dtype=pl.Int64)
