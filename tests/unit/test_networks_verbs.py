"""`radnet networks` and `radnet export`: what they print, and their refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from radnet import extras
from radnet.cli import app
from radnet.errors import MissingExtraError, NetworkError
from radnet.networks.build import build_network
from radnet.networks.folder import save_model
from radnet.networks.model import load_model
from radnet.networks.sizes import measure_network, measure_networks
from radnet.networks.spec import make_spec


def shown(*arguments: str) -> str:
    outcome = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def test_every_network_is_listed_with_its_costs() -> None:
    lines = shown("networks").splitlines()
    names = [line.split()[0] for line in lines[1:-2]]
    assert names == [
        "paper",
        *("resnet10", "resnet18", "resnet34", "resnet50", "resnet101", "segresnet", "segresnet_ds"),
    ]
    assert lines[1].split() == [
        *("paper", "78.2", "62.8"),
        *("64x48x96x96", "256x24x48x48", "512x12x24x24", "1024x6x12x12", "2048x3x6x6"),
    ]
    assert lines[-1].endswith("heads: sequence 5, view 3, contrast 2, coverage 9, spacing 1.")


def test_a_program_reads_the_same_as_json() -> None:
    options = ("--input-shape", "24,96,96", "--stem", "isotropic", "--width", "16", "--json")
    (found,) = json.loads(shown("networks", "resnet18", *options))
    size = measure_network(make_spec("resnet18", input_shape=(24, 96, 96), stem="isotropic", width=16))
    assert found["multiply_adds"] == size.multiply_adds
    assert found["parameters"] == size.parameters
    assert found["feature_maps"][0] == [16, 12, 48, 48]


def test_multiply_adds_of_a_convolution_are_counted_by_hand() -> None:
    """The stem of `isotropic`: 7x7x7 weights for each of the voxels and channels that it makes."""
    small, smaller = (
        measure_network(make_spec("resnet10", width=width, stem="isotropic", input_shape=(32, 32, 32)))
        for width in (2, 1)
    )
    # between widths, what is linear in the width is the stem and the heads' layer, the rest is quadratic
    stem = 343 * 16**3
    fc = 8 * 1000
    heads = 1000 * 20
    quadratic = smaller.multiply_adds - stem - fc - heads
    assert small.multiply_adds == 2 * stem + 4 * quadratic + 2 * fc + heads


@pytest.mark.parametrize(
    ("names", "fields", "match"),
    [
        (["papr"], {}, "unknown network 'papr'; did you mean 'paper'"),
        (["resnet10"], {"stem": "big"}, "unknown stem 'big'"),
    ],
    ids=["network", "stem"],
)
def test_what_is_unknown_is_refused(names: list[str], fields: dict[str, str], match: str) -> None:
    with pytest.raises(NetworkError, match=match):
        measure_networks(names, **fields)


@pytest.mark.parametrize("shape", ["48,192", "48x192x192", "0,1,2", "a,b,c", "-1,2,3"])
def test_a_shape_that_is_none_is_refused(shape: str) -> None:
    outcome = CliRunner().invoke(app, ["networks", "--input-shape", shape], env={"TERM": "dumb"})
    assert outcome.exit_code == 2
    assert "a shape is slices,rows,columns" in outcome.stderr


def test_export_prints_the_largest_difference_and_the_labels(tmp_path: Path) -> None:
    spec = make_spec("resnet10", width=4, embedding=8, input_shape=(16, 32, 32))
    torch.manual_seed(0)
    save_model(tmp_path, build_network(spec), spec, {})
    printed = shown("export", str(tmp_path), "--to", "onnx")
    assert "max difference sequence " in printed
    assert "labels         the same" in printed
    assert load_model(tmp_path).backend.name == "onnx"


WITHOUT = """
import sys
sys.modules["torch"] = None
from radnet.cli import main
sys.argv = ["radnet", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("arguments", [["networks"], ["export", "run"]], ids=" ".join)
def test_without_torch_the_extra_is_named(arguments: list[str]) -> None:
    command = [sys.executable, "-c", WITHOUT, *arguments]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    assert outcome.returncode == 2
    assert outcome.stderr == f"radnet: radnet {arguments[0]} needs torch; pip install 'radnet[train]'\n"


def test_an_exported_model_runs_without_torch(tmp_path: Path) -> None:
    spec = make_spec("resnet10", width=4, embedding=8, input_shape=(16, 32, 32))
    save_model(tmp_path, build_network(spec), spec, {})
    shown("export", str(tmp_path), "--to", "onnx")
    code = "import sys; sys.modules['torch'] = None; import numpy, radnet; "
    code += f"model = radnet.load_model({str(tmp_path)!r}); "
    code += "print(model.classify(numpy.zeros((2, 16, 32, 32), 'uint8'))['words']['view'])"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    assert len(eval(outcome.stdout)) == 2


def test_a_package_that_lacks_something_itself_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text("import absent_of_its_own\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="absent_of_its_own"):
        extras.require("broken_package", "train", "a test")
    with pytest.raises(MissingExtraError, match=r"a test needs absent; pip install 'radnet\[train\]'"):
        extras.require("absent.part", "train", "a test")
