"""Settings of learning: optimiser, budget, augmentation; the tables [pretrain] and [transfer] hold them.

`radnet.config` reads them from radnet.toml and has them under their own names too.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]
Chance = Annotated[float, Field(ge=0, le=1)]
Level = Annotated[float, Field(ge=0, le=1)]


def _rising(levels: tuple[float, float]) -> tuple[float, float]:
    if not levels[0] < levels[1]:
        raise ValueError(f"must rise, and {levels[0]:g} is not below {levels[1]:g}")
    return levels


Levels = Annotated[tuple[Level, Level], AfterValidator(_rising)]
"""Two grey levels, 0 for black and 1 for white."""


class Table(BaseModel):
    """A table of the file: frozen, strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class AugmentationConfig(Table):
    """How training volumes are varied; nothing of it makes a label untrue."""

    enabled: bool = True
    """Whether training volumes are varied at all."""
    mirror: Chance = 0.5
    """Chance that left and right are exchanged; never with an unknown view."""
    rotation_deg: Annotated[float, Field(ge=0, le=45)] = 8.0
    """Largest rotation within the plane of the slices; the volume shrinks so that no corner is lost."""
    shrink: Share = 0.15
    """Largest shrinking in the plane, and along the slices, which changes the spacing label with it."""
    intensity: Share = 0.15
    """Largest change of brightness and contrast of MR, as a share of the grey levels."""
    gamma: Share = 0.3
    """Largest change of the logarithm of the exponent of MR."""
    bias_field: Share = 0.3
    """Largest logarithm of a smooth factor over MR volumes; CT has no such field."""
    blur_voxels: Annotated[float, Field(ge=0, le=3)] = 1.0
    """Largest standard deviation of a blur in the plane of the slices."""
    noise: Share = 0.05
    """Largest standard deviation of added noise, as a share of the grey levels."""
    dropped_slices: Annotated[int, Field(ge=0, le=8)] = 2
    """Most slices of the middle half that are blanked."""


class LearningConfig(Table):
    """How anything is learnt, whatever it is."""

    batch_size: Count = 16
    """Volumes that one device takes at a time."""
    accumulate: Count = 1
    """Batches whose gradients make one step."""
    optimizer: Literal["adamw", "adam"] = "adamw"
    """`adam` is the paper's (section 2.2)."""
    lr: Positive = 1e-3
    """Largest learning rate."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """`cosine` rises linearly over the warm-up and falls to nothing; `constant` stays, after the warm-up."""
    warmup: Share = 0.05
    """Share of all steps over which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.05
    """Of weights, not of biases and normalisation; decoupled for `adamw`."""
    clip_norm: Annotated[float, Field(ge=0)] = 1.0
    """Largest norm of the gradient; 0 does not clip."""
    ema_decay: Share = 0.998
    """Of the moving average of the weights, which is what is validated and kept; 0 keeps the weights."""
    patience: Annotated[int, Field(ge=0)] = 20
    """Epochs without a better validation loss before training stops; 0 never stops early."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Of first weights, order and augmentation."""
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    """`auto`: bf16-mixed where the device has instructions for it, else 32-true."""
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    """What computes; `auto` takes GPUs where there are any."""
    devices: Count = 1
    """Devices, or processes on a CPU, of each machine."""
    nodes: Count = 1
    """Machines."""
    checkpoint_minutes: Positive = 10.0
    """Longest time between two saved states; one is saved after each epoch anyhow."""
    readers: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads that read volumes ahead."""


class TrainingConfig(LearningConfig):
    """What the loop needs, whatever it trains."""

    epochs: Count = 100
    """Times that each volume is seen."""


class WindowAugmentationConfig(Table):
    """How windows are varied, image and mask together."""

    enabled: bool = True
    """Whether they are varied at all, the place of the window among the slices included."""
    slice_shift: Annotated[int, Field(ge=0, le=64)] = 8
    """Most slices by which a window is moved."""
    rotation_deg: Annotated[float, Field(ge=0, le=45)] = 12.0
    """Largest rotation within the plane of the slices."""
    scale: Share = 0.2
    """Largest change of size in the plane, and half as much along the slices."""
    shift: Share = 0.1
    """Largest shift in the plane, as a share of its size."""
    mirror: Chance = 0.0
    """Chance that left and right are exchanged; the liver is never on the left."""
    zoom: Chance = 0.25
    """Chance that the box around the organ fills the plane, as the second pass sees it."""
    intensity: Share = 0.15
    """Largest change of brightness and contrast, as a share of the grey levels."""
    gamma: Share = 0.3
    """Largest change of the logarithm of the exponent."""
    bias_field: Share = 0.3
    """Largest logarithm of a smooth factor."""
    blur_voxels: Annotated[float, Field(ge=0, le=3)] = 0.7
    """Largest standard deviation of a blur in the plane of the slices."""
    noise: Share = 0.05
    """Largest standard deviation of added noise, as a share of the grey levels."""


class TransferConfig(LearningConfig):
    """Training a segmenter on a pretrained encoder."""

    organ: Annotated[str, Field(min_length=1)] = "liver"
    """What is outlined."""
    init: Literal["pretrained", "scratch"] = "pretrained"
    """First weights of the encoder: the model's, or random ones in the same network."""
    freeze: Literal["all", "3", "2", "1", "none"] = "none"
    """Encoder blocks that do not learn: `all`, or the stem and residual blocks 1 to k (paper, table 2)."""
    window: tuple[Count, Count, Count] = (48, 192, 192)
    """Slices, rows and columns that the network sees; planes are resized to it."""
    slice_mm: Positive = 5.0
    """Distance of slices that scans are resampled to (section 2.3)."""
    matrix: Count | None = None
    """Rows and columns that scans are kept with, from which windows are made; by default 1.5 times the
    window's, so that what is enlarged is sharp."""
    propose: bool = True
    """Whether windows are chosen by the model's coverage head; without, and for an organ that no region
    holds, all slices are looked at."""
    proposal_slices: Count = 48
    """Slices of a proposed window (section 2.3)."""
    proposal_stride: Count = 8
    """Slices from one to the next (section 2.3)."""
    proposal_threshold: Annotated[float, Field(ge=0, le=1)] = 0.9
    """Score from which it is chosen; the best one when none reaches it (section 2.3)."""
    decoder: Literal["light", "paper", "unet", "segresnet"] = "light"
    """`paper` is as wide as V-Net and costs several times the encoder; `unet` and `segresnet` are MONAI's
    whole networks, which take no encoder: baselines."""
    decoder_norm: Literal["batch", "group"] = "group"
    """Normalisation of the decoder; `batch` suffers from few windows at a time."""
    encoder_norm: Literal["own", "batch", "group"] = "own"
    """Of an encoder from scratch; a pretrained one has its own."""
    encoder_statistics: Literal["kept", "batch"] = "kept"
    """BatchNorm of a pretrained encoder: `kept` leaves its statistics, `batch` lets those that are not frozen
    follow the batches."""
    loss: Literal["dice_ce", "dice"] = "dice_ce"
    """`dice` is the paper's, as in V-Net; `dice_ce` adds the cross-entropy."""
    encoder_lr_share: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Learning rate of a pretrained encoder, as a share of the decoder's."""
    decoder_first: Share = 0.2
    """Share of the budget in which a pretrained encoder rests."""
    max_steps: Count = 2000
    """Steps of the training."""
    max_minutes: Positive | None = None
    """Minutes of steps after which it ends, if that is sooner; the learning rate follows what is nearer."""
    validate_every: Count = 100
    """Steps between two validations."""
    keep: Literal["best", "last"] = "best"
    """Weights that are kept: those with the best Dice in validation, or the last; with `last` no scan needs
    to be held back, and a training scan is looked at instead."""
    batch_size: Count = 2
    """Windows at a time."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Of weights, not of biases and normalisation; decoupled for `adamw`."""
    ema_decay: Share = 0.99
    """Of the moving average of the weights, which is what is validated and kept; 0 keeps the weights."""
    patience: Annotated[int, Field(ge=0)] = 0
    """Validations without a better Dice before training stops; 0 never stops early."""
    second_pass: Literal["off", "on"] = "off"
    """`on`: scans are looked at again in the box around the first mask (section 4)."""
    augmentation: WindowAugmentationConfig = WindowAugmentationConfig()
    """How windows are varied."""

    @model_validator(mode="after")
    def _one_device(self) -> TransferConfig:
        if self.devices * self.nodes > 1:
            raise ValueError("a segmenter is trained on one device; several runs side by side use several")
        return self
