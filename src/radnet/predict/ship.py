"""Turn a finished training into the model that comes with the package: `recipes/small.sh` calls it.

The card shows what the run's evaluations measured, those on real scans first. They are of the weights in 32
bits; how far the shipped ones are from those is measured here and stands there too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from radnet.errors import NetworkError
from radnet.metrics import Measure, shown
from radnet.networks.folder import read_config
from radnet.networks.ship import PARITY, complete_card, made_aside, ship_model
from radnet.pretrain.runs import METRICS_NAME, TABLE_MARKDOWN, TITLES, evaluation_folders
from radnet.volumes.store import VolumeStore

REAL: Final = "real"
"""Name of the evaluation on real scans."""
COMPARED_VOLUMES: Final = 200
"""Most volumes of each store on which 16 and 32 bits are compared."""
_UNMEASURED: Final = "Not measured on real scans."


def ship_run(
    run: Path | str, stores: Sequence[Path | str], out: Path | str, told: Mapping[str, str]
) -> dict[str, Any]:
    """Write the shipped model of a run, with its card.

    Args:
        run: Folder of the run, with its evaluations.
        stores: Folders of volumes on which it is compared with the run's own weights.
        out: Where it goes, e.g. `src/radnet/models/small`.
        told: Further lines for the card's section on training data.

    Returns:
        What was compared, as `ship_model` returns it.

    Raises:
        NetworkError: If there is no volume, or a label changes on more than one volume of a hundred.
        WorkspaceError: If a store is missing.
    """
    run, out = Path(run), Path(out)
    volumes = []
    for folder in stores:
        store = VolumeStore(folder)
        volumes += [store.read(stack_id) for stack_id in islice(store.ids, COMPARED_VOLUMES)]
    if not volumes:
        raise NetworkError("the stores hold no volume to compare the model on")
    data = {**told, **read_config(run)["metadata"].get("training_data", {})}
    with made_aside(out) as made:
        found = ship_model(run, made, volumes, data, f"{measured_markdown(run)}\n\n{PARITY}")
        worst = min(found["same_labels"].values())
        if worst < 0.99:
            raise NetworkError(f"{out}: says other labels than {run} of {1 - worst:.1%} of the volumes")
        complete_card(made, _parity(found))
    return found


def measured_markdown(run: Path) -> str:
    """Write what a run's evaluations measured, real scans first, as Markdown."""
    folders = {folder.name: folder for folder in evaluation_folders(run)}
    ordered = sorted(folders, key=lambda name: (name != REAL, name))
    found = {name: json.loads((folders[name] / METRICS_NAME).read_text("utf-8")) for name in ordered}
    if REAL not in found:
        parts = [_UNMEASURED]
    else:
        real = found[REAL]
        parts = [
            f"On {real['volumes']} real scans of {real['patients']} patients, none of which trained it:",
            (folders[REAL] / TABLE_MARKDOWN).read_text("utf-8").strip(),
        ]
    if found:
        parts += ["All evaluations, in brackets 95 % intervals by bootstrap over patients:", _totals(found)]
    return "\n\n".join(parts)


def _totals(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Write a line a label and a column an evaluation."""
    heads = " | ".join(f"{name}, {one['volumes']} volumes" for name, one in found.items())
    lines = [
        f"| | {heads} |",
        "|---" * (len(found) + 1) + "|",
    ]
    by_name = {
        name: {(row["head"], row["name"]): row for row in one["totals"]} for name, one in found.items()
    }
    for head, measure in dict.fromkeys(key for rows in by_name.values() for key in rows):
        cells = []
        for rows in by_name.values():
            row = rows.get((head, measure))
            cells.append(shown(Measure(**row["value"]), row["unit"]) if row else "")
        lines.append(f"| {TITLES[head]}, {measure} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _parity(found: Mapping[str, Any]) -> str:
    same = ", ".join(f"{label} {share:.1%}" for label, share in found["same_labels"].items())
    worst = ", ".join(f"{name} {value:g}" for name, value in found["max_difference"].items())
    return (
        f"Weights are kept in 16 bits and computed with in 32. On {found['volumes']} volumes ONNX Runtime "
        f"with them says the words of torch with the trained ones: {same}. Largest differences: {worst}."
    )
