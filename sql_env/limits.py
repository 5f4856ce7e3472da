"""What one query may cost."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite

from sql_env.errors import LimitError


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may cost. Every field is a positive number.

    The first limit decides in practice: it counts work, not time, so its verdict is the same on
    every machine and under any load. The others stand behind it.

    A query that is judged may take `budget` steps, which go by what its gold query has taken; any other
    may take ``max_steps``. The defaults were chosen by counting: see docs/safety and
    ``python -m benchmarks.performance.steps``. Of Spider's 9,594 gold queries that can run the dearest takes
    16 million steps, of 432 of BIRD's 13 million; of 6,971 correct answers the dearest takes 3 million.
    100 million steps are 0.3 to 0.7 seconds of CPU. BIRD's other databases are larger and were not
    measured.

    Attributes:
        max_steps: SQLite virtual-machine instructions; beyond it the query is a ``timeout``.
        min_steps: What a query that is judged may take at least, unless ``max_steps`` is less.
        gold_factor: How many times its gold's steps such a query may take.
        cpu_seconds: CPU time of the worker, which the kernel enforces; ``timeout``. It stops what
            never returns to the step counter. For DuckDB, which has no step counter, it decides.
        wall_seconds: Elapsed time, after which the worker is killed; ``unavailable``, because a
            clock says more about the machine than about the query.
        max_rows: Rows of a result; beyond it ``too_large``.
        max_bytes: Bytes of a result, and of any single value; beyond it ``too_large``.
        memory_bytes: Heap of the engine inside one worker; beyond it ``too_large``.
        max_sql_bytes: UTF-8 length of the SQL text; beyond it ``too_large``.
    """

    max_steps: int = 200_000_000
    min_steps: int = 10_000_000
    gold_factor: int = 400
    cpu_seconds: float = 10.0
    wall_seconds: float = 60.0
    max_rows: int = 100_000
    max_bytes: int = 32 * 2**20
    memory_bytes: int = 256 * 2**20
    max_sql_bytes: int = 100_000

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and isfinite(value) and value > 0):
                raise LimitError(f"limit {f.name!r} must be positive and finite, not {value!r}")
            if not f.name.endswith("_seconds") and value != int(value):
                raise LimitError(f"limit {f.name!r} must be a whole number, not {value!r}")
        if self.max_steps >= 2**31:
            raise LimitError(f"limit 'max_steps' must be below {2**31}, which is SQLite's own bound")

    def budget(self, gold_steps: int | None) -> int:
        """The steps that a query may take whose gold has taken so many; None where they are not known.

        ``gold_factor`` times as many, rounded up to ``min_steps`` times a power of two so that equal queries
        of different tasks mostly share their budget, and at most ``max_steps``.

        Example:
            >>> [Limits().budget(steps) for steps in (300, 30_000, 10_000_000)]
            [10000000, 20000000, 200000000]
        """
        if gold_steps is None:
            return int(self.max_steps)
        most, budget = self.gold_factor * gold_steps, self.min_steps
        while budget < min(most, self.max_steps):
            budget *= 2
        return int(min(budget, self.max_steps))
