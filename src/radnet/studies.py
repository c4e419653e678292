"""Settings of a study: which ways of making a segmenter are compared, on how many cases, how often.

The grid is plain data in the table [study] of radnet.toml; `radnet study` adds the arms of the paper's tables
where the file names none. What all arms share stands in [transfer]; an arm names only where it differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from radnet.errors import StudyError
from radnet.learning import Count, Positive, Table

Network = Literal["model", "unet", "segresnet"]
Init = Literal["pretrained", "scratch", "medicalnet"]
Kind = Literal["pretrained", "scratch", "baseline"]
Part = Annotated[float, Field(gt=0, le=1, strict=True)]
Size = Annotated[int, Field(ge=1, strict=True)] | Part
"""Cases that train: a whole number counts them, one with a decimal point is a share of those there are."""
Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
OF_THE_GRID: Final = ("init", "freeze", "seed", "organ")
"""Keys of [transfer] that the grid sets itself."""


def _each_once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(map(repr, values))) < len(values):
        raise ValueError("a value stands twice")
    return values


class ArmConfig(Table):
    """One way of making a segmenter."""

    name: Word
    """Of its runs; small letters, digits and hyphens."""
    title: str = ""
    """What tables call it; by default its name."""
    network: Network = "model"
    """`model` is the pretrained model's network with a decoder; the others are MONAI's, from scratch."""
    init: Init = "pretrained"
    """First weights of the encoder; `medicalnet` takes those of the study's file."""
    freeze: Literal["all", "3", "2", "1", "none"] = "none"
    """Encoder blocks that do not learn."""
    sizes: Annotated[tuple[Size, ...], AfterValidator(_each_once)] = ()
    """Sizes at which it runs; by default all of the study's."""
    seeds: Annotated[tuple[int, ...], AfterValidator(_each_once)] = ()
    """Seeds with which it runs; by default all of the study's."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Keys of [transfer] that are different in this arm, e.g. { lr = 0.003 }."""

    @model_validator(mode="after")
    def _possible(self) -> ArmConfig:
        if self.network != "model" and (self.init != "scratch" or self.freeze != "none"):
            raise ValueError(f"network '{self.network}' has no pretrained weights; it takes init = 'scratch'")
        if self.init == "scratch" and self.freeze != "none":
            raise ValueError("a network from scratch cannot be frozen; it takes freeze = 'none'")
        own = [key for key in OF_THE_GRID if key in self.settings]
        if own:
            raise ValueError(f"settings.{own[0]} is set by the study itself; it has a key of its own")
        return self

    @property
    def shown(self) -> str:
        """What tables call it."""
        return self.title or self.name

    @property
    def kind(self) -> Kind:
        """What it is in a comparison."""
        if self.network != "model":
            return "baseline"
        if self.init == "medicalnet":
            return "baseline"
        return "scratch" if self.init == "scratch" else "pretrained"


class StudyConfig(Table):
    """The grid: arms x sizes x folds x seeds."""

    arms: tuple[ArmConfig, ...] = ()
    """What is compared; empty takes the arms of the verb."""
    sizes: Annotated[tuple[Size, ...], Field(min_length=1), AfterValidator(_each_once)] = (1.0,)
    """Cases that train; smaller sets are parts of larger ones."""
    seeds: Annotated[
        tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1), AfterValidator(_each_once)
    ] = (
        1,
        2,
        3,
    )
    """Each draws first weights, order, augmentation and which cases are in the smaller sets."""
    folds: Annotated[int, Field(ge=0)] = 0
    """0 splits 70:15:15 once (section 3.2); n tests each patient once, in n parts."""
    folds_run: Count | None = None
    """The first so many folds alone."""
    validation: Annotated[int, Field(ge=0)] = 1
    """With folds: patients of each fold's others who validate; with 0 the last weights are kept."""
    split_seed: Annotated[int, Field(ge=0)] = 1
    """Draws who tests and who validates."""
    tolerance_mm: Positive = 5.0
    """Of the surface Dice."""
    keep_models: bool = False
    """Whether the weights of each run stay; its scores and curves do in any case."""

    @model_validator(mode="after")
    def _possible(self) -> StudyConfig:
        names = [arm.name for arm in self.arms]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"two arms are called '{twice[0]}'")
        if self.folds == 1:
            raise ValueError("one fold tests and trains on the same cases; take 0, or 2 and more")
        if self.folds_run is not None and self.folds_run > self.folds:
            raise ValueError(f"folds_run is {self.folds_run} of {self.folds} folds")
        return self


def size_name(size: float) -> str:
    """Write a size: `12` is a count, `20 %` a share."""
    return str(size) if isinstance(size, int) else f"{100 * size:g} %"


def _arm(name: str, title: str, **fields: Any) -> ArmConfig:
    return ArmConfig(name=name, title=title, **fields)


BASELINES: Final = (
    _arm("unet", "MONAI UNet, from scratch", network="unet", init="scratch"),
    _arm("segresnet", "MONAI SegResNet, from scratch", network="segresnet", init="scratch"),
)
SCRATCH: Final = _arm("scratch", "No transfer learning", init="scratch")
FROZEN: Final = _arm("frozen-all", "Froze all layers", freeze="all")
MEDICALNET: Final = _arm("medicalnet", "MedicalNet weights", init="medicalnet")

FREEZING: Final = (
    FROZEN,
    _arm("frozen-3", "Froze to block 3", freeze="3"),
    _arm("frozen-2", "Froze to block 2", freeze="2"),
    _arm("frozen-1", "Froze to block 1", freeze="1"),
    _arm("weights-only", "Weights only"),
    SCRATCH,
    *BASELINES,
)
"""Arms of the paper's table 2, and the baselines beside them."""

FRACTIONS: Final = (FROZEN, SCRATCH, BASELINES[0])
"""Arms of table 3; the paper has the first alone."""
FRACTION_SIZES: Final = (1.0, 0.8, 0.6, 0.4, 0.2)


def with_medicalnet(arms: Iterable[ArmConfig]) -> tuple[ArmConfig, ...]:
    """Add the arm of MedicalNet's weights, unless one takes them already."""
    arms = tuple(arms)
    return arms if any(arm.init == "medicalnet" for arm in arms) else (*arms, MEDICALNET)


def chosen_arms(arms: Sequence[ArmConfig], names: Sequence[str]) -> tuple[ArmConfig, ...]:
    """Return the arms of some names, in the order of the grid; all when none are named.

    Raises:
        StudyError: If a name is none of theirs.
    """
    known = [arm.name for arm in arms]
    for name in names:
        if name not in known:
            raise StudyError(f"arm '{name}' is none of the study's; it has {', '.join(known)}")
    return tuple(arm for arm in arms if not names or arm.name in names)
