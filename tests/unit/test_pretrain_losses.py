"""Losses are those of torch on what is labelled, and blind to what is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from radnet.config import PretrainConfig
from radnet.errors import TrainingError
from radnet.networks.spec import NetworkSpec
from radnet.pretrain.checks import refuse_unlearnable
from radnet.pretrain.losses import LabelLosses
from radnet.pretrain.targets import Target, encode_targets

SPEC = NetworkSpec(spacing_mean_mm=3.0, spacing_std_mm=2.0)
N = 12
HEADS = ("sequence", "view", "contrast", "coverage", "spacing")


def frame(**columns: list[Any]) -> pl.DataFrame:
    rows = {
        "sequence": [SPEC.sequences[n % 5] for n in range(N)],
        "view": [SPEC.views[n % 3] for n in range(N)],
        "contrast": [SPEC.contrasts[n // 2 % 2] for n in range(N)],
        "coverage": [[SPEC.regions[n % 9], "pelvis"] if n % 4 else [] for n in range(N)],
        "effective_spacing_mm": [1.0 + n for n in range(N)],
    }
    return pl.DataFrame({**rows, **columns})


def outputs(seed: int = 0, n: int = N) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = {head: (n, count) for head, count in SPEC.outputs.items()} | {"spacing": (n,)}
    return {name: torch.randn(shape, generator=generator).requires_grad_() for name, shape in shapes.items()}


def losses(targets: Mapping[str, Target], **settings: Any) -> LabelLosses:
    return LabelLosses(SPEC, PretrainConfig.model_validate(settings), targets)


def by_head(module: LabelLosses, sums: Tensor) -> dict[str, float]:
    return dict(zip(module.heads, module.head_losses(sums).tolist(), strict=True))


def test_labels_become_numbers_and_masks() -> None:
    found = encode_targets(
        frame(
            sequence=["ct", None, "stir", *["t2_se"] * 9],
            coverage=[[], None, ["brain", "pelvis"], *[["lung"]] * 9],
        ),
        SPEC,
    )
    assert found["sequence"].value[[0, 3]].tolist() == [0, 2]
    assert found["sequence"].known[:4].tolist() == [True, False, False, True]  # stir is no class here
    assert found["coverage"].known[:3].tolist() == [True, False, True]
    assert found["coverage"].value[0].sum() == 0
    assert found["coverage"].value[2].tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert found["spacing"].known.all()


def test_losses_are_those_of_torch() -> None:
    targets, given = encode_targets(frame(), SPEC), outputs()
    module = losses(targets)
    found = by_head(module, module(given, targets))
    for head in ("sequence", "view", "contrast"):
        expected = functional.cross_entropy(given[head], targets[head].value)
        assert found[head] == pytest.approx(expected.item(), rel=1e-5)
    expected = functional.binary_cross_entropy_with_logits(given["coverage"], targets["coverage"].value)
    assert found["coverage"] == pytest.approx(expected.item(), rel=1e-5)
    expected = functional.mse_loss(given["spacing"], targets["spacing"].value).sqrt() / SPEC.spacing_std_mm
    assert found["spacing"] == pytest.approx(expected.item(), rel=1e-5)
    total = module.total(module(given, targets))
    assert total.item() == pytest.approx(sum(found.values()), rel=1e-5)


@pytest.mark.parametrize("head", ["sequence", "view", "contrast", "coverage"])
def test_an_unknown_label_is_as_if_the_row_were_not_there(head: str) -> None:
    missing = frame(**{head: [None, None, *frame()[head].to_list()[2:]]})
    targets, given = encode_targets(missing, SPEC), outputs()
    module = losses(targets)
    module.total(module(given, targets)).backward()
    gradient = given[head].grad
    assert gradient is not None
    assert gradient[:2].abs().max() == 0
    rest = {name: Target(one.value[2:], one.known[2:]) for name, one in targets.items()}
    without = by_head(module, module({name: value[2:] for name, value in given.items()}, rest))
    assert by_head(module, module(given, targets))[head] == pytest.approx(without[head], rel=1e-5)


def test_a_batch_without_any_label_of_a_head_has_no_loss_and_a_gradient_of_zero() -> None:
    targets, given = encode_targets(frame(sequence=[None] * N), SPEC), outputs()
    for learned in (False, True):
        module = losses(targets, learn_head_weights=learned)
        total = module.total(module(given, targets))
        assert torch.isfinite(total)
        total.backward()
        gradient = given["sequence"].grad
        assert gradient is not None
        assert gradient.abs().max() == 0
        assert np.isnan(module.figures(module(given, targets))["sequence_accuracy"])


def test_sums_of_parts_give_the_loss_of_the_whole() -> None:
    """Parts with unequal numbers of labels, as devices have them."""
    targets = encode_targets(frame(contrast=[None] * 5 + ["no", "yes"] * 3 + ["no"]), SPEC)
    given = outputs()
    module = losses(targets, class_weights="balanced")
    parts = []
    for rows in (slice(0, 6), slice(6, N)):
        part = {name: Target(one.value[rows], one.known[rows]) for name, one in targets.items()}
        parts.append(module({name: value[rows] for name, value in given.items()}, part))
    whole = module(given, targets)
    assert float(module.total(parts[0] + parts[1])) == pytest.approx(float(module.total(whole)), rel=1e-6)


def test_heads_are_weighed_and_left_out() -> None:
    targets, given = encode_targets(frame(), SPEC), outputs()
    module = losses(targets, heads=["view", "spacing"], head_weights={"spacing": 0.25})
    found = by_head(module, module(given, targets))
    assert set(found) == {"view", "spacing"}
    total = float(module.total(module(given, targets)))
    assert total == pytest.approx(found["view"] + 0.25 * found["spacing"], rel=1e-6)


def test_learned_weights_go_to_where_kendall_puts_them() -> None:
    """The minimum of exp(-s) L + s / 2 over s lies at s = log(2 L)."""
    targets, given = encode_targets(frame(), SPEC), outputs()
    module = losses(targets, learn_head_weights=True)
    sums = module(given, targets).detach()
    assert module.log_variance is not None
    optimizer = torch.optim.Adam([module.log_variance], lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        module.total(sums).backward()
        optimizer.step()
    expected = torch.log(2 * module.head_losses(sums)).tolist()
    assert module.log_variance.tolist() == pytest.approx(expected, abs=0.01)


def test_balanced_classes_pull_alike() -> None:
    many = frame(view=["axial"] * 9 + ["coronal"] * 2 + ["sagittal"])
    targets = encode_targets(many, SPEC)
    module = losses(targets, class_weights="balanced")
    weights = module.view_weights
    assert weights.tolist() == pytest.approx([12 / 27, 2.0, 4.0])
    assert module.coverage_weights.max() == 10  # never more than 10 times
    given = {**outputs(), "view": torch.zeros(N, 3, requires_grad=True)}
    module.total(module(given, targets)).backward()
    gradient = given["view"].grad
    assert gradient is not None
    truth = targets["view"].value
    pulls = [float(gradient[truth == number, number].sum()) for number in range(3)]
    assert pulls == pytest.approx([pulls[0]] * 3, rel=1e-5)


def test_measures_count_what_is_right() -> None:
    targets = encode_targets(frame(view=[None, *frame()["view"].to_list()[1:]]), SPEC)
    given = {name: value.detach() for name, value in outputs().items()}
    given["view"] = functional.one_hot(targets["view"].value, 3).float()
    given["view"][1:3] = given["view"][1:3].roll(1, 1)
    given["coverage"] = targets["coverage"].value * 2 - 1
    given["coverage"][0, 0] = 5
    given["spacing"] = targets["spacing"].value + 0.5
    module = losses(targets)
    found = module.figures(module(given, targets))
    assert found["view_accuracy"] == pytest.approx(9 / 11)
    assert found["coverage_exact"] == pytest.approx(11 / 12)
    assert found["spacing_mae_mm"] == pytest.approx(0.5)


def test_a_perfect_spacing_has_a_finite_gradient() -> None:
    targets = encode_targets(frame(), SPEC)
    given = {**outputs(), "spacing": targets["spacing"].value.clone().requires_grad_()}
    module = losses(targets)
    module.total(module(given, targets)).backward()
    assert given["spacing"].grad is not None
    assert torch.isfinite(given["spacing"].grad).all()


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        (
            {"contrast": [None] * N},
            "none of the 12 training volumes has a label for the head 'contrast'",
        ),
        ({"sequence": ["ct"] * N}, "all 12 training volumes with a label for the head 'sequence' are 'ct'"),
        ({"sequence": ["stir"] * N}, "none of the 12 training volumes has a label for the head 'sequence'"),
        ({"coverage": [["lung"]] * N}, "all 12 training volumes with a label for the head 'coverage' cover"),
        (
            {"view": ["axial", None] * 6},
            "all 6 training volumes .* 'view' are 'axial', and one class",
        ),
    ],
    ids=["no label", "one class", "no class", "one coverage", "one known class"],
)
def test_what_teaches_nothing_is_refused_with_a_way_out(columns: dict[str, Any], match: str) -> None:
    targets = encode_targets(frame(**columns), SPEC)
    (head,) = columns
    others = ", ".join(f"'{name}'" for name in HEADS if name != head)
    with pytest.raises(TrainingError, match=match) as refused:
        refuse_unlearnable(targets, HEADS, SPEC)
    assert f"[pretrain] heads = [{others}]" in str(refused.value)
    refuse_unlearnable(targets, [name for name in HEADS if name != head], SPEC)
