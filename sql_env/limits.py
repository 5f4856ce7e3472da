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

    The default was chosen by counting: of Spider's 9,594 gold queries that can run the dearest takes
    16 million steps, of 432 of BIRD's 13 million, and of 11,867 distinct gold and predicted queries
    three take more than 100 million (153 million, 458 million and 2 billion). 100 million steps are
    0.4 to 0.8 seconds of CPU. BIRD's other databases are larger and were not measured.

    Attributes:
        max_steps: SQLite virtual-machine instructions; beyond it the query is a ``timeout``.
        cpu_seconds: CPU time of the worker, which the kernel enforces; ``timeout``. It stops what
            never returns to the step counter. For DuckDB, which has no step counter, it decides.
        wall_seconds: Elapsed time, after which the worker is killed; ``unavailable``, because a
            clock says more about the machine than about the query.
        max_rows: Rows of a result; beyond it ``too_large``.
        max_bytes: Bytes of a result, and of any single value; beyond it ``too_large``.
        memory_bytes: Heap of the engine inside one worker; beyond it ``too_large``.
        max_sql_bytes: UTF-8 length of the SQL text; beyond it ``too_large``.
    """

    max_steps: int = 100_000_000
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
