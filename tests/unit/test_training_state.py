"""A state comes back as it was, whole or not at all."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from radnet.config import TrainingConfig
from radnet.errors import TrainingError
from radnet.training.average import Average
from radnet.training.optimiser import learning_rate, make_optimizer
from radnet.training.state import (
    load_state,
    optimizer_tensors,
    prefixed,
    restore_optimizer,
    save_state,
    under,
)


def test_tensors_and_plain_data_come_back(tmp_path: Path) -> None:
    tensors = {"a.b": torch.arange(6.0).reshape(2, 3), "empty": torch.zeros(0), "n": torch.tensor(3)}
    save_state(tmp_path / "state", tensors, {"best": 0.1 + 0.2, "history": [{"x": 1}], "none": None})
    found, plain = load_state(tmp_path / "state")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert plain == {"best": 0.1 + 0.2, "history": [{"x": 1}], "none": None}
    assert under("a", prefixed("a", {"b": tensors["n"]}))["b"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_memory_formats_do_not_matter(tmp_path: Path) -> None:
    tensor = torch.randn(2, 3, 4, 4, 4).to(memory_format=torch.channels_last_3d)
    save_state(tmp_path / "state", {"x": tensor}, {})
    assert torch.equal(load_state(tmp_path / "state")[0]["x"], tensor)


FULL_DISK = """
import resource, sys, torch
from pathlib import Path
from radnet.errors import TrainingError
from radnet.training.state import load_state, save_state
path = Path(sys.argv[1]) / "state"
save_state(path, {"x": torch.ones(3)}, {"step": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    save_state(path, {"x": torch.ones(100_000)}, {"step": 2})
except TrainingError as error:
    print(error)
print(load_state(path)[1], [other.name for other in path.parent.iterdir()])
"""


def test_a_full_disk_is_told_and_leaves_the_last_good_state(tmp_path: Path) -> None:
    """A limit on the size of files refuses a write midway, as a full disk does."""
    assert resource.RLIMIT_FSIZE  # POSIX
    outcome = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    told, kept = outcome.stdout.splitlines()
    assert "could not be written to its end; free some room on the disk" in told
    assert kept == "{'step': 1} ['state']"


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, "foreign"], ids=["empty", "zeros", "foreign"])
def test_a_damaged_state_is_refused(content: bytes | str, tmp_path: Path) -> None:
    path = tmp_path / "state"
    if isinstance(content, str):
        save_file({"x": torch.ones(1)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(TrainingError, match="state: is damaged, so the training cannot go on from it"):
        load_state(path)


@pytest.mark.parametrize("optimizer", ["adamw", "adam"])
def test_an_optimiser_goes_on_as_if_it_had_not_stopped(optimizer: str, tmp_path: Path) -> None:
    config = TrainingConfig.model_validate({"optimizer": optimizer, "lr": 0.1})

    def steps(module: nn.Module, state: torch.optim.Optimizer, count: int) -> None:
        for _ in range(count):
            state.zero_grad()
            module(torch.ones(1, 4)).square().sum().backward()
            state.step()

    torch.manual_seed(0)
    module = nn.Linear(4, 2)
    state = make_optimizer(module, config)
    steps(module, state, 3)
    save_state(tmp_path / "s", {**prefixed("m", module.state_dict()), **optimizer_tensors(state)}, {})
    steps(module, state, 3)

    other = nn.Linear(4, 2)
    tensors, _ = load_state(tmp_path / "s")
    other.load_state_dict(under("m", tensors))
    resumed = make_optimizer(other, config)
    restore_optimizer(resumed, {name: value for name, value in tensors.items() if not name.startswith("m.")})
    steps(other, resumed, 3)
    assert torch.equal(module.weight, other.weight)
    assert torch.equal(module.bias, other.bias)


def test_only_weights_decay() -> None:
    module = nn.Sequential(nn.Conv3d(1, 8, 3), nn.GroupNorm(2, 8))
    decayed, plain = make_optimizer(module, TrainingConfig(weight_decay=0.1)).param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(8, 1, 3, 3, 3)]
    assert decayed["weight_decay"] == 0.1
    assert len(plain["params"]) == 3
    assert plain["weight_decay"] == 0


def test_the_learning_rate_rises_and_falls() -> None:
    config = TrainingConfig(lr=1.0, warmup=0.1)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.001
    constant = TrainingConfig(lr=0.5, warmup=0.0, schedule="constant")
    assert {learning_rate(step, 10, constant) for step in range(10)} == {0.5}


def test_an_average_follows_weights_and_copies_counts() -> None:
    module = nn.BatchNorm1d(2)
    average = Average(module, 0.9)
    with torch.no_grad():
        module.weight += 1
    module(torch.randn(4, 2))
    average.update(1000)
    assert torch.allclose(average.module.weight, torch.full((2,), 1.1))
    assert average.module.num_batches_tracked == 1
    average.update(0)  # early on it follows nine tenths of the way
    assert torch.allclose(average.module.weight, torch.full((2,), 1.91))


def test_no_average_is_the_module_itself() -> None:
    module = nn.Linear(1, 1)
    average = Average(module, 0.0)
    average.update(5)
    assert average.module is module
