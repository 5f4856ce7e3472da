"""One gold query with all that was measured of it: what a check looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from benchmarks.records.finding import Finding
from sql_env.types import ExecutionResult, Rollout, Task

SHOWN_ROWS = 3
SHOWN_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class Variant:
    """The gold query run in another way that should not matter.

    Attributes:
        sql: The text that was run.
        result: What it returned.
        before: What it is compared with: the gold result, or that of the gold query with its ties
            broken, where the variant is made from that.
        changed: Whether it is judged wrong beside ``before`` under the task's comparison; None where
            one of the two did not run to its end, so that nobody can tell.
    """

    sql: str
    result: ExecutionResult
    before: ExecutionResult
    changed: bool | None


@dataclass(frozen=True, slots=True)
class Trial:
    """A gold query and its variants.

    Attributes:
        rollout: The gold query, scored as its own prediction.
        sql: Its text, as the task's comparison runs it.
        steps: The engine's instructions that it takes; None where it fails, or they are not counted.
        max_steps: The budget.
        variants: By the name of what was changed; see `benchmarks.diagnostics.checks.rewrites.variants`.
            Several where it
            was changed in several ways.
        undecided: Why some variant could not be made; empty where all could.
    """

    rollout: Rollout
    sql: str
    steps: int | None
    max_steps: int
    variants: Mapping[str, tuple[Variant, ...]] = field(default_factory=dict)
    undecided: str = ""

    @property
    def task(self) -> Task:
        return self.rollout.task

    @property
    def result(self) -> ExecutionResult:
        return self.rollout.gold

    def changed(self, name: str) -> Variant | None:
        """The first variant of this name that is judged wrong; None where none is."""
        return next((variant for variant in self.variants.get(name, ()) if variant.changed), None)

    def finding(self, code: str, evidence: str, advice: str) -> Finding:
        """A finding about this task."""
        return Finding(code, evidence, advice, self.task.id)


Check: TypeAlias = Callable[[Trial], Finding | None]
"""A check: what it finds in a trial; None where all is well."""


def rows(result: ExecutionResult) -> str:
    """The first rows of a result, for people.

    Example:
        >>> from sql_env.types import Status
        >>> rows(ExecutionResult(Status.OK, ("a",), tuple((n,) for n in range(5))))
        '(0,), (1,), (2,), ... (5 rows)'
    """
    shown = ", ".join(map(repr, result.rows[:SHOWN_ROWS])) or "no row"
    shown = shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}..."
    return shown if len(result.rows) <= SHOWN_ROWS else f"{shown}, ... ({len(result.rows)} rows)"


def difference(variant: Variant) -> str:
    """Both results from the first row on in which they differ.

    Example:
        >>> from sql_env.types import Status
        >>> ok = lambda *rows: ExecutionResult(Status.OK, ("a",), rows)
        >>> difference(Variant("", ok((1,), (3,)), ok((1,), (2,)), True))
        '(2,) becomes (3,) in row 2'
    """
    before, after = variant.before, variant.result
    pairs = enumerate(zip(before.rows, after.rows, strict=False))
    place = next((n for n, (old, new) in pairs if old != new), min(len(before.rows), len(after.rows)))
    old, new = (ExecutionResult(r.status, r.columns, r.rows[place : place + 1]) for r in (before, after))
    where = f" in row {place + 1}" if len(before.rows) > 1 or len(after.rows) > 1 else ""
    return f"{rows(old)} becomes {rows(new)}{where}"
