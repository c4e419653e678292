"""Random numbers that are the same everywhere: functions of a key and a counter, with no state.

The generator is Squares (Widynski, arXiv:2004.06278): integer products of 64 bits, which NumPy and torch wrap
alike on every device. Normal numbers come from a table of quantiles, so that not even a logarithm can differ.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from radnet.synthetic.arrays import Array, Arrays

QUANTILES: Final = 1 << 16
"""Entries of the table of normal numbers; the largest is 4.3."""

_LOW_HALF: Final = 0xFFFFFFFF
_LOW_QUARTER: Final = 0xFFFF


def key_of(*parts: int | str) -> int:
    """Return the key of a stream of numbers, an odd number of 64 bits with its sign.

    Args:
        parts: What the stream belongs to, e.g. a seed and a purpose.
    """
    digest = blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True) | 1


def host_generator(*parts: int | str) -> np.random.Generator:
    """Return a generator for the few numbers that are drawn on the host."""
    return np.random.default_rng(key_of(*parts) & (1 << 64) - 1)


def body_seed(seed: int, index: int) -> int:
    """Return the seed of the body of a patient of an archive, never below 0."""
    return key_of("body", seed, index) & (1 << 62) - 1


def random_bits(arrays: Arrays, key: int, size: int) -> Array:
    """Return 64 random bits for each counter from 0: (size,) int64.

    Source: Widynski, Squares: A Fast Counter-Based RNG, arXiv:2004.06278, the variant with five rounds.
    """
    state = arrays.count(size) * key
    first, second = state, state + key
    for addend in (first, second, first):
        state = _swapped(state * state + addend)
    fourth = state * state + second
    state = _swapped(fourth)
    return fourth ^ (((state * state + first) >> 32) & _LOW_HALF)


def _swapped(state: Array) -> Array:
    """Exchange the halves; the shift of a signed number drags its sign, which the mask takes away."""
    return (state << 32) | ((state >> 32) & _LOW_HALF)


def normals(arrays: Arrays, key: int, shape: tuple[int, ...]) -> Array:
    """Return standard normal numbers, float32; four for each counter.

    Args:
        arrays: Where they are made.
        key: From `key_of`.
        shape: Of the result.
    """
    size = int(np.prod(shape))
    bits = random_bits(arrays, key, -(-size // 4))
    table = arrays.put(_quantiles())
    quarters = [arrays.look_up(table, (bits >> shift) & _LOW_QUARTER) for shift in (0, 16, 32, 48)]
    joined = arrays.xp.stack(quarters).reshape(-1)
    return joined[:size].reshape(shape)


@cache
def _quantiles() -> NDArray[np.float32]:
    """Return the normal quantiles of the middles of equal shares."""
    normal = NormalDist()
    upper = np.array([normal.inv_cdf((i + 0.5) / QUANTILES) for i in range(QUANTILES // 2, QUANTILES)])
    return np.concatenate([-upper[::-1], upper]).astype(np.float32)
