"""The segmentation network: any window, any encoder, and what is frozen."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from radnet.errors import NetworkError
from radnet.networks.build import build_encoder
from radnet.networks.decoder import _to_channels, _to_places
from radnet.networks.freezing import FREEZES, encoder_blocks, frozen_modules
from radnet.networks.medicalnet import medicalnet_spec
from radnet.networks.segmentation import SegmentationNetwork, build_segmentation
from radnet.networks.segmenter_spec import make_segmenter_spec
from radnet.networks.spec import make_spec

SPECS = {
    "anisotropic": make_spec("resnet10", width=4),
    "isotropic": make_spec("resnet18", width=4, stem="isotropic", norm="group"),
    "dense": make_spec("resnet10", width=4, stem="dense"),
    "small": make_spec("resnet10", width=4, stem="small"),
    "bottleneck, pre-activation": make_spec("paper", width=4),
    "medicalnet": medicalnet_spec("resnet10", width=4),
    "medicalnet, padded": medicalnet_spec("resnet18", width=4),
    "segresnet": make_spec("segresnet", width=64),
}
WINDOWS = [(16, 32, 32), (9, 17, 23), (8, 8, 8)]


def network(spec: Any = SPECS["small"], **fields: Any) -> SegmentationNetwork:
    torch.manual_seed(0)
    return build_segmentation(make_segmenter_spec({"backbone": spec, "window": (16, 32, 32), **fields}))


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("decoder", ["light", "paper"])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_logits_have_the_size_of_any_window(spec: Any, decoder: str, window: tuple[int, ...]) -> None:
    net = network(spec, decoder=decoder).eval()
    with torch.no_grad():
        assert net(torch.rand(2, 1, *window)).shape == (2, *window)


@pytest.mark.parametrize("decoder", ["light", "paper"])
def test_every_parameter_learns(decoder: str) -> None:
    net = network(decoder=decoder, decoder_norm="batch")
    net(torch.rand(2, 1, 16, 32, 32)).square().sum().backward()
    assert [name for name, value in net.named_parameters() if value.grad is None] == []


def test_the_light_decoder_costs_less_than_the_encoder_and_the_wide_one_more() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    costs = {}
    with torch.device("meta"), torch.no_grad():
        for decoder in ("light", "paper"):
            spec = make_segmenter_spec(
                {"backbone": make_spec(), "window": (48, 192, 192), "decoder": decoder}
            )
            net, image = build_segmentation(spec), torch.empty(1, 1, 48, 192, 192)
            with FlopCounterMode(display=False) as encoder:
                maps = net.encoder(image)
            with FlopCounterMode(display=False) as counter:
                net.decoder(image, maps)
            costs[decoder] = counter.get_total_flops() / encoder.get_total_flops()
    assert costs["light"] < 0.25
    assert costs["paper"] > 1.5


@pytest.mark.parametrize("block", [(1, 2, 2), (2, 2, 2), (1, 1, 1), (2, 4, 1)], ids=str)
def test_voxels_become_channels_and_come_back(block: tuple[int, int, int]) -> None:
    image = torch.rand(2, 1, 5, 6, 7)
    channels = _to_channels(image, block)
    assert channels.shape[1] == block[0] * block[1] * block[2]
    assert torch.equal(_to_places(channels, block)[:, :, :5, :6, :7], image)


def frozen_names(net: SegmentationNetwork) -> set[str]:
    return {
        name.split(".")[0] + name.split(".")[1] if name.startswith("stages") else name.split(".")[0]
        for name, value in net.encoder.named_parameters()
        if not value.requires_grad
    }


@pytest.mark.parametrize(
    ("freeze", "frozen"),
    [
        ("none", set()),
        ("1", {"conv", "norm", "stages0"}),
        ("2", {"conv", "norm", "stages0", "stages1"}),
        ("3", {"conv", "norm", "stages0", "stages1", "stages2"}),
        ("all", {"conv", "norm", "stages0", "stages1", "stages2", "stages3"}),
    ],
)
def test_blocks_are_frozen_as_in_table_2(freeze: Any, frozen: set[str]) -> None:
    net = network()
    net.hold(freeze)
    assert frozen_names(net) == frozen
    learning = sum(value.numel() for value in net.parameters() if value.requires_grad)
    assert net.count_learning() == learning
    net.rest_encoder(True)
    assert all(not value.requires_grad for value in net.encoder.parameters())
    assert net.count_learning() == learning  # what rests learns later
    net.rest_encoder(False)
    assert frozen_names(net) == frozen


@pytest.mark.parametrize("freeze", [freeze for freeze in FREEZES if freeze != "none"])
def test_frozen_layers_do_not_move_at_all(freeze: Any) -> None:
    net = network()
    net.hold(freeze, "batch")
    held = frozen_modules(net.encoder, freeze)
    before = [{name: value.clone() for name, value in module.state_dict().items()} for module in held]
    moving = {name: value.clone() for name, value in net.state_dict().items()}
    optimizer = torch.optim.AdamW([value for value in net.parameters() if value.requires_grad], lr=0.1)
    for _ in range(3):
        net.train()
        net(torch.rand(2, 1, 16, 32, 32)).square().sum().backward()
        optimizer.step()
    for module, states in zip(held, before, strict=True):
        assert all(torch.equal(value, states[name]) for name, value in module.state_dict().items())
    changed = {name for name, value in net.state_dict().items() if not torch.equal(value, moving[name])}
    assert any(name.startswith("decoder") for name in changed)
    assert any("running_mean" in name for name in changed) == (freeze != "all")


def test_statistics_of_the_encoder_are_kept_unless_they_shall_follow() -> None:
    for statistics, moves in (("kept", False), ("batch", True)):
        net = network(decoder_norm="batch")
        net.hold("none", statistics)  # type: ignore[arg-type]
        before = net.encoder.norm.running_mean.clone()  # type: ignore[union-attr,operator]
        other = next(layer for layer in net.decoder.modules() if isinstance(layer, nn.BatchNorm3d))
        net.train()(torch.rand(2, 1, 16, 32, 32))
        assert torch.equal(net.encoder.norm.running_mean, before) != moves  # type: ignore[union-attr,arg-type]
        assert other.num_batches_tracked == 1  # the decoder's own always follow


def test_an_encoder_without_blocks_is_refused_by_name() -> None:
    with pytest.raises(NetworkError, match="Linear cannot be frozen block by block; use freeze = 'all'"):
        encoder_blocks(nn.Linear(2, 2))
    assert len(encoder_blocks(build_encoder(SPECS["segresnet"]))) == 5
    with pytest.raises(NetworkError, match="cannot freeze '4'; it must be all, 3, 2, 1, none"):
        network().hold("4")  # type: ignore[arg-type]


def test_faults_of_a_spec_are_told_at_once() -> None:
    with pytest.raises(NetworkError, match=r"window: a window has at least 8 .*; slice_mm: .*greater than 0"):
        network(window=(4, 32, 32), slice_mm=0)
    with pytest.raises(NetworkError, match="region 'leber' is none of the backbone's coverage head"):
        network(region="leber")
