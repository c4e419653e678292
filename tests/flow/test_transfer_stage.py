"""`radnet transfer` takes a folder of scans with masks to a segmenter that was measured."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from ellipsoids import SPEC, scan

from radnet.config import RadnetConfig, load_config
from radnet.errors import CaseError, NetworkError
from radnet.networks.build import build_network
from radnet.networks.folder import save_model
from radnet.networks.segmenter import load_segmenter
from radnet.predict.outline_scan import Tools, outline_scan
from radnet.transfer import evaluate, ship
from radnet.transfer.cases import segmenter_preparation
from radnet.transfer.evaluate import measure_segmenter
from radnet.transfer.nifti_scans import as_scan, read_scan
from radnet.transfer.readers import prepare_case, survey
from radnet.transfer.ship import ship_segmenter_run
from radnet.transfer.stage import transfer_organ

SETTINGS: dict[str, Any] = {
    "window": [8, 16, 16],
    "slice_mm": 5.0,
    "proposal_slices": 8,
    "proposal_stride": 4,
    "proposal_threshold": 0.99,
    "max_steps": 4,
    "validate_every": 2,
    "second_pass": "on",
    "accelerator": "cpu",
    "precision": "32-true",
}


def config(**changes: Any) -> RadnetConfig:
    return load_config(changes={"transfer": {**SETTINGS, **changes}})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven scans in the layout of LiTS, one of whose masks is empty, and a model beside them."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "lits").mkdir()
    for number in range(7):
        case = scan(number, (12, 20, 20))
        affine = np.diag([-2.0, -2.0, 5.0, 1.0])
        mask = case.mask * (number != 3)
        for name, array in (("volume", case.image.astype(np.int16)), ("segmentation", mask)):
            image = nib.Nifti1Image(array.transpose(2, 1, 0), affine)  # type: ignore[no-untyped-call]
            nib.save(image, folder / "lits" / f"{name}-{number}.nii.gz")
    save_model(folder / "model", build_network(SPEC), SPEC, {})
    return folder


@pytest.fixture(scope="module")
def done(data: Path) -> Path:
    """A folder in which the whole ended."""
    transfer_organ(data / "lits", data / "model", data / "run", config(), cache=data / "cache")
    return data / "run"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as table:
        return list(csv.DictReader(table))


def test_every_scan_is_on_one_side_or_left_out_with_a_reason(done: Path) -> None:
    split = rows(done / "split.csv")
    assert len(split) == 7
    (left_out,) = rows(done / "left_out.csv")
    assert "liver is not in its mask" in left_out["reason"] or "no voxel of its mask" in left_out["reason"]
    segmenter = load_segmenter(done)
    known = segmenter.metadata["training_data"]
    tested = {row["case_id"] for row in rows(done / "test.csv")}
    assert known["training scans"] + known["validation scans"] + len(tested) == 6
    assert tested <= {row["case"] for row in split if row["side"] == "test"}


def test_both_passes_are_scored_and_stand_on_the_card(done: Path) -> None:
    scores = rows(done / "test.csv")
    assert {row["pass"] for row in scores} == {"first", "second"}
    assert all(0 <= float(row["dice"]) <= 1 for row in scores)
    card = (done / "README.md").read_text("utf-8")
    assert "| first |" in card
    assert "| second |" in card
    proposals = json.loads((done / "proposals.json").read_text("utf-8"))
    assert proposals["all"]["n_cases"] == 6
    assert load_segmenter(done).spec.region == "liver"


def test_the_same_call_changes_nothing(data: Path, done: Path) -> None:
    before = (done / "model.safetensors").read_bytes()
    summary = transfer_organ(data / "lits", data / "model", done, config(), cache=data / "cache")
    assert summary.training.finished
    assert (done / "model.safetensors").read_bytes() == before


def test_the_command_runs_and_tells(data: Path, tmp_path: Path) -> None:
    (tmp_path / "radnet.toml").write_text(
        "[transfer]\n" + "\n".join(f"{name} = {json.dumps(value)}" for name, value in SETTINGS.items())
    )
    options = "--organ liver --freeze 2 --no-propose --max-steps 2 --second-pass off --out out --json"
    command = [sys.executable, "-m", "radnet", "transfer", str(data / "lits"), "--model", str(data / "model")]
    command += options.split()
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    summary = json.loads(told.stdout)
    assert summary["training"]["n_steps"] == 2
    assert summary["training"]["n_learning"] < summary["training"]["n_parameters"]
    assert summary["proposal_recall"] is None
    assert set(summary["test_dice"]) == {"first"}
    spec = load_segmenter(tmp_path / "out").spec
    assert (spec.region, spec.second_pass) == (None, "off")


def test_a_segmenter_is_measured_on_the_voxels_of_the_scans(data: Path, done: Path) -> None:
    summary = measure_segmenter(done, data / "lits", "again")
    assert (summary.scans, summary.left_out) == (6, 1)
    table = rows(Path(summary.table))
    assert Path(summary.table) == done / "evaluation/again/cases.csv"
    (left_out,) = (row for row in table if row["left_out"])
    assert left_out["dice"] == ""
    found = {row["case"]: row for row in table}
    for number in (0, 5):
        image = nib.load(data / "lits" / f"volume-{number}.nii.gz")
        truth = nib.load(data / "lits" / f"segmentation-{number}.nii.gz").get_fdata()
        row = found[f"volume-{number}"]
        voxel_ml = 2 * 2 * 5 / 1000
        assert float(row["truth_ml"]) == pytest.approx(truth.sum() * voxel_ml)
        assert float(row["mask_ml"]) <= np.prod(image.shape) * voxel_ml
    mean = np.mean([float(row["dice"]) for row in table if not row["left_out"]])
    assert summary.dice == pytest.approx(mean, abs=1e-4)
    assert summary.failures == sum(row["failed"] == "True" for row in table)


def test_the_command_measures_and_refuses_what_holds_no_scan(data: Path, done: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "radnet", "evaluate", str(done), "--json", "--data"]
    told = subprocess.run([*command, str(data / "lits")], capture_output=True, text=True, check=True)
    assert json.loads(told.stdout)["scans"] == 6
    assert (done / "evaluation/lits/cases.csv").exists()
    found = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    assert not (done / "evaluation" / tmp_path.name).exists()


def test_what_comes_with_the_package_is_measured_elsewhere(
    data: Path, done: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(evaluate, "SHIPPED_FOLDER", done.parent)
    with pytest.raises(NetworkError, match="comes with RADNet: say where"):
        measure_segmenter(done, data / "lits", "shipped")
    assert not (done / "evaluation/shipped").exists()
    summary = measure_segmenter(done, data / "lits", "shipped", out=tmp_path)
    assert Path(summary.table) == tmp_path / "evaluation/shipped/cases.csv"


def test_masks_are_those_that_predict_writes(data: Path, done: Path) -> None:
    segmenter = load_segmenter(done)
    (files, *_) = survey(data / "lits", "liver").cases
    case = prepare_case(files, segmenter_preparation(segmenter.spec))
    mask = evaluate.outline_case(segmenter, case, None)
    scan = as_scan(read_scan(files.image[0]), files.modality)
    assert np.array_equal(mask, outline_scan(scan, Tools(segmenter)).mask)
    assert mask.any()


def test_a_run_is_shipped_with_its_card_or_not_at_all(
    data: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure_segmenter(done, data / "lits", "synthetic")
    out, told = tmp_path / "models" / "liver", {"What": "blocks"}
    found = ship_segmenter_run(done, data / "lits", out, told, ["synthetic"])
    card = (out / "README.md").read_text("utf-8")
    table = rows(done / "evaluation/synthetic/cases.csv")
    dice = np.mean([float(row["dice"]) for row in table if not row["left_out"]])
    assert f"| synthetic | 6 | {dice:.3f} |" in card
    assert "- What: blocks" in card
    assert "parity" not in card
    assert f"In {found['windows']} windows" in card
    before = (out / "model.safetensors").read_bytes()
    monkeypatch.setattr(ship, "LEAST_OVERLAP", 1.1)
    (out / "mark").touch()
    with pytest.raises(NetworkError, match="overlap with those of"):
        ship_segmenter_run(done, data / "lits", out, told, ["synthetic"])
    assert (out / "mark").exists()
    assert (out / "model.safetensors").read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ["liver"]
    with pytest.raises(NetworkError, match="radnet evaluate"):
        ship_segmenter_run(done, data / "lits", out, told, ["never"])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere", "--model", "MODEL"], "nowhere: there is no such folder; name one that holds scans"),
        (["DATA", "--model", "nothing"], "nothing: no such model folder"),
        (
            ["DATA", "--model", "MODEL", "--freeze", "4"],
            "transfer.freeze is '4'; it must be 'all', '3', '2'",
        ),
        (["DATA", "--model", "MODEL", "--labels", "liver"], "labels are whole numbers, e.g. 1,2"),
        (["DATA", "--model", "MODEL", "--window", "8,16"], "a shape is slices,rows,columns"),
    ],
    ids=["data", "model", "freeze", "labels", "window"],
)
def test_bad_input_is_one_sentence(arguments: list[str], told: str, data: Path, tmp_path: Path) -> None:
    places = {"DATA": str(data / "lits"), "MODEL": str(data / "model")}
    words = [places.get(word, word) for word in arguments]
    command = [sys.executable, "-m", "radnet", "transfer", *words, "--out", "out"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert told in " ".join(found.stderr.replace("│", " ").split())
    assert "Traceback" not in found.stderr


def test_one_scan_is_too_few(data: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    for name in ("volume-0.nii.gz", "segmentation-0.nii.gz"):
        (tmp_path / "one" / name).write_bytes((data / "lits" / name).read_bytes())
    with pytest.raises(CaseError, match="1 cases of 1 patients: at least 3 patients are needed"):
        transfer_organ(tmp_path / "one", data / "model", tmp_path / "out", config())
