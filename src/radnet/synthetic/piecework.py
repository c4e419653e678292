"""Fill a folder piece by piece, so that a killed run leaves nothing half and can go on.

A piece is written below the folder's hidden desk, and its files are renamed to their places once the last of
them is whole; then its record is written, which vouches for it. The desk is removed when everything is there.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from radnet.errors import ExecutorError, SourceError
from radnet.executors import Crashed, Workers, map_chunks
from radnet.workspace import write_text

DESK_NAME: Final = ".unfinished"
PLAN_NAME: Final = "plan.json"
LOCK_NAME: Final = "lock"
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers of a disk, a quota or a file that can grow no more."""
REFUSED: Final = (
    errno.EACCES,
    errno.EIO,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)
"""Error numbers of a place that cannot be written."""

Plan = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class Piecework:
    """A folder that is being filled; cheap to hand to a worker.

    Attributes:
        out: The folder.
    """

    out: Path

    def record(self, piece: str) -> dict[str, Any] | None:
        """Return what `finish` was told of a piece; None when it is not finished."""
        try:
            return dict(json.loads((self._desk / f"{piece}.json").read_text("utf-8")))
        except FileNotFoundError:
            return None

    def begin(self, piece: str) -> Path:
        """Return an empty folder to write a piece in, with the paths that it will have below `out`."""
        folder = self._desk / piece
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        return folder

    def finish(self, piece: str, record: Mapping[str, Any]) -> None:
        """Move the files of a piece to their places and vouch for them.

        Args:
            piece: Its name.
            record: Whatever is to be known of it later, as JSON can say it.
        """
        folder = self._desk / piece
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            target = self.out / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        write_text(self._desk / f"{piece}.json", json.dumps(record))
        shutil.rmtree(folder)

    def write_csv(self, name: str, header: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
        """Write a table of the folder, which appears whole or not at all.

        Args:
            name: Of the file below `out`.
            header: Names of the columns.
            rows: Values; None becomes an empty cell.
        """
        draft = self._desk / name
        with draft.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerow(header)
            writer.writerows(rows)
        draft.replace(self.out / name)

    @property
    def _desk(self) -> Path:
        return self.out / DESK_NAME


@contextmanager
def piecework(out: Path, plan: Plan, last: str) -> Iterator[Piecework]:
    """Hold a folder while it is filled; its desk is removed when the block ends without an error.

    Args:
        out: The folder; must be new, empty, or left unfinished by the same plan.
        plan: What it will hold; the same plan must make the same bytes.
        last: Name of the file that is written last, by which a whole folder is known.

    Raises:
        SourceError: If the folder holds something else, another process fills it, or it cannot be written.
    """
    desk = out / DESK_NAME
    try:
        _check(out, plan, last)
        desk.mkdir(parents=True, exist_ok=True)
        with _lock(desk):
            write_text(desk / PLAN_NAME, json.dumps(dict(plan)))
            yield Piecework(out)
            shutil.rmtree(desk)
    except OSError as error:
        if error.errno in FULL:
            raise SourceError(
                f"{out} could not be written to its end ({_reason(error)}); free some room and give the same "
                "command again: what is finished is kept"
            ) from error
        if error.errno in REFUSED:
            raise SourceError(f"{out} cannot be written ({_reason(error)}); name another folder") from error
        raise


def make_pieces(
    work: Piecework,
    names: Sequence[str],
    make: Callable[[Sequence[int]], Sequence[int]],
    workers: Workers,
) -> Iterator[int]:
    """Make the pieces that are not finished.

    Args:
        work: The folder.
        names: Of all pieces.
        make: Makes the pieces at these places of `names` and returns the places; importable and picklable.
        workers: Where it runs.

    Yields:
        The place of every piece: of the finished ones at once, of the others when they are.

    Raises:
        ExecutorError: If a worker dies, or none can be started.
    """
    todo = [place for place, name in enumerate(names) if work.record(name) is None]
    yield from sorted(set(range(len(names))) - set(todo))
    for result in map_chunks(make, ([place] for place in todo), workers):
        if isinstance(result, Crashed):
            raise ExecutorError(
                f"the worker that made {names[result.item]} died, perhaps for want of memory; give the same "
                "command again with fewer --workers: what is finished is kept"
            )
        yield from result


def check_numbers(patients: int, seed: int) -> None:
    """Refuse numbers that no archive has.

    Raises:
        SourceError: If there are no patients or the seed is negative.
    """
    if patients < 1:
        raise SourceError(f"--patients {patients}: must be at least 1")
    if seed < 0:
        raise SourceError(f"--seed {seed}: must not be negative")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0)


def _check(out: Path, plan: Plan, last: str) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise SourceError(f"{out} is a file; name a folder, new or empty")
    found = {path.name for path in out.iterdir()}
    if not found:
        return
    if last in found:
        raise SourceError(
            f"{out} is already whole: it has its {last}; name another folder, or delete it first"
        )
    if DESK_NAME not in found:
        raise SourceError(f"{out} is not an empty folder; name another, or delete it first")
    begun = _read_plan(out)
    if begun is not None and begun != dict(plan):
        asked = ", ".join(f"{key} {value}" for key, value in begun.items())
        raise SourceError(
            f"{out} was begun with {asked} and is not finished; ask for the same to go on, "
            "name another folder, or delete it first"
        )


def _read_plan(out: Path) -> dict[str, Any] | None:
    """Return the plan of an unfinished folder; None when the run ended before it was written."""
    path = out / DESK_NAME / PLAN_NAME
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise SourceError(f"{path} is damaged; delete {out} and begin again") from error


@contextmanager
def _lock(desk: Path) -> Iterator[None]:
    """Hold a desk for this process; the system frees it when the process ends, however it ends."""
    import fcntl  # POSIX only, and only needed here

    with (desk / LOCK_NAME).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SourceError(
                f"{desk.parent} is being filled by another radnet process; wait for it, or name another"
            ) from error
        yield
