"""The plane of a stack by its positions, under the configured policy.

Rotation within the plane is no tilt: only the normal counts, but for the paper's rule, which wants the six
cosines of a standard orientation.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from radnet.config import LabelsConfig
from radnet.geometry import is_standard
from radnet.labels.evidence import MEASURED_VIEW
from radnet.labels.rules import OBLIQUE

GEOMETRY_COLUMNS: Final = ("nearest_view", "tilt_deg", "orientation")


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
