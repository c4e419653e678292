"""What a training step and a scan cost a segmenter, side by side: decoders, freezing, numbers, backends.

    python benchmarks/segmenter.py

Steps are whole ones: reading windows, varying them, forward, backward, optimiser. Times are medians of CPU
milliseconds on one thread: machines are shared.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from radnet.config import TransferConfig
from radnet.networks.build import build_encoder
from radnet.networks.segmentation import SegmentationNetwork
from radnet.networks.segmenter_spec import make_segmenter_spec
from radnet.networks.spec import make_spec
from radnet.training.optimiser import make_optimizer
from radnet.transfer.samples import WindowReader, training_starts
from radnet.transfer.task import SegmentTask

ROWS = [
    # stem, window, decoder, freeze, precision
    ("anisotropic", (32, 128, 128), "light", "none", "bf16"),
    ("anisotropic", (32, 128, 128), "light", "none", "f32"),
    ("anisotropic", (32, 128, 128), "light", "all", "bf16"),
    ("anisotropic", (32, 128, 128), "paper", "none", "bf16"),
    ("small", (32, 128, 128), "light", "none", "bf16"),
    ("anisotropic", (24, 96, 96), "light", "none", "bf16"),
    ("small", (24, 96, 96), "light", "none", "bf16"),
    ("small", (24, 96, 96), "light", "all", "bf16"),
]


@dataclass
class Scan:
    """A scan of noise with a block as mask."""

    case_id: str
    patient_id: str
    image: Any
    mask: Any
    modality: str = "MR"


def scan(window: tuple[int, int, int]) -> Scan:
    """Make a scan a half larger than a window."""
    shape = tuple(side * 3 // 2 for side in window)
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    mask = np.zeros(shape, np.uint8)
    mask[tuple(slice(side // 4, side // 2) for side in shape)] = 1
    return Scan("noise", "nobody", image, mask)


def main() -> None:
    """Print a row a setting."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--steps", type=int, default=6)
    chosen = arguments.parse_args()
    torch.set_num_threads(chosen.threads)
    print("resnet18 of width 24, batches of 2 windows; multiply-adds of one window, forward")
    print(
        f"{'stem':<12} {'window':<11} {'decoder':<8} {'freeze':<6} {'numbers':<7} "
        f"{'G enc':>6} {'G dec':>6} {'read':>6} {'vary':>6} {'step':>7} ms"
    )
    for row in ROWS:
        measure(*row, chosen.steps)


def measure(
    stem: str, window: tuple[int, int, int], decoder: str, freeze: str, precision: str, steps: int
) -> None:
    """Time the steps of one setting."""
    spec = make_spec("resnet18", width=24, stem=stem, embedding=8)
    fields = {"backbone": spec, "window": window, "decoder": decoder}
    network = SegmentationNetwork(make_segmenter_spec(fields), build_encoder(spec))
    config = TransferConfig(window=window, freeze=freeze, decoder_first=0.0)
    task = SegmentTask(network, config, 1)
    case = scan(window)
    settings = config.augmentation
    reader = WindowReader([case], [training_starts(case, window, None)], window, settings.slice_shift, True)
    optimizer = make_optimizer(task, config, task.rate_share)
    if precision == "bf16":
        task.to(memory_format=torch.channels_last_3d)
    task.train()
    times: list[list[float]] = []
    for number in range(steps):
        rows = np.array([2 * number, 2 * number + 1])
        ticks = [time.process_time()]
        batch = reader.read(rows)
        ticks.append(time.process_time())
        batch = task.vary(batch, rows, 0)
        ticks.append(time.process_time())
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = task.loss(task(batch))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        ticks.append(time.process_time())
        times.append([1000 * (after - before) for before, after in pairwise(ticks)])
    read, vary, learn = (statistics.median(part) for part in zip(*times[1:], strict=True))
    encoder, whole = costs(network, window)
    print(
        f"{stem:<12} {'x'.join(map(str, window)):<11} {decoder:<8} {freeze:<6} {precision:<7} "
        f"{encoder:>6.2f} {whole - encoder:>6.2f} {read:>6.0f} {vary:>6.0f} {read + vary + learn:>7.0f}",
        flush=True,
    )


def costs(network: SegmentationNetwork, window: tuple[int, int, int]) -> tuple[float, float]:
    """Return the multiply-adds in milliards of the encoder, and of all."""
    image = torch.zeros(1, 1, *window)
    found = []
    with torch.no_grad():
        for part in (network.encoder, network):
            with FlopCounterMode(display=False) as counter:
                part(image)
            found.append(counter.get_total_flops() / 2e9)
    return found[0], found[1]


if __name__ == "__main__":
    main()
