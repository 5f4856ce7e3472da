"""Keys of rows for sets and counters, so that no result can slow a comparison down by its hashes.

Python hashes numbers, and tuples of them, without a secret. So a query of a few kilobytes can return many
different rows with one hash, and a set of these rows takes quadratic time. Rows of such tables are put into
sets as bytes, because Python hashes bytes with a secret.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain
from marshal import dumps
from typing import TypeVar

from sql_env.types import Row, Value

Key = TypeVar("Key", bound=Hashable)

MAX_EQUAL_HASHES = 256
"""The maximum number of rows of a table whose hashes other rows have too: so many do no harm. A table with
more of them has many equal rows, or was made for its hashes."""

_MARSHAL_VERSION = 2  # later versions write equal values in different ways
_MAX_HASH = 2**61 - 1  # Python's modulus: integers above it share hashes with smaller ones


def make_keys(ours: Sequence[Row], theirs: Sequence[Row]) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    """Return the keys of the rows of two tables. Two rows have equal keys if they are equal under ``==``.

    The keys are the rows themselves, or bytes if too many of their rows share their hashes. Put only their
    keys into a set, and look up ours: a query may have chosen our hashes.
    """
    if share_hashes(theirs):
        return make_byte_keys(ours), make_byte_keys(theirs)
    return ours, theirs


def share_hashes(rows: Sequence[Row]) -> bool:
    """Return True if a set of these rows could take much time."""
    return len(rows) > MAX_EQUAL_HASHES and len(rows) - len(set(map(hash, rows))) > MAX_EQUAL_HASHES


def is_equal_set(ours: Sequence[Row], theirs: Sequence[Row]) -> bool:
    """Return True if two tables have the same rows, without regard to duplicates."""
    if max(len(ours), len(theirs)) <= MAX_EQUAL_HASHES:
        return set(ours) == set(theirs)
    keys, wanted = make_keys(ours, theirs)
    known = set(wanted)
    return all(map(known.__contains__, keys)) and len(set(keys)) == len(known)


def is_equal_multiset(ours: Sequence[Row], theirs: Sequence[Row]) -> bool:
    """Return True if two tables have the same rows, each as often."""
    if len(ours) != len(theirs):
        return False
    keys, wanted = make_keys(ours, theirs)
    spare = count(wanted)
    for key in keys:
        left = spare.get(key)
        if not left:
            return False
        spare[key] = left - 1
    return True


def make_byte_keys(rows: Sequence[Row]) -> list[bytes]:
    """Return bytes for each row. Two rows have equal bytes if they are equal under ``==``."""
    if {float, bool}.isdisjoint(map(type, chain.from_iterable(rows))):
        return [dumps(row, _MARSHAL_VERSION) for row in rows]
    return [dumps(tuple(map(_unify, row)), _MARSHAL_VERSION) for row in rows]


def make_value_key(value: Value) -> Hashable:
    """Return a key of one value: the value itself, unless an integer of its size can be built for a hash."""
    kind = type(value)
    if (kind is int or kind is float) and not -_MAX_HASH < value < _MAX_HASH:  # type: ignore[operator]
        return (dumps(_unify(value), _MARSHAL_VERSION),)  # in a tuple, because a value can be bytes
    return value


def count(keys: Iterable[Key]) -> dict[Key, int]:
    """Count equal keys. Dicts are compared much faster than Counters."""
    return dict(Counter(keys))


def _unify(value: Value) -> Value:
    """Return an int for each number that equals an int."""
    if type(value) is float and value.is_integer():
        return int(value)
    return int(value) if type(value) is bool else value
