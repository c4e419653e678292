"""Losses and measures of segmentation, and what learns when."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from ellipsoids import SPEC, WINDOW, backbone, tiny
from torch import Tensor

from radnet.errors import NetworkError
from radnet.networks.segmentation import SegmentationNetwork
from radnet.networks.segmenter_spec import make_segmenter_spec
from radnet.training.optimiser import make_optimizer, set_learning_rate
from radnet.transfer.backbone import Backbone, first_encoder
from radnet.transfer.samples import Windows
from radnet.transfer.task import SegmentTask, soft_dice


def task(n_slots: int = 2, **settings: Any) -> SegmentTask:
    config = tiny(**settings)
    torch.manual_seed(0)
    spec, encoder = first_encoder(backbone(), config.init, config.encoder_norm)
    fields = {"backbone": spec, "window": WINDOW, "decoder_norm": config.decoder_norm}
    return SegmentTask(SegmentationNetwork(make_segmenter_spec(fields), encoder), config, n_slots)


def batch(masks: Tensor, slots: list[int]) -> Windows:
    images = torch.randint(0, 256, masks.shape, dtype=torch.uint8)
    return Windows(images, masks, torch.tensor(slots), torch.zeros(len(masks), dtype=torch.bool))


def test_dice_of_sure_logits_is_that_of_their_masks() -> None:
    truth = torch.zeros(3, 1, 4, 4)
    truth[0, 0, :2], truth[1, 0, :, :2] = 1, 1
    said = torch.zeros(3, 1, 4, 4)
    said[0, 0, 1:3] = 1
    said[1] = truth[1]
    logits = 60 * said - 30
    for squared in (True, False):
        found = soft_dice(logits, truth, squared)
        assert found[0] == pytest.approx(1 - 9 / 17, abs=1e-5)  # 2 x 4 of 8 + 8, a voxel added to both
        assert found[1:].tolist() == pytest.approx([0, 0], abs=1e-5)
    unsure = soft_dice(torch.zeros(1, 1, 4, 4), truth[:1], squared=True)
    assert unsure[0] == pytest.approx(1 - 9 / (4 + 8 + 1), abs=1e-5)
    assert soft_dice(torch.zeros(1, 1, 4, 4), truth[:1], squared=False)[0] == pytest.approx(
        1 - 9 / 17, abs=1e-5
    )


def test_the_dice_of_a_scan_is_over_all_its_windows() -> None:
    ours = task().eval()
    masks = torch.zeros(3, *WINDOW, dtype=torch.uint8)
    masks[0, :4], masks[2, :2] = 1, 1
    windows = batch(masks, [0, 0, 1])
    with torch.no_grad():
        sums = ours(windows)
        said = ours.network(ours.network.prepare(windows.images)) > 0
    expected = []
    for rows in ([0, 1], [2]):
        own, true = said[rows], masks[rows] > 0
        expected.append(2 * int((own & true).sum()) / int(own.sum() + true.sum()))
    figures = ours.figures(sums.double())
    assert figures["dice"] == pytest.approx(sum(expected) / 2)
    assert ours.merit(figures) == -figures["dice"]
    assert figures["loss"] == pytest.approx(figures["dice_loss"] + figures["cross_entropy"])
    parts = ours(windows._replace(**{name: getattr(windows, name)[:1] for name in windows._fields}))
    rest = ours(windows._replace(**{name: getattr(windows, name)[1:] for name in windows._fields}))
    assert torch.allclose(parts + rest, sums, atol=1e-4)  # as devices and batches add up


def test_scans_without_organ_and_mask_have_no_dice() -> None:
    ours = task()
    sums = torch.tensor([[1.0, 2.0], [1.0, 2.0], [0.0, 0.0], [4.0, 8.0]])
    assert ours.figures(sums)["dice"] == 0.5
    assert math.isnan(ours.figures(sums[:3])["dice"])


def test_the_paper_s_loss_is_dice_alone() -> None:
    paper = task(loss="dice")
    sums = torch.tensor([[1.0, 2.0], [6.0, 2.0], [1.0, 2.0]])
    assert float(paper.loss(sums)) == 0.5
    assert float(task().loss(sums)) == 3.5


def test_a_pretrained_encoder_learns_slower_and_rests_first() -> None:
    ours = task(decoder_first=0.25, encoder_lr_share=0.1)
    optimizer = make_optimizer(ours, tiny(), ours.rate_share)
    set_learning_rate(optimizer, 0.5)
    rates = {id(value): group["lr"] for group in optimizer.param_groups for value in group["params"]}
    assert {rates[id(value)] for value in ours.network.encoder.parameters()} == {0.05}
    assert {rates[id(value)] for value in ours.network.decoder.parameters()} == {0.5}
    learning = []
    for spent in (0.0, 0.2, 0.25, 0.9):
        ours.begin_step(spent)
        learning.append(all(value.requires_grad for value in ours.network.encoder.parameters()))
    assert learning == [False, False, True, True]


def test_an_encoder_from_scratch_learns_as_the_decoder_does() -> None:
    ours = task(init="scratch", decoder_first=0.25, encoder_lr_share=0.1)
    ours.begin_step(0.0)
    assert all(value.requires_grad for value in ours.network.encoder.parameters())
    assert {ours.rate_share(name) for name, _ in ours.named_parameters()} == {1.0}
    assert ours.train().network.encoder.norm.training  # type: ignore[union-attr]


def test_first_weights_are_the_model_s_or_random() -> None:
    ours = backbone()
    _, taken = first_encoder(ours, "pretrained")
    assert ours.encoder is not None
    state = ours.encoder.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in taken.state_dict().items())
    assert taken is not ours.encoder
    spec, fresh = first_encoder(ours, "scratch", "group")
    assert spec.norm == "group"
    assert not any("running" in name for name in fresh.state_dict())
    with pytest.raises(NetworkError, match="has batch normalisation; encoder_norm = 'group' is for init"):
        first_encoder(ours, "pretrained", "group")
    with pytest.raises(NetworkError, match="nothing has no weights to begin with; name a --model"):
        first_encoder(Backbone(SPEC, "nothing"), "pretrained")
