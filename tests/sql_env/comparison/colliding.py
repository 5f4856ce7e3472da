"""Rows of integers that all have the same hash. Python hashes tuples of integers without a secret."""

import sys

import pytest

MODULUS = 2**64
PRIMES = 11400714785074694791, 14029467366897019727, 2870177450012600261

needs_64_bits = pytest.mark.skipif(sys.maxsize < 2**62, reason="tuples are hashed in another way")


def absorb(state, value):
    """One step of the hash of a tuple (xxHash)."""
    state = (state + value * PRIMES[1]) % MODULUS
    return ((state << 31 | state >> 33) * PRIMES[0]) % MODULUS


def make_pairs(state, target, count):
    """Pairs of integers that lead the hash from one state to the same other one."""
    inverse, pairs, first = pow(PRIMES[1], -1, MODULUS), [], 0
    while len(pairs) < count:
        first += 1
        second = (target - absorb(state, first)) * inverse % MODULUS
        second -= MODULUS * (second >= MODULUS // 2)
        if abs(second) < 2**61 - 1:  # larger integers are not their own hash
            pairs.append((first, second))
    return pairs


def make_halves(count):
    """Two lists of pairs. Each pair of the first, followed by one of the second, has the same hash."""
    left = make_pairs(PRIMES[2], 12345, count)
    state = absorb(absorb(PRIMES[2], left[0][0]), left[0][1])
    return left, make_pairs(state, 67890, count)


def make_rows(count):
    """``count`` squared rows of four integers."""
    left, right = make_halves(count)
    return [one + other for one in left for other in right]


def make_query(count):
    """A query that returns the rows of `make_rows`."""
    left, right = (", ".join(map(str, half)) for half in make_halves(count))
    return f"WITH a(x, y) AS (VALUES {left}), b(x, y) AS (VALUES {right}) SELECT a.*, b.* FROM a, b"
