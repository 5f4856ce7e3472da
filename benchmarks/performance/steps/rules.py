"""Rules for step limits, and what each loses and saves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

from benchmarks.performance.steps.measure import MeasuredQuery, MixQuery

LIMITS = (*(digit * 10**power for power in range(5, 9) for digit in (1, 2, 5)), 10**9)
"""Absolute step limits to compare."""


FLOORS = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000)


FACTORS = (10, 50, 100, 200, 400, 1_000)
"""Step limits relative to the gold query's steps to compare: each factor with each floor."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A step limit, either the same for all queries or relative to the steps of the gold query.

    A gold query may always take ``cap`` steps.

    Attributes:
        cap: Upper bound of every limit.
        factor: Factor on the gold query's steps; 0 for the same limit for all.
        floor: Lower bound of a relative limit.

    Example:
        >>> Rule(9_000).limit(500), [Rule(9_000, 10, 1_000).limit(gold) for gold in (5, 500, 5_000)]
        (9000, [1000, 5000, 9000])
        >>> str(Rule(9_000, 10, 1_000))
        'max(1,000, 10 x gold)'
    """

    cap: float
    factor: float = 0
    floor: float = 0

    def limit(self, gold_steps: float | None) -> float:
        """Return the step limit of a prediction."""
        if not self.factor:
            return self.cap
        return min(self.cap, max(self.floor, self.factor * (gold_steps or 0)))

    def __str__(self) -> str:
        return f"max({self.floor:,}, {self.factor:,} x gold)" if self.factor else f"{self.cap:,}"


def apply_rule(rule: Rule, queries: Sequence[MeasuredQuery], mix: Sequence[MixQuery]) -> dict[str, Any]:
    """Return the outcome of a rule as JSON.

    ``margin`` is the smallest ratio of limit and steps among correct answers and gold queries; below 1 some
    are stopped. ``lost`` are the correct answers that are stopped, ``wrong_stopped`` is the number of wrong
    ones, and ``golds_lost`` are gold queries beyond the cap, whose tasks are masked. ``mix_steps`` and
    ``mix_cpu_seconds`` are the cost of the hostile mix.
    """
    stopped = [query for query in queries if query.file and (query.steps or 0) > rule.limit(query.gold_steps)]
    steps = [min(query.steps, rule.limit(query.gold_steps)) for query in mix]
    return {
        "rule": str(rule),
        **asdict(rule),
        "margin": min(
            (
                rule.limit(query.gold_steps) / query.steps
                for query in queries
                if query.correct and query.steps
            ),
            default=inf,
        ),
        "lost": [{"file": q.file, "task_id": q.task_id, "steps": q.steps} for q in stopped if q.correct],
        "wrong_stopped": sum(query.correct is False for query in stopped),
        "golds_lost": [q.task_id for q in queries if not q.file and (q.steps or 0) > rule.cap],
        "mix_steps": sum(steps),
        "mix_cpu_seconds": sum(n * query.seconds_per_step for n, query in zip(steps, mix, strict=True)),
    }


def least_factor(queries: Sequence[MeasuredQuery], floor: float, margin: float = 1.0) -> float:
    """Return the smallest factor that leaves every correct answer ``margin`` times its steps.

    It is 0 if the floor is enough, and infinite if the gold query of an answer takes no steps.
    """
    factors = (
        margin * query.steps / query.gold_steps if query.gold_steps else inf
        for query in queries
        if query.correct and query.steps and margin * query.steps > floor
    )
    return max(factors, default=0)


def cheapest(outcomes: Sequence[dict[str, Any]], margin: float) -> dict[str, Any] | None:
    """Return the first outcome with the fewest steps of the mix that loses nothing and leaves the margin."""
    kept = [o for o in outcomes if not o["lost"] and not o["golds_lost"] and o["margin"] >= margin]
    return min(kept, key=lambda outcome: outcome["mix_steps"], default=None)


def compare_rules(
    measured: Mapping[str, Sequence[MeasuredQuery]], mix: Sequence[MixQuery], cap: float, margin: float
) -> dict[str, Any]:
    """Apply every rule to the measured queries, by benchmark and split, and return the study as JSON.

    Steps that end only beyond the ceiling are infinite.
    """
    queries = [query for some in measured.values() for query in some]
    absolute = [apply_rule(Rule(limit), queries, mix) for limit in LIMITS]
    relative = [apply_rule(Rule(cap, factor, floor), queries, mix) for floor in FLOORS for factor in FACTORS]
    return {
        "files": [
            {"benchmark": name, "file": file, **_summary([query for query in some if query.file == file])}
            for name, some in measured.items()
            for file in dict.fromkeys(query.file for query in some)
        ],
        "mix": {"distinct": len(mix), "runaways": sum(query.steps == inf for query in mix)},
        "absolute": absolute,
        "relative": relative,
        "least_factor": {
            str(floor): least_factor([query for query in queries if query.file], floor) for floor in FLOORS
        },
        "margin": margin,
        "cheapest": {"absolute": cheapest(absolute, margin), "relative": cheapest(relative, margin)},
    }


def _summary(queries: Sequence[MeasuredQuery]) -> dict[str, Any]:
    return {
        "answers": len(queries),
        "correct": sum(bool(query.correct) for query in queries),
        "dearest_correct": max((query.steps or 0 for query in queries if query.correct), default=0),
        "dearest_wrong": max((query.steps or 0 for query in queries if query.correct is False), default=0),
    }
