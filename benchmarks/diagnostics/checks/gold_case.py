"""A gold query with everything that was measured of it. Checks read this."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from benchmarks.records.finding import Finding
from sql_env.comparison.keys import make_byte_keys
from sql_env.types import ExecutionResult, Rollout, Task

MAX_SHOWN_ROWS = 3
MAX_SHOWN_CHARACTERS = 160


@dataclass(frozen=True, slots=True)
class Variant:
    """The gold query, run with a change that should not matter.

    Attributes:
        sql: The text that was run.
        result: Its result.
        before: The result to compare with. This is the gold result, or the result of the gold query with
            ties broken if the variant was made from that query.
        changed: Whether the task's comparison finds ``result`` different from ``before``; None if one of
            the two did not run to its end.
    """

    sql: str
    result: ExecutionResult
    before: ExecutionResult
    changed: bool | None

    @property
    def reordered(self) -> bool:
        """True if it has the rows of ``before``, in any order."""
        return Counter(make_byte_keys(self.result.rows)) == Counter(make_byte_keys(self.before.rows))


@dataclass(frozen=True, slots=True)
class GoldCase:
    """A gold query and its variants.

    Attributes:
        rollout: The gold query, scored as its own prediction.
        sql: The gold query as the task's comparison runs it.
        steps: The engine's steps that it takes; None if it fails or the engine does not count them.
        max_steps: The step limit.
        variants: The variants by the name of the change; see
            `benchmarks.diagnostics.checks.rewrites.variants`. One change can have several variants.
        undecided: Why some variant is missing; empty if all were made.
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

    def find_changed(self, *names: str) -> Iterator[Variant]:
        """Yield the variants of some names with another result."""
        return (variant for name in names for variant in self.variants.get(name, ()) if variant.changed)

    def make_finding(self, code: str, evidence: str, advice: str) -> Finding:
        """Make a finding about this task."""
        return Finding(code, evidence, advice, self.task.id)


Check: TypeAlias = Callable[[GoldCase], Finding | None]
"""A check. It returns None if it finds nothing."""


def make_variant_check(name: str, change: str, advice: str) -> Check:
    """Make a check that compares the gold result with the variants of one name.

    Args:
        name: The name of the variants, and the code of the finding.
        change: What differs in the variants, for the evidence.
        advice: The finding's advice.
    """

    def check_variants(case: GoldCase) -> Finding | None:
        """Report the first variant with another result."""
        variant = next(case.find_changed(name), None)
        if variant is None:
            return None
        return case.make_finding(name, f"{change}, {describe_difference(variant)}", advice)

    return check_variants


def format_rows(result: ExecutionResult) -> str:
    """Format the first rows of a result for people.

    Example:
        >>> from sql_env.types import Status
        >>> format_rows(ExecutionResult(Status.OK, ("a",), tuple((n,) for n in range(5))))
        '(0,), (1,), (2,), ... (5 rows)'
    """
    shown = ", ".join(map(repr, result.rows[:MAX_SHOWN_ROWS])) or "no row"
    shown = shown if len(shown) <= MAX_SHOWN_CHARACTERS else f"{shown[:MAX_SHOWN_CHARACTERS]}..."
    return shown if len(result.rows) <= MAX_SHOWN_ROWS else f"{shown}, ... ({len(result.rows)} rows)"


def describe_difference(variant: Variant) -> str:
    """Describe both results, from the first row in which they differ.

    Example:
        >>> from sql_env.types import Status
        >>> ok = lambda *rows: ExecutionResult(Status.OK, ("a",), rows)
        >>> describe_difference(Variant("", ok((1,), (3,)), ok((1,), (2,)), True))
        '(2,) becomes (3,) in row 2'
    """
    before, after = variant.before, variant.result
    pairs = enumerate(zip(before.rows, after.rows, strict=False))
    place = next((n for n, (old, new) in pairs if old != new), min(len(before.rows), len(after.rows)))
    old, new = (ExecutionResult(r.status, r.columns, r.rows[place : place + 1]) for r in (before, after))
    where = f" in row {place + 1}" if len(before.rows) > 1 or len(after.rows) > 1 else ""
    return f"{format_rows(old)} becomes {format_rows(new)}{where}"
