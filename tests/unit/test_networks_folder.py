"""The model folder: round trip, what a kill or a full disk leaves, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import radnet
from radnet.errors import NetworkError
from radnet.networks.build import LabelNetwork, build_network
from radnet.networks.folder import save_model
from radnet.networks.inference import Grey, fit_volume
from radnet.networks.model import load_model
from radnet.networks.spec import NetworkSpec, make_spec

SHAPE = (16, 32, 32)
SPEC = make_spec(
    "resnet10", width=4, embedding=12, input_shape=SHAPE, spacing_mean_mm=4.0, spacing_std_mm=2.0
)
METADATA: dict[str, Any] = {
    "training_data": {"digest": "0f3a", "volumes": 12},
    "measured": "| label | accuracy |\n|---|---|\n| view | 98.7 |",
}


@pytest.fixture
def network() -> LabelNetwork:
    torch.manual_seed(0)
    network = build_network(SPEC)
    for _ in range(3):  # moves the running statistics away from their beginning
        network(torch.rand(4, 1, *SHAPE))
    return network.eval()


@pytest.fixture
def model(network: LabelNetwork, tmp_path: Path) -> Path:
    save_model(tmp_path / "model", network, SPEC, METADATA)
    return tmp_path / "model"


def volumes(count: int = 3) -> Grey:
    return np.random.default_rng(1).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def test_a_saved_model_gives_the_same_outputs(network: LabelNetwork, model: Path) -> None:
    loaded = load_model(model)
    assert loaded.spec == SPEC
    grey = torch.from_numpy(volumes())
    with torch.inference_mode():
        expected = network(network.prepare(grey))
        maps = network.encoder(network.prepare(grey))
    labels = loaded.classify(volumes())
    assert np.array_equal(labels["spacing"], expected["spacing"].numpy())
    assert np.allclose(labels["sequence"], expected["sequence"].softmax(1).numpy(), atol=1e-6)
    assert np.allclose(labels["coverage"], expected["coverage"].sigmoid().numpy(), atol=1e-6)
    assert all(torch.equal(a, b) for a, b in zip(loaded.encoder(network.prepare(grey)), maps, strict=True))


def test_the_loaded_network_is_in_evaluation(model: Path) -> None:
    assert not load_model(model).network.training


def test_words_are_those_of_the_largest_probabilities(model: Path) -> None:
    labels = load_model(model).classify(volumes())
    assert labels["sequence"].sum(axis=1) == pytest.approx([1, 1, 1])
    assert labels["words"]["view"] == [SPEC.views[i] for i in labels["view"].argmax(1)]
    expected = [tuple(np.array(SPEC.regions)[row >= 0.5].tolist()) for row in labels["coverage"]]
    assert labels["words"]["coverage"] == expected


def test_batches_do_not_change_the_outputs(model: Path) -> None:
    loaded = load_model(model)
    whole = loaded.embed(volumes(5), batch_size=5)
    assert whole.shape == (5, 12)
    assert np.allclose(loaded.embed(iter(volumes(5)), batch_size=2), whole, atol=1e-6)


def test_bfloat16_is_near(model: Path) -> None:
    exact, near = load_model(model), load_model(model, precision="bfloat16")
    difference = np.abs(exact.embed(volumes()) - near.embed(volumes()))
    assert 0 < difference.max() < 0.1


def test_the_public_name_loads(model: Path) -> None:
    assert radnet.load_model(model).backend.name == "torch"


def test_the_folder_is_in_the_layout_of_the_hub(model: Path) -> None:
    assert sorted(path.name for path in model.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    config = json.loads((model / "config.json").read_text("utf-8"))
    assert config["network"]["input_shape"] == list(SHAPE)
    assert config["network"]["intensity"] == "windows"
    assert config["metadata"]["training_data"]["digest"] == "0f3a"
    assert config["versions"]["torch"] == torch.__version__
    card = (model / "README.md").read_text("utf-8")
    head, body = card.removeprefix("---\n").split("\n---\n", 1)
    assert "library_name: radnet" in head
    assert METADATA["measured"] in body
    assert "- digest: 0f3a" in body


def test_channels_last_weights_are_saved(network: LabelNetwork, tmp_path: Path) -> None:
    expected = network(torch.ones(1, 1, *SHAPE))["view"]
    network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    save_model(tmp_path, network, SPEC, {})
    found = load_model(tmp_path).network(torch.ones(1, 1, *SHAPE))["view"]
    assert torch.allclose(found, expected, atol=1e-6)


def changed(network: LabelNetwork) -> tuple[LabelNetwork, NetworkSpec]:
    spec = SPEC.model_copy(update={"spacing_mean_mm": 9.0})
    other = build_network(spec)
    other.load_state_dict(network.state_dict())
    return other.eval(), spec


def test_a_kill_between_two_files_leaves_weights_with_their_configuration(
    network: LabelNetwork, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced = []
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if replaced:
            raise KeyboardInterrupt
        replaced.append(target)
        return replace(self, target)

    other, spec = changed(network)
    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_model(model, other, spec, {})
    monkeypatch.undo()
    assert json.loads((model / "config.json").read_text("utf-8"))["network"]["spacing_mean_mm"] == 4.0
    loaded = load_model(model)
    assert loaded.spec == spec
    with torch.inference_mode():
        expected = other(other.prepare(torch.from_numpy(volumes())))["spacing"].numpy()
    assert np.allclose(loaded.classify(volumes())["spacing"], expected)


FULL_DISK = """
import resource, signal, sys
from radnet.networks.build import build_network
from radnet.networks.folder import save_model
from radnet.networks.spec import make_spec

spec = make_spec("resnet10", width=4, embedding=12, input_shape=(16, 32, 32))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_model(sys.argv[1], build_network(spec), spec, {})
except OSError as error:
    print(error.filename)
"""


def test_a_disk_that_fills_leaves_the_last_good_model(model: Path) -> None:
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    command = [sys.executable, "-c", FULL_DISK, str(model)]
    outcome = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "model.safetensors" in outcome.stdout
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before


def test_metadata_that_is_no_json_is_refused_before_anything_is_written(
    network: LabelNetwork, tmp_path: Path
) -> None:
    with pytest.raises(TypeError):
        save_model(tmp_path / "model", network, SPEC, {"training_data": {1, 2}})
    assert not (tmp_path / "model").exists()


def rewrite_head(path: Path, change: Any) -> None:
    """Change the configuration in the head of the weights."""
    from safetensors.torch import load_file, save_file

    config = json.loads((path / "config.json").read_text("utf-8"))
    change(config)
    weights = path / "model.safetensors"
    save_file(load_file(weights), weights, {"radnet": json.dumps(config)})


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda m: (m / "config.json").unlink(), "config.json is missing; a model folder has"),
        (lambda m: (m / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda m: (m / "model.safetensors").write_bytes(b"\x08"), "model.safetensors: is damaged"),
        (
            lambda m: (m / "model.safetensors").write_bytes((m / "model.safetensors").read_bytes()[:-4]),
            "model.safetensors: is damaged",
        ),
        (lambda m: rewrite_head(m, lambda c: c.update(format=2)), "a newer radnet .*upgrade radnet"),
        (lambda m: rewrite_head(m, lambda c: c.pop("network")), "not the configuration of a radnet model"),
        (lambda m: rewrite_head(m, lambda c: c["network"].update(width=-1)), "radnet model at 'width'"),
        (
            lambda m: rewrite_head(m, lambda c: c["network"].update(width=8)),
            r"model.safetensors: tensor 'encoder.conv.weight' is 4x1x3x7x7 and must be 8x1x3x7x7",
        ),
    ],
    ids=[
        "no config",
        "no weights",
        "head cut",
        "tail cut",
        "newer",
        "no network",
        "bad width",
        "other width",
    ],
)
def test_a_spoilt_folder_is_refused_in_a_sentence(spoil: Any, match: str, model: Path) -> None:
    spoil(model)
    with pytest.raises(NetworkError, match=match):
        load_model(model)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"absent: no such model folder; .* brings "):
        load_model(tmp_path / "absent")


def test_weights_without_our_head_take_the_configuration_beside_them(model: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = model / "model.safetensors"
    save_file(load_file(weights), weights, {"format": "pt"})
    assert load_model(model).spec == SPEC


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (
            np.zeros((1, 8, 32, 32), np.uint8),
            "a volume is 8x32x32 uint8; the network takes 16x32x32 uint8 or larger",
        ),
        (np.zeros((1, *SHAPE), np.float32), "16x32x32 float32"),
        (np.zeros(SHAPE, np.uint8), "a volume is 32x32 uint8"),
        (np.zeros((0, *SHAPE), np.uint8), "there is no volume"),
    ],
    ids=["shape", "type", "one volume alone", "none"],
)
def test_volumes_that_do_not_fit_are_refused(given: Any, match: str, model: Path) -> None:
    with pytest.raises(NetworkError, match=match):
        load_model(model).classify(given)


@pytest.mark.parametrize("shape", [(32, 64, 64), (48, 192, 192), (16, 40, 48)], ids=str)
def test_larger_volumes_are_resized_as_torch_does(shape: tuple[int, int, int], model: Path) -> None:
    large = np.random.default_rng(2).integers(0, 256, (2, *shape), dtype=np.uint8)
    resized = torch.nn.functional.interpolate(
        torch.from_numpy(large)[:, None].float(), size=SHAPE, mode="trilinear", align_corners=False
    )
    expected = resized[:, 0].round().to(torch.uint8).numpy()
    found = np.stack([fit_volume(volume, SHAPE) for volume in large])
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert (found != expected).mean() < 0.01
    loaded = load_model(model)
    assert np.array_equal(loaded.embed(large), loaded.embed(found))


def test_a_batch_of_nothing_is_refused(model: Path) -> None:
    with pytest.raises(NetworkError, match="batch_size is 0"):
        load_model(model).embed(volumes(), batch_size=0)


def test_a_network_whose_output_is_not_finite_is_refused(network: LabelNetwork, tmp_path: Path) -> None:
    torch.nn.init.constant_(network.fc.bias, 3e38)
    save_model(tmp_path, network, SPEC, {})
    with pytest.raises(NetworkError, match="is not finite; its weights cannot be used"):
        load_model(tmp_path).classify(volumes())


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"backend": "tensorrt"}, "no backend 'tensorrt'; it must be auto, torch, openvino, onnx"),
        ({"backend": "onnx"}, r"has no onnx file of its weights; run `radnet export .* --to onnx`"),
        ({"backend": "openvino", "device": "cuda"}, "runs on the cpu, not on cuda"),
        ({"backend": "onnx", "precision": "bfloat16"}, "has float32 alone"),
        ({"precision": "half"}, "no precision 'half'; it must be float32 or bfloat16"),
        ({"device": "gpu"}, "device 'gpu' cannot be used here"),
        ({"device": "cuda:99"}, "device 'cuda:99' cannot be used here"),
    ],
    ids=str,
)
def test_a_backend_that_cannot_run_is_refused(options: dict[str, Any], match: str, model: Path) -> None:
    with pytest.raises(NetworkError, match=match):
        load_model(model, **options)


class Harmful:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (Path.touch, (self.path,))


def test_nothing_of_a_model_is_unpickled(model: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": Harmful(tmp_path / "ran")}, model / "model.safetensors")
    with pytest.raises(NetworkError, match="is damaged"):
        load_model(model)
    assert not (tmp_path / "ran").exists()
