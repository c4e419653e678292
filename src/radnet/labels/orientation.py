"""The plane of a stack by its positions, under the configured policy.

Rotation within the plane is no tilt: only the normal counts, but for the paper's rule, which wants the six
cosines of a standard orientation.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from radnet.config import LabelsConfig
from radnet.errors import GeometryError
from radnet.geometry import is_standard, nearest_view, slice_normal
from radnet.labels.evidence import MEASURED_VIEW
from radnet.labels.parse import OBLIQUE
from radnet.tables import REAL, REALS, TEXT

GEOMETRY_COLUMNS: Final = ("nearest_view", "tilt_deg", "orientation")
COSINES_COLUMN: Final = "ImageOrientationPatient"
"""The cosines of a header table, as text with backslashes."""
_COSINES: Final = 6


def add_measured_view(frame: pl.DataFrame, config: LabelsConfig) -> pl.DataFrame:
    """Add `measured_view`: axial, coronal, sagittal, oblique, or null where nothing was measured.

    Args:
        frame: Headers; with `nearest_view`, `tilt_deg` and `orientation` if positions are known.
        config: `exact_orientation` and `max_tilt_deg` decide what is oblique.

    Source: 3D-RADNet section 2.1.2 for the exact rule.
    """
    if not {*GEOMETRY_COLUMNS} <= {*frame.columns}:
        return frame.with_columns(pl.lit(None, dtype=pl.String).alias(MEASURED_VIEW))
    if config.exact_orientation:
        upright = pl.col("orientation").map_elements(
            lambda cosines: is_standard(cosines.to_list()), return_dtype=pl.Boolean
        )
    else:
        upright = pl.col("tilt_deg") <= config.max_tilt_deg
    measured = pl.col("nearest_view").is_not_null()
    view = pl.when(upright).then(pl.col("nearest_view")).otherwise(pl.lit(OBLIQUE))
    return frame.with_columns(pl.when(measured).then(view).alias(MEASURED_VIEW))


def add_orientation(headers: pl.DataFrame) -> pl.DataFrame:
    """Turn the cosines of a header table into GEOMETRY_COLUMNS; what are no six cosines says nothing.

    Args:
        headers: With COSINES_COLUMN as text, or without; GEOMETRY_COLUMNS that stand already are kept.
    """
    if COSINES_COLUMN not in headers.columns or {*GEOMETRY_COLUMNS} & {*headers.columns}:
        return headers.drop(COSINES_COLUMN, strict=False)
    texts = headers[COSINES_COLUMN].unique().drop_nulls()
    rows = [(text, *_measured(text)) for text in texts]
    schema = {COSINES_COLUMN: TEXT, "nearest_view": TEXT, "tilt_deg": REAL, "orientation": REALS}
    measured = pl.DataFrame(rows, schema=schema, orient="row")
    return headers.join(measured, on=COSINES_COLUMN, how="left", maintain_order="left").drop(COSINES_COLUMN)


def _measured(text: str) -> tuple[str | None, float | None, list[float] | None]:
    try:
        cosines = [float(cosine) for cosine in text.split("\\")]
        if len(cosines) != _COSINES:
            return None, None, None
        return *nearest_view(slice_normal(cosines)), cosines
    except (ValueError, GeometryError):
        return None, None, None
