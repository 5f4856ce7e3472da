"""Gold results, and the order of their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from marshal import dumps, loads

from sql_env.types import ExecutionResult, Row, Status, Value


@dataclass(frozen=True, slots=True)
class Gold:
    """A gold result, ready for comparisons.

    Attributes:
        result: The result of the gold query.
        blocks: None if the order of rows does not count. Otherwise the lengths of the runs of rows that tie
            under the gold query's ORDER BY, from first to last: rows may change places only inside their run.
            All ones if each row has a fixed place.
        steps: The steps of the gold query; None if they were not counted.
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
        """The columns, rows and blocks as bytes for a worker on this machine; see `unpack_gold`."""
        if not self._packed:
            object.__setattr__(self, "_packed", dumps((self.result.columns, self.result.rows, self.blocks)))
        return self._packed


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a gold result, from which the runs of ties are found.

    Attributes:
        keys: The columns of the sort keys, counted from 0, or from the end if negative. None if they are
            unknown: then each row has a fixed place.
        probe: A query that returns the gold query's columns and then the sort keys that are not among them.
            None if all are among them.
        collations: For each key the name of its rule in `COLLATIONS`, or an empty text if only equal values
            tie. May be empty if this holds for all keys.
    """

    keys: tuple[int, ...] | None = None
    probe: str | None = None
    collations: tuple[str, ...] = ()


COLLATIONS: dict[str, Callable[[str], str | bytes]] = {
    "ascii_lower": lambda text: text.encode("utf-8", "surrogatepass").lower(),  # A to Z only, like SQLite
    "lower": str.lower,
    "rtrim": lambda text: text.rstrip(" "),
}
"""Rules of collations: two texts tie if the rule returns the same for them."""


def unpack_gold(packed: bytes) -> Gold:
    """Read the bytes of `Gold.packed`. The result is always ``ok``: others are not compared."""
    columns, rows, blocks = loads(packed)
    return Gold(ExecutionResult(Status.OK, columns, rows), blocks)


def make_gold(
    result: ExecutionResult,
    order: Order | None,
    probed: ExecutionResult | None = None,
    steps: int | None = None,
) -> Gold:
    """Combine a gold result with what is known about its order.

    Args:
        result: The result of the gold query.
        order: How the gold query orders its rows; None if their order does not count.
        probed: The result of ``order.probe``. Its rows are the gold query's rows with the sort keys. If they
            are not (the probe failed, or resolved a tie at a LIMIT in another way), the ties are unknown and
            each row keeps its place.
        steps: The steps of the gold query.
    """
    if order is None or not result.ok:
        return Gold(result, steps=steps)
    width = len(result.columns)
    if order.probe is not None and probed is not None and probed.ok:
        rows = tuple(row[:width] for row in probed.rows)
        if rows == result.rows or sorted(rows, key=repr) == sorted(result.rows, key=repr):
            probed_result = ExecutionResult(result.status, result.columns, rows)
            return Gold(probed_result, _measure_runs(probed.rows, order), steps)
    known = order if order.probe is None else Order()
    return Gold(result, _measure_runs(result.rows, known), steps)


def _measure_runs(rows: Iterable[Row], order: Order) -> tuple[int, ...]:
    if order.keys is None:
        return tuple(1 for _ in rows)
    keys = list(zip(order.keys, order.collations or ("",) * len(order.keys), strict=True))
    ties = groupby(rows, lambda row: tuple([_fold(row[place], collation) for place, collation in keys]))
    return tuple(len(list(run)) for _, run in ties)


def _fold(value: Value, collation: str) -> Value:
    return COLLATIONS[collation](value) if collation and isinstance(value, str) else value
