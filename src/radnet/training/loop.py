"""The loop: steps, validation, the best model, and a state from which the same command goes on.

Order, augmentation, dropout and learning rate are functions of seed, epoch and step, so that the state is the
weights, their average, the optimiser's tensors, and counters. A training that was stopped and goes on gives
the weights of an undisturbed one: bit by bit on a CPU.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Generic

import torch
from lightning_fabric import Fabric
from torch import Tensor

from radnet.config import TrainingConfig
from radnet.errors import TrainingError
from radnet.executors import Progress, silent
from radnet.training.average import Average
from radnet.training.board import Board
from radnet.training.convolutions import lengthen_convolutions
from radnet.training.history import write_history
from radnet.training.optimiser import learning_rate, make_optimizer, set_learning_rate
from radnet.training.order import Rows, epoch_steps, plain_batches, read_ahead, steps_in_epoch
from radnet.training.state import (
    load_state,
    optimizer_tensors,
    prefixed,
    restore_optimizer,
    save_state,
    under,
)
from radnet.training.stopping import StopRequest
from radnet.training.task import B, Part, Task

STATE_NAME: Final = "resume.safetensors"
CLOCK_STEPS: Final = 100_000
"""Into which a limit of time is divided for the learning rate."""
CHECK_STEPS: Final = 25
"""Steps after which the sums are looked at for what is not finite; looking makes the device wait."""


@dataclass(slots=True)
class Counters:
    """What a training has reached.

    Attributes:
        step: Steps done.
        best: Least validation loss, or what the task takes instead.
        best_epoch: When; None before the first validation.
        history: A row an epoch.
        seconds: Spent in steps.
    """

    step: int = 0
    seconds: float = 0.0
    best: float = math.inf
    best_epoch: int | None = None
    history: list[dict[str, float]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return plain data; JSON has no infinity."""
        return asdict(self) | {"best": self.best if self.best_epoch is not None else None}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Counters:
        """Make counters of what `as_json` returned."""
        return cls(**{**plain, "best": math.inf if plain["best"] is None else plain["best"]})


@dataclass(frozen=True, slots=True)
class Budget:
    """When a training ends, if that is before its epochs do.

    Attributes:
        steps: Most of them.
        seconds: Most time in steps. Learning rates then follow the clock, and a training that was stopped and
            goes on is no longer equal to an undisturbed one bit by bit.
    """

    steps: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a training ended.

    Attributes:
        finished: False when it was stopped and the same command goes on.
        stopped_early: Whether validation had not become better for long.
        epochs: Done.
        best_epoch: Whose weights were kept, from 0; None when none is done.
        history: A row an epoch.
    """

    finished: bool
    stopped_early: bool
    epochs: int
    best_epoch: int | None
    history: list[dict[str, float]]


class Loop(Generic[B]):
    """Train a task.

    Args:
        fabric: Launched.
        task: What to train; its weights must be those of the seed.
        training: Rows to train on.
        validation: Rows to validate on.
        config: How.
        folder: Where state and history go.
        settings: What must be equal for a training to go on from a state.
        keep_best: Keeps a task whose validation is the best so far.
        budget: What else ends the training.
        keep_last: Whether each validation's task is kept, better or not.

    Raises:
        TrainingError: If there is a state of other settings, or a damaged one.
    """

    def __init__(
        self,
        fabric: Fabric,
        task: Task[B],
        training: Part[B],
        validation: Part[B],
        config: TrainingConfig,
        folder: Path,
        settings: Mapping[str, Any],
        keep_best: Callable[[Task[B]], None],
        budget: Budget = Budget(),
        keep_last: bool = False,
    ) -> None:
        self._fabric, self._config, self._folder = fabric, config, folder
        self._training, self._validation = training, validation
        self._settings, self._keep_best = dict(settings), keep_best
        lengthen_convolutions(task)
        self._task = task.to(fabric.device)
        self._average = Average(self._task, config.ema_decay)
        self._optimizer = make_optimizer(self._task, config, self._task.rate_share)
        self._module, self._stepper = fabric.setup(self._task, self._optimizer)
        self._steps = steps_in_epoch(training.n_rows, config.batch_size, config.accumulate, fabric.world_size)
        self._keep_last = keep_last
        self._budget, most = budget, config.epochs * self._steps
        self._total = most if budget.steps is None else min(budget.steps, most)
        self.counters = Counters()
        self._running = torch.zeros(0)
        self._saved_at = time.monotonic()
        if (folder / STATE_NAME).exists():
            self._resume(folder / STATE_NAME)

    @property
    def average(self) -> Task[B]:
        """The task with the weights that are evaluated."""
        averaged = self._average.module
        assert isinstance(averaged, Task)
        return averaged

    def run(self, progress: Progress = silent) -> Outcome:
        """Train to the end, or until a signal asks to stop.

        Args:
            progress: Called with steps done.

        Raises:
            TrainingError: If the loss is no number any more, or a state cannot be written.
        """
        board = self._board()
        with StopRequest() as stop:
            while not self._ended() and not self._waited_long():
                if not self._epoch(stop, lambda: progress(self.counters.step, self._total)):
                    self._save()
                    return self._outcome(finished=False)
                self._close_epoch(board)
        if board:
            board.close()
        return self._outcome(finished=True)

    def _outcome(self, finished: bool) -> Outcome:
        counters = self.counters
        early = finished and self._spent() < 1
        return Outcome(finished, early, len(counters.history), counters.best_epoch, counters.history)

    def _spent(self) -> float:
        """Return the share of the budget that is used up; 1 and more ends the training."""
        seconds = self._budget.seconds
        spent = 0.0 if seconds is None else self.counters.seconds / seconds
        return max(spent, self.counters.step / self._total)

    def _ended(self) -> bool:
        """Say whether the budget is used up and the last step was validated."""
        closed = self.counters.history[-1]["step"] if self.counters.history else 0
        return self._spent() >= 1 and closed == self.counters.step

    def _rate(self, step: int) -> float:
        """Return the learning rate of a step; with a limit of time, that of the time that is spent."""
        if self._budget.seconds is None:
            return learning_rate(step, self._total, self._config)
        return learning_rate(int(min(self._spent(), 1) * CLOCK_STEPS), CLOCK_STEPS, self._config)

    def _waited_long(self) -> bool:
        done, best = len(self.counters.history), self.counters.best_epoch
        return bool(self._config.patience) and best is not None and done - 1 - best >= self._config.patience

    def _epoch(self, stop: StopRequest, tell: Callable[[], None]) -> bool:
        """Do the steps that are left of this epoch; return False when asked to stop."""
        epoch = len(self.counters.history)
        done = self.counters.step - epoch * self._steps
        plan = epoch_steps(
            self._training.n_rows,
            self._config.seed,
            epoch,
            self._config.batch_size,
            self._config.accumulate,
            self._fabric.world_size,
        )[done:, :, self._fabric.global_rank]
        batches = plan.reshape(-1, self._config.batch_size)
        ahead = read_ahead(self._training.read, batches, self._config.readers)
        self._task.train()
        for rows in plan:
            if self._spent() >= 1:
                break
            begun = time.monotonic()
            self._step(ahead, rows, epoch)
            self.counters.seconds += time.monotonic() - begun
            tell()
            if self.counters.step % CHECK_STEPS == 0:
                self._refuse_infinite()
            if self._asked(stop):
                return False
            if time.monotonic() - self._saved_at > 60 * self._config.checkpoint_minutes:
                self._save()
        return True

    def _step(self, ahead: Iterator[B], rows: Rows, epoch: int) -> None:
        """Do one step of as many batches as are accumulated."""
        step, fabric = self.counters.step, self._fabric
        set_learning_rate(self._optimizer, self._rate(step))
        self._task.begin_step(self._spent())
        torch.manual_seed(_mix(self._config.seed, step, fabric.global_rank))  # dropout
        for number, own in enumerate(rows, 1):
            batch = self._task.vary(fabric.to_device(next(ahead)), own, epoch)
            with fabric.no_backward_sync(self._module, enabled=number < len(rows)):
                sums = self._over_devices(self._module(batch))
                fabric.backward(self._task.loss(sums) / len(rows))
            self._add(sums)
        if self._config.clip_norm:
            fabric.clip_gradients(
                self._module, self._stepper, max_norm=self._config.clip_norm, error_if_nonfinite=False
            )
        self._stepper.step()
        self._optimizer.zero_grad()
        self._average.update(step)
        self.counters.step += 1

    def _over_devices(self, sums: Tensor) -> Tensor:
        """Add the sums of all devices, so that gradients are those of the whole batch.

        Gradients of several devices are averaged afterwards, so what comes of the own sums counts as often as
        there are devices.
        """
        world_size = self._fabric.world_size
        if world_size == 1:
            return sums
        own = sums.detach()
        summed = self._fabric.all_reduce(own.clone(), reduce_op="sum")
        assert isinstance(summed, Tensor)
        return summed + world_size * (sums - own)

    def _add(self, sums: Tensor) -> None:
        sums = sums.detach().double()
        self._running = self._running.to(sums.device) + sums if self._running.numel() else sums

    def _refuse_infinite(self, *losses: float) -> None:
        """Refuse to go on from sums, or losses, that are no finite numbers."""
        if not torch.isfinite(self._running).all() or not all(map(math.isfinite, losses)):
            raise TrainingError(
                f"{self._folder}: the loss was no finite number before step {self.counters.step}; "
                "lower lr or set precision = '32-true' in another run; the last good checkpoint is left"
            )

    def _asked(self, stop: StopRequest) -> bool:
        """Say whether any process was asked to stop."""
        if self._fabric.world_size == 1:
            return stop.made
        flag = torch.tensor(float(stop.made), device=self._fabric.device)
        asked = self._fabric.all_reduce(flag, reduce_op="sum")
        assert isinstance(asked, Tensor)
        return bool(asked > 0)

    def _close_epoch(self, board: Board | None) -> None:
        """Validate, keep the best, and write history and state."""
        self._refuse_infinite()
        epoch = len(self.counters.history)
        validation = self.average.figures(self._validate())
        self._refuse_infinite(validation["loss"])
        training = self._task.figures(self._running.cpu())
        rate = self._rate(self.counters.step - 1)
        row = {"epoch": float(epoch), "step": float(self.counters.step), "lr": rate}
        row |= {f"training_{name}": value for name, value in training.items()}
        row |= {f"validation_{name}": value for name, value in validation.items()}
        self.counters.history.append(row)
        self._running = torch.zeros(0)
        merit = self._task.merit(validation)
        if self._keep_last or merit < self.counters.best:
            self.counters.best, self.counters.best_epoch = merit, epoch
            if self._fabric.is_global_zero:
                self._keep_best(self.average)
        self._save()
        if board:
            write_history(self._folder, self.counters.history)
            board.write(row)

    @torch.no_grad()
    def _validate(self) -> Tensor:
        """Return (terms, 2) sums over all validation rows of all devices."""
        fabric, task = self._fabric, self.average
        task.eval()
        size = self._config.batch_size
        batches = plain_batches(self._validation.n_rows, size, fabric.global_rank, fabric.world_size)
        total = torch.zeros(0)
        for batch in read_ahead(self._validation.read, batches, self._config.readers):
            with fabric.autocast():
                sums = task(fabric.to_device(batch)).double().cpu()
            total = total + sums if total.numel() else sums
        return self._gathered(total)

    def _gathered(self, sums: Tensor) -> Tensor:
        """Add the validation sums of all devices; one without rows has none."""
        if self._fabric.world_size == 1:
            return sums
        shape = tuple(self._running.shape)
        own = sums if sums.numel() else torch.zeros(shape, dtype=torch.float64)
        summed = self._fabric.all_reduce(own.to(self._fabric.device), reduce_op="sum")
        assert isinstance(summed, Tensor)
        return summed.cpu()

    def _board(self) -> Board | None:
        if not self._fabric.is_global_zero:
            return None
        return Board(self._folder, len(self.counters.history))

    def _save(self) -> None:
        """Write the state, unless the sums say that it is none to go on from."""
        self._refuse_infinite()
        self._saved_at = time.monotonic()
        if not self._fabric.is_global_zero:
            return
        tensors = {
            **prefixed("task", self._task.state_dict()),
            **(prefixed("average", self.average.state_dict()) if self._config.ema_decay else {}),
            **prefixed("optimizer", optimizer_tensors(self._optimizer)),
            "running": self._running,
        }
        plain = {"settings": self._settings, "counters": self.counters.as_json()}
        save_state(self._folder / STATE_NAME, tensors, plain)

    def _resume(self, path: Path) -> None:
        tensors, plain = load_state(path)
        refuse_other_settings(path.parent, plain["settings"], self._settings)
        self._task.load_state_dict(under("task", tensors))
        if self._config.ema_decay:
            self.average.load_state_dict(under("average", tensors))
        restore_optimizer(self._optimizer, under("optimizer", tensors))
        self._running = tensors["running"]
        self.counters = Counters.from_json(plain["counters"])


def refuse_other_settings(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with other settings than a training was begun with.

    Raises:
        TrainingError: If a setting differs; names the first.
    """
    differing = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    if differing:
        name = differing[0]
        more = f" (and {len(differing) - 1} more differ)" if len(differing) > 1 else ""
        raise TrainingError(
            f"{folder} was begun with {name} {before.get(name)}, now it is {now.get(name)}{more}; go on with "
            "the settings of before, name another --run, or delete the folder"
        )


def _mix(seed: int, step: int, rank: int) -> int:
    """Make a seed of three numbers."""
    return (seed * 1_000_003 + step) * 1_009 + rank
