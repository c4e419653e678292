"""Networks: shapes, sizes, heads, and what a spec refuses."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from radnet.errors import NetworkError
from radnet.networks.build import BACKBONES, GreyLevels, backbone_names, build_network
from radnet.networks.resnet import DEPTHS
from radnet.networks.spec import STEMS, NetworkSpec, make_spec

SMALL = (16, 32, 32)
VARIANTS = [
    {"network": "resnet10"},
    {"network": "resnet18", "shortcut": "padding", "dilated": True},
    {"network": "resnet34", "norm": "group", "stem": "small"},
    {"network": "resnet50", "unit": "pre"},
    {"network": "resnet50", "stem": "isotropic", "dilated": True},
    {"network": "resnet101", "stem": "dense"},
    {"network": "resnet10", "close_up": (0.42, 0.62), "histogram": 6},
    {"network": "segresnet"},
    {"network": "segresnet_ds", "norm": "group"},
]


def multiply_adds(spec: NetworkSpec) -> tuple[float, float]:
    """Return G multiply-adds of one volume and M parameters."""
    with torch.device("meta"):
        network = build_network(spec)
        with FlopCounterMode(display=False) as counter:
            network(torch.empty(1, 1, *spec.input_shape))
    return counter.get_total_flops() / 2e9, sum(p.numel() for p in network.parameters()) / 1e6


def test_a_close_up_shows_what_the_whole_range_hides() -> None:
    spec = make_spec("resnet10", width=8, embedding=12, input_shape=SMALL, close_up=(0.4, 0.6))
    network = build_network(spec).eval()
    with torch.no_grad():
        network.encoder.conv.weight[:, 0] = 0  # the close-up alone is left
    grey = torch.full((1, *SMALL), 20, dtype=torch.uint8)
    brighter, within = grey + 60, torch.full_like(grey, 130)
    dark, same, seen = (network.embed(network.prepare(volumes)) for volumes in (grey, brighter, within))
    assert torch.equal(dark, same)  # both are below the close-up
    assert not torch.equal(dark, seen)


def test_the_histogram_tells_how_common_levels_are_and_not_where() -> None:
    torch.manual_seed(0)
    levels = GreyLevels(16)
    volume = torch.randint(0, 256, (1, 1, *SMALL)) / 255
    shuffled = volume.flatten()[torch.randperm(volume.numel())].reshape(volume.shape)
    assert torch.equal(levels(volume), levels(shuffled))
    assert not torch.equal(levels(volume), levels(volume * 0.5))
    blank = torch.cat([volume, torch.zeros_like(volume)], 2)  # as around a thin stack
    assert torch.allclose(levels(volume), levels(blank))
    assert torch.isfinite(levels(torch.zeros_like(volume))).all()
    heard = make_spec("resnet10", width=8, embedding=12, input_shape=SMALL, histogram=16)
    network = build_network(heard).eval()
    with torch.no_grad():
        network.fc.weight[:, :-16] = 0  # the histogram alone is left
        network.fc.bias[:] = 1.0
    assert torch.equal(network.embed(volume), network.embed(shuffled))
    assert not torch.equal(network.embed(volume), network.embed(volume * 0.5))


def test_a_close_up_is_for_resnets() -> None:
    with pytest.raises(NetworkError, match="'segresnet' has no close_up"):
        build_network(make_spec("segresnet", input_shape=SMALL, close_up=(0.4, 0.6)))


@pytest.mark.parametrize("levels", [(0.6, 0.4), (0.5, 0.5), (-0.1, 0.5), (0.5, 1.1)])
def test_a_close_up_must_lie_within_the_grey_levels(levels: tuple[float, float]) -> None:
    with pytest.raises(NetworkError, match="close_up"):
        make_spec("resnet10", close_up=levels)


@pytest.mark.parametrize("fields", VARIANTS, ids=lambda fields: " ".join(map(str, fields.values())))
def test_every_network_gives_five_scales_and_five_heads(fields: dict[str, object]) -> None:
    spec = make_spec(**fields, width=8, embedding=12, input_shape=SMALL)  # type: ignore[arg-type]
    network = build_network(spec).eval()
    x = network.prepare(torch.randint(0, 256, (2, *SMALL), dtype=torch.uint8))
    outputs = network(x)
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "sequence": (2, 5),
        "view": (2, 3),
        "contrast": (2, 2),
        "coverage": (2, 9),
        "spacing": (2,),
    }
    assert network.embed(x).shape == (2, 12)
    maps = network.encoder(x)
    assert len(maps) == 5
    for found, channels, strides in zip(maps, network.encoder.channels, network.encoder.strides, strict=True):
        assert found.shape[:2] == (2, channels)
        assert tuple(found.shape[2:]) == tuple(-(-n // s) for n, s in zip(SMALL, strides, strict=True))
    assert all(coarse.shape[1] >= fine.shape[1] for fine, coarse in pairwise(maps))


@pytest.mark.parametrize("fields", VARIANTS, ids=lambda fields: " ".join(map(str, fields.values())))
def test_every_parameter_is_trained(fields: dict[str, object]) -> None:
    spec = make_spec(**fields, width=8, embedding=12, input_shape=SMALL)  # type: ignore[arg-type]
    network = build_network(spec)
    outputs = network(torch.rand(2, 1, *SMALL))
    sum(value.square().sum() for value in outputs.values()).backward()  # type: ignore[union-attr]
    assert [name for name, value in network.named_parameters() if value.grad is None] == []


@pytest.mark.parametrize(
    ("spec", "expected_macs", "expected_parameters"),
    [
        (make_spec("paper"), 78.2, 62.8),
        (make_spec("resnet50"), 62.9, 48.2),
        (make_spec("resnet50", stem="isotropic"), 34.7, 48.2),
        (make_spec("resnet50", stem="dense"), 273.6, 48.2),
    ],
    ids=["paper", "anisotropic", "isotropic", "dense"],
)
def test_sizes_are_those_that_were_planned(
    spec: NetworkSpec, expected_macs: float, expected_parameters: float
) -> None:
    macs, parameters = multiply_adds(spec)
    assert macs == pytest.approx(expected_macs, abs=0.05)
    assert parameters == pytest.approx(expected_parameters, abs=0.05)


def test_the_paper_network_is_a_resnet50_with_an_embedding_of_1000() -> None:
    spec = make_spec("paper")
    assert (spec.network, spec.input_shape, spec.embedding) == ("resnet50", (48, 192, 192), 1000)
    assert spec.outputs == {"sequence": 5, "view": 3, "contrast": 2, "coverage": 9, "spacing": 1}
    with torch.device("meta"):
        convolutions = [m for m in build_network(spec).modules() if isinstance(m, nn.Conv3d)]
    assert len(convolutions) == 1 + 16 * (3 + 1)  # stem; three and a projection in each of 16 units


def test_depths_count_their_layers() -> None:
    for name, depth in DEPTHS.items():
        layers = 2 + sum(depth.units) * (3 if depth.bottleneck else 2)
        assert name == f"resnet{layers}"


def test_dilated_stages_keep_their_size() -> None:
    spec = make_spec("resnet10", width=4, stem="isotropic", dilated=True, input_shape=(32, 32, 32))
    maps = build_network(spec).encoder(torch.rand(1, 1, 32, 32, 32))
    assert [found.shape[-1] for found in maps] == [16, 8, 4, 4, 4]


def test_grey_levels_are_prepared_in_one_place() -> None:
    levels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 1, 3)
    prepared = build_network(make_spec("resnet10", width=2)).prepare(levels)
    assert prepared.dtype == torch.float32
    assert prepared.shape == (1, 1, 1, 1, 3)
    assert prepared.flatten().tolist() == pytest.approx([0.0, 0.2, 1.0])


def test_spacing_is_told_in_millimetres() -> None:
    spec = make_spec("resnet10", width=2, spacing_mean_mm=5.0, spacing_std_mm=2.0)
    network = build_network(spec)
    head = network.heads["spacing"]
    nn.init.zeros_(head.weight)
    nn.init.constant_(head.bias, 1.5)
    assert network(torch.rand(2, 1, *SMALL))["spacing"].tolist() == pytest.approx([8.0, 8.0])


def test_spacing_stays_float32_under_bfloat16() -> None:
    network = build_network(make_spec("resnet10", width=2))
    with torch.autocast("cpu", torch.bfloat16):
        outputs = network(torch.rand(2, 1, *SMALL))
    assert outputs["sequence"].dtype == torch.bfloat16
    assert outputs["spacing"].dtype == torch.float32


def test_group_norm_does_not_depend_on_the_batch() -> None:
    torch.manual_seed(0)
    network = build_network(make_spec("resnet10", width=8, norm="group"))
    x = torch.rand(3, 1, *SMALL)
    assert torch.allclose(network.embed(x)[:1], network.embed(x[:1]), atol=1e-5)


def test_heads_follow_the_configured_classes() -> None:
    spec = make_spec("resnet10", width=2, sequences=("ct", "dwi"), regions=("brain", "liver", "pelvis"))
    outputs = build_network(spec)(torch.rand(2, 1, *SMALL))
    assert outputs["sequence"].shape == (2, 2)
    assert outputs["coverage"].shape == (2, 3)


def test_a_spec_survives_json() -> None:
    spec = make_spec("paper", norm="group", spacing_mean_mm=4.25)
    assert NetworkSpec.model_validate(json.loads(spec.model_dump_json())) == spec
    assert make_spec("resnet50", stem="dense").stem == STEMS["dense"]


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"widht": 3}, "widht"),
        ({"width": 0}, "width"),
        ({"stem": "huge"}, "unknown stem 'huge'; known are anisotropic"),
        ({"sequences": ("ct", "ct")}, "sequences names a class twice"),
        ({"views": ()}, "views"),
        ({"unit": "pre", "dilated": True}, "no dilation"),
        ({"spacing_std_mm": 0}, "spacing_std_mm"),
    ],
    ids=str,
)
def test_a_wrong_spec_is_refused(fields: dict[str, object], match: str) -> None:
    with pytest.raises(NetworkError, match=match):
        make_spec("resnet50", **fields)


def test_an_unknown_network_is_refused_with_the_nearest() -> None:
    with pytest.raises(NetworkError, match=r"unknown network 'resnet5'; did you mean 'resnet50'\?"):
        build_network(make_spec("resnet5"))


def test_a_backbone_of_another_package_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name = "tiny"

        @staticmethod
        def load() -> object:
            return lambda spec: BACKBONES["resnet10"](spec.model_copy(update={"network": "resnet10"}))

    monkeypatch.setattr(
        "radnet.networks.build.entry_points", lambda group: [Entry] * (group[7:] == "backbones")
    )
    assert backbone_names()[-1] == "tiny"
    assert build_network(make_spec("tiny", width=2)).encoder.channels == (2, 2, 4, 8, 16)
