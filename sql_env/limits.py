"""The limits of one query."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite

from sql_env.errors import LimitError


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one query. Each field is a positive number.

    In practice the step limit decides. It counts work, not time: the verdict is the same on every machine
    and under any load. The other limits stop what it cannot stop. Each engine counts steps, rows, bytes and
    memory. `sql_env.execution.worker` sets the CPU timer. `sql_env.execution.worker_process` watches the wall
    clock.

    The step limit of a query that is compared with a gold result depends on the steps of the gold query; see
    `step_limit`. It is ``max_steps`` for all other queries. The defaults come from measurements: see
    docs/safety and ``python -m benchmarks.performance.steps``. Of Spider's 9,594 gold queries that can run,
    the most expensive takes 16 million steps; of 432 gold queries of BIRD, 13 million; of 6,971 correct
    answers, 3 million. 100 million steps take 0.3 to 0.7 seconds of CPU. BIRD's other databases are larger
    and were not measured.

    Attributes:
        max_steps: SQLite virtual-machine instructions. A query that takes more is a ``timeout``.
        min_steps: The smallest step limit of a compared query, unless ``max_steps`` is smaller.
        gold_factor: The ratio of the step limit of a compared query to the steps of its gold query.
        cpu_seconds: CPU time of the worker; ``timeout``. The kernel enforces it. It stops code that never
            returns to the step counter. DuckDB has no step counter, so there this limit decides.
        wall_seconds: Elapsed time in which the worker uses (almost) no CPU time. Then it is killed, and the
            query runs again. If only this query stops its workers, it is a ``timeout``.
        max_rows: Rows of a result; beyond it ``too_large``.
        max_bytes: Bytes of a result; beyond it ``too_large``.
        max_value_bytes: Bytes of a single value in SQLite, also of a value that the result does not contain;
            beyond it ``too_large``. It bounds the cost of one step.
        memory_bytes: Heap of the engine in one worker; beyond it ``too_large``. See also `process_bytes`.
        max_sql_bytes: Bytes of the SQL text in UTF-8; beyond it ``too_large``.
    """

    max_steps: int = 200_000_000
    min_steps: int = 10_000_000
    gold_factor: int = 400
    cpu_seconds: float = 10.0
    wall_seconds: float = 60.0
    max_rows: int = 100_000
    max_bytes: int = 32 * 2**20
    max_value_bytes: int = 2**20
    memory_bytes: int = 256 * 2**20
    max_sql_bytes: int = 100_000

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and isfinite(value) and value > 0):
                raise LimitError(f"limit {name!r} must be positive and finite, not {value!r}")
            if not name.endswith("_seconds") and value != int(value):
                raise LimitError(f"limit {name!r} must be a whole number, not {value!r}")
        if self.max_steps >= 2**31:
            raise LimitError(f"limit 'max_steps' must be below {2**31}, SQLite's own maximum")

    @property
    def process_bytes(self) -> int:
        """The memory limit of a worker process in bytes: 1 GiB by default.

        It has room for the engine's heap, for a result and its copies, and for what an engine allocates
        outside its heap. A query that needs more is ``too_large``. Linux enforces it, macOS does not.
        """
        return 3 * int(self.memory_bytes) + 4 * int(self.max_bytes) + 128 * 2**20

    def step_limit(self, gold_steps: int | None) -> int:
        """Return the step limit of a query whose gold query took ``gold_steps`` steps.

        It is ``gold_factor`` times the gold query's steps, rounded up to ``min_steps`` times a power of two,
        and at most ``max_steps``. Because of the rounding, equal queries of different tasks mostly have the
        same step limit and can share one run. If the gold query's steps are unknown (None), it is
        ``max_steps``.

        Example:
            >>> [Limits().step_limit(steps) for steps in (300, 30_000, 10_000_000)]
            [10000000, 20000000, 200000000]
        """
        if gold_steps is None:
            return int(self.max_steps)
        wanted, limit = min(self.gold_factor * gold_steps, self.max_steps), self.min_steps
        while limit < wanted:
            limit *= 2
        return int(min(limit, self.max_steps))


def check_integer(name: str, value: object, minimum: int = 1) -> None:
    """Check that a number is an integer and not too small.

    Raises:
        LimitError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise LimitError(f"{name} must be an integer of at least {minimum}, not {value!r}")
