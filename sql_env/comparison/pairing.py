"""Pair the rows of two tables that differ in the last digits of their floats."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf, isclose

from sql_env.comparison.keys import count, make_byte_keys
from sql_env.types import Row, Value

TOLERANCE = 1e-9
"""Relative, and absolute near zero. The sum of doubles in another order differs much less."""

PAIRING_BUDGET = 1_000_000
"""The maximum number of values to compare, and of pairs to try, in all groups of near rows. It is about
half a second of CPU. Beyond it, the rows are paired in their sorted order."""

_MAX_EXACT = 2**53
"""Doubles represent all whole numbers below it exactly."""


@dataclass(slots=True)
class _Group:
    """Rows of both tables that may be equal to each other, but to no row of another group."""

    left: list[Row] = field(default_factory=list)
    right: list[Row] = field(default_factory=list)

    @property
    def is_even(self) -> bool:
        return len(self.left) == len(self.right)


def pair_rows(left: Sequence[Row], right: Sequence[Row], floats: Sequence[int]) -> bool:
    """Return True if each left row can be paired with a right row of the same values.

    Rows are divided into groups: rows are in different groups if they differ in an exact value, or by more
    than the tolerance in a number. In a group, the rows are paired in their sorted order, or else by a
    search, which finds a pairing if there is one. If the groups are too large for the search (hundreds of
    rows that are nearly equal, but not all within the tolerance of each other), the rows of the whole
    tables are paired in their sorted order: by the columns without floats, then by those with floats.

    Args:
        left: ``n`` rows, at least one.
        right: ``n`` rows of the same width.
        floats: The columns that contain floats. All others are compared exactly.
    """
    exact = [place for place in range(len(left[0])) if place not in set(floats)]
    groups = _divide_by_exact_values(left, right, exact, floats)
    if not groups:
        return False
    for place in floats:
        divided: list[_Group] = []
        for group in groups:
            if not group.is_even:
                return False
            divided.extend([group] if len(group.left) == 1 else _divide_by_number(group, place))
        groups = divided
    budget = _Budget(PAIRING_BUDGET)
    try:
        return all(group.is_even and _pair_group(group, floats, budget) for group in groups)
    except _BudgetExceededError:
        return _pair_in_order(left, right, [*exact, *floats])


class _BudgetExceededError(Exception):
    """The search has done too much work."""


@dataclass(slots=True)
class _Budget:
    left: int

    def spend(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise _BudgetExceededError


def _divide_by_exact_values(
    left: Sequence[Row], right: Sequence[Row], exact: Sequence[int], floats: Sequence[int]
) -> Collection[_Group]:
    """Divide rows by all of their values that are not numbers in a column with floats.

    Returns:
        The groups; none if a group would have more rows of one table than of the other.
    """
    ours, theirs = _list_exact_values(left, exact, floats), _list_exact_values(right, exact, floats)
    if count(ours) != count(theirs):
        return ()
    groups = {key: _Group() for key in ours}
    for key, row in zip(ours, left, strict=True):
        groups[key].left.append(row)
    for key, row in zip(theirs, right, strict=True):
        groups[key].right.append(row)
    return groups.values()


def _list_exact_values(rows: Sequence[Row], exact: Sequence[int], floats: Sequence[int]) -> list[bytes]:
    """Return bytes for each row. They are equal if all values are equal that are not compared as floats."""
    return make_byte_keys(
        [
            (
                *[row[place] for place in exact],
                *[0 if _is_number(row[place]) else row[place] for place in floats],
            )
            for row in rows
        ]
    )


def _divide_by_number(group: _Group, place: int) -> Iterator[_Group]:
    """Divide a group where the numbers of one column are further apart than the tolerance."""
    if not _is_number(group.left[0][place]):
        yield group
        return
    rows = [(_to_float(row[place]), row, True) for row in group.left]
    rows += [(_to_float(row[place]), row, False) for row in group.right]
    rows.sort(key=lambda item: item[0])
    exact = all(_is_exact(row[place]) for _, row, _ in rows)
    near = _Group()
    last = rows[0][0]
    for number, row, ours in rows:
        # Twice the tolerance: a division too few costs time, one too many would be wrong.
        slack = 0.0 if exact else 2 * TOLERANCE * max(abs(last), abs(number), 1.0)
        if number != last and number - last > slack:
            yield near
            near = _Group()
        (near.left if ours else near.right).append(row)
        last = number
    yield near


def _pair_group(group: _Group, floats: Sequence[int], budget: _Budget) -> bool:
    left, right, size = group.left, group.right, len(group.left)
    if size == 1:
        return _is_near(left[0], right[0], floats)
    if _pair_in_order(left, right, floats):
        return True
    budget.spend(size * size * len(floats))
    partners = [[place for place, other in enumerate(right) if _is_near(row, other, floats)] for row in left]
    pairs = _Pairs({}, {})
    return all(_add_pair(row, partners, pairs, budget) for row in range(size))


@dataclass(slots=True)
class _Pairs:
    by_left: dict[int, int]
    by_right: dict[int, int]


def _add_pair(start: int, partners: list[list[int]], pairs: _Pairs, budget: _Budget) -> bool:
    """Pair one more left row, where others change their partners if necessary (an augmenting path)."""
    came_from: dict[int, int] = {}  # right row -> the left row from which it was reached
    waiting = deque([start])
    while waiting:
        row = waiting.popleft()
        budget.spend(len(partners[row]))
        for place in partners[row]:
            if place in came_from:
                continue
            came_from[place] = row
            if place in pairs.by_right:
                waiting.append(pairs.by_right[place])
                continue
            free: int | None = place
            while free is not None:
                owner = came_from[free]
                before = pairs.by_left.get(owner)
                pairs.by_left[owner], pairs.by_right[free] = free, owner
                free = before
            return True
    return False


def _pair_in_order(left: Sequence[Row], right: Sequence[Row], places: Sequence[int]) -> bool:
    """Return True if the rows are the same, one by one, after both tables are sorted by these columns."""
    ours, theirs = (
        sorted(rows, key=lambda row: [_make_sort_key(row[place]) for place in places])
        for rows in (left, right)
    )
    return all(_is_near(row, other, places) for row, other in zip(ours, theirs, strict=True))


def _is_near(left: Row, right: Row, places: Sequence[int]) -> bool:
    return all(_is_same_value(left[place], right[place]) for place in places)


def _is_same_value(left: Value, right: Value) -> bool:
    if not (isinstance(left, float) or isinstance(right, float)):
        return left == right
    if not (isinstance(left, int | float) and isinstance(right, int | float)):
        return False
    if _is_exact(left) and _is_exact(right):
        return left == right  # whole numbers, for example telephone numbers in a column of doubles
    return left == right or isclose(_to_float(left), _to_float(right), rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float)


def _is_exact(number: Value) -> bool:
    """Return True for a whole number that a double represents exactly."""
    return isinstance(number, int | float) and abs(number) < _MAX_EXACT and number == int(number)


def _to_float(number: Value) -> float:
    """Return a number as a double; infinity for an integer that is too large for one."""
    assert isinstance(number, int | float)
    try:
        return float(number)
    except OverflowError:
        return inf if number > 0 else -inf


def _make_sort_key(value: Value) -> tuple[int, float | int | str | bytes]:
    """Return a key that sorts values of all types: NULL, numbers, text, blobs."""
    if value is None:
        return (0, 0)
    if isinstance(value, int | float):
        return (1, value)
    return (2, value) if isinstance(value, str) else (3, value)
