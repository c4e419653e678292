"""No file, however hostile, costs more than a reason and a bounded amount of memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from header_samples import KEY, MemoryBlob, encoded, image, pydicom_files
from hypothesis import given, settings
from hypothesis import strategies as st

from radnet.scan import reader
from radnet.scan.header import Row
from radnet.scan.skipped import STEPS, Skipped
from radnet.scan.walk import UnusualError
from radnet.tables import INSTANCE_COLUMNS

MEMORY_LIMIT_MIB = 400
SAMPLES = [path for path in pydicom_files() if 300 < path.stat().st_size < 60_000]
SEEDS = [path.read_bytes() for path in SAMPLES]


def _outcome(data: bytes) -> list[Row] | str:
    """Read without the last safety net, so that only what is expected may happen."""
    try:
        row, header, meta = reader.read_header(MemoryBlob(data))
        rows = reader._rows(row, header, meta, len(data), KEY)
    except Skipped as skipped:
        return skipped.reason
    except UnusualError:
        return "damaged"
    return rows


@settings(max_examples=800, deadline=None)
@given(data=st.data())
def test_mutated_files_give_rows_or_reasons(data: st.DataObject) -> None:
    mutated = bytearray(SEEDS[data.draw(st.integers(0, len(SEEDS) - 1))])
    limit = min(len(mutated), 4_000)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(128, limit - 1))
        size = data.draw(st.integers(1, 8))
        mutated[at : at + size] = data.draw(
            st.one_of(
                st.binary(min_size=size, max_size=size),
                st.sampled_from([b"", b"\xff" * size, bytes(size), b"SQ", b"UN\0\0\xff\xff\xff\xff"]),
            )
        )
    outcome = _outcome(bytes(mutated))
    if isinstance(outcome, str):
        assert outcome in STEPS
    else:
        assert all(set(row) <= set(INSTANCE_COLUMNS) for row in outcome)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_files_cut_anywhere_give_rows_or_reasons(data: st.DataObject) -> None:
    seed = SEEDS[data.draw(st.integers(0, len(SEEDS) - 1))]
    outcome = _outcome(seed[: data.draw(st.integers(0, len(seed)))])
    assert outcome in STEPS if isinstance(outcome, str) else outcome


def test_an_unexpected_error_costs_the_file_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(reader, "decode", fail)
    with pytest.raises(Skipped) as caught:
        reader.read_instances(MemoryBlob(encoded(image())), KEY)
    assert (caught.value.reason, caught.value.error_class) == ("damaged", "ZeroDivisionError")


@pytest.mark.parametrize(
    ("attack", "outcome"),
    [
        ("deflated", "header_too_large"),
        ("absurd_length", "truncated"),
        ("huge_text", "rows 1"),
        ("nested", "truncated"),
        ("nested_big_endian", "damaged"),
        ("tiny_elements", "header_too_large"),
        ("tiny_elements_big_endian", "header_too_large"),
        ("many_frames", "too_many_frames"),
        ("many_codes", "rows 1"),
        ("endless_groups", "header_too_large"),
    ],
)
def test_memory_stays_bounded(attack: str, outcome: str, tmp_path: Path) -> None:
    script = Path(__file__).with_name("header_attacks.py")
    done = subprocess.run(
        [sys.executable, str(script), attack, str(tmp_path)], capture_output=True, text=True, check=True
    )
    reason, memory = done.stdout.rsplit(maxsplit=1)
    assert reason == outcome
    assert int(memory) < MEMORY_LIMIT_MIB
