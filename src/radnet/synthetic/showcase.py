"""Show what the physics makes: every look of CT and MR, in every region and plane, beside real scans.

One slice is acquired of each, with protocols, artefacts and tissues drawn as for training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from radnet.errors import RadnetError
from radnet.executors import Progress, silent
from radnet.figures.contact_sheet import Grey, SheetRow, contact_sheet
from radnet.figures.montage import grey_png
from radnet.synthetic.anatomy import Sex, make_body
from radnet.synthetic.arrays import Arrays
from radnet.synthetic.ct import CtTechnique
from radnet.synthetic.examinations import Examination, draw_examination
from radnet.synthetic.fields import TARGETS
from radnet.synthetic.mr import patient_tissues
from radnet.synthetic.randomness import host_generator
from radnet.synthetic.sampling import Subject, prepare
from radnet.synthetic.signal import fat_shift_hz
from radnet.synthetic.tissue import Phase, Spread
from radnet.synthetic.volumes import acquire
from radnet.terms import VIEWS
from radnet.volumes.store import VolumeStore

SHOWN_TARGETS: Final = ("brain", "neck", "chest", "breast", "abdomen", "pelvis", "part")
SOFT_WINDOW: Final = (-160.0, 240.0)
LUNG_WINDOW: Final = (-1250.0, 250.0)
MR_PERCENTILES: Final = (1.0, 99.7)


@dataclass(frozen=True)
class Look:
    """A row of the sheet.

    Attributes:
        name: Its title.
        sequence: What is drawn.
        phase: Of an agent.
        changes: Parameters that are set instead of drawn.
        echo: Echo time of a gradient echo by the phase of fat: 1 opposed, 2 in phase; 0 leaves it.
    """

    name: str
    sequence: str
    phase: Phase = "native"
    changes: tuple[tuple[str, Any], ...] = ()
    echo: int = 0


LOOKS: Final = (
    Look("CT native", "ct", changes=(("kernel", "soft"),)),
    Look("CT arterial", "ct", "arterial", (("kernel", "soft"),)),
    Look("CT portal", "ct", "portal", (("kernel", "soft"), ("oral", True))),
    Look("CT delayed", "ct", "delayed", (("kernel", "soft"),)),
    Look("CT lung kernel", "ct", changes=(("kernel", "lung"),)),
    Look("T1 SE", "t1_se", changes=(("fat_saturated", False),)),
    Look("T1 SE agent, fat sat", "t1_se", "portal", (("fat_saturated", True),)),
    Look("T2 SE", "t2_se", changes=(("fat_saturated", False),)),
    Look("T2 SE fat sat", "t2_se", changes=(("fat_saturated", True),)),
    Look("T1 FLAIR", "t1_flair"),
    Look("T1 FLAIR agent", "t1_flair", "delayed"),
    Look("T2 FLAIR", "t2_flair"),
    Look("PD", "pd"),
    Look("STIR", "stir"),
    Look("T1 GRE", "gre_t1", changes=(("ti_ms", None),)),
    Look("GRE in phase", "gre_t1", changes=(("ti_ms", None), ("fat_saturated", False)), echo=2),
    Look("GRE opposed phase", "gre_t1", changes=(("ti_ms", None), ("fat_saturated", False)), echo=1),
    Look("T2* GRE", "gre_t2star"),
    Look("Diffusion", "dwi"),
    Look("ADC", "adc"),
)


@dataclass(frozen=True)
class SheetSummary:
    """What was drawn.

    Attributes:
        sheet: The file.
        synthetic: Pictures of synthetic scans.
        real: Pictures of real ones.
    """

    sheet: Path
    synthetic: int
    real: int


def write_contact_sheet(
    out: Path | str,
    seed: int = 1,
    real: Path | str | None = None,
    device: str | None = None,
    cell: int = 112,
    progress: Progress = silent,
) -> SheetSummary:
    """Draw the sheet of a woman's and a man's body.

    Args:
        out: PNG file.
        seed: Of bodies, protocols and noise.
        real: Workspace whose volumes are put below.
        device: `numpy`, or a device of torch; by default a GPU if there is one, else numpy.
        cell: Side of one picture in pixels.
        progress: Called with the rows drawn so far and in all.

    Raises:
        RadnetError: If the folder is not there.
        WorkspaceError: If the workspace has no volumes.
    """
    out = Path(out)
    if not out.parent.is_dir():
        raise RadnetError(f"{out.parent} is no folder; make it, or name a file elsewhere")
    found = [] if real is None else list(_real_pictures(Path(real)))
    arrays = Arrays(device)
    sexes: tuple[Sex, Sex] = ("F", "M")
    subjects = [prepare(make_body(seed * 1000 + n, sex), arrays, n) for n, sex in enumerate(sexes)]
    rows = []
    for number, look in enumerate(LOOKS, 1):
        rows.append(SheetRow(look.name, list(_pictures(subjects, look, seed))))
        progress(number, len(LOOKS))
    n_synthetic = sum(picture is not None for row in rows for picture in row.pictures)
    columns = [f"{target} {view[:3]}" for target in SHOWN_TARGETS for view in VIEWS]
    for start in range(0, len(found), len(columns)):
        part = found[start : start + len(columns)]
        rows.append(SheetRow("real", [p for p, _ in part], [caption for _, caption in part]))
    out.write_bytes(grey_png(contact_sheet(rows, columns, cell)))
    return SheetSummary(out, n_synthetic, len(found))


def _pictures(subjects: Sequence[Subject], look: Look, seed: int) -> Iterator[Grey | None]:
    """Yield one picture a target and view; None where neither body has the region."""
    for name in SHOWN_TARGETS:
        target = next(target for target in TARGETS if target.name == name)
        able = [n for n, s in enumerate(subjects) if set(target.regions) <= set(s.body.boxes)]
        for view in VIEWS:
            if not able:
                yield None
                continue
            rng = host_generator("sheet", seed, look.name, name, view)
            body = able[int(rng.integers(len(able)))]
            drawn = draw_examination(subjects[body], target, look.sequence, view, look.phase != "native", rng)
            yield _picture(subjects[body], _as_look(drawn, look), (seed, look.name, name, view), body)


def _as_look(examination: Examination, look: Look) -> Examination:
    """Set what makes the look, in an examination of the middle slice alone."""
    technique = replace(examination.technique, phase=look.phase, **dict(look.changes))
    if look.echo and not isinstance(technique, CtTechnique):
        te_ms = look.echo * 500 / fat_shift_hz(technique.field_t)
        technique = replace(technique, te_ms=te_ms)
    plan = examination.plan
    middle = len(plan.positions) // 2
    plan = replace(plan, positions=plan.positions[middle : middle + 1])
    return replace(examination, technique=technique, plan=plan)


def _picture(subject: Subject, examination: Examination, seed: Sequence[Any], body: int) -> Grey:
    patient = patient_tissues(subject, Spread(), f"{seed[0]} {body}")
    image = subject.arrays.host(acquire(subject, examination, seed, patient))[0]
    if isinstance(examination.technique, CtTechnique):
        low, high = LUNG_WINDOW if examination.technique.kernel == "lung" else SOFT_WINDOW
    else:
        low, high = np.percentile(image, MR_PERCENTILES)
    return _grey(image, low, high)


def _grey(image: NDArray[Any], low: float, high: float) -> Grey:
    return np.clip((image - low) / max(high - low, 1e-6) * 255, 0, 255).astype(np.uint8)


def _real_pictures(workspace: Path) -> Iterator[tuple[Grey, str]]:
    """Yield the middle slice of every volume of a workspace, in the body's proportions."""
    store = VolumeStore(workspace / "4-volumes")
    for row in store.index.iter_rows(named=True):
        volume = store.read(row["stack_id"])
        inside = volume[row["pad_before"] : len(volume) - row["pad_after"]]
        affine = np.array(row["affine"]).reshape(4, 4)
        rows_mm, columns_mm = np.linalg.norm(affine[:3, 1:3], axis=0)
        picture = inside[len(inside) // 2]
        low, high = row["window_low"], row["window_high"]
        if low < -500:  # HU: shown in the window of the synthetic rows
            values = low + picture.astype(np.float32) * ((high - low) / 255)
            picture = _grey(values, *SOFT_WINDOW)
        tall = round(picture.shape[0] * rows_mm / columns_mm)
        lines = np.clip((np.arange(tall) + 0.5) * picture.shape[0] / tall, 0, picture.shape[0] - 1)
        yield picture[lines.astype(int)], row["stack_id"][:8]
