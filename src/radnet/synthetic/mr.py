"""Acquire MR: what coils, gradients and reconstruction make of a body's signals.

Everything linear is folded into one matrix an axis (slice profile, frequency cut-off, wrap-around, ghosts,
cross-talk of slices, the resize to a volume); then come the coils' shading and the noise of two channels,
whose magnitude is the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from radnet.synthetic.arrays import Array, Arrays
from radnet.synthetic.coils import ONE_COIL, Coils, coil_gain
from radnet.synthetic.prescription import NO_RESIZE, Prescription, Resize
from radnet.synthetic.profiles import Matrix, Spread, Vector, folded, noise_root, spread_matrix
from radnet.synthetic.randomness import host_generator, key_of, normals
from radnet.synthetic.sampling import GRAIN, SOFT_VOXELS, Laid, Subject, coloured, lay, resample
from radnet.synthetic.signal import MrTechnique, fat_shift_hz, signal_of
from radnet.synthetic.tissue import Spread as TissueSpread
from radnet.synthetic.tissue import Tissue, tissues, varied

PROFILE_BLUR: Final = 0.12
"""Softness of a slice profile's edges, as a share of the thickness."""
SMALL_SHIFT: Final = 0.05
"""Chemical shift in points of the grid below which it is not seen."""
SMALL_PHASE: Final = 0.02
"""Share of fat's signal out of phase below which the second channel holds noise alone."""
METAL_REACH_MM: Final = 6.0
"""Standard deviation of the signal loss around metal."""
METAL_LOSS: Final = 8.0
"""Share of the signal that is lost for one share of metal nearby."""


@dataclass(frozen=True, slots=True)
class MrArtefacts:
    """What is imperfect about an MR series.

    Attributes:
        coils: Receivers; their shading.
        phase_axis: Along which phase is encoded: 1 rows, 2 columns.
        wrap: Whether what lies outside along the phase axis wraps around.
        ghost: Weight of the ghosts of motion.
        ghost_share: Distance of the first ghost, as a share of the field of view.
        cross_talk: Share by which every second slice is darker.
        cut_off: Acquired pixels for one that is shown, at least 1: more is blurred, with rings.
    """

    coils: Coils = ONE_COIL
    phase_axis: int = 1
    wrap: bool = False
    ghost: float = 0.0
    ghost_share: float = 0.25
    cross_talk: float = 0.0
    cut_off: float = 1.0


def patient_tissues(subject: Subject, spread: TissueSpread, patient: int | str) -> list[Tissue]:
    """Return the tissue of every structure as this patient has it; equal in all scans of the patient."""
    rng = host_generator("tissues", patient)
    return [varied(tissues()[name], spread, rng) for name in subject.body.tissues]


def acquire_mr(
    subject: Subject,
    plan: Prescription,
    technique: MrTechnique,
    seed: Sequence[int],
    artefacts: MrArtefacts = MrArtefacts(),
    patient: Sequence[Tissue] | None = None,
    resize: Resize = NO_RESIZE,
) -> Array:
    """Return the magnitudes of a series, 1 for the brightest tissue of the body.

    Args:
        subject: Who is scanned.
        plan: Where the slices lie.
        technique: The header's parameters.
        seed: Of noise.
        artefacts: What is imperfect.
        patient: Tissue of each structure; the table's without it.
        resize: Applied to the slices.

    Returns:
        (slices, rows, columns) float32 on the subject's device.
    """
    arrays = subject.arrays
    patient = patient or [tissues()[name] for name in subject.body.tissues]
    spreads = _spreads(subject, plan, artefacts)
    laid = lay(subject, plan, _reach_mm(subject, plan, spreads, artefacts))
    matrices = resize.after(_matrices(laid, plan, spreads, artefacts))
    real, imaginary = _channels(arrays, laid, patient, subject, technique, artefacts)
    pictures = [resample(arrays, channel, matrices) for channel in (real, imaginary) if channel is not None]
    gain = coil_gain(arrays, artefacts.coils, plan, resize, technique.surface_coil)
    void = _metal_void(subject, laid, patient, matrices)
    roots = _noise_roots(plan, artefacts, resize)
    total = 0
    for channel, name in enumerate(("real", "imaginary")):
        noise = normals(arrays, key_of(*seed, name), tuple(len(matrix) for matrix in matrices))
        noise = coloured(arrays, noise, roots) * technique.noise
        if channel < len(pictures):
            noise += pictures[channel] * gain if void is None else pictures[channel] * gain * void
        noise *= noise
        total = noise + total
    return arrays.xp.sqrt(total)


def _spreads(subject: Subject, plan: Prescription, artefacts: MrArtefacts) -> tuple[Spread, Spread, Spread]:
    soft_mm = SOFT_VOXELS * float(subject.body.voxel_mm.mean())
    through = Spread(plan.thickness_mm, max(soft_mm, PROFILE_BLUR * plan.thickness_mm))
    acquired_mm = plan.pixel_mm * artefacts.cut_off
    inside = Spread(plan.pixel_mm, soft_mm, frequency_mm=acquired_mm)
    return through, inside, inside


def _reach_mm(
    subject: Subject, plan: Prescription, spreads: tuple[Spread, Spread, Spread], artefacts: MrArtefacts
) -> tuple[float, float, float]:
    """Return how far the grid must reach: the spread of a point, and to the body's end where it wraps."""
    reach = [spread.reach_mm for spread in spreads]
    axis = artefacts.phase_axis
    if artefacts.wrap or artefacts.ghost:
        reach[axis] += field_mm(plan, axis) / 2
    return reach[0], reach[1], reach[2]


def field_mm(plan: Prescription, axis: int) -> float:
    """Return the field of view along rows (1) or columns (2)."""
    return plan.shape[axis - 1] * plan.pixel_mm


def _matrices(
    laid: Laid, plan: Prescription, spreads: tuple[Spread, Spread, Spread], artefacts: MrArtefacts
) -> tuple[Matrix, Matrix, Matrix]:
    slices, rows, columns = (laid.matrix(axis, spread) for axis, spread in enumerate(spreads))
    if artefacts.cross_talk:
        slices[1::2] *= 1 - artefacts.cross_talk
    axis, field = artefacts.phase_axis, field_mm(plan, artefacts.phase_axis)
    echoes: dict[float, float] = {}
    if artefacts.wrap:
        echoes |= {field: 1.0, -field: 1.0}
    if artefacts.ghost:
        near = artefacts.ghost_share * field
        echoes |= {near: artefacts.ghost, -near: artefacts.ghost}
    if echoes:
        inside = folded(lambda moved: laid.matrix(axis, spreads[axis], moved), echoes)
        rows, columns = (inside, columns) if axis == 1 else (rows, inside)
    return slices, rows, columns


def _channels(
    arrays: Arrays,
    laid: Laid,
    patient: Sequence[Tissue],
    subject: Subject,
    technique: MrTechnique,
    artefacts: MrArtefacts,
) -> tuple[Array, Array | None]:
    """Return the real and, where fat is out of phase, the imaginary signal of the grid's points."""
    fat = next((tissue for tissue in patient if tissue.name == "fat"), None)
    signals = [signal_of(tissue, technique, fat) for tissue in patient]
    scale = 1 / max(1e-6, *(signals[number].magnitude for number in sorted(subject.present)))
    grain = np.array([tissue.texture for tissue in patient])[:, None] * GRAIN + 1
    water = np.array([signal.water for signal in signals])[:, None] * grain * scale
    oil = np.array([signal.fat for signal in signals], complex)[:, None] * grain * scale
    moved = _shift_points(laid, technique, artefacts)
    imaginary = None
    if np.abs(oil.imag).max() > SMALL_PHASE * np.abs(oil).max():
        imaginary = _moved(arrays, _seen(arrays, laid, oil.imag), moved, 3 - artefacts.phase_axis)
    if abs(moved) < SMALL_SHIFT or not oil.any():
        return _seen(arrays, laid, water + oil.real), imaginary
    real = _moved(arrays, _seen(arrays, laid, oil.real), moved, 3 - artefacts.phase_axis)
    real += _seen(arrays, laid, water)
    return real, imaginary


def _seen(arrays: Arrays, laid: Laid, table: Vector) -> Array:
    return arrays.look_up(arrays.put(np.ravel(table).astype(np.float32)), laid.codes)


def _shift_points(laid: Laid, technique: MrTechnique, artefacts: MrArtefacts) -> float:
    """Return the chemical shift along the frequency axis, in points of the grid."""
    axis = 3 - artefacts.phase_axis
    offsets = laid.offsets_mm[axis]
    pixel_mm = float(offsets[1] - offsets[0]) if len(offsets) > 1 else 0.0
    pixels = fat_shift_hz(technique.field_t) / technique.bandwidth_hz * artefacts.cut_off
    return pixels * pixel_mm / float(laid.step_mm[axis])


def _moved(arrays: Arrays, values: Array, points: float, axis: int) -> Array:
    """Move values along an axis by a number of points, linearly between them."""
    whole = int(np.floor(points))
    share = points - whole
    if share < SMALL_SHIFT:
        return arrays.xp.roll(values, whole, axis) if whole else values
    near, far = arrays.xp.roll(values, whole, axis), arrays.xp.roll(values, whole + 1, axis)
    far -= near
    far *= share
    far += near
    return far


def _metal_void(
    subject: Subject, laid: Laid, patient: Sequence[Tissue], matrices: tuple[Matrix, Matrix, Matrix]
) -> Array | None:
    """Return the share of signal that metal leaves, None without metal."""
    metal = [number in subject.present and tissue.name == "metal" for number, tissue in enumerate(patient)]
    if not any(metal):
        return None
    arrays = subject.arrays
    near = _seen(arrays, laid, np.repeat(np.array(metal, float), len(GRAIN)))
    wide = Spread(2.0, METAL_REACH_MM)
    first, second, third = (
        matrix @ spread_matrix(np.arange(matrix.shape[1]), matrix.shape[1], float(step_mm), wide)
        for matrix, step_mm in zip(matrices, laid.step_mm, strict=True)
    )
    return 1 - arrays.xp.clip(resample(arrays, near, (first, second, third)) * METAL_LOSS, 0, 1)


def _noise_roots(
    plan: Prescription, artefacts: MrArtefacts, resize: Resize
) -> tuple[Matrix | None, Matrix | None, Matrix | None]:
    """Return the roots of the noise: white in the acquired matrix, then interpolated and resized."""
    inside: list[Matrix | None] = []
    for size, own in zip(plan.shape, (resize.rows, resize.columns), strict=True):
        if artefacts.cut_off > 1.01:
            spread = Spread(0.0, 0.0, frequency_mm=artefacts.cut_off)
            matrix = spread_matrix(np.arange(size), size, 1.0, spread)
            matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
            inside.append(noise_root(matrix if own is None else own @ matrix))
        else:
            inside.append(None if own is None else noise_root(own))
    slices = None
    if resize.slices is not None and resize.slices.shape[0] != resize.slices.shape[1]:
        slices = noise_root(resize.slices)
    return slices, inside[0], inside[1]
