"""The items of a run, in the parts that the rules need."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from benchmarks.records.item import Item

MIN_ANSWERS = 20
"""Rules judge no share and no mean of fewer answers."""

QUARTER = 4
"""The first and the last quarter of the steps of a training run are compared."""


@dataclass(frozen=True)
class RunItems:
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
        """The judged answers that belong to a step of training."""
        return tuple(item for item in self.judged if item.step is not None)

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """The steps of training, in order."""
        return tuple(sorted({item.step for item in self.trained if item.step is not None}))

    @cached_property
    def early(self) -> tuple[Item, ...]:
        """The answers of the first quarter of steps; none if there are fewer than four steps."""
        return self._of_steps(self.steps[: len(self.steps) // QUARTER])

    @cached_property
    def late(self) -> tuple[Item, ...]:
        """The answers of the last quarter of steps; all if there are fewer than four steps."""
        size = len(self.steps) // QUARTER
        return self._of_steps(self.steps[-size:]) if size else self.judged

    @cached_property
    def groups(self) -> tuple[tuple[Item, ...], ...]:
        """The late answers to one task in one step, if two or more have a total."""
        found: dict[tuple[int | None, str], list[Item]] = defaultdict(list)
        for item in self.late:
            if item.step is not None and to_finite(item.total) is not None:
                found[item.step, item.task_id].append(item)
        return tuple(tuple(group) for group in found.values() if len(group) > 1)

    def _of_steps(self, steps: Sequence[int]) -> tuple[Item, ...]:
        chosen = set(steps)
        return tuple(item for item in self.trained if item.step in chosen)


def to_finite(value: float | None) -> float | None:
    """Return a value as a float; None if it is missing, infinite, too large or not a number."""
    return None if value is None or not -1e100 < value < 1e100 else float(value)


def keep_finite(values: Iterable[float | None]) -> list[float]:
    """Return the values that are finite."""
    return [found for found in map(to_finite, values) if found is not None]


def compute_mean(values: Sequence[float]) -> float:
    """Return the mean; 0 if there is no value."""
    return sum(values) / len(values) if values else 0.0


def compute_deviation(values: Sequence[float]) -> float:
    """Return the standard deviation; 0 if there is no value."""
    middle = compute_mean(values)
    return math.sqrt(compute_mean([(value - middle) ** 2 for value in values]))
