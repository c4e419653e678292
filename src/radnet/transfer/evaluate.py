"""Measure one segmenter on scans with masks: Dice, IoU and volume of each, with and without a second pass.

While a segmenter is made, masks are compared on the network's grid, as they were trained
(`evaluate_segmenter`). `measure_segmenter` compares them on the scans as they are stored, in millimetres.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from radnet.errors import CaseError, NetworkError, RadnetError
from radnet.executors import Progress, silent
from radnet.masks.components import largest_component
from radnet.networks.folder import SHIPPED_FOLDER
from radnet.networks.segmenter import Segmenter, load_segmenter
from radnet.networks.windows import cover_windows
from radnet.transfer.cases import Case, segmenter_preparation
from radnet.transfer.grid import Mask
from radnet.transfer.mask import mask_of
from radnet.transfer.readers import prepare_case, survey
from radnet.transfer.scores import Scores, score_mask
from radnet.workspace import write_text

if TYPE_CHECKING:
    from radnet.transfer.samples import Example, Proposals

EVALUATION: Final = "evaluation"
CASES_NAME: Final = "cases.csv"


@dataclass(frozen=True, slots=True)
class CaseScore:
    """How well one scan was outlined.

    Attributes:
        case_id: Of the scan.
        dice: 1 when mask and truth are both empty.
        iou: Likewise.
        voxels: Of the mask.
        true_voxels: Of the truth.
        seconds: Taken.
    """

    case_id: str
    dice: float
    iou: float
    voxels: int
    true_voxels: int
    seconds: float


@dataclass(frozen=True, slots=True)
class MeasureSummary:
    """What `measure_segmenter` found; means and medians are of scans.

    Attributes:
        scans: Measured.
        left_out: Scans that could not be used; the table has their reasons.
        dice: Mean.
        dice_median: Of the scans.
        dice_least: The worst.
        iou: Mean.
        hd95_mm: Mean.
        surface_dice: Mean, at `scores.TOLERANCE_MM`.
        failures: Masks with a Dice below 0.5.
        seconds: Median of a scan, reading and scoring left out.
        table: A row a scan.
    """

    scans: int
    left_out: int
    dice: float
    dice_median: float
    dice_least: float
    iou: float
    hd95_mm: float
    surface_dice: float
    failures: int
    seconds: float
    table: str


def measure_segmenter(
    segmenter: Path | str,
    data: Path | str,
    name: str | None = None,
    labels: Sequence[int] | None = None,
    out: Path | None = None,
    progress: Progress = silent,
) -> MeasureSummary:
    """Outline scans all over, as `radnet predict --outline` does, and compare with their masks.

    Masks are compared on the scans' own voxels. Whether a scan trained the segmenter is for the caller to
    know.

    Args:
        segmenter: Its folder, or the name of one that comes with RADNet.
        data: Scans and masks, in any layout of `radnet.transfer.readers`.
        name: Of the measurement; by default that of the data's folder.
        labels: Numbers in the masks that are the organ, where the data does not name them.
        out: Folder in which `evaluation/NAME/cases.csv` has each scan and what was left out; by default the
            segmenter's own.
        progress: Called with scans done.

    Raises:
        CaseError: If no scan can be used.
        NetworkError: If the segmenter cannot be loaded, or comes with RADNet and `out` is not given.
        OSError: If the folder cannot be written; known before the first scan.
    """
    loaded = load_segmenter(segmenter)
    spec = loaded.spec
    if out is None and loaded.folder.parent == SHIPPED_FOLDER:
        raise NetworkError(f"{loaded.folder.name} comes with RADNet: say where its measurements go")
    found = survey(data, spec.organ, labels)
    table = (out or loaded.folder) / EVALUATION / (name or Path(data).resolve().name) / CASES_NAME
    table.parent.mkdir(parents=True, exist_ok=True)
    wanted = segmenter_preparation(spec)
    left_out, rows, scores, seconds = list(found.left_out), [], [], []
    for number, files in enumerate(found.cases, 1):
        try:
            case = prepare_case(files, wanted)
        except (RadnetError, OSError) as error:
            left_out.append((files.case_id, str(error)))
        else:
            begun = perf_counter()
            mask = outline_case(loaded, case, None)
            seconds.append(perf_counter() - begun)
            scores.append(score_mask(mask, case.original_mask, case.original_spacing_mm))
            rows.append((case.case_id, *asdict(scores[-1]).values(), ""))
        progress(number, len(found.cases))
    if not scores:
        raise CaseError(f"{data}: no scan could be measured; the first: {': '.join(left_out[0])}")
    columns = ("case", *Scores.__slots__, "left_out")
    blank = [None] * len(Scores.__slots__)
    write_rows(table, columns, [*rows, *((case, *blank, reason) for case, reason in left_out)])
    dice = [score.dice for score in scores]

    def mean(of: str) -> float:
        return round(float(np.mean([getattr(score, of) for score in scores])), 4)

    return MeasureSummary(
        scans=len(scores),
        left_out=len(left_out),
        dice=mean("dice"),
        dice_median=round(float(np.median(dice)), 4),
        dice_least=round(min(dice), 4),
        iou=mean("iou"),
        hd95_mm=mean("hd95_mm"),
        surface_dice=mean("surface_dice"),
        failures=sum(score.failed for score in scores),
        seconds=round(float(np.median(seconds)), 3),
        table=str(table),
    )


def outline_case(segmenter: Segmenter, case: Case, proposals: Proposals | None) -> Mask:
    """Outline a prepared scan: 0 or 1 on the voxels of the scan as it was read."""
    probabilities = segmenter.segment(case.image, starts_of(segmenter, case, proposals))
    return mask_of(probabilities, segmenter.spec.threshold, case.grid, case.scan)


def write_rows(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a CSV table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def dice_and_iou(mask: NDArray[Any], truth: NDArray[Any]) -> tuple[float, float]:
    """Compare two masks of one shape; both are 1 when there is nothing in either."""
    said, true = mask != 0, truth != 0
    common, both = np.count_nonzero(said & true), np.count_nonzero(said) + np.count_nonzero(true)
    return (2 * common / both, common / (both - common)) if both else (1.0, 1.0)


def evaluate_segmenter(
    segmenter: Segmenter,
    cases: Sequence[Example],
    proposals: Proposals | None = None,
    second_pass: bool | None = None,
    progress: Progress = silent,
) -> list[CaseScore]:
    """Outline scans and compare with their masks.

    Args:
        segmenter: What outlines.
        cases: Scans that did not train it.
        proposals: Windows to look at; None looks at all slices.
        second_pass: As of `Segmenter.segment`.
        progress: Called with scans done.

    Returns:
        A score each, in order.
    """
    scores = []
    for number, case in enumerate(cases, 1):
        begun = perf_counter()
        probability = segmenter.segment(case.image, starts_of(segmenter, case, proposals), second_pass)
        mask = largest_component(probability >= segmenter.spec.threshold)
        seconds = perf_counter() - begun
        dice, iou = dice_and_iou(mask, case.mask)
        sizes = int(np.count_nonzero(mask)), int(np.count_nonzero(case.mask))
        scores.append(CaseScore(case.case_id, dice, iou, *sizes, round(seconds, 3)))
        progress(number, len(cases))
    return scores


def starts_of(segmenter: Segmenter, case: Example, proposals: Proposals | None) -> tuple[int, ...] | None:
    """Return the segmenter's windows for a scan; None for all slices."""
    if proposals is None:
        return None
    starts = proposals.starts[case.case_id]
    return cover_windows(
        starts, proposals.slices, len(case.image), segmenter.spec.window[0], segmenter.spec.overlap
    )
