"""A training step and inference of the network on a processor: ours against MONAI and against plain torch.

Interleaved in one run, on one core, CPU seconds: (training) ResNet50 in plain float32, and in bfloat16 with
channels last; MONAI's resnet50 with a stem of the same multiply-adds, both ways. (Inference) the backends of
a model folder. Ratios are to be read, not seconds: machines are shared.

    python benchmarks/networks.py --input-shape 48,192,192 --batch 1 --rounds 5
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from monai.networks.nets import resnet50
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from radnet.networks.build import LabelNetwork, build_network
from radnet.networks.export import export_model
from radnet.networks.folder import EXPORTED, save_model
from radnet.networks.model import load_model
from radnet.networks.spec import NetworkSpec, make_spec

RESULTS: Final = Path(__file__).parent / "results" / "networks.json"
LEAST_RATIO: Final = 1.8
"""Of bfloat16 over plain float32 in training, where the processor has bfloat16."""
Step = Callable[[], object]


class MonaiLabels(nn.Module):
    """MONAI's resnet50 in front of the same five heads."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.encoder = resnet50(
            n_input_channels=1,
            num_classes=spec.embedding,
            conv1_t_size=spec.stem.kernel,
            conv1_t_stride=spec.stem.stride,
            bias_downsample=False,
        )
        self.heads = nn.ModuleDict({name: nn.Linear(spec.embedding, n) for name, n in spec.outputs.items()})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return what `LabelNetwork` does."""
        embedding = functional.relu(self.encoder(x))
        outputs = {name: head(embedding) for name, head in self.heads.items()}
        return {**outputs, "spacing": outputs["spacing"].squeeze(1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input-shape", default="48,192,192")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # the other runtimes count these
    shape = tuple(int(size) for size in options.input_shape.split(","))
    spec = make_spec("resnet50", input_shape=shape)
    print(f"resnet50, batches of {options.batch} of {options.input_shape}; one core, CPU seconds a batch,")
    print(f"median of {options.rounds} interleaved rounds; bfloat16 in the processor: {has_bfloat16()}\n")
    volumes = np.random.default_rng(0).integers(0, 256, (options.batch, *shape), dtype=np.uint8)
    training = measure(training_steps(spec, volumes), options.rounds, "float32")
    show("training step", training)
    with tempfile.TemporaryDirectory() as folder:
        inference = measure(inference_steps(spec, volumes, Path(folder)), options.rounds, "torch float32")
    show("inference", inference)
    verdict = training["ratio"]["bfloat16"] >= LEAST_RATIO or not has_bfloat16()
    print(f"\nbfloat16 training at least {LEAST_RATIO} x float32: {'reached' if verdict else 'missed'}")
    sizes = {"input_shape": shape, "batch": options.batch, "rounds": options.rounds}
    found = {**sizes, "bfloat16": has_bfloat16(), "giga_multiply_adds": multiply_adds(spec)}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**found, "training": training, "inference": inference}, indent=1) + "\n")


def training_steps(spec: NetworkSpec, volumes: Any) -> dict[str, Step]:
    """Make a step of Adam for each way, each with weights of its own."""
    x = LabelNetwork.prepare(torch.from_numpy(volumes))
    return {
        "float32": training_step(build_network(spec), x, half=False),
        "bfloat16": training_step(build_network(spec), x, half=True),
        "MONAI float32": training_step(MonaiLabels(spec), x, half=False),
        "MONAI bfloat16": training_step(MonaiLabels(spec), x, half=True),
    }


def training_step(network: nn.Module, x: Tensor, half: bool) -> Step:
    if half:
        network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        x = x.to(memory_format=torch.channels_last_3d)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            outputs = network(x)
        loss_of(outputs).backward()
        optimiser.step()

    return step


def loss_of(outputs: dict[str, Tensor]) -> Tensor:
    """Add the paper's losses against arbitrary labels."""
    first = torch.zeros(len(outputs["spacing"]), dtype=torch.long)
    classes = [
        functional.cross_entropy(outputs[name].float(), first) for name in ("sequence", "view", "contrast")
    ]
    coverage = outputs["coverage"].float()
    regions = functional.binary_cross_entropy_with_logits(coverage, torch.zeros_like(coverage))
    return sum(classes, regions) + (outputs["spacing"].float() - 5).square().mean().sqrt()


def inference_steps(spec: NetworkSpec, volumes: Any, folder: Path) -> dict[str, Step]:
    save_model(folder, build_network(spec), spec, {})
    for form in EXPORTED:
        export_model(folder, form)
    ways = [("torch", "float32"), ("torch", "bfloat16"), ("onnx", "float32")]
    ways += [("openvino", "float32"), ("openvino", "bfloat16")]
    models = {f"{name} {kind}": load_model(folder, backend=name, precision=kind) for name, kind in ways}  # type: ignore[arg-type]
    return {name: lambda model=model: model.classify(volumes) for name, model in models.items()}  # type: ignore[misc]


def measure(steps: dict[str, Step], rounds: int, reference: str) -> dict[str, dict[str, float]]:
    """Run all steps in turn; return median seconds and how many times faster than the reference each is."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            start = time.process_time()
            step()
            if number:  # the first round warms up
                seconds[name].append(time.process_time() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    # rounds are neighbours in time, so their ratios are steadier than those of the medians
    ratios = {
        name: statistics.median(np.array(seconds[reference]) / np.array(values))
        for name, values in seconds.items()
    }
    return {
        "seconds": {name: round(value, 3) for name, value in medians.items()},
        "ratio": {name: round(float(value), 2) for name, value in ratios.items()},
    }


def show(title: str, found: dict[str, dict[str, float]]) -> None:
    print(f"{title:20}{'seconds':>10}{'speed':>8}")
    for name, seconds in found["seconds"].items():
        print(f"{name:20}{seconds:10.3f}{found['ratio'][name]:7.2f}x")


def multiply_adds(spec: NetworkSpec) -> dict[str, float]:
    """Count those of one volume, forward, of both networks."""
    counts = {}
    with torch.device("meta"):
        for name, network in (("ours", build_network(spec)), ("MONAI", MonaiLabels(spec))):
            with FlopCounterMode(display=False) as counter:
                network(torch.empty(1, 1, *spec.input_shape))
            counts[name] = round(counter.get_total_flops() / 2e9, 3)
    return counts


def has_bfloat16() -> bool:
    return "bf16" in Path("/proc/cpuinfo").read_text("utf-8")


if __name__ == "__main__":
    main()
