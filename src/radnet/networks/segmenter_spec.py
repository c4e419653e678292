"""What a segmenter is, as plain data: its backbone, its decoder, and the images that it takes.

Nothing here loads torch. A window is a box of slices, rows and columns: the planes of a scan are resized to
its rows and columns, its slices lie `slice_mm` apart, and it slides along the slices alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from radnet.errors import NetworkError
from radnet.networks.spec import Frozen, NetworkSpec, Positive, Triple, faults

DecoderKind = Literal["light", "paper", "unet", "segresnet"]
SecondPass = Literal["off", "on"]
LEAST_WINDOW: Final = 8
"""Fewest slices, rows and columns of a window: five scales halve it four times."""


class SegmenterSpec(Frozen):
    """A segmentation network with what it must be fed."""

    backbone: NetworkSpec
    """The encoder's; of its heads nothing is left."""
    window: Triple
    """Slices, rows and columns that the network sees at a time."""
    slice_mm: Positive = 5.0
    """Distance of the slices of the images that it takes."""
    organ: Annotated[str, Field(min_length=1)] = "liver"
    """What it outlines."""
    region: str | None = None
    """Word of the coverage head by which windows are proposed; None when all of a scan is looked at."""
    decoder: DecoderKind = "light"
    decoder_norm: Literal["batch", "group"] = "group"
    intensity: Literal["windows", "min_max"] = "windows"
    """How grey levels are made, once a scan: `windows` is `ct_window` for CT, `mr_percentiles` for others."""
    ct_window: tuple[float, float] = (-1000.0, 1000.0)
    """HU that become grey levels 0 and 255."""
    mr_percentiles: tuple[float, float] = (0.5, 99.5)
    """Percentiles that become grey levels 0 and 255."""
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Probability from which a voxel belongs to the organ."""
    overlap: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of a window that the next one covers again, where no windows are named."""
    second_pass: SecondPass = "off"
    """`on` looks again at the box around the first mask, which then fills the whole window."""
    margin: Annotated[float, Field(ge=0, le=1)] = 0.15
    """Of that box on each side, as a share of its size."""

    @field_validator("window")
    @classmethod
    def _wide_enough(cls, window: Triple) -> Triple:
        if min(window) < LEAST_WINDOW:
            raise ValueError(f"a window has at least {LEAST_WINDOW} slices, rows and columns")
        return window

    @model_validator(mode="after")
    def _known_region(self) -> SegmenterSpec:
        if self.region is not None and self.region not in self.backbone.regions:
            known = ", ".join(self.backbone.regions)
            raise ValueError(f"region '{self.region}' is none of the backbone's coverage head: {known}")
        return self


def make_segmenter_spec(fields: Mapping[str, Any]) -> SegmenterSpec:
    """Make a spec of its fields.

    Raises:
        NetworkError: If a field is unknown or wrong; all faults are listed.
    """
    try:
        return SegmenterSpec.model_validate(fields)
    except ValidationError as error:
        raise NetworkError("segmenter: " + "; ".join(faults(error))) from None
