"""Training volumes straight from bodies: drawn, acquired, resized and windowed as `radnet.volumes` does it.

Volume i of a seed is the same whoever makes it and whenever: a stream can be shared out, stopped and gone on
with. Sequences, contrast, planes and regions come in shuffled full factorials, so that they are balanced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count as count_from
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from radnet.config import VolumesConfig
from radnet.errors import RadnetError
from radnet.geometry import canonical_affine, padded_affine, resized_affine
from radnet.synthetic.anatomy import Body
from radnet.synthetic.arrays import Array, Arrays
from radnet.synthetic.ct import CtArtefacts, CtTechnique, acquire_ct
from radnet.synthetic.examinations import Examination, Plane, draw_examination
from radnet.synthetic.fields import Target, targets_for
from radnet.synthetic.mr import MrArtefacts, acquire_mr, patient_tissues
from radnet.synthetic.prescription import NO_RESIZE, Prescription, Resize, volume_resize
from radnet.synthetic.randomness import host_generator
from radnet.synthetic.sampling import Subject, prepare
from radnet.synthetic.signal import MrTechnique
from radnet.synthetic.tissue import Spread, Tissue
from radnet.synthetic.weighting import sequence_of
from radnet.terms import PAPER_SEQUENCES, REGIONS, VIEWS
from radnet.volumes.intensity import TOP_LEVEL, Window
from radnet.volumes.resize import averaging_shares, blank_slices

NO_REGION: Final = "none"
"""Stands beside the nine regions for examinations that cover none."""
HEAD_SEQUENCES: Final = ("t1_flair", "t2_flair")
"""Sequences of examinations that cover a part of the head, or no region at all."""
HEAD_REGIONS: Final = ("brain", "upper_head_neck", "lower_head_neck", NO_REGION)
PATIENTS_OF_A_BUILD: Final = 8
"""How often the tissues of a body are drawn anew, as those of another patient of the same build."""
GAMMA_SPREAD: Final = 0.12
"""Standard deviation of the logarithm of the exponent of MR grey levels."""


@dataclass(frozen=True)
class Design:
    """What a stream of volumes is made of.

    Attributes:
        sequences: Words of `techniques.SEQUENCES_DRAWN`, equally often.
        planes: Planes of the slices, equally often; `oblique` has no view.
        shape: Slices, rows, columns of a volume.
        averaged_to: Slices, rows, columns that are kept of it, each voxel the mean of those that it covers,
            as smaller networks see volumes; None keeps all. Rows and columns are averaged before the noise's
            magnitude and the window of MR are taken, which saves half of the work.
        spread: How far patients' tissues lie from the table.
        intensity: Windows as the default configuration has them, or varied among those in use.
    """

    sequences: tuple[str, ...] = PAPER_SEQUENCES
    planes: tuple[Plane, ...] = VIEWS
    shape: tuple[int, int, int] = (48, 192, 192)
    averaged_to: tuple[int, int, int] | None = None
    spread: Spread = Spread()  # noqa: RUF009 - frozen
    varied_intensity: bool = True

    def __post_init__(self) -> None:
        """Refuse to keep more voxels than there are.

        Raises:
            RadnetError: If `averaged_to` is larger than `shape`.
        """
        kept = self.averaged_to or self.shape
        if any(n > m for n, m in zip(kept, self.shape, strict=True)):
            shapes = [",".join(map(str, shape)) for shape in (self.shape, kept)]
            raise RadnetError(f"volumes have {shapes[0]} slices, rows and columns; not {shapes[1]} to keep")


@dataclass(frozen=True)
class LabelledVolume:
    """A volume with what is true of it.

    Attributes:
        voxels: (slices, rows, columns) uint8 on the subject's device.
        affine: (4, 4) from (slice, row, column, 1) to LPS mm at voxel centres.
        sequence: A word of `terms.SEQUENCES`, from the technique's physics.
        view: A word of `terms.VIEWS`; None for oblique.
        contrast: yes or no.
        coverage: Regions wholly inside, in the order of `terms.REGIONS`; empty for none.
        effective_spacing_mm: Distance of slices after the resize, before any averaging.
        window: Values that became grey levels 0 and 255.
        pad_before: Blank slices before the first.
        pad_after: Blank slices after the last.
        body: Number of the body among those given.
        examination: How it was made.
    """

    voxels: Array
    affine: NDArray[np.float64]
    sequence: str
    view: str | None
    contrast: str
    coverage: tuple[str, ...]
    effective_spacing_mm: float
    window: Window
    pad_before: int
    pad_after: int
    body: int
    examination: Examination

    @property
    def labels(self) -> dict[str, Any]:
        """Sequence, view, contrast, coverage (a set) and effective_spacing_mm by name."""
        return {
            "sequence": self.sequence,
            "view": self.view,
            "contrast": self.contrast,
            "coverage": set(self.coverage),
            "effective_spacing_mm": self.effective_spacing_mm,
        }


def draw_volumes(
    bodies: Sequence[Body],
    seed: int,
    count: int | None = None,
    start: int = 0,
    device: str | None = None,
    design: Design | None = None,
) -> Iterator[LabelledVolume]:
    """Draw volumes of some bodies.

    Args:
        bodies: Whom to scan; each is kept on the device.
        seed: Of the stream.
        count: How many; endlessly when None.
        start: Number of the first.
        device: `numpy`, or a device of torch; by default a GPU if there is one, else numpy.
        design: What the stream is made of.

    Raises:
        RadnetError: If there are no bodies or the device is not there.
    """
    if not bodies:
        raise RadnetError("draw_volumes needs at least one body; make some with make_body")
    arrays = Arrays(device)
    subjects = [prepare(body, arrays, number) for number, body in enumerate(bodies)]
    design = design or Design()
    numbers = count_from(start) if count is None else range(start, start + count)
    for number in numbers:
        yield draw_volume(subjects, seed, number, design)


@dataclass(frozen=True)
class Case:
    """One volume of a stream, before it is acquired.

    Attributes:
        body: Number of the subject.
        examination: How it is scanned.
        patient: Which of the patients of that build.
        config: Shape and window of the volume.
        gamma: Exponent of an MR volume's grey levels.
    """

    body: int
    examination: Examination
    patient: int
    config: VolumesConfig
    gamma: float


def draw_volume(
    subjects: Sequence[Subject], seed: int, number: int, design: Design, first_body: int = 0
) -> LabelledVolume:
    """Draw one volume of a stream.

    Args:
        subjects: Prepared bodies.
        seed: Of the stream.
        number: Of the volume in it.
        design: What the stream is made of.
        first_body: Number of the first subject among all bodies of the stream.
    """
    case = draw_case(subjects, seed, number, design)
    subject, body = subjects[case.body], first_body + case.body
    patient = patient_tissues(subject, design.spread, f"{seed} {body} {case.patient}")
    return make_volume(
        subject, case.examination, (seed, number), case.config, patient, body, case.gamma, design.averaged_to
    )


def draw_case(subjects: Sequence[Subject], seed: int, number: int, design: Design) -> Case:
    """Draw what one volume of a stream is of; acquires nothing. See `draw_volume`."""
    rng = host_generator("volume", seed, number)
    sequence, contrast, plane, region = _cell(design, seed, number)
    if sequence in HEAD_SEQUENCES and region not in HEAD_REGIONS:
        region = str(rng.choice(HEAD_REGIONS))
    body, target = _choose(subjects, region, rng)
    examination = draw_examination(subjects[body], target, sequence, plane, contrast, rng)
    patient = int(rng.integers(PATIENTS_OF_A_BUILD))
    if not design.varied_intensity:
        return Case(body, examination, patient, VolumesConfig(shape=design.shape), 1.0)
    config = _draw_intensity(design.shape, rng)
    return Case(body, examination, patient, config, float(np.exp(rng.normal(0, GAMMA_SPREAD))))


def _cell(design: Design, seed: int, number: int) -> tuple[str, bool, Plane, str]:
    """Return the cell of the factorial that a volume fills."""
    regions = (*REGIONS, NO_REGION)
    cells = list(product(design.sequences, (False, True), design.planes, regions))
    order = host_generator("cells", seed, number // len(cells)).permutation(len(cells))
    return cells[int(order[number % len(cells)])]


def _choose(subjects: Sequence[Subject], region: str, rng: np.random.Generator) -> tuple[int, Target]:
    """Choose a body that has a region, and an examination of it; any where none has."""
    options = [
        (number, [t for t in targets_for(subject) if _is_of(t, region)])
        for number, subject in enumerate(subjects)
    ]
    options = [option for option in options if option[1]]
    if not options:
        number = int(rng.integers(len(subjects)))
        options = [(number, targets_for(subjects[number]))]
    body, targets = options[int(rng.integers(len(options)))]
    weights = np.array([target.weight for target in targets])
    return body, targets[int(rng.choice(len(targets), p=weights / weights.sum()))]


def _is_of(target: Target, region: str) -> bool:
    return region in target.regions if region != NO_REGION else not target.regions


def _draw_intensity(shape: tuple[int, int, int], rng: np.random.Generator) -> VolumesConfig:
    """Draw one of the ways in which real pipelines make grey levels."""
    if rng.random() < 0.15:
        return VolumesConfig(shape=shape, intensity="min_max")
    low, high = ((-1000, 1000), (-1024, 2000), (-1000, 400), (-160, 240), (-250, 450))[
        int(rng.choice(5, p=[0.6, 0.1, 0.1, 0.1, 0.1]))
    ]
    percentiles = (rng.uniform(0, 1.5), rng.uniform(98.5, 100))
    return VolumesConfig(shape=shape, ct_window=(low, high), mr_percentiles=percentiles)


def make_volume(
    subject: Subject,
    examination: Examination,
    seed: Sequence[int],
    config: VolumesConfig,
    patient: Sequence[Tissue] | None = None,
    body: int = 0,
    gamma: float = 1.0,
    averaged_to: tuple[int, int, int] | None = None,
) -> LabelledVolume:
    """Acquire an examination as a volume.

    Args:
        subject: Who is scanned.
        examination: How.
        seed: Of noise.
        config: Shape and window.
        patient: Tissue of each structure; the table's without it.
        body: Number to remember the body by.
        gamma: Exponent of an MR volume's grey levels; 1 leaves them.
        averaged_to: As of `Design`.
    """
    arrays, plan = subject.arrays, examination.plan
    planes = None if averaged_to is None else averaged_to[1:]
    values = acquire(subject, examination, seed, patient, volume_resize(plan, config.shape, planes))
    is_ct = isinstance(examination.technique, CtTechnique)
    window = _window(arrays, values, is_ct, config)
    levels = _levels(arrays, values, window)
    if gamma != 1.0 and not is_ct:
        curve = np.rint(TOP_LEVEL * (np.arange(TOP_LEVEL + 1) / TOP_LEVEL) ** gamma).astype(np.uint8)
        levels = arrays.look_up(arrays.put(curve), levels)
    before, after = blank_slices(len(plan.positions), config.shape[0])
    if before or after:
        padded = arrays.zeros((config.shape[0], *levels.shape[1:]), "uint8")
        padded[before : before + len(levels)] = levels
        levels = padded
    affine = volume_affine(plan, config.shape)
    if averaged_to is not None:
        before, after = (n * averaged_to[0] // config.shape[0] for n in (before, after))
        shares = averaging_shares(config.shape[0], averaged_to[0])
        levels = arrays.cast(arrays.along(shares, arrays.cast(levels, "float32"), 0) + 0.5, "uint8")
        affine = resized_affine(affine, config.shape, averaged_to)
    return LabelledVolume(
        voxels=levels,
        affine=affine,
        sequence=sequence_of(examination.technique),
        view=None if examination.plane == "oblique" else examination.plane,
        contrast="yes" if examination.technique.contrast else "no",
        coverage=tuple(examination.coverage(subject)),
        effective_spacing_mm=examination.effective_spacing_mm(config.shape[0]),
        window=window,
        pad_before=before,
        pad_after=after,
        body=body,
        examination=examination,
    )


def acquire(
    subject: Subject,
    examination: Examination,
    seed: Sequence[int],
    patient: Sequence[Tissue] | None = None,
    resize: Resize = NO_RESIZE,
) -> Array:
    """Acquire an examination: CT in HU, MR with 1 for the brightest tissue.

    Args:
        subject: Who is scanned.
        examination: How.
        seed: Of noise.
        patient: Tissue of each structure; the table's without it.
        resize: Applied to the slices.

    Returns:
        (slices, rows, columns) float32 on the subject's device.
    """
    plan, technique, artefacts = examination.plan, examination.technique, examination.artefacts
    if isinstance(technique, CtTechnique) and isinstance(artefacts, CtArtefacts):
        return acquire_ct(subject, plan, technique, seed, artefacts, patient, resize)
    if isinstance(technique, MrTechnique) and isinstance(artefacts, MrArtefacts):
        return acquire_mr(subject, plan, technique, seed, artefacts, patient, resize)
    raise RadnetError("an examination's technique and artefacts must both be CT's or both be MR's")


def volume_affine(plan: Prescription, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """Map (slice, row, column, 1) of a resized and padded volume to LPS mm at voxel centres."""
    n_slices = len(plan.positions)
    step = (plan.positions[-1] - plan.positions[0]) / (n_slices - 1)
    orientation, spacing = (*plan.row, *plan.column), (plan.pixel_mm, plan.pixel_mm)
    affine = canonical_affine(plan.positions[0], orientation, spacing, plan.shape, step)
    resized = (min(n_slices, shape[0]), *shape[1:])
    affine = resized_affine(affine, (n_slices, *plan.shape), resized)
    return padded_affine(affine, blank_slices(n_slices, shape[0])[0])


def _window(arrays: Arrays, values: Array, is_ct: bool, config: VolumesConfig) -> Window:
    """Choose the window as `radnet.volumes.intensity` does, on any device."""
    if config.intensity == "windows" and is_ct:
        return Window(*config.ct_window)
    if config.intensity == "windows":
        low, high = arrays.percentiles(values, config.mr_percentiles)
        if low < high:
            return Window(low, high)
    return Window(float(values.min()), float(values.max()))


def _levels(arrays: Arrays, values: Array, window: Window) -> Array:
    """Map a window to 0..255, rounded and clipped: uint8."""
    width = window.high - window.low
    if not width > 0:
        return arrays.zeros(tuple(values.shape), "uint8")
    scaled = (values - window.low) * (TOP_LEVEL / width) + 0.5
    return arrays.cast(arrays.xp.clip(scaled, 0, TOP_LEVEL), "uint8")
