"""The folder that holds what the stages make, and the record beside each artefact.

A record says with which configuration and from which inputs an artefact was made, so that `radnet status` can
tell fresh from stale. The whole workspace can be deleted at any time: nothing in it is the only copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from radnet.errors import WorkspaceError

RECORD_NAME: Final = "record.json"
BLOCK_BYTES: Final = 1 << 20
KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Record:
    """How an artefact was made.

    Attributes:
        stage: Name of the stage.
        version: RADNet's version.
        config: The resolved configuration tables that the stage reads.
        inputs: Digest by input name.
        outputs: Digest by file name within the stage's folder.
        made: UTC time, ISO 8601.
    """

    stage: str
    version: str
    config: dict[str, Any]
    inputs: dict[str, str]
    outputs: dict[str, str]
    made: str


class Workspace:
    """A folder with one sub-folder a stage; each is made when first asked for."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).resolve()
        if self.root.exists() and not self.root.is_dir():
            raise WorkspaceError(f"{root} is a file; --work needs a folder")
        try:
            str(self.root).encode()
        except UnicodeEncodeError as error:
            raise WorkspaceError(
                f"{root!a} is no UTF-8 name; tables need one, so use another --work"
            ) from error

    def folder(self, name: str) -> Path:
        """Return the sub-folder of that name, e.g. `1-scan`, and make it if needed.

        Raises:
            WorkspaceError: If it cannot be made.
        """
        path = self.root / name
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WorkspaceError(f"{path} cannot be made ({error.strerror})") from error
        return path

    def write_record(
        self,
        stage: str,
        folder: str,
        config: Mapping[str, Any],
        inputs: Mapping[str, str],
        outputs: tuple[str, ...],
        version: str,
    ) -> None:
        """Say how the artefacts of a folder were made; written last, so that it vouches for them.

        Args:
            stage: Name of the stage.
            folder: Its sub-folder.
            config: The configuration tables it read, as plain data.
            inputs: Digests of what it read.
            outputs: Names of the files it wrote, digested here.
            version: RADNet's version.
        """
        digests = {name: digest_file(self.root / folder / name) for name in outputs}
        made = datetime.now(UTC).isoformat(timespec="seconds")
        record = Record(stage, version, dict(config), dict(inputs), digests, made)
        write_text(
            self.folder(folder) / RECORD_NAME, json.dumps(asdict(record), indent=1, default=str) + "\n"
        )

    def read_record(self, folder: str) -> Record | None:
        """Return the record of a folder, or None when there is none or it is damaged."""
        try:
            return Record(**json.loads((self.root / folder / RECORD_NAME).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @contextmanager
    def lock(self, name: str, wait: bool = False) -> Iterator[None]:
        """Hold a stage for this process; the system frees it when the process ends, however it ends.

        Args:
            name: Sub-folder that is held.
            wait: Whether to wait for another process that holds it.

        Raises:
            WorkspaceError: If another process holds it and `wait` is not set.
        """
        import fcntl  # POSIX only, and only needed here

        path = self.folder(name) / ".lock"
        with path.open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise WorkspaceError(
                    f"{path.parent} is being written by another radnet process; "
                    "wait for it, or use another --work"
                ) from error
            yield


def digest_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file so that it appears whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def patient_key(path: Path) -> bytes:
    """Read the secret that keys patients' hashes, and make it (mode 600) if it is not there.

    Two processes that start together end with the same key: the one that links its file first wins.

    Raises:
        WorkspaceError: If the file cannot be read or made, or is shorter than 16 bytes.
    """
    try:
        if not path.exists():
            _make_key(path)
        key = path.read_bytes().strip()
    except OSError as error:
        raise WorkspaceError(f"{path}: the patient key cannot be read or made ({error.strerror})") from error
    if len(key) < 16:
        raise WorkspaceError(f"{path}: the patient key is shorter than 16 bytes; delete it to get a new one")
    return key


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(secrets.token_hex(KEY_BYTES) + "\n")
    try:
        os.link(partial, path)
    except FileExistsError:
        pass
    finally:
        partial.unlink()
