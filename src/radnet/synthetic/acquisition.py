"""Turn a body into CT and MR slices as the header's own parameters say.

MR signal follows the closed formulas of the sequence, so header and picture always agree. Signals are
relative: a series is scaled so that the brightest tissue has a fixed value, whatever the field strength.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, exp, radians, sin
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from radnet.synthetic.anatomy import Body
from radnet.synthetic.sampling import Appearance, Image, Prescription, sample
from radnet.synthetic.tissue import Tissue, tissues

MR_FULL_SCALE: Final = 2000.0
"""Grey value of the brightest tissue of an MR series."""
FAT_SATURATION: Final = 0.92
"""Share of the fat's signal that saturation takes."""
CT_TEXTURE_HU: Final = 100.0
ADC_FULL_SCALE: Final = 3.5
"""Diffusion coefficient of the brightest value of a map, square micrometres a millisecond."""

Family = Literal["spin_echo", "gradient_echo", "adc_map"]


@dataclass(frozen=True, slots=True)
class CtTechnique:
    """How a CT is made.

    Attributes:
        contrast: Whether an agent circulates (portal venous phase).
        noise_hu: Standard deviation of the noise.
        kernel_px: Blur of the reconstruction kernel, standard deviation in pixels; 0 for a sharp one.
    """

    contrast: bool = False
    noise_hu: float = 12.0
    kernel_px: float = 0.7


@dataclass(frozen=True, slots=True)
class MrTechnique:
    """How an MR series is made.

    Attributes:
        tr_ms: Repetition time.
        te_ms: Echo time.
        ti_ms: Inversion time; None without an inversion pulse.
        flip_deg: Flip angle; matters to gradient echoes.
        field_t: 1.5 or 3.0 tesla.
        family: Echo that is read, or a map computed from diffusion.
        b_s_mm2: Diffusion weighting.
        fat_saturated: Whether fat is suppressed by its frequency.
        contrast: Whether gadolinium circulates.
        noise: Standard deviation of each channel's noise as a share of the brightest tissue.
        surface_coil: Whether the coil lies behind the back, as in spine imaging.
    """

    tr_ms: float
    te_ms: float
    ti_ms: float | None = None
    flip_deg: float = 90.0
    field_t: float = 1.5
    family: Family = "spin_echo"
    b_s_mm2: float = 0.0
    fat_saturated: bool = False
    contrast: bool = False
    noise: float = 0.012
    surface_coil: bool = False


def mr_signal(tissue: Tissue, technique: MrTechnique) -> float:
    """Return the signal of a tissue, 1 for water that has relaxed fully and is read at once.

    Spin echo: PD (1 - exp(-TR/T1)) exp(-TE/T2). With an inversion: PD |1 - 2 exp(-TI/T1) + exp(-TR/T1)|
    and the same decay. Spoiled gradient echo: PD sin(a) (1 - E1) / (1 - cos(a) E1) exp(-TE/T2*) with
    E1 = exp(-TR/T1); after an inversion, the recovery above times sin(a).
    All times exp(-b ADC), what fat saturation leaves of fat and, in a spin echo, what flow leaves of blood.

    Args:
        tissue: A row of the table.
        technique: The header's parameters.

    Source: Bernstein, King and Zhou, Handbook of MRI Pulse Sequences, 2004, chapters 14 and 16.
    """
    if technique.family == "adc_map":
        return tissue.adc_um2_ms / ADC_FULL_SCALE
    relaxation = tissue.relaxation[technique.field_t]
    if technique.contrast:
        relaxation = relaxation.with_gadolinium(tissue.gadolinium_mmol, technique.field_t)
    gradient = technique.family == "gradient_echo"
    flip = radians(technique.flip_deg)
    recovered = exp(-technique.tr_ms / relaxation.t1_ms)
    if technique.ti_ms is not None:
        excited = abs(1 - 2 * exp(-technique.ti_ms / relaxation.t1_ms) + recovered)
        excited *= sin(flip) if gradient else 1.0
    elif gradient:
        excited = sin(flip) * (1 - recovered) / (1 - cos(flip) * recovered)
    else:
        excited = 1 - recovered
    decay = exp(-technique.te_ms / (relaxation.t2star_ms if gradient else relaxation.t2_ms))
    diffusion = exp(-technique.b_s_mm2 * tissue.adc_um2_ms * 1e-3)
    saturation = 1 - FAT_SATURATION * tissue.fat_fraction * technique.fat_saturated
    flow = 1.0 if gradient else 1 - tissue.flow_void
    return tissue.proton_density * excited * decay * diffusion * saturation * flow


def mr_appearance(body: Body, technique: MrTechnique) -> Appearance:
    """Return what every structure looks like, before noise and shading."""
    table = tissues()
    signal = np.array([mr_signal(table[name], technique) for name in body.tissues], np.float32)
    values = signal * np.float32(MR_FULL_SCALE / signal.max())
    grain = np.array([table[name].texture for name in body.tissues], np.float32)
    return Appearance(values, values * grain)


def ct_appearance(body: Body, contrast: bool) -> Appearance:
    """Return the CT number of every structure, HU."""
    rows = [tissues()[name] for name in body.tissues]
    values = np.array([row.hu_contrast if contrast else row.hu for row in rows], np.float32)
    return Appearance(values, np.array([row.texture * CT_TEXTURE_HU for row in rows], np.float32))


def acquire_ct(
    body: Body, plan: Prescription, technique: CtTechnique, rng: np.random.Generator
) -> Iterator[NDArray[np.int16]]:
    """Yield the slices of a CT, HU."""
    for image in sample(body, ct_appearance(body, technique.contrast), plan):
        noise = rng.standard_normal(image.shape, np.float32)
        if technique.kernel_px:
            noise = _blurred(noise, technique.kernel_px)
            image = _blurred(image, technique.kernel_px)
        noise *= np.float32(technique.noise_hu / noise.std())
        yield np.clip(np.rint(image + noise), -1024, 3071).astype(np.int16)


def acquire_mr(
    body: Body, plan: Prescription, technique: MrTechnique, rng: np.random.Generator
) -> Iterator[NDArray[np.uint16]]:
    """Yield the slices of an MR series, non-negative grey values."""
    slope = np.array([0.0, 1.1, 0.0]) if technique.surface_coil else rng.normal(0, 0.12, 3)
    middle = plan.corners().mean(0)
    sigma = np.float32(technique.noise * MR_FULL_SCALE)
    images = sample(body, mr_appearance(body, technique), plan)
    for position, image in zip(plan.positions, images, strict=True):
        signal = np.maximum(image, 0) * _coil_gain(plan, position, middle, slope)
        real = signal + sigma * rng.standard_normal(image.shape, np.float32)
        imaginary = sigma * rng.standard_normal(image.shape, np.float32)
        yield np.clip(np.rint(np.hypot(real, imaginary)), 0, 4095).astype(np.uint16)


def _coil_gain(
    plan: Prescription, position: NDArray[np.float64], middle: NDArray[np.float64], slope: NDArray[np.float64]
) -> Image:
    """Return the receive sensitivity of every pixel: it grows along a direction, 1 in the middle."""
    rows, columns = plan.shape
    start = 1 + (position - middle) @ slope / 100
    by_row = np.arange(rows)[:, None] * plan.pixel_mm * (plan.column @ slope) / 100
    by_column = np.arange(columns)[None] * plan.pixel_mm * (plan.row @ slope) / 100
    return np.clip(start + by_row + by_column, 0.15, 2.0).astype(np.float32)


def _blurred(image: Image, sigma_px: float) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.float32)
