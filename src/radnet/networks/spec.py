"""What a network is, as plain data: enough to build it again and to name its outputs.

Nothing here loads torch. A spec goes as JSON into the model folder; unknown keys are refused, so that a
folder of a newer RADNet is never half understood.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from radnet.errors import NetworkError
from radnet.learning import Levels
from radnet.terms import CONTRASTS, PAPER_SEQUENCES, REGIONS, VIEWS

Size = Annotated[int, Field(ge=1)]
Triple = tuple[Size, Size, Size]
Shrinking = Literal["linear", "mean"]
Classes = Annotated[tuple[str, ...], Field(min_length=1)]
Positive = Annotated[float, Field(gt=0)]


class Frozen(BaseModel):
    """Plain data that cannot be changed and has no other keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Stem(Frozen):
    """First convolution of a ResNet; sizes are slices, rows, columns."""

    kernel: Triple
    stride: Triple
    pool: bool = True
    """Whether a 3x3x3 max-pooling of stride 2 follows."""


STEMS: Final = {
    "anisotropic": Stem(kernel=(3, 7, 7), stride=(1, 2, 2)),
    "isotropic": Stem(kernel=(7, 7, 7), stride=(2, 2, 2)),
    "dense": Stem(kernel=(7, 7, 7), stride=(1, 1, 1)),
    "small": Stem(kernel=(3, 3, 3), stride=(1, 2, 2), pool=False),
}
"""Stems by name: `anisotropic` keeps the slices, of which a volume has fewest; `isotropic` is MedicalNet's;
`dense` is MONAI's default and costs eight times as much; `small` is for volumes of 24x96x96 and less."""


def _stem(value: Any) -> Any:
    """Let a stem be given by its name."""
    if isinstance(value, str):
        if value not in STEMS:
            raise ValueError(f"unknown stem '{value}'; known are {', '.join(STEMS)}")
        return STEMS[value]
    return value


class NetworkSpec(Frozen):
    """A network with its heads; the defaults are those of a 48x192x192 volume."""

    network: str = "resnet50"
    """Name of the backbone; `radnet networks` lists them."""
    width: Size = 64
    """Channels of a ResNet's first stage; SegResNets take an eighth of it."""
    stem: Annotated[Stem, BeforeValidator(_stem)] = STEMS["anisotropic"]
    """First convolution of a ResNet, as sizes or one of the names in `STEMS`."""
    unit: Literal["post", "pre"] = "post"
    """Residual units of a ResNet: `post` as in He et al. 2015 (arXiv 1512.03385); `pre` normalises before
    each convolution as He et al. 2016 (arXiv 1603.05027) do and has a projection in every unit."""
    shortcut: Literal["projection", "padding"] = "projection"
    """How a `post` unit that changes its shape passes its input on: options B and A of He et al. 2015."""
    dilated: bool = False
    """Whether stages 3 and 4 of a ResNet dilate by 2 and 4 instead of striding, as MedicalNet's do."""
    norm: Literal["batch", "group"] = "batch"
    """`group` does not depend on the batch, whatever the number of devices."""
    input_shape: Triple = (48, 192, 192)
    """Slices, rows and columns."""
    shrinking: Shrinking = "linear"
    """How larger volumes come to that shape: `mean` averages the voxels that one covers, so that their noise
    goes; `linear` looks at two along each axis."""
    close_up: Levels | None = None
    """Grey levels, 0 for black and 1 for white, that a ResNet's second input channel stretches over the whole
    range; None gives the network the volume alone. An agent changes CT by a few levels in a hundred."""
    histogram: Annotated[int, Field(ge=0)] = 0
    """Neurons that read how common each grey level is, beside the backbone; 0 leaves them out. Averages of
    feature maps hardly tell what an agent does to the whole of a volume."""
    embedding: Size = 1000
    """Neurons of the fully connected layer that the heads read (paper, section 2.2)."""
    sequences: Classes = PAPER_SEQUENCES
    views: Classes = VIEWS
    contrasts: Classes = CONTRASTS
    regions: Classes = REGIONS
    spacing_mean_mm: float = 0.0
    spacing_std_mm: Positive = 1.0
    """The spacing head's linear output is multiplied by this and added to the mean: set both to those of the
    training data, so that the head learns at the scale of the others."""
    intensity: Literal["windows", "min_max"] = "windows"
    """How the volumes' grey levels were made (`[volumes] intensity`); new scans must be made the same way."""
    ct_window: tuple[float, float] = (-1000.0, 1000.0)
    """HU that became grey levels 0 and 255 (`[volumes] ct_window`)."""
    mr_percentiles: tuple[float, float] = (0.5, 99.5)
    """Percentiles that became grey levels 0 and 255 (`[volumes] mr_percentiles`)."""

    @model_validator(mode="after")
    def _consistent(self) -> NetworkSpec:
        for name in ("sequences", "views", "contrasts", "regions"):
            words = getattr(self, name)
            if len(set(words)) < len(words):
                raise ValueError(f"{name} names a class twice")
        if self.unit == "pre" and (self.shortcut == "padding" or self.dilated):
            raise ValueError("unit 'pre' has a projection in every unit and no dilation")
        return self

    @property
    def outputs(self) -> dict[str, int]:
        """Number of outputs of each head; spacing is one number."""
        return {
            "sequence": len(self.sequences),
            "view": len(self.views),
            "contrast": len(self.contrasts),
            "coverage": len(self.regions),
            "spacing": 1,
        }


PRESETS: Final[dict[str, dict[str, Any]]] = {
    "paper": {"network": "resnet50", "unit": "pre", "stem": "anisotropic"},
}
"""Whole networks by name. The paper says ResNet50 for inputs of 48x192x192, a fully connected layer of 1000
and five heads (section 2.2), and leaves stem and units open: `paper` takes pre-activation units with a
projection each, 78.2 G multiply-adds and 62.8 M parameters in all."""


def make_spec(network: str = "resnet50", **fields: Any) -> NetworkSpec:
    """Make a spec from the name of a preset or backbone.

    Args:
        network: `paper`, or a backbone as in `radnet networks`.
        fields: Further fields of `NetworkSpec`; they win over the preset's.

    Raises:
        NetworkError: If a field is unknown or wrong; all faults are listed.
    """
    try:
        return NetworkSpec.model_validate({"network": network, **PRESETS.get(network, {}), **fields})
    except ValidationError as error:
        raise NetworkError("network: " + "; ".join(faults(error))) from None


def faults(error: ValidationError) -> list[str]:
    """Say of each fault where it is and what it is."""
    return [
        ".".join(map(str, fault["loc"]))
        + (": " if fault["loc"] else "")
        + fault["msg"].removeprefix("Value error, ")
        for fault in error.errors()
    ]
