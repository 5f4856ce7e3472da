"""A rule for the budget of a query, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from benchmarks.performance.steps.mix import Load
from benchmarks.performance.steps.spent import Spent

BUDGETS = (*(digit * 10**power for power in range(5, 9) for digit in (1, 2, 5)), 10**9)
"""Absolute budgets that are tried."""

FLOORS = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000)
FACTORS = (10, 50, 100, 200, 400, 1_000)
"""Budgets relative to the gold's own steps that are tried: each factor over each floor."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How many steps a query may take: the cap; or relative to those of its gold query, up to the cap.

    A gold query may always take as many as the cap says.

    Attributes:
        cap: Steps that no query may exceed.
        factor: Of the gold's own steps that a prediction may take; 0 for a budget that is the same for all.
        floor: Steps that any prediction may take, whatever the factor says.

    Example:
        >>> Rule(9_000).budget(500), [Rule(9_000, 10, 1_000).budget(gold) for gold in (5, 500, 5_000)]
        (9000, [1000, 5000, 9000])
    """

    cap: float
    factor: float = 0
    floor: float = 0

    def budget(self, gold_steps: float | None) -> float:
        """The steps that a prediction may take."""
        if not self.factor:
            return self.cap
        return min(self.cap, max(self.floor, self.factor * (gold_steps or 0)))

    def stops(self, answer: Spent) -> bool:
        """Whether an answer takes more than that."""
        return answer.steps is not None and answer.steps > self.budget(answer.gold_steps)


@dataclass(frozen=True, slots=True)
class Point:
    """What comes of one rule.

    Attributes:
        rule: The rule.
        margin: How many times its steps every correct answer could have taken, gold queries among them (as
            answers to themselves); below 1 some are lost.
        lost: Correct answers that it stops.
        stopped: How many wrong answers it stops.
        golds_lost: Gold queries beyond the cap, which masks their tasks.
        mix_steps: What the hostile mix takes.
        mix_seconds: CPU time of that.
    """

    rule: Rule
    margin: float
    lost: tuple[Spent, ...]
    stopped: int
    golds_lost: tuple[Spent, ...]
    mix_steps: float
    mix_seconds: float


def point(rule: Rule, golds: Sequence[Spent], answers: Sequence[Spent], mix: Sequence[Load]) -> Point:
    """Apply a rule to what was measured."""
    stopped = [answer for answer in answers if rule.stops(answer)]
    taken = [min(load.steps, rule.budget(load.gold_steps)) for load in mix]
    return Point(
        rule,
        min(
            (rule.budget(a.gold_steps) / a.steps for a in (*golds, *answers) if a.correct and a.steps),
            default=inf,
        ),
        tuple(answer for answer in stopped if answer.correct),
        sum(answer.correct is False for answer in stopped),
        tuple(gold for gold in golds if gold.steps is not None and gold.steps > rule.cap),
        sum(taken),
        sum(load.seconds(steps) for load, steps in zip(mix, taken, strict=True)),
    )


def least_factor(answers: Sequence[Spent], floor: float, margin: float = 1.0) -> float:
    """The smallest factor with which every correct answer could take ``margin`` times as many steps.

    It is 0 where the floor is enough for all, and infinite where one answers a gold without steps.
    """
    dear = [a for a in answers if a.correct and a.steps and margin * a.steps > floor]
    return max((margin * a.steps / a.gold_steps if a.gold_steps else inf for a in dear if a.steps), default=0)


def cheapest(points: Sequence[Point], margin: float) -> Point | None:
    """The point at which the mix takes the fewest steps, of those that lose nothing and leave this margin.

    Between equals the first.
    """
    kept = [p for p in points if not p.lost and not p.golds_lost and p.margin >= margin]
    return min(kept, key=lambda p: p.mix_steps, default=None)
