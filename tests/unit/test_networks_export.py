"""Exported files: the same outputs as torch, never those of other weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exported_networks import SHAPE, SPEC

from radnet.config import VolumesConfig
from radnet.errors import NetworkError, WorkspaceError
from radnet.networks import export
from radnet.networks.build import LabelNetwork, build_network
from radnet.networks.export import compare, export_model
from radnet.networks.folder import EXPORTED, save_model
from radnet.networks.inference import OUTPUTS, Grey
from radnet.networks.model import load_model
from radnet.networks.spec import make_spec
from radnet.volumes.merge import merge_parts
from radnet.volumes.parts import Parts
from radnet.volumes.shards import digest_of, pack


def trained(spec: Any = SPEC, seed: int = 0) -> LabelNetwork:
    torch.manual_seed(seed)
    network = build_network(spec)
    for _ in range(3):
        network(torch.rand(4, 1, *SHAPE))
    return network.eval()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    save_model(folder, trained(), SPEC, {})
    for form in EXPORTED:
        export_model(folder, form)
    return folder


def volumes(count: int = 3) -> Grey:
    return np.random.default_rng(1).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


@pytest.mark.parametrize("form", EXPORTED)
def test_an_exported_model_gives_the_outputs_of_torch(form: str, exported: Path) -> None:
    reference, found = load_model(exported, backend="torch"), load_model(exported, backend=form)
    assert found.backend.name == form
    assert np.allclose(found.embed(volumes()), reference.embed(volumes()), atol=1e-5)
    expected, labels = reference.classify(volumes(5), batch_size=2), found.classify(volumes(5), batch_size=2)
    assert labels["words"] == expected["words"]
    assert np.allclose(labels["spacing"], expected["spacing"], atol=1e-4)
    assert np.ptp(reference.embed(volumes())) > 0.1  # else any two networks would agree


def test_the_fastest_exported_form_is_taken(exported: Path) -> None:
    assert load_model(exported).backend.name == "openvino"
    assert load_model(exported, precision="bfloat16").backend.name == "openvino"


def test_a_form_whose_package_is_not_installed_is_passed_over(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = "radnet.networks.model.find_spec"
    monkeypatch.setattr(find, lambda name: None if name == "openvino" else object())
    assert load_model(exported).backend.name == "onnx"
    assert load_model(exported, precision="bfloat16").backend.name == "torch"
    monkeypatch.setattr(find, lambda name: None)
    assert load_model(exported).backend.name == "torch"


def test_the_encoder_of_an_exported_model_is_that_of_torch(exported: Path) -> None:
    x = torch.rand(1, 1, *SHAPE)
    ours = load_model(exported, backend="onnx").encoder(x)[-1]
    assert torch.equal(ours, load_model(exported, backend="torch").encoder(x)[-1])


def test_openvino_computes_in_the_precision_that_was_asked(exported: Path) -> None:
    exact = load_model(exported, backend="openvino").embed(volumes())
    reference = load_model(exported, backend="torch").embed(volumes())
    assert (
        np.abs(exact - reference).max() < 1e-5
    )  # bfloat16, its default on some processors, is far from that


def test_what_was_measured_is_recorded(exported: Path) -> None:
    record = json.loads((exported / "exports.json").read_text("utf-8"))
    assert set(record) == {"onnx", "openvino"}
    assert set(record["onnx"]["max_difference"]) == set(OUTPUTS)
    assert record["onnx"]["compared"] == "8 of seeded noise"


RUN_OPENVINO = """
import sys
import numpy, radnet
radnet.load_model(sys.argv[1], backend="openvino").embed(numpy.zeros((1, 16, 32, 32), "uint8"))
assert sys.modules["openvino_telemetry"] is None
"""


def test_openvino_reports_to_nobody(exported: Path, tmp_path: Path) -> None:
    """Its telemetry would leave the number of this machine in the home folder, unless it sees a CI server."""
    servers = ("CI", "TF_BUILD", "JENKINS_URL")
    environment = {name: value for name, value in os.environ.items() if name not in servers}
    command = [sys.executable, "-c", RUN_OPENVINO, str(exported)]
    subprocess.run(command, env={**environment, "HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.iterdir()) == []


def test_files_of_other_weights_are_never_run(exported: Path, tmp_path: Path) -> None:
    save_model(tmp_path, trained(seed=1), SPEC, {})
    for name in ("model.onnx", "exports.json"):
        (tmp_path / name).write_bytes((exported / name).read_bytes())
    assert load_model(tmp_path).backend.name == "torch"
    with pytest.raises(NetworkError, match="has no onnx file of its weights"):
        load_model(tmp_path, backend="onnx")


@pytest.mark.parametrize("text", ["", "[]", '{"onnx": 5}', '{"onnx": {}}'], ids=str)
def test_a_damaged_record_of_exports_vouches_for_nothing(text: str, exported: Path, tmp_path: Path) -> None:
    for path in exported.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "exports.json").write_text(text)
    assert load_model(tmp_path).backend.name == "torch"


def test_weights_that_are_replaced_during_an_export_are_not_taken_for_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace_weights(network: LabelNetwork, spec: Any, path: Path) -> None:
        write(network, spec, path)
        save_model(tmp_path, trained(seed=1), SPEC, {})

    save_model(tmp_path, trained(), SPEC, {})
    write = export.write_onnx
    monkeypatch.setattr(export, "write_onnx", replace_weights)
    export_model(tmp_path, "onnx")
    assert load_model(tmp_path).backend.name == "torch"


def test_saving_again_removes_what_was_exported(tmp_path: Path) -> None:
    save_model(tmp_path, trained(), SPEC, {})
    export_model(tmp_path, "onnx")
    save_model(tmp_path, trained(seed=1), SPEC, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]


@pytest.mark.parametrize("network", ["segresnet", "paper"])
def test_other_networks_are_exported_too(network: str, tmp_path: Path) -> None:
    spec = make_spec(network, width=8, embedding=12, input_shape=SHAPE)
    save_model(tmp_path, trained(spec), spec, {})
    summary = export_model(tmp_path, "onnx")
    assert max(summary.max_difference.values()) < 1e-3


def test_a_file_that_differs_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_another(network: LabelNetwork, spec: Any, path: Path) -> None:
        write(trained(seed=1), spec, path)

    save_model(tmp_path, trained(), SPEC, {})
    write = export.write_onnx
    monkeypatch.setattr(export, "write_onnx", write_another)
    with pytest.raises(NetworkError, match=r"output 'sequence' differs from torch by .*not kept"):
        export_model(tmp_path, "onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]


def test_another_label_is_refused_however_near_the_numbers() -> None:
    expected = {name: np.zeros((1, count), np.float32) for name, count in SPEC.outputs.items()}
    expected |= {"spacing": np.ones(1, np.float32), "embedding": np.ones((1, 12), np.float32)}
    found = {name: values.copy() for name, values in expected.items()}
    assert max(compare(expected, found, SPEC, "file").values()) == 0
    found["view"][0, 1] = 1e-5
    with pytest.raises(NetworkError, match="says other labels than torch"):
        compare(expected, found, SPEC, "file")


def test_an_unknown_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="cannot export to 'tflite'; it must be openvino or onnx"):
        export_model(tmp_path, "tflite")


def test_the_volumes_of_a_store_are_compared(tmp_path: Path) -> None:
    large = (32, 64, 64)  # of the store, of which the network sees half in each direction
    store = tmp_path / "4-volumes"
    (store / "parts").mkdir(parents=True)
    parts = Parts(store / "parts")
    for number in range(10):
        array = np.random.default_rng(number).integers(0, 256, large, np.uint8)
        row = dict.fromkeys(("effective_spacing_mm", "window_low", "window_high"), 1.0)
        row |= {"stack_id": f"{number:016x}", "affine": np.eye(4).ravel().tolist(), "length": array.nbytes}
        row |= {"pad_before": 0, "pad_after": 0, "digest": digest_of(array), "inputs": "same"}
        parts.add_volume(row, pack(array, "none"))
    wanted = {f"{number:016x}": "same" for number in range(10)}
    merge_parts(store, parts, wanted, VolumesConfig(shape=large))
    save_model(tmp_path / "model", trained(), SPEC, {})
    assert export_model(tmp_path / "model", "onnx", store).volumes == f"8 of {store}"


def test_a_store_that_is_not_there_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path / "model", trained(), SPEC, {})
    with pytest.raises(WorkspaceError, match=r"index\.parquet"):
        export_model(tmp_path / "model", "onnx", tmp_path / "4-volumes")


def test_an_exported_file_names_no_place_of_the_machine(exported: Path) -> None:
    content = (exported / EXPORTED["onnx"][0]).read_bytes()
    assert b".py" not in content
    assert str(Path(export.__file__).parent).encode() not in content
