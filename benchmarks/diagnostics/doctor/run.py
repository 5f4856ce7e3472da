"""The items of a run, as the rules look at them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from benchmarks.records.item import Item

FEW = 20
"""Answers below which nothing is said of a share or a mean."""

QUARTER = 4
"""A training run is judged by its last quarter of steps, and has changed since its first."""


@dataclass(frozen=True)
class Run:
    """An evaluation, or the rollouts of a training run.

    Attributes:
        items: All answers.
    """

    items: tuple[Item, ...]

    @cached_property
    def judged(self) -> tuple[Item, ...]:
        """The answers that are not masked."""
        return tuple(item for item in self.items if not item.masked)

    @cached_property
    def trained(self) -> tuple[Item, ...]:
        """Those of them that belong to a step of training."""
        return tuple(item for item in self.judged if item.step is not None)

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """The steps of training, in order."""
        return tuple(sorted({item.step for item in self.trained if item.step is not None}))

    @cached_property
    def early(self) -> tuple[Item, ...]:
        """The answers of the first quarter of steps; none where there are fewer than four steps."""
        return self._of(self.steps[: len(self.steps) // QUARTER])

    @cached_property
    def late(self) -> tuple[Item, ...]:
        """The answers of the last quarter of steps; all where there are fewer than four steps."""
        size = len(self.steps) // QUARTER
        return self._of(self.steps[-size:]) if size else self.judged

    @cached_property
    def groups(self) -> tuple[tuple[Item, ...], ...]:
        """The late answers to one task in one step, where there are two or more with a total."""
        found: dict[tuple[int | None, str], list[Item]] = defaultdict(list)
        for item in self.late:
            if item.step is not None and number(item.total) is not None:
                found[item.step, item.task_id].append(item)
        return tuple(tuple(group) for group in found.values() if len(group) > 1)

    def _of(self, steps: Sequence[int]) -> tuple[Item, ...]:
        wanted = set(steps)
        return tuple(item for item in self.trained if item.step in wanted)


def number(value: float | None) -> float | None:
    """A value that can be reckoned with; None for one that is missing, infinite or not a number."""
    if value is None or not -1e100 < value < 1e100:
        return None
    return float(value)


def numbers(values: Iterable[float | None]) -> list[float]:
    """Those of the values that can be reckoned with."""
    return [found for found in map(number, values) if found is not None]


def mean(values: Sequence[float]) -> float:
    """Their mean; 0 of none."""
    return sum(values) / len(values) if values else 0.0


def deviation(values: Sequence[float]) -> float:
    """Their standard deviation; 0 of none."""
    middle = mean(values)
    return math.sqrt(mean([(value - middle) ** 2 for value in values]))
