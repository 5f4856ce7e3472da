"""Find the cells in which two results differ, to mark them."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias

from benchmarks.records.item import ResultPreview

Marks: TypeAlias = list[list[int]]
"""For each recorded row, the places of its cells that differ."""


def diff_results(ours: ResultPreview | None, gold: ResultPreview | None) -> tuple[Marks, Marks]:
    """Find the cells of two results that the other result does not have.

    Columns are paired by their values, then by their names, then by their places. Rows that occur in both
    results are paired at any place, as often as they occur. The other rows are paired in order, and the
    cells of such a pair that differ are marked. A row or column without a partner is marked completely.

    Example:
        >>> ours = ResultPreview(["a", "b"], [[1, 2], [3, 4]], 2)
        >>> diff_results(ours, ResultPreview(["a", "b"], [[3, 5], [1, 2]], 2))
        ([[], [1]], [[1], []])
    """
    if ours is None or gold is None:
        return [], []
    left, right = _format_cells(ours), _format_cells(gold)
    pairs = _pair_columns(left, right, ours, gold)
    rows = _pair_rows(left, right, pairs)
    return (
        _mark(left, right, dict(rows), dict(pairs)),
        _mark(right, left, {b: a for a, b in rows}, {b: a for a, b in pairs}),
    )


def _format_cells(result: ResultPreview) -> list[list[str]]:
    return [
        [json.dumps(int(cell) if isinstance(cell, float) and cell.is_integer() else cell) for cell in row]
        for row in result.rows
    ]


def _pair_columns(
    left: list[list[str]], right: list[list[str]], ours: ResultPreview, gold: ResultPreview
) -> list[tuple[int, int]]:
    """Pair the columns."""
    pairs: list[tuple[int, int]] = []
    for mine, theirs in (
        (_column_values(left, len(ours.columns)), _column_values(right, len(gold.columns))),
        ([name.lower() for name in ours.columns], [name.lower() for name in gold.columns]),
        ([""] * len(ours.columns), [""] * len(gold.columns)),
    ):
        free = [j for j in range(len(theirs)) if j not in {b for _, b in pairs}]
        for i in sorted(set(range(len(mine))) - {a for a, _ in pairs}):
            if (found := next((j for j in free if mine[i] == theirs[j]), None)) is not None:
                pairs.append((i, found))
                free.remove(found)
    return pairs


def _column_values(rows: list[list[str]], columns: int) -> list[str]:
    """Return all values of each column, independent of the order of rows."""
    return [json.dumps(sorted(row[i] for row in rows)) for i in range(columns)]


def _pair_rows(
    left: list[list[str]], right: list[list[str]], pairs: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Pair the rows: first those with equal values in all paired columns, then the rest in order."""
    places: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for j in reversed(range(len(right))):
        places[tuple(right[j][b] for _, b in pairs)].append(j)
    found, rest = [], []
    for i, row in enumerate(left):
        same = places[tuple(row[a] for a, _ in pairs)]
        found.append((i, same.pop())) if same else rest.append(i)
    return found + list(zip(rest, sorted(j for same in places.values() for j in same), strict=False))


def _mark(
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
