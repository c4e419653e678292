"""MedicalNet weight files in our ResNets: the same features as MONAI's, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.networks import nets
from torch import Tensor, nn

from radnet.errors import NetworkError
from radnet.networks.build import build_network
from radnet.networks.medicalnet import PADDED, load_medicalnet, medicalnet_spec

WIDTH = 8
NETWORKS = ["resnet10", "resnet18", "resnet50"]


def monai_network(name: str, **arguments: Any) -> nn.Module:
    shortcut = "A" if name in PADDED else "B"
    return getattr(nets, name)(  # type: ignore[no-any-return]
        n_input_channels=1,
        feed_forward=False,
        conv1_t_stride=2,
        shortcut_type=shortcut,
        bias_downsample=False,
        widen_factor=WIDTH / 64,
        **arguments,
    )


def random_file(name: str, path: Path, wrapped: bool) -> dict[str, Tensor]:
    """Write random weights as MedicalNet's files have them: a prefix, and `state_dict` around it."""
    torch.manual_seed(0)
    network = monai_network(name)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    for buffer_name, buffer in network.named_buffers():
        if "running" in buffer_name:
            nn.init.uniform_(buffer, 0.5, 1.5)
    tensors = {f"module.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": tensors} if wrapped else tensors, path)
    return tensors


def monai_features(network: nn.Module, x: Tensor) -> list[Tensor]:
    """Return what leaves the stem's ReLU and the four layers of MONAI's ResNet."""
    maps: list[Tensor] = []
    for part in (network.act, network.layer1, network.layer2, network.layer3, network.layer4):
        part.register_forward_hook(lambda _module, _input, output: maps.append(output.clone()))  # type: ignore[operator, union-attr]
    with torch.inference_mode():
        network.eval()(x)
    return maps


def dilate(layer: nn.Module, factor: int) -> None:
    """Turn a strided layer of MONAI's into a dilated one, as MedicalNet's own."""
    for module in layer.modules():
        if isinstance(module, nn.Conv3d):
            module.stride = (1, 1, 1)
            if module.kernel_size == (3, 3, 3):
                module.dilation = module.padding = (factor,) * 3
    block = layer[0]  # type: ignore[index]
    if not isinstance(block.downsample, nn.Module):  # type A is a function with the stride bound
        block.downsample.keywords["stride"] = 1


@pytest.mark.parametrize("dilated", [False, True], ids=["strided", "dilated"])
@pytest.mark.parametrize("name", NETWORKS)
def test_features_equal_those_of_monai_on_the_same_file(name: str, dilated: bool, tmp_path: Path) -> None:
    flat, wrapped = tmp_path / "flat.pth", tmp_path / "wrapped.pth"
    random_file(name, flat, wrapped=False)
    random_file(name, wrapped, wrapped=True)
    theirs = monai_network(name, pretrained=os.fspath(flat))
    if dilated:
        dilate(theirs.layer3, 2)  # type: ignore[arg-type]
        dilate(theirs.layer4, 4)  # type: ignore[arg-type]
    ours = build_network(medicalnet_spec(name, width=WIDTH, dilated=dilated)).encoder.eval()
    load_medicalnet(ours, wrapped)
    x = torch.rand(2, 1, 32, 48, 64)
    expected = monai_features(theirs, x)
    with torch.inference_mode():
        found = ours(x)
    for level, (a, b) in enumerate(zip(found, expected, strict=True)):
        assert a.shape == b.shape, level
        assert a.std() > 0, level
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-4 * float(b.abs().max())), level


def test_the_released_files_fit_with_dilation_by_default() -> None:
    spec = medicalnet_spec("resnet18")
    assert (spec.shortcut, spec.dilated, spec.stem.stride, spec.width) == ("padding", True, (2, 2, 2), 64)
    assert medicalnet_spec("resnet50").shortcut == "projection"


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda t: t.pop("module.layer2.0.conv1.weight"), "tensor 'layer2.0.conv1.weight' is missing"),
        (lambda t: t.update({"module.conv_seg.0.weight": torch.ones(3)}), "'conv_seg.0.weight' has no place"),
        (
            lambda t: t.update({"module.layer1.0.bn1.bias": torch.ones(9)}),
            "'layer1.0.bn1.bias' is 9 and must be 8",
        ),
        (lambda t: t["module.bn1.running_mean"].fill_(torch.nan), "'bn1.running_mean' is not finite"),
    ],
    ids=["missing", "unknown", "shape", "nan"],
)
def test_a_file_that_does_not_fit_is_refused_naming_the_tensor(
    spoil: Any, match: str, tmp_path: Path
) -> None:
    path = tmp_path / "spoilt.pth"
    tensors = random_file("resnet10", path, wrapped=True)
    spoil(tensors)
    torch.save({"state_dict": tensors}, path)
    encoder = build_network(medicalnet_spec("resnet10", width=WIDTH)).encoder
    before = encoder.conv.weight.clone()  # type: ignore[union-attr, operator]
    with pytest.raises(NetworkError, match=match):
        load_medicalnet(encoder, path)
    assert torch.equal(encoder.conv.weight, before)  # type: ignore[arg-type]


def test_older_files_without_batch_counters_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    tensors = random_file("resnet10", path, wrapped=True)
    torch.save({"state_dict": {k: v for k, v in tensors.items() if "num_batches" not in k}}, path)
    encoder = build_network(medicalnet_spec("resnet10", width=WIDTH)).encoder
    load_medicalnet(encoder, path)
    assert torch.equal(encoder.conv.weight, tensors["module.conv1.weight"])  # type: ignore[arg-type]


def test_weights_of_a_wider_network_are_refused(tmp_path: Path) -> None:
    random_file("resnet10", tmp_path / "file.pth", wrapped=True)
    encoder = build_network(medicalnet_spec("resnet10", width=16)).encoder
    with pytest.raises(NetworkError, match=r"and \d+ more that do not fit"):
        load_medicalnet(encoder, tmp_path / "file.pth")


class Harmful:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (Path.touch, (self.path,))


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": Harmful(tmp_path / "ran")}, tmp_path / "harm.pth")
    encoder = build_network(medicalnet_spec("resnet10", width=WIDTH)).encoder
    with pytest.raises(NetworkError, match="holds more than tensors"):
        load_medicalnet(encoder, tmp_path / "harm.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "cannot be read"),
        (b"", "damaged"),
        (b"PK\x03\x04 half a file", "damaged"),
        (b"text", "damaged"),
    ],
    ids=["absent", "empty", "truncated", "text"],
)
def test_an_unreadable_file_is_refused(content: bytes | None, match: str, tmp_path: Path) -> None:
    path = tmp_path / "file.pth"
    if content is not None:
        path.write_bytes(content)
    encoder = build_network(medicalnet_spec("resnet10", width=WIDTH)).encoder
    with pytest.raises(NetworkError, match=match):
        load_medicalnet(encoder, path)


def test_a_file_without_names_is_refused(tmp_path: Path) -> None:
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    encoder = build_network(medicalnet_spec("resnet10", width=WIDTH)).encoder
    with pytest.raises(NetworkError, match="no tensors by name"):
        load_medicalnet(encoder, tmp_path / "list.pth")
