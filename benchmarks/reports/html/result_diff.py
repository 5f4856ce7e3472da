"""Which cells of two results differ, so that they can be marked."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias

from benchmarks.records.item import Cell, Shown

Marks: TypeAlias = list[list[int]]
"""For each row that is shown, the places of its cells that differ."""


def diff_results(ours: Shown | None, gold: Shown | None) -> tuple[Marks, Marks]:
    """The cells of two results that the other has not.

    Columns are paired by their values, then by their names, then by their places. Rows that occur in
    both are paired wherever they stand, as often as they do; the rest one with another in their order,
    and of such a pair the cells that differ are marked. A row or column that has none is marked whole.

    Example:
        >>> marks(Shown(["a", "b"], [[1, 2], [3, 4]], 2), Shown(["a", "b"], [[3, 5], [1, 2]], 2))
        ([[], [1]], [[1], []])
    """
    if ours is None or gold is None:
        return [], []
    left, right = _texts(ours), _texts(gold)
    pairs = _columns(left, right, ours, gold)
    rows = _rows(left, right, pairs)
    return (
        _marked(left, right, dict(rows), dict(pairs)),
        _marked(right, left, {b: a for a, b in rows}, {b: a for a, b in pairs}),
    )


def _texts(result: Shown) -> list[list[str]]:
    return [[_text(cell) for cell in row] for row in result.rows]


def _text(cell: Cell) -> str:
    return json.dumps(int(cell) if isinstance(cell, float) and cell.is_integer() else cell)


def _columns(
    left: list[list[str]], right: list[list[str]], ours: Shown, gold: Shown
) -> list[tuple[int, int]]:
    """Pairs of columns that are meant to be the same."""
    pairs: list[tuple[int, int]] = []
    for mine, theirs in (
        (_values(left, len(ours.columns)), _values(right, len(gold.columns))),
        ([name.lower() for name in ours.columns], [name.lower() for name in gold.columns]),
        ([""] * len(ours.columns), [""] * len(gold.columns)),
    ):
        free = [j for j in range(len(theirs)) if j not in {b for _, b in pairs}]
        for i in sorted(set(range(len(mine))) - {a for a, _ in pairs}):
            if (found := next((j for j in free if mine[i] == theirs[j]), None)) is not None:
                pairs.append((i, found))
                free.remove(found)
    return pairs


def _values(rows: list[list[str]], columns: int) -> list[str]:
    """All values of each column, in an order that does not depend on that of the rows."""
    return [json.dumps(sorted(row[i] for row in rows)) for i in range(columns)]


def _rows(
    left: list[list[str]], right: list[list[str]], pairs: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Pairs of rows: those that agree in all columns that are paired first, then the rest in order."""
    places: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for j in reversed(range(len(right))):
        places[tuple(right[j][b] for _, b in pairs)].append(j)
    found, rest = [], []
    for i, row in enumerate(left):
        same = places[tuple(row[a] for a, _ in pairs)]
        found.append((i, same.pop())) if same else rest.append(i)
    return found + list(zip(rest, sorted(j for same in places.values() for j in same), strict=False))


def _marked(
    rows: list[list[str]], others: list[list[str]], places: dict[int, int], columns: dict[int, int]
) -> Marks:
    return [
        [
            k
            for k, cell in enumerate(row)
            if i not in places or k not in columns or others[places[i]][columns[k]] != cell
        ]
        for i, row in enumerate(rows)
    ]
