"""The folder of a segmenter: round trip, exported forms, runs without torch, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from ellipsoids import SPEC, WINDOW, backbone, scan

import radnet
from radnet.errors import NetworkError
from radnet.networks.build import build_network
from radnet.networks.export import compare_masks, export_model
from radnet.networks.folder import EXPORTED, save_model
from radnet.networks.inference import Floats, Grey
from radnet.networks.model import load_model
from radnet.networks.segmentation import SegmentationNetwork
from radnet.networks.segmenter import Segmenter, load_segmenter, save_segmenter, update_card
from radnet.networks.segmenter_spec import make_segmenter_spec
from radnet.networks.windows import cover, slide

METADATA = {"training_data": {"digest": "0f3a", "training scans": 4}, "measured": "| Dice |\n|---|\n| 91.2 |"}


def network(seed: int = 0) -> SegmentationNetwork:
    fields = {"backbone": SPEC, "window": WINDOW, "slice_mm": 7.7, "region": "liver"}
    encoder = backbone(seed).encoder
    assert encoder is not None
    net = SegmentationNetwork(make_segmenter_spec(fields), encoder)
    with torch.no_grad():
        net.decoder.head.weight.mul_(8)  # type: ignore[operator,union-attr]  # far from 0.5
    return net.eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segmenter with both exported forms."""
    path = tmp_path_factory.mktemp("segmenter")
    save_segmenter(path, network(), METADATA)
    for form in EXPORTED:
        summary = export_model(path, form)
        assert summary.max_difference["probability"] < 1e-4
    return path


def test_a_saved_segmenter_gives_the_same_probabilities(folder: Path) -> None:
    loaded, net = load_segmenter(folder, backend="torch"), network()
    assert loaded.spec == net.spec
    assert loaded.metadata == {"training_data": METADATA["training_data"]}
    windows = scan(0, (3, *WINDOW)[1:]).image[None]
    with torch.inference_mode():
        expected = net.outputs(torch.from_numpy(windows))["probability"].numpy()
    assert np.array_equal(loaded.predict(windows), expected)
    assert np.ptp(expected) > 0.2  # else any two networks would agree


def test_a_scan_of_any_size_is_segmented(folder: Path) -> None:
    segmenter = radnet.load_segmenter(folder, backend="torch")
    for shape in ((5, 20, 24), (19, 16, 16), (1, 9, 50)):
        image = scan(1, shape).image
        found = segmenter.segment(image)
        assert found.shape == shape
        assert found.dtype == np.float32
        assert np.array_equal(found, slide(segmenter.predict, image, WINDOW, cover(shape[0], WINDOW[0])))
        assert 0 <= found.min() <= found.max() <= 1
        mask = segmenter.outline(image)
        assert mask.dtype == np.bool_
        assert (found[mask] >= 0.5).all()


class Bright:
    """Says that what is bright is the organ."""

    name = "bright"

    def run(self, volumes: Grey) -> dict[str, Floats]:
        return {"probability": volumes.astype(np.float32) / 255}


def test_the_second_pass_is_the_spec_s_unless_said_otherwise(folder: Path) -> None:
    spec = load_segmenter(folder, backend="torch").spec
    once, twice = (
        Segmenter(folder, Bright(), {"segmenter": own, "metadata": {}, "versions": {}})
        for own in (spec, spec.model_copy(update={"second_pass": "on"}))
    )
    image = scan(1, (20, 40, 40)).image
    assert not np.array_equal(twice.segment(image), once.segment(image))
    assert np.array_equal(twice.segment(image, second_pass=False), once.segment(image))
    assert not twice.segment(image, starts=[12], second_pass=False)[:12].any()


@pytest.mark.parametrize("form", EXPORTED)
def test_an_exported_segmenter_gives_torch_s_probabilities(form: str, folder: Path) -> None:
    image = scan(2, (13, 24, 24)).image
    expected = load_segmenter(folder, backend="torch").segment(image, second_pass=True)
    found = load_segmenter(folder, backend=form)
    assert found.backend.name == form
    assert np.abs(found.segment(image, second_pass=True) - expected).max() < 1e-4
    assert load_segmenter(folder).backend.name == "openvino"


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["monai"] = sys.modules["lightning_fabric"] = None
import numpy, radnet
segmenter = radnet.load_segmenter(sys.argv[1], backend=sys.argv[2])
image = numpy.random.default_rng(0).integers(0, 256, (11, 20, 20), dtype="uint8")
print(segmenter.outline(image, second_pass=True).shape, segmenter.spec.organ, segmenter.backend.name)
"""


@pytest.mark.parametrize("form", EXPORTED)
def test_an_exported_segmenter_runs_without_torch(form: str, folder: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(folder), form]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told == f"(11, 20, 20) liver {form}\n"


def test_files_of_other_weights_are_never_run(folder: Path, tmp_path: Path) -> None:
    save_segmenter(tmp_path, network(), {})
    export_model(tmp_path, "onnx")
    assert (tmp_path / "model.onnx").exists()
    save_segmenter(tmp_path, network(1), {})
    assert not (tmp_path / "model.onnx").exists()
    with pytest.raises(NetworkError, match=r"has no onnx file of its weights; run `radnet export"):
        load_segmenter(tmp_path, backend="onnx")


def test_a_file_that_differs_is_refused() -> None:
    same = {"probability": np.full((1, 2, 2, 2), 0.5, np.float32)}
    assert compare_masks(same, same, "model.onnx") == {"probability": 0.0}
    for wrong in (0.502, np.nan):
        other = {"probability": np.full((1, 2, 2, 2), wrong, np.float32)}
        with pytest.raises(NetworkError, match=r"'probability' differs from torch .* was not kept"):
            compare_masks(same, other, "model.onnx")


def test_the_card_tells_what_it_is_and_keeps_up(folder: Path, tmp_path: Path) -> None:
    save_segmenter(tmp_path / "liver", network(), METADATA)
    card = (tmp_path / "liver" / "README.md").read_text("utf-8")
    for told in ("Outlines the liver", "8 x 16 x 16 slices, rows, columns", "7.7 mm", "| 91.2 |", "0f3a"):
        assert told in card
    update_card(tmp_path / "liver", "| Dice |\n|---|\n| 93.4 |")
    card = (tmp_path / "liver" / "README.md").read_text("utf-8")
    assert "| 93.4 |" in card
    assert "| 91.2 |" not in card
    load_segmenter(tmp_path / "liver")


def test_each_kind_of_folder_is_loaded_by_its_own_function(folder: Path, tmp_path: Path) -> None:
    save_model(tmp_path, build_network(SPEC), SPEC, {})
    with pytest.raises(NetworkError, match=r"holds a labelling network; load it with radnet\.load_model"):
        load_segmenter(tmp_path)
    with pytest.raises(NetworkError, match=r"holds a segmenter; load it with radnet\.load_segmenter"):
        load_model(folder)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="nothing: no such model folder"):
        load_segmenter(tmp_path / "nothing")
    save_segmenter(tmp_path, network(), {})
    weights = tmp_path / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(NetworkError, match=r"model\.safetensors: is damaged; take another copy"):
        load_segmenter(tmp_path)
    weights.write_bytes(content.replace(b'slice_mm\\": 7.7', b'slice_mm\\": -77', 1))
    with pytest.raises(NetworkError, match="is not the configuration of a radnet model at 'slice_mm'"):
        load_segmenter(tmp_path)


def test_configuration_and_weights_are_one_file(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert config["segmenter"]["organ"] == "liver"
    assert not [path for path in folder.rglob("*") if path.suffix in (".pt", ".pth", ".ckpt", ".pkl")]
