"""Find out if two tables are the same, apart from the order of their columns and of their rows."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from sql_env.comparison.keys import count, make_value_key
from sql_env.types import Row

SEARCH_BUDGET = 10_000_000
"""The maximum number of rows to look at in all tried assignments of columns, a few seconds of CPU. Beyond
it, two tables count as different. Columns that differ in their values never need a try."""

Column = list[int]
"""The codes of the values of one column: equal values have the same code."""


class _BudgetExceededError(Exception):
    """The search has looked at too many rows."""


@dataclass(frozen=True, slots=True)
class _State:
    """An assignment of some columns.

    Attributes:
        left: For each left row, the number of its class. Rows of one class agree in all assigned columns.
        right: The same for the right rows. Each class has as many left rows as right rows.
        classes: The number of classes.
        start: The right columns before this one divide no class.
        used: The left columns that are assigned.
    """

    left: list[int]
    right: list[int]
    classes: int
    start: int
    used: frozenset[int]


def is_column_permutation(left: Sequence[Row], right: Sequence[Row]) -> bool:
    """Return True if some order of the left columns gives the right rows as a multiset.

    Both tables have the same number of rows, at least one, and the same number of columns. The search
    assigns one column after the other. Each divides the rows into smaller classes, until all rows of a class
    are equal. Then each row has its partner, and the remaining columns need no search.
    """
    codes: dict[Hashable, int] = {}
    theirs = [
        [codes.setdefault(make_value_key(v), len(codes)) for v in column]
        for column in zip(*right, strict=True)
    ]
    ours = [[codes.get(make_value_key(v), -1) for v in column] for column in zip(*left, strict=True)]
    if any(-1 in column for column in ours):
        return False
    return _ColumnSearch(ours, theirs, len(codes)).run()


class _ColumnSearch:
    def __init__(self, left: list[Column], right: list[Column], codes: int) -> None:
        self._left, self._right = left, right
        self._codes = codes
        self._budget = SEARCH_BUDGET

    def run(self) -> bool:
        start = self._classify_rows()
        if start is None:
            return False
        self._distinct_rows = len(set(map(_pack, zip(*self._right, strict=True))))
        if self._distinct_rows != len(set(map(_pack, zip(*self._left, strict=True)))):
            return False
        if start.classes == self._distinct_rows:
            return self._is_aligned(start)
        signatures = [self._sign(start.left, column) for column in self._left]
        self._wanted = [self._sign(start.right, column) for column in self._right]
        if count(signatures) != count(self._wanted):
            return False
        distinct = {_pack(column): place for place, column in enumerate(self._left)}  # equal columns once
        self._alike: dict[bytes, list[int]] = {}
        for place in distinct.values():
            self._alike.setdefault(signatures[place], []).append(place)
        if all(len(places) == 1 for places in self._alike.values()):  # there is no choice
            left = [self._left[self._alike[signature][0]] for signature in self._wanted]
            ours, theirs = (map(_pack, zip(*columns, strict=True)) for columns in (left, self._right))
            return count(ours) == count(theirs)
        try:
            return self._search(start)
        except _BudgetExceededError:
            return False

    def _search(self, start: _State) -> bool:
        levels = [self._assign(start)]  # not recursive: there may be more columns than Python allows calls
        while levels:
            state = next(levels[-1], None)
            if state is None:
                levels.pop()
            elif state.classes < self._distinct_rows:
                levels.append(self._assign(state))
            elif self._is_aligned(state):
                return True
        return False

    def _classify_rows(self) -> _State | None:
        """Put the rows with the same values, in any order, into one class. Return None if they differ."""
        left, right = (
            [_pack(sorted(row)) for row in zip(*table, strict=True)] for table in (self._left, self._right)
        )
        counts = count(right)
        if count(left) != counts:
            return None
        number = {values: place for place, values in enumerate(counts)}
        return _State(
            [number[row] for row in left], [number[row] for row in right], len(number), 0, frozenset()
        )

    def _assign(self, state: _State) -> Iterator[_State]:
        """Yield a state for each left column that fits the next right column that divides a class."""
        for place in range(state.start, len(self._right)):
            wanted = self._combine(state.right, self._right[place])
            counts = count(wanted)
            if len(counts) > state.classes:
                break
        else:
            return
        number = {pair: k for k, pair in enumerate(counts)}
        right = [number[pair] for pair in wanted]
        for column in self._alike[self._wanted[place]]:
            if column in state.used:
                continue
            pairs = self._combine(state.left, self._left[column])
            if count(pairs) == counts:
                left = [number[pair] for pair in pairs]
                yield _State(left, right, len(number), place + 1, state.used | {column})

    def _is_aligned(self, state: _State) -> bool:
        """Return True if the columns are the same when the rows are in the order of their classes.

        All rows of a class are equal: there are as many classes as distinct rows.
        """
        self._spend(len(self._left) * state.classes // 2)
        ours, theirs = (
            {number: row for row, number in enumerate(numbers)} for numbers in (state.left, state.right)
        )
        left = count(_pack([column[ours[k]] for k in range(state.classes)]) for column in self._left)
        right = count(_pack([column[theirs[k]] for k in range(state.classes)]) for column in self._right)
        return left == right

    def _combine(self, numbers: list[int], column: Column) -> list[int]:
        self._spend(len(numbers))
        codes = self._codes
        return [number * codes + code for number, code in zip(numbers, column, strict=True)]

    def _sign(self, numbers: list[int], column: Column) -> bytes:
        """Return bytes that are equal for two columns if each class has the same values in them."""
        codes = self._codes
        counts = count([number * codes + code for number, code in zip(numbers, column, strict=True)])
        pairs = sorted(counts)
        return _pack(pairs + [counts[pair] for pair in pairs])

    def _spend(self, rows: int) -> None:
        self._budget -= rows
        if self._budget < 0:
            raise _BudgetExceededError


def _pack(numbers: Sequence[int]) -> bytes:
    return array("q", numbers).tobytes()
