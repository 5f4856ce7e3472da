"""What a prediction is compared with: the gold query's result, and how far its order binds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from marshal import dumps, loads

from sql_env.types import ExecutionResult, Row, Status


@dataclass(frozen=True, slots=True)
class Gold:
    """A gold result, ready to be compared with.

    Attributes:
        result: What the gold query returned.
        blocks: None where the order of rows does not count. Else the lengths of the runs of rows
            that tie under the gold's ORDER BY, first to last: rows may change places inside a
            run, but not leave it. All ones where every row has its place.
        steps: How many steps the gold query took; None where nobody has counted.
    """

    result: ExecutionResult
    blocks: tuple[int, ...] | None = None
    steps: int | None = None
    _packed: bytes = field(default=b"", init=False, repr=False, compare=False)

    @property
    def ordered(self) -> bool:
        return self.blocks is not None

    @property
    def packed(self) -> bytes:
        """What workers compare with, as one message for this machine; `unpacked` reads it. Made once."""
        if not self._packed:
            object.__setattr__(self, "_packed", dumps((self.result.columns, self.result.rows, self.blocks)))
        return self._packed


@dataclass(frozen=True, slots=True)
class Order:
    """How to find the runs of ties in a gold result.

    Attributes:
        keys: Columns that hold the sort keys, counted from 0, or from the end where negative;
            None where they are not known, so that every row has its place.
        probe: A query that returns the gold's columns and then the sort keys that are not among
            them; None where all are.
    """

    keys: tuple[int, ...] | None = None
    probe: str | None = None


def unpack_gold(packed: bytes) -> Gold:
    """What `Gold.packed` has packed. Its result is ``ok``: no other is compared with."""
    columns, rows, blocks = loads(packed)
    return Gold(ExecutionResult(Status.OK, columns, rows), blocks)


def make_gold(
    result: ExecutionResult,
    order: Order | None,
    probed: ExecutionResult | None = None,
    steps: int | None = None,
) -> Gold:
    """Put a gold result together with what is known of its order.

    Args:
        result: What the gold query returned.
        order: None where the order of rows does not count.
        probed: What ``order.probe`` returned. Its rows are the gold's with the sort keys added;
            where they are not (the probe failed, or broke a tie at a LIMIT in another way), no
            ties are known and every row keeps its place.
        steps: How many steps the gold query took.
    """
    if order is None or not result.ok:
        return Gold(result, steps=steps)
    width = len(result.columns)
    if order.probe is not None and probed is not None and probed.ok:
        rows = tuple(row[:width] for row in probed.rows)
        if rows == result.rows or sorted(rows, key=repr) == sorted(result.rows, key=repr):
            seen = ExecutionResult(result.status, result.columns, rows)
            return Gold(seen, _runs(probed.rows, order.keys), steps)
    keys = order.keys if order.probe is None else None
    return Gold(result, _runs(result.rows, keys), steps)


def _runs(rows: Iterable[Row], keys: tuple[int, ...] | None) -> tuple[int, ...]:
    if keys is None:
        return tuple(1 for _ in rows)
    ties = groupby(rows, lambda row: tuple(row[k] for k in keys))
    return tuple(len(list(run)) for _, run in ties)
