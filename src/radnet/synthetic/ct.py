"""Acquire CT: what tube, gantry and reconstruction make of a body's CT numbers.

Values are handled as HU + 1000, so that air, which surrounds everything, is 0. The kernel's sharpness, the
slice profile, overlap and the resize to a volume are matrices; noise has the kernel's own correlation and
grows with the path of the rays through the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from radnet.synthetic.arrays import Array, Arrays
from radnet.synthetic.furniture import FURNITURE, NO_FURNITURE, Furniture, content_mm, furnish
from radnet.synthetic.prescription import NO_RESIZE, Prescription, Resize
from radnet.synthetic.profiles import Matrix, Spread, Vector, noise_root, spread_matrix
from radnet.synthetic.randomness import host_generator, key_of, normals
from radnet.synthetic.sampling import GRAIN, SOFT_VOXELS, Laid, Subject, coloured, lay, resample
from radnet.synthetic.tissue import Phase, Tissue, tissues

AIR_HU: Final = -1000.0
LOW_HU: Final = -1024.0
HIGH_HU: Final = 3071.0
"""CT numbers of 12 bits."""
TEXTURE_HU: Final = 100.0
"""CT number of which a tissue's texture is a share."""
WATER_PER_MM: Final = 0.0195
"""Attenuation of water at 120 kV, 1/mm (about 0.195/cm; from memory of NIST tables)."""
PATH_NOISE: Final = 0.12
"""How the logarithm of the noise grows with attenuation, after a tube's modulation and a bow-tie filter."""
STARVED_PATH: Final = 7.0
"""Attenuation from side to side beyond which too few photons make streaks."""
IODINE_BY_KVP: Final = {80: 1.7, 100: 1.3, 120: 1.0, 140: 0.85}
"""Enhancement at a tube voltage against 120 kV (from memory; about the ratios of Bae 2010)."""
FINE_STEPS: Final = 4
"""Points across a slice's thickness at which its noise is thought of."""
HALF_WATER: Final = 500.0
"""HU + 1000 above which a voxel is body."""
METAL_HU: Final = 3000.0
STREAKS: Final = 9
"""Bright and dark rays around metal."""

Kernel = Literal["soft", "bone", "lung"]


@dataclass(frozen=True, slots=True)
class KernelShape:
    """A reconstruction kernel.

    Attributes:
        blur_mm: Standard deviation of its blur.
        sharpening: Share by which edges overshoot.
    """

    blur_mm: float
    sharpening: float


KERNELS: Final[dict[Kernel, KernelShape]] = {
    "soft": KernelShape(0.75, 0.0),
    "bone": KernelShape(0.45, 0.8),
    "lung": KernelShape(0.40, 0.5),
}


@dataclass(frozen=True, slots=True)
class CtTechnique:
    """How a CT is made.

    Attributes:
        phase: Whether an agent circulates, and since when.
        noise_hu: Standard deviation of the noise, averaged over the body.
        kernel: Of the reconstruction.
        oral: Whether the bowel holds a contrast agent.
        kvp: Voltage of the tube: 80, 100, 120 or 140.
    """

    phase: Phase = "native"
    noise_hu: float = 12.0
    kernel: Kernel = "soft"
    oral: bool = False
    kvp: int = 120

    @property
    def contrast(self) -> bool:
        """Whether an agent circulates in the vessels."""
        return self.phase != "native"


@dataclass(frozen=True, slots=True)
class CtArtefacts:
    """What lies in the picture besides the body, and what is imperfect.

    Attributes:
        furniture: Table and clothes.
        fillings: Share of the teeth's metal; 0 for none.
        streaks: Strength of the streaks from metal and through the shoulders.
        round_field: Whether nothing is reconstructed outside a circle.
    """

    furniture: Furniture = NO_FURNITURE
    fillings: float = 0.0
    streaks: float = 1.0
    round_field: bool = False


def acquire_ct(
    subject: Subject,
    plan: Prescription,
    technique: CtTechnique,
    seed: Sequence[int],
    artefacts: CtArtefacts = CtArtefacts(),
    patient: Sequence[Tissue] | None = None,
    resize: Resize = NO_RESIZE,
) -> Array:
    """Return the CT numbers of a series, HU.

    Args:
        subject: Who is scanned.
        plan: Where the slices lie.
        technique: The header's parameters.
        seed: Of noise.
        artefacts: What lies in the picture besides the body.
        patient: Tissue of each structure; the table's without it.
        resize: Applied to the slices.

    Returns:
        (slices, rows, columns) float32 on the subject's device.
    """
    arrays = subject.arrays
    patient = list(patient or [tissues()[name] for name in subject.body.tissues])
    spreads = _spreads(subject, plan, technique)
    reach = [spread.reach_mm for spread in spreads]
    content = content_mm(subject, artefacts.furniture)
    laid = lay(subject, plan, (reach[0], reach[1], reach[2]), content)
    laid = furnish(subject, laid, artefacts.furniture)
    slices, rows, columns = (laid.matrix(axis, spread) for axis, spread in enumerate(spreads))
    matrices = resize.after((slices, rows, columns))
    table = _numbers(patient, technique, artefacts)
    numbers = arrays.look_up(arrays.put(table), laid.codes)
    image = resample(arrays, numbers, matrices)
    pixels_mm = tuple(float(size) / len(m) for size, m in zip(_sizes_mm(plan), matrices[1:], strict=True))
    lateral, depth = _paths(arrays, image, pixels_mm)
    noise = _noise(arrays, plan, technique, resize, image, (lateral, depth), seed)
    if artefacts.streaks:
        noise += _starved(arrays, lateral, depth, technique, seed) * artefacts.streaks
        if _has_metal(subject, patient, artefacts):
            noise += _metal_streaks(arrays, laid, table, matrices, seed) * artefacts.streaks
    image += noise
    image += AIR_HU
    image = arrays.xp.clip(image, LOW_HU, HIGH_HU)
    return _rounded(arrays, image) if artefacts.round_field else image


def _spreads(subject: Subject, plan: Prescription, technique: CtTechnique) -> tuple[Spread, Spread, Spread]:
    soft_mm = SOFT_VOXELS * float(subject.body.voxel_mm.mean())
    kernel = KERNELS[technique.kernel]
    inside = Spread(plan.pixel_mm, float(np.hypot(kernel.blur_mm, soft_mm)), kernel.sharpening)
    return Spread(plan.thickness_mm, soft_mm), inside, inside


def _sizes_mm(plan: Prescription) -> tuple[float, float]:
    return plan.shape[0] * plan.pixel_mm, plan.shape[1] * plan.pixel_mm


def _numbers(patient: Sequence[Tissue], technique: CtTechnique, artefacts: CtArtefacts) -> Vector:
    """Return HU + 1000 of every code, the furniture's last: (codes,) float32."""
    oral = tissues()["oral_contrast"]
    rows = []
    for tissue in (*patient, *(tissues()[name] for name in FURNITURE)):
        if technique.oral and tissue.name == "bowel_content":
            tissue = oral
        native = tissue.hu["native"]
        number = native + IODINE_BY_KVP[technique.kvp] * (tissue.hu[technique.phase] - native)
        row = number - AIR_HU + tissue.texture * TEXTURE_HU * GRAIN
        if artefacts.fillings and tissue.name == "tooth":
            row = np.where(np.quantile(GRAIN, 1 - artefacts.fillings) < GRAIN, METAL_HU * 2 - AIR_HU, row)
        rows.append(row)
    return np.maximum(np.concatenate(rows), 0).astype(np.float32)


def _has_metal(subject: Subject, patient: Sequence[Tissue], artefacts: CtArtefacts) -> bool:
    names = {tissue.name for number, tissue in enumerate(patient) if number in subject.present}
    return "metal" in names or (artefacts.fillings > 0 and "tooth" in names)


def _paths(arrays: Arrays, image: Array, pixels_mm: tuple[float, ...]) -> tuple[Array, Array]:
    """Return the attenuation along columns (slices, rows, 1) and along rows (slices, 1, columns)."""
    water = WATER_PER_MM / 1000
    lateral = image.sum(2)[:, :, None] * (water * pixels_mm[1])
    depth = image.sum(1)[:, None, :] * (water * pixels_mm[0])
    return lateral, depth


def _noise(
    arrays: Arrays,
    plan: Prescription,
    technique: CtTechnique,
    resize: Resize,
    image: Array,
    paths: tuple[Array, Array],
    seed: Sequence[int],
) -> Array:
    """Return the noise of the reconstruction: correlated as the kernel is, louder where rays are weak."""
    roots, (lateral, depth) = _noise_roots(plan, technique, resize), paths
    noise = coloured(arrays, normals(arrays, key_of(*seed, "dose"), tuple(image.shape)), roots)
    xp = arrays.xp
    down, across = xp.exp(lateral * PATH_NOISE), xp.exp(depth * PATH_NOISE)
    louder = down * across
    body = arrays.cast(image > HALF_WATER, "float32")
    level = xp.sqrt(((louder * louder * body).sum() + 1) / (body.sum() + 1))
    noise *= louder
    noise *= technique.noise_hu / level
    return noise


def _noise_roots(
    plan: Prescription, technique: CtTechnique, resize: Resize
) -> tuple[Matrix | None, Matrix | None, Matrix | None]:
    kernel = KERNELS[technique.kernel]
    spread = Spread(plan.pixel_mm, kernel.blur_mm * 0.8, kernel.sharpening)
    roots: list[Matrix | None] = [_slice_root(plan, resize)]
    for size, own in zip(plan.shape, (resize.rows, resize.columns), strict=True):
        matrix = spread_matrix(np.arange(size), size, plan.pixel_mm, spread)
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        roots.append(noise_root(matrix if own is None else own @ matrix))
    return roots[0], roots[1], roots[2]


def _slice_root(plan: Prescription, resize: Resize) -> Matrix | None:
    """Return the root of noise along the slices: those that overlap share some of it."""
    offsets = (plan.positions - plan.positions[0]) @ plan.step
    gaps = np.diff(np.unique(np.round(offsets, 3)))
    overlap = len(gaps) > 0 and float(np.median(gaps)) < 0.95 * plan.thickness_mm
    if not overlap:
        return None if resize.slices is None else noise_root(resize.slices)
    step = plan.thickness_mm / FINE_STEPS
    places = (offsets - offsets.min()) / step + FINE_STEPS
    matrix = spread_matrix(places, int(places.max()) + 2 * FINE_STEPS, step, Spread(plan.thickness_mm, 0.1))
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return noise_root(matrix if resize.slices is None else resize.slices @ matrix)


def _starved(
    arrays: Arrays, lateral: Array, depth: Array, technique: CtTechnique, seed: Sequence[int]
) -> Array:
    """Return the streaks from side to side where shoulders or hips leave few photons."""
    xp = arrays.xp
    excess = xp.clip((lateral - STARVED_PATH) / 6, 0, 1)
    rows = normals(arrays, key_of(*seed, "starved"), tuple(lateral.shape))
    return rows * excess * xp.clip(depth / 3, 0, 1) * (technique.noise_hu * 1.2)


def _metal_streaks(
    arrays: Arrays, laid: Laid, table: Vector, matrices: tuple[Matrix, Matrix, Matrix], seed: Sequence[int]
) -> Array:
    """Return bright and dark rays around the metal of each half of a slice, and the dark band between."""
    xp = arrays.xp
    metal = resample(
        arrays,
        arrays.look_up(arrays.put((table > METAL_HU - AIR_HU).astype(np.float32)), laid.codes),
        matrices,
    )
    rows = arrays.put(np.arange(metal.shape[1], dtype=np.float32))[None, :, None]
    columns = arrays.put(np.arange(metal.shape[2], dtype=np.float32))[None, None, :]
    rng = host_generator(*seed, "metal")
    total = -400 * xp.clip(metal.sum(2)[:, :, None] / 12, 0, 1) * (metal < 0.2)
    for side in (0, 1):
        half = columns >= metal.shape[2] // 2 if side else columns < metal.shape[2] // 2
        part = metal * half
        amount = part.sum((1, 2))[:, None, None]
        weight = amount + 1e-3
        row = (part * rows).sum((1, 2))[:, None, None] / weight
        column = (part * columns).sum((1, 2))[:, None, None] / weight
        angle = xp.arctan2(rows - row, columns - column)
        distance = xp.sqrt((rows - row) ** 2 + (columns - column) ** 2) + 6
        rays = xp.sin(angle * STREAKS + rng.uniform(0, 6.3)) * xp.sin(angle * 5 + rng.uniform(0, 6.3))
        total = total + rays * xp.clip(amount / 20, 0, 3) * 4000 / distance * (amount > 0.5)
    return total


def _rounded(arrays: Arrays, image: Array) -> Array:
    """Empty the corners outside the largest ellipse of a slice."""
    rows, columns = (np.square(np.linspace(-1, 1, size)) for size in image.shape[1:])
    inside = arrays.put((rows[:, None] + columns[None] <= 1).astype(np.float32))
    return (image - LOW_HU) * inside + LOW_HU
