"""The model that comes with the package is small, whole, and says what its training said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from exported_networks import SHAPE, SPEC
from safetensors.torch import load_file

from radnet.errors import NetworkError
from radnet.networks import ship
from radnet.networks.build import build_network
from radnet.networks.folder import SHIPPED_FOLDER, find_model, save_model
from radnet.networks.inference import OUTPUTS, run_batches
from radnet.networks.model import load_model
from radnet.networks.segmentation import build_segmentation
from radnet.networks.segmenter import load_segmenter, save_segmenter
from radnet.networks.segmenter_spec import SegmenterSpec
from radnet.networks.ship import ship_model, ship_segmenter

GREY = np.random.default_rng(1).integers(0, 256, (4, *SHAPE), dtype=np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    network = build_network(SPEC)
    for _ in range(3):
        network(torch.rand(4, 1, *SHAPE))
    save_model(folder, network.eval(), SPEC, {"heads": ["sequence"]})
    return folder


@pytest.fixture(scope="module")
def shipped(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shipped") / "tiny"
    ship_model(run, out, list(GREY), {"bodies": "synthetic"}, "A table.")
    return out


def test_large_weights_are_halved_and_shipped_once(run: Path, shipped: Path) -> None:
    before, after = load_file(run / "model.safetensors"), load_file(shipped / "model.safetensors")
    assert {value.dtype for value in after.values() if value.ndim > 1} == {torch.float16}
    assert {value.dtype for value in after.values() if value.ndim == 1} == {torch.float32}
    assert all(
        torch.allclose(value, after[name].float(), atol=1e-3) for name, value in before.items() if value.ndim
    )
    assert (shipped / "model.onnx").stat().st_size < 0.5 * (shipped / "model.safetensors").stat().st_size


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_runtimes_give_the_numbers_of_torch_with_the_same_weights(backend: str, shipped: Path) -> None:
    expected, found = (
        run_batches(load_model(shipped, backend=name).backend, SPEC, GREY, 2) for name in ("torch", backend)
    )
    for name in OUTPUTS:
        assert np.allclose(expected[name], found[name], atol=1e-4), name
    assert np.ptp(expected["embedding"]) > 0.1


def test_the_card_and_the_record_stand_beside(shipped: Path) -> None:
    card = (shipped / "README.md").read_text("utf-8")
    assert "- bodies: synthetic" in card
    assert "A table." in card
    record = json.loads((shipped / "exports.json").read_text("utf-8"))["onnx"]
    assert set(record["max_difference"]) == set(OUTPUTS)


def test_a_segmenter_is_shipped_in_the_same_way(tmp_path: Path) -> None:
    spec = SegmenterSpec(backbone=SPEC, window=SHAPE, organ="spleen")
    torch.manual_seed(3)
    save_segmenter(tmp_path / "run", build_segmentation(spec).eval(), {"heads": []})
    windows = [*GREY, np.zeros(SHAPE, np.uint8)]
    found = ship_segmenter(
        tmp_path / "run", tmp_path / "spleen", windows, {"bodies": "synthetic"}, "A table."
    )
    assert found["windows"] == len(windows)
    assert found["overlap"] > 0.98
    assert 0 < found["max_difference"]["probability"] < 0.01
    sizes = found["bytes"]
    assert sizes["model.onnx"] < 0.5 * sizes["model.safetensors"]
    assert sizes["model.safetensors"] < 0.6 * (tmp_path / "run/model.safetensors").stat().st_size
    card = (tmp_path / "spleen/README.md").read_text("utf-8")
    assert "- bodies: synthetic" in card
    assert "A table." in card
    torch_says, onnx_says = (
        load_segmenter(tmp_path / "spleen", backend=name).predict(GREY) for name in ("torch", "onnx")
    )
    assert load_segmenter(tmp_path / "spleen").spec.organ == "spleen"
    assert np.allclose(torch_says, onnx_says, atol=1e-4)
    assert np.ptp(torch_says) > 0.01


def test_a_weight_that_16_bits_cannot_hold_is_refused(run: Path, tmp_path: Path) -> None:
    network = load_model(run, backend="torch").network
    with torch.no_grad():
        network.fc.weight[0, 0] = 1e6
    save_model(tmp_path / "run", network, SPEC, {})
    with torch.no_grad():
        network.fc.weight[0, 0] = 0
    with pytest.raises(NetworkError, match=r"tensor 'fc.weight' has values that 16 bits cannot hold"):
        ship_model(tmp_path / "run", tmp_path / "out", list(GREY), {}, "")


def test_a_model_that_is_too_large_is_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ship, "LARGEST_BYTES", 1000)
    with pytest.raises(NetworkError, match=r"its files have .* bytes; 1,000 may be shipped"):
        ship_model(run, tmp_path / "out", list(GREY), {}, "")


def test_the_package_brings_a_small_model() -> None:
    folder = find_model()
    assert folder == SHIPPED_FOLDER / "small"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 15 * 2**20
    assert {path.name for path in folder.iterdir()} == {
        "model.safetensors",
        "model.onnx",
        "config.json",
        "exports.json",
        "README.md",
    }
    assert "synthetic" in (folder / "README.md").read_text("utf-8")


WITHOUT_TORCH = """
import sys
import numpy, radnet
model = radnet.load_model()
labels = model.classify(numpy.zeros((2, *model.spec.input_shape), "uint8"))
assert model.backend.name in ("onnx", "openvino")
assert len(labels["words"]["sequence"]) == 2
assert "torch" not in sys.modules
"""


def test_what_is_shipped_names_no_place_of_a_machine() -> None:
    for file in (SHIPPED_FOLDER / "small").iterdir():
        assert b".py" not in file.read_bytes(), file.name


def test_it_runs_without_torch(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('blocked', name='torch')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], env=environment, check=True)


def test_a_folder_of_the_same_name_wins(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(shipped.parent)
    assert find_model("tiny") == Path("tiny")
    Path("small").mkdir()  # any folder may bear the name
    assert find_model("small") == SHIPPED_FOLDER / "small"
