"""Outline an organ in scanned series and NIfTI files: masks, volumes and pictures, one row a scan.

Every mask lies in the geometry of its own series: NIfTI with the affine of the stored slices, DICOM SEG that
a viewer lays over them. What cannot be outlined is a row with a reason. What an earlier run has outlined with
the same networks stays.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from radnet.errors import NetworkError, RadnetError, WorkspaceError
from radnet.executors import Progress, silent
from radnet.networks.folder import WEIGHTS_NAME
from radnet.networks.segmenter import load_segmenter
from radnet.predict.outline_files import outline_nifti, outline_stack
from radnet.predict.outline_scan import SegmenterLike, Tools
from radnet.tables import INTEGER, REAL, TEXT, conform, read_table, write_table
from radnet.transfer.proposal import PAPER, REGION_OF, Labeller, Rule, region_of
from radnet.transfer.stacks import Stack, workspace_stacks
from radnet.workspace import Workspace, digest_file

FOLDER: Final = "7-predict/outlines"
TABLE_NAME: Final = "outlines.parquet"
FORMAT: Final = 1
"""Grows when the same scan would give another mask."""
LOCALIZER: Final = "localizer"
ELSEWHERE: Final = "elsewhere"
HEIGHTS: Final = {
    "brain": 0,
    "upper_head_neck": 1,
    "lower_head_neck": 2,
    "breast": 3,
    "lung": 3,
    "liver": 4,
    "kidney": 4,
    "intestine": 5,
    "pelvis": 6,
}
"""Regions from head to foot; a scan of one is taken to show some of the next, and nothing beyond that."""
NO_GEOMETRY: Final = "no_geometry"
SAVE_EVERY: Final = 20
"""Scans after which the table is written while more are to come."""

COLUMNS: Final[dict[str, pl.DataType]] = {
    "stack_id": TEXT,
    "kind": TEXT,  # dicom or nifti
    "path": TEXT,  # of the first slice
    "patient": TEXT,
    "StudyInstanceUID": TEXT,
    "SeriesInstanceUID": TEXT,
    "Modality": TEXT,  # of a NIfTI file a guess by its values
    "n_slices": INTEGER,
    "organ": TEXT,
    "volume_ml": REAL,  # null when there is no mask
    "n_voxels": INTEGER,
    "first_slice": INTEGER,  # that holds some of the mask, from 0, in canonical order
    "last_slice": INTEGER,
    "cut_off": pl.Boolean(),  # the mask reaches the first or last slice: the volume is a part
    "region_score": REAL,  # of the best window; null without region proposal
    "region_found": pl.Boolean(),  # whether a window reached the threshold
    "n_windows": INTEGER,  # chosen
    "nifti": TEXT,  # names of files beside the table
    "seg": TEXT,
    "picture": TEXT,
    "seg_refused": TEXT,  # why there is no DICOM SEG of a DICOM series
    "read_seconds": REAL,
    "network_seconds": REAL,
    "write_seconds": REAL,
    "reason": TEXT,  # why there is no mask, a code; null when there is one
    "explanation": TEXT,  # the same as a sentence
    "inputs": TEXT,  # digest of scan, networks and settings
}
EXPLANATIONS: Final = {
    "too_few_slices": "has too few slices to be a volume",
    "colour": "its pixels are colours; only grey-level slices are outlined",
    "oblique": "its slices are oblique: no axial, coronal or sagittal view",
    LOCALIZER: "is a localizer: a few slices for planning",
    ELSEWHERE: "its label of coverage names other parts of the body; correct it by a decision if it is wrong",
    "excluded_by_person": "a person's decision excludes it",
    "missing_slice": "a slice is missing between others",
    "duplicate_position": "some positions hold several images",
    "variable_spacing": "its slices are not equally far apart",
    "sheared": "its slices are shifted against each other, as with a tilted gantry",
    "mixed_orientation": "its slices lie in different planes",
    "single_position": "all its images lie at one position",
    "no_position": "the header does not say where its slices lie",
    "time_series": "is a time series: every position was taken several times",
    NO_GEOMETRY: "has no orientation or pixel spacing",
    "label_map": "holds few whole numbers: a label map, no scan",
}


@dataclass(frozen=True, slots=True)
class OutlineSummary:
    """What outlining did.

    Attributes:
        n_series: Stacks and NIfTI files looked at.
        n_outlined: Of them, with a mask.
        n_reused: Of those, outlined by an earlier run.
        not_outlined: The others by reason.
        organ: What was outlined.
        seconds: That this run took a part: read, network, write.
        outlines: The table.
    """

    n_series: int
    n_outlined: int
    n_reused: int
    not_outlined: dict[str, int]
    organ: str
    seconds: dict[str, float]
    outlines: str


def outline_series(
    work: Path | str,
    segmenter: SegmenterLike | Path | str,
    *,
    labeller: Labeller | None = None,
    rule: Rule = PAPER,
    second_pass: bool | None = None,
    stack_ids: Sequence[str] | None = None,
    nifti: Mapping[str, str] | None = None,
    out: Path | None = None,
    pictures: bool = True,
    progress: Progress = silent,
) -> OutlineSummary:
    """Outline an organ in the stacks of a workspace, and in NIfTI files.

    Args:
        work: The workspace, scanned and grouped; where it is labelled, localizers, what people excluded
            and what shows other parts of the body are left out, the last unless it is named.
        segmenter: A loaded one, its folder, or the name of one that comes with RADNet.
        labeller: Labelling network that proposes windows; None looks at whole scans.
        rule: How windows are proposed.
        second_pass: Whether the box around the first mask is looked at again; None: as the segmenter says.
        stack_ids: Stacks wanted; None takes all.
        nifti: Paths of NIfTI files by their name in the table, `archive.zip!member` in an archive.
        out: Where table, masks and pictures go; by default 7-predict/outlines in the workspace.
        pictures: Whether to draw a picture of each mask; never of pixels with burned-in text.
        progress: Called with scans done.

    Raises:
        NetworkError: If the segmenter cannot be loaded or run.
        WorkspaceError: If a table is missing, or another process writes the same outlines.
        CaseError: If the labelling network knows no region that holds the organ.
    """
    loaded = load_segmenter(segmenter) if isinstance(segmenter, str | Path) else segmenter
    tools = Tools(loaded, labeller, rule, second_pass)
    if labeller is not None:
        region_of(loaded.spec.organ, labeller.spec)  # else every scan would fail alike
    workspace = Workspace(work)
    organ = loaded.spec.organ
    tasks = [*_stack_tasks(workspace, organ, stack_ids), *_nifti_tasks(nifti or {})]
    folder = workspace.folder(FOLDER) if out is None else out
    folder.mkdir(parents=True, exist_ok=True)
    with workspace.lock(FOLDER):
        run = _Run(folder, tools, pictures)
        run.work_off(tasks, progress)
        return run.summary()


def nifti_of(predictions: Path) -> dict[str, str]:
    """Return the paths of the NIfTI files in a table of predictions, by their name in it."""
    rows = read_table(predictions, "predict", ["stack_id", "kind", "path"])
    return dict(rows.filter(pl.col("kind") == "nifti").select("stack_id", "path").iter_rows())


@dataclass(frozen=True)
class Task:
    """A scan to outline, or the reason why it is not.

    Attributes:
        row: What is known of it, by column.
        identity: Text that changes with the scan.
        stack: Of a DICOM series.
        path: Of a NIfTI file.
        showable: Whether its pixels may be shown.
    """

    row: dict[str, Any]
    identity: str
    stack: Stack | None = None
    path: str | None = None
    showable: bool = True


class _Run:
    """One call."""

    def __init__(self, folder: Path, tools: Tools, pictures: bool) -> None:
        self._folder = folder
        self._table = folder / TABLE_NAME
        self._tools = tools
        self._pictures = pictures
        self._known = self._read_known()
        self._rows: list[dict[str, Any]] = []
        self._seconds = dict.fromkeys(("read", "network", "write"), 0.0)
        self._n_reused = 0
        self._settings = _settings_digest(tools, pictures)

    def work_off(self, tasks: Sequence[Task], progress: Progress) -> None:
        """Outline one scan after the other; what is done survives a kill."""
        progress(0, len(tasks))
        for number, task in enumerate(tasks, 1):
            self._rows.append(self._row(task))
            if number % SAVE_EVERY == 0:
                self._save(tasks[number:])
            progress(number, len(tasks))
        self._save(())

    def summary(self) -> OutlineSummary:
        """Count."""
        reasons = Counter(row["reason"] for row in self._rows if row["reason"])
        return OutlineSummary(
            n_series=len(self._rows),
            n_outlined=sum(row["reason"] is None for row in self._rows),
            n_reused=self._n_reused,
            not_outlined=dict(sorted(reasons.items())),
            organ=self._tools.segmenter.spec.organ,
            seconds={name: round(value, 3) for name, value in sorted(self._seconds.items())},
            outlines=str(self._table),
        )

    def _row(self, task: Task) -> dict[str, Any]:
        inputs = hashlib.sha256(f"{self._settings}\0{task.identity}".encode()).hexdigest()
        known = self._known.get(task.row["stack_id"])
        if known is not None and known["inputs"] == inputs and self._is_there(known):
            self._n_reused += known["reason"] is None
            return known
        row = {
            **dict.fromkeys(COLUMNS),
            **task.row,
            "organ": self._tools.segmenter.spec.organ,
            "inputs": inputs,
        }
        if row["reason"] is None:
            row.update(self._outlined(task))
        if row["reason"] is not None and row["explanation"] is None:
            row["explanation"] = EXPLANATIONS.get(row["reason"], row["reason"].replace("_", " "))
        for name in ("read_seconds", "network_seconds", "write_seconds"):
            self._seconds[name.removesuffix("_seconds")] += row[name] or 0.0
        return row

    def _outlined(self, task: Task) -> dict[str, Any]:
        name = task.row["stack_id"]
        tools = self._tools
        show = self._pictures and task.showable
        try:
            if task.stack is not None:
                return outline_stack(task.stack, tools, self._folder, name, show)
            assert task.path is not None
            return outline_nifti(task.path, tools, self._folder, name, show)
        except NetworkError:
            raise  # the same would happen to every scan
        except (RadnetError, OSError) as error:
            return {"reason": _code(error), "explanation": str(error)}
        except MemoryError:
            return {"reason": "out_of_memory", "explanation": "there was not enough memory to outline it"}

    def _is_there(self, row: dict[str, Any]) -> bool:
        """Say whether the files of a row are still there; transient failures are tried again."""
        if row["reason"] in ("unreadable", "out_of_memory"):
            return False
        names = [row[name] for name in ("nifti", "seg", "picture") if row[name]]
        return all((self._folder / name).is_file() for name in names)

    def _read_known(self) -> dict[str, dict[str, Any]]:
        with suppress(WorkspaceError, KeyError, pl.exceptions.PolarsError):
            table = conform(read_table(self._table, "predict --outline"), COLUMNS)
            return {row["stack_id"]: row for row in table.iter_rows(named=True)}
        return {}

    def _save(self, left: Sequence[Task]) -> None:
        """Write what is done, and of what is left what an earlier run knew."""
        earlier = [self._known[name] for task in left if (name := task.row["stack_id"]) in self._known]
        table = pl.DataFrame([*self._rows, *earlier], schema=COLUMNS, infer_schema_length=None)
        write_table(table.sort("path", "stack_id"), self._table)


def _stack_tasks(workspace: Workspace, organ: str, stack_ids: Sequence[str] | None) -> Iterator[Task]:
    """Yield every stack, with the reason where it is no volume."""
    if not (workspace.root / "2-series/series.parquet").exists() and stack_ids is None:
        return  # NIfTI files alone
    series = read_table(workspace.root / "2-series/series.parquet", "group")
    if stack_ids is not None:
        series = series.filter(pl.col("stack_id").is_in(list(stack_ids)))
    stacks = {
        stack.stack_id: stack for stack in workspace_stacks(workspace.root, series["stack_id"].to_list())
    }
    excluded = _excluded(workspace, None if stack_ids is not None else REGION_OF.get(organ))
    for row in series.sort("path", "stack_id").iter_rows(named=True):
        name = row["stack_id"]
        stack = stacks.get(name)
        reason = excluded.get(name)
        if reason is None:
            unplaced = row["geometry"] if row["geometry"] != "uniform" else NO_GEOMETRY
            reason = unplaced if stack is None else stack.refusal
        known = {
            key: row[key] for key in ("stack_id", "path", "patient", "StudyInstanceUID", "SeriesInstanceUID")
        }
        told = {
            **known,
            "Modality": row["Modality"],
            "n_slices": row["n_slices"],
            "reason": reason,
            "kind": "dicom",
        }
        yield Task(
            told,
            json.dumps([name, *(stack.instances if stack else ()), reason]),
            stack=stack,
            showable=(row["BurnedInAnnotation"] or "NO").upper() != "YES",
        )


def _excluded(workspace: Workspace, region: str | None) -> dict[str, str]:
    """Return the stacks that the label stage says are no scans to outline, with the reason.

    Args:
        workspace: Labelled or not.
        region: Where the organ lies; None looks at all.
    """
    path = workspace.root / "3-labels/labels.parquet"
    if not path.exists():
        return {}
    columns = ["stack_id", "sequence", "coverage", "coverage_status", "reasons"]
    found = {}
    for row in read_table(path, "label", columns).iter_rows(named=True):
        if "excluded_by_person" in (row["reasons"] or ()):
            found[row["stack_id"]] = "excluded_by_person"
        elif row["sequence"] == LOCALIZER:
            found[row["stack_id"]] = LOCALIZER
        elif row["coverage_status"] == "decided" and region and _is_elsewhere(row["coverage"], region):
            found[row["stack_id"]] = ELSEWHERE
    return found


def _is_elsewhere(coverage: Sequence[str] | None, region: str) -> bool:
    """Say whether all regions covered lie further from a region than its neighbours; not where none is."""
    return bool(coverage) and min(abs(HEIGHTS[one] - HEIGHTS[region]) for one in coverage or ()) > 1


def _nifti_tasks(files: Mapping[str, str]) -> Iterator[Task]:
    for name, path in sorted(files.items(), key=lambda item: item[1]):
        identity = [path]
        with suppress(OSError):
            stat = Path(path.partition("!")[0]).stat()
            identity += [str(stat.st_size), str(stat.st_mtime_ns)]
        yield Task(
            {"stack_id": name, "path": path, "kind": "nifti", "reason": None}, json.dumps(identity), path=path
        )


def _settings_digest(tools: Tools, pictures: bool) -> str:
    labeller = tools.labeller
    known = [
        FORMAT,
        _weights(tools.segmenter.folder),
        tools.segmenter.spec.model_dump(mode="json"),
        None if labeller is None else _weights(labeller.folder),
        None if labeller is None else [tools.rule.slices, tools.rule.stride, tools.rule.threshold],
        tools.second_pass,
        pictures,
    ]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def _weights(folder: Path) -> str:
    path = folder / WEIGHTS_NAME
    return digest_file(path) if path.is_file() else ""


def _code(error: Exception) -> str:
    """Return a code for why a scan was not outlined."""
    reason = getattr(error, "reason", None) or getattr(error.__cause__, "reason", None)
    if reason:
        return str(reason)
    is_disk = isinstance(error, OSError) or isinstance(error.__cause__, OSError)
    return "unreadable" if is_disk else "unusable"
