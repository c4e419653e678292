from __future__ import annotations

import numpy as np
import pytest

from radnet.synthetic.arrays import NUMPY, Arrays
from radnet.synthetic.randomness import host_generator, key_of, normals, random_bits

NUMPY_ARRAYS = Arrays(NUMPY)
MASK = (1 << 64) - 1


def squares64(counter: int, key: int) -> int:
    """The generator as its paper writes it, in Python's whole numbers."""
    key &= MASK
    x = y = counter * key & MASK
    z = y + key & MASK
    for addend in (y, z, y):
        x = x * x + addend & MASK
        x = (x >> 32 | x << 32) & MASK
    x = x * x + z & MASK
    fourth = x
    x = (x >> 32 | x << 32) & MASK
    return fourth ^ ((x * x + y & MASK) >> 32)


@pytest.mark.parametrize("key", [key_of("test"), key_of(3, "noise"), -12345677])
def test_bits_are_those_of_the_paper(key):
    bits = random_bits(NUMPY_ARRAYS, key, 500)
    assert [int(value) & MASK for value in bits] == [squares64(counter, key) for counter in range(500)]


def test_torch_and_numpy_make_the_same_numbers():
    pytest.importorskip("torch")
    here = normals(NUMPY_ARRAYS, key_of(1), (7, 11, 13))
    there = Arrays("cpu").host(normals(Arrays("cpu"), key_of(1), (7, 11, 13)))
    assert here.tobytes() == there.tobytes()


def test_bits_are_balanced_and_follow_no_neighbour():
    bits = random_bits(NUMPY_ARRAYS, key_of("balance"), 40_000)
    ones = np.array([((bits >> shift) & 1).mean() for shift in range(64)])
    assert np.abs(ones - 0.5).max() < 0.012
    low = (bits & 0xFFFF).astype(float)
    assert abs(np.corrcoef(low[:-1], low[1:])[0, 1]) < 0.02


def test_normal_numbers_have_the_moments_of_a_normal_distribution():
    values = normals(NUMPY_ARRAYS, key_of("moments"), (200_000,)).astype(float)
    assert values.mean() == pytest.approx(0, abs=0.01)
    assert values.std() == pytest.approx(1, abs=0.01)
    assert (values**3).mean() == pytest.approx(0, abs=0.04)
    assert (values**4).mean() == pytest.approx(3, abs=0.08)


def test_keys_part_streams():
    one, two = (normals(NUMPY_ARRAYS, key_of(1, name), (20_000,)) for name in ("real", "imaginary"))
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.03
    assert key_of(1, 12) != key_of(11, 2)
    assert all(key_of(number) % 2 for number in range(50))


def test_longer_streams_begin_as_shorter_ones():
    assert (random_bits(NUMPY_ARRAYS, key_of(5), 10) == random_bits(NUMPY_ARRAYS, key_of(5), 90)[:10]).all()


def test_host_numbers_depend_on_their_key_alone():
    assert host_generator("a", 1).random() == host_generator("a", 1).random()
    assert host_generator("a", 1).random() != host_generator("a", 2).random()
