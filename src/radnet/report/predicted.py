"""What the network says beside the header, for the page: read from what `radnet predict` counted."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from radnet.errors import WorkspaceError
from radnet.predict.agreement import SPACING_TOLERANCE_MM, Agreement
from radnet.predict.columns import AGREEMENT_NAME, FOLDER
from radnet.pretrain.runs import TITLES
from radnet.workspace import Workspace, digest_file

PATH: Final = f"{FOLDER}/{AGREEMENT_NAME}"


@dataclass(frozen=True, slots=True)
class PredictedView:
    """Network against header, for a reader.

    Attributes:
        model: Its name.
        rows: Title and counts of each label.
        tolerance_mm: Up to which two spacings agree.
    """

    model: str
    rows: tuple[tuple[str, Agreement], ...]
    tolerance_mm: float = SPACING_TOLERANCE_MM


def predicted_digests(workspace: Workspace) -> dict[str, str]:
    """Digest what the page shows of predictions."""
    path = workspace.root / PATH
    return {PATH: digest_file(path)} if path.exists() else {}


def read_predicted(workspace: Workspace) -> PredictedView | None:
    """Read the counts; None when nothing was predicted.

    Raises:
        WorkspaceError: If the file is damaged.
    """
    path = workspace.root / PATH
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text("utf-8"))
        rows = tuple((TITLES[row["label"]], Agreement(**row)) for row in found["labels"])
        return PredictedView(str(found["model"]), rows)
    except (ValueError, KeyError, TypeError) as error:
        raise WorkspaceError(f"{path} is damaged; delete it and run `radnet predict` again") from error
