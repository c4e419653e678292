"""The configuration: one TOML file, a table a stage, every key optional.

A policy is a named set of defaults: `default`, or `paper` for the way of 3D-RADNet section 2.1. Keys in the
file win over the policy, the command line wins over the file. Unknown keys and bad values are refused,
all at once, naming the file and the nearest known key.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from radnet.errors import ConfigError
from radnet.learning import AugmentationConfig as AugmentationConfig
from radnet.learning import Count, Levels, Positive, Share, Table
from radnet.learning import LearningConfig as LearningConfig
from radnet.learning import TrainingConfig as TrainingConfig
from radnet.learning import TransferConfig as TransferConfig
from radnet.learning import WindowAugmentationConfig as WindowAugmentationConfig
from radnet.studies import StudyConfig
from radnet.terms import GEOMETRIES, PAPER_SEQUENCES, SEQUENCES

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Policy = Literal["default", "paper"]
Percentile = Annotated[float, Field(ge=0, le=100)]
Head = Literal["sequence", "view", "contrast", "coverage", "spacing"]


def _nearest(word: str, known: Iterable[str]) -> str:
    """Name the known word nearest to one that is not, or all that are known."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"


def _words_of(known: tuple[str, ...]) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    """Make the check that all words of a tuple are known."""

    def check(words: tuple[str, ...]) -> tuple[str, ...]:
        faults = [f"unknown word '{word}'; {_nearest(word, known)}" for word in words if word not in known]
        if faults:
            raise ValueError("; ".join(faults))
        return words

    return check


def _ascending(limits: tuple[float, float]) -> tuple[float, float]:
    low, high = limits
    if low >= high:
        raise ValueError(f"{low:g} must be below {high:g}")
    return limits


def _each_once(words: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(words)) < len(words):
        raise ValueError("a word stands twice")
    return words


class ScanConfig(Table):
    """Reading headers."""

    patient_key: Path | None = None
    """File with the secret that keys the patients' hashes; by default `patient.key` in the workspace, made at
    the first scan. Name one outside to match patients between workspaces."""
    chunk_files: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Files that a worker takes at a time."""


class SeriesConfig(Table):
    """From instances to stacks."""

    spacing_tolerance: Positive = 0.01
    """Largest departure of a gap from the median gap, as a share of it."""
    spacing_tolerance_mm: Positive = 0.1
    """A gap this close to the median is uniform whatever its share."""
    orientation_tolerance: Positive = 1e-3
    """Largest difference of a direction cosine within one stack."""


class LabelsConfig(Table):
    """What rules read and which stacks are kept."""

    rules: tuple[Path, ...] = ()
    """Folders of rule tables that overlay the shipped ones."""
    decisions: Path | None = None
    """CSV file of people's decisions; append-only, wins over every rule."""
    keep_sequences: Annotated[tuple[str, ...], AfterValidator(_words_of(SEQUENCES))] = PAPER_SEQUENCES
    """Sequence words that are kept; the others leave as `excluded_sequence`."""
    keep_geometries: Annotated[tuple[str, ...], AfterValidator(_words_of(GEOMETRIES))] = ("uniform",)
    """Geometry verdicts that are kept."""
    keep_reformats: bool = True
    """Whether reformatted stacks (form `reformat`) are kept."""
    exact_orientation: bool = False
    """Whether only the paper's three standard orientations have a view (section 2.1.2, within 1e-3)."""
    max_tilt_deg: Annotated[float, Field(ge=0, lt=45)] = 20.0
    """Largest angle of the normal to its nearest axis before a stack is oblique."""
    require_description: bool = False
    """Whether a stack without SeriesDescription is excluded."""
    min_slices: Count = 16
    """Fewest slices (section 2.1.5)."""
    max_effective_spacing_mm: Positive = 15.0
    """Largest slice spacing after the resize to the target shape (section 2.1.5)."""
    contrast_from_agent_alone: bool = False
    """Whether contrast is `yes` when ContrastBolusAgent holds a text that is no denial and `no` otherwise
    (section 2.1.3), instead of the rule table."""


class VolumesConfig(Table):
    """From stacks to arrays."""

    shape: tuple[Count, Count, Count] = (48, 192, 192)
    """Slices, rows and columns of a volume."""
    intensity: Literal["windows", "min_max"] = "windows"
    """`windows`: CT by ct_window, MR by mr_percentiles; `min_max`: the paper's way (section 2.1.5)."""
    ct_window: Annotated[tuple[float, float], AfterValidator(_ascending)] = (-1000.0, 1000.0)
    """HU that become grey levels 0 and 255."""
    mr_percentiles: Annotated[tuple[Percentile, Percentile], AfterValidator(_ascending)] = (0.5, 99.5)
    """Percentiles of the resized volume that become grey levels 0 and 255."""
    compression: Literal["none", "zstd"] = "none"
    """`none` can be memory-mapped; `zstd` takes about 0.4 of the room."""
    shard_volumes: Count = 64
    """Volumes in one shard file."""


class PretrainConfig(TrainingConfig):
    """Training the network on the labels of its volumes."""

    network: str = "resnet50"
    """Backbone, or `paper`; `radnet networks` lists them."""
    width: Count | None = None
    """Channels of the first stage; by default the network's own."""
    stem: str | None = None
    """First convolution: `anisotropic`, `isotropic`, `dense` or `small`; by default the network's own."""
    norm: Literal["batch", "group"] = "batch"
    """`group` gives the same loss on one device as on several."""
    embedding: Count = 1000
    """Neurons of the fully connected layer (section 2.2)."""
    input_shape: tuple[Count, Count, Count] = (48, 192, 192)
    """Slices, rows and columns that the network sees; larger volumes are resized to it."""
    shrinking: Literal["linear", "mean"] = "mean"
    """How: `mean` averages the voxels that one covers; `linear` looks at two along each axis."""
    close_up: Levels | None = None
    """Grey levels, 0 to 1, that a ResNet's second input channel stretches over the whole range; with the
    default CT window 0.42 and 0.62 are -160 and 240 HU."""
    histogram: Annotated[int, Field(ge=0)] = 0
    """Neurons that read how common each grey level is, beside the backbone; they help to tell an agent."""
    heads: Annotated[tuple[Head, ...], Field(min_length=1), AfterValidator(_each_once)] = get_args(Head)
    """Heads that are trained."""
    head_weights: dict[Head, Positive] = Field(default_factory=dict)
    """Weight of each head's loss; 1 where none is given."""
    learn_head_weights: bool = False
    """Whether the weights are learned from the losses' uncertainty (Kendall 2018) instead."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced`: rare classes count more, at most 10 times."""
    split: Literal["patients", "paper"] = "patients"
    """`patients`: by patient, and by collection where test_collections are named; `paper`: tables A1, A2."""
    validation_share: Share = 0.2
    """Of the patients who do not test; the split `paper` has its own."""
    test_share: Share = 0.1
    """Of the patients, when no test_collections are named."""
    test_collections: tuple[str, ...] = ()
    """Collections that test as a whole."""
    collections: Path | None = None
    """Table (CSV, Parquet) of SeriesInstanceUID and collection_id; without one, a source is a collection."""
    augmentation: AugmentationConfig = AugmentationConfig()
    """How training volumes are varied."""


class ReportConfig(Table):
    """The page."""

    min_patients_for_text: Annotated[int, Field(ge=3)] = 3
    """A free text is shown only when at least this many patients share it."""
    montage_examples: Count = 1
    """Volumes shown for each combination of labels."""


class RadnetConfig(Table):
    """The whole configuration."""

    policy: Policy = "default"
    scan: ScanConfig = ScanConfig()
    series: SeriesConfig = SeriesConfig()
    labels: LabelsConfig = LabelsConfig()
    volumes: VolumesConfig = VolumesConfig()
    pretrain: PretrainConfig = PretrainConfig()
    transfer: TransferConfig = TransferConfig()
    study: StudyConfig = StudyConfig()
    report: ReportConfig = ReportConfig()


POLICIES: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "default": {},
    "paper": {
        "labels": {
            "exact_orientation": True,
            "require_description": True,
            "contrast_from_agent_alone": True,
        },
        "volumes": {"intensity": "min_max"},
        "pretrain": {
            "network": "paper",
            "optimizer": "adam",
            "schedule": "constant",
            "warmup": 0.0,
            "weight_decay": 0.0,
            "clip_norm": 0.0,
            "ema_decay": 0.0,
            "split": "paper",
            "augmentation": {"enabled": False},
        },
        "transfer": {
            "freeze": "all",
            "decoder": "paper",
            "decoder_norm": "batch",
            "encoder_statistics": "batch",
            "loss": "dice",
            "encoder_lr_share": 1.0,
            "decoder_first": 0.0,
            "optimizer": "adam",
            "schedule": "constant",
            "warmup": 0.0,
            "weight_decay": 0.0,
            "clip_norm": 0.0,
            "ema_decay": 0.0,
            "augmentation": {"enabled": False},
        },
    },
}
"""What each policy sets; a key of the user's file wins over it."""


def load_config(
    path: Path | str | None = None, policy: Policy | None = None, changes: Mapping[str, Any] | None = None
) -> RadnetConfig:
    """Read and check a configuration.

    Args:
        path: The TOML file; None means all defaults.
        policy: Overrides the file's policy; None keeps it.
        changes: Keys as `{"labels": {"min_slices": 20}}` that win over file and policy.

    Returns:
        The resolved configuration; relative paths of the file are relative to its folder.

    Raises:
        ConfigError: If the file is missing, is not TOML, or has unknown keys or bad values (all are listed).
    """
    path = Path(path) if path else None
    name = str(path) if path else "configuration"
    given = _read(path) if path else {}
    chosen = policy or given.get("policy", "default")
    # an unknown policy is refused below, with all other faults
    defaults = POLICIES.get(chosen, {}) if isinstance(chosen, str) else {}
    merged = _merge(_merge(defaults, given), {**(changes or {}), "policy": chosen})
    try:
        config = RadnetConfig.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(f"{name}: " + "; ".join(map(_fault, error.errors()))) from None
    return _rooted(config, path.resolve().parent) if path else config


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _fault(error: ErrorDetails) -> str:
    """Say which key is wrong, and what it may be."""
    location, kind, message = error["loc"], error["type"], error["msg"]
    key = ".".join(map(str, location))
    if kind == "extra_forbidden":
        return f"unknown key '{key}'; {_nearest(str(location[-1]), _model_at(location[:-1]).model_fields)}"
    if kind == "value_error":
        return f"{key}: {error['ctx']['error']}"
    if kind == "literal_error":
        return f"{key} is {error['input']!r}; it must be {error['ctx']['expected']}"
    return f"{key}: {message[0].lower()}{message[1:]}"


def _model_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    model: type[BaseModel] = RadnetConfig
    for part in location:
        if isinstance(part, int):  # of a list, whose own part gave the model already
            continue
        annotation = model.model_fields[part].annotation
        item = next(iter(get_args(annotation)), annotation)
        assert isinstance(item, type)
        model = item
    return model


def _rooted(config: RadnetConfig, folder: Path) -> RadnetConfig:
    scan, labels, pretrain = config.scan, config.labels, config.pretrain
    return config.model_copy(
        update={
            "scan": scan.model_copy(
                update={"patient_key": scan.patient_key and folder / scan.patient_key.expanduser()}
            ),
            "labels": labels.model_copy(
                update={
                    "rules": tuple(folder / rules.expanduser() for rules in labels.rules),
                    "decisions": labels.decisions and folder / labels.decisions.expanduser(),
                }
            ),
            "pretrain": pretrain.model_copy(
                update={"collections": pretrain.collections and folder / pretrain.collections.expanduser()}
            ),
        }
    )
