"""Workloads, the measurement of their contenders in turns, and findings with bars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from statistics import median
from typing import Any, Literal, TypeAlias

Figures: TypeAlias = Mapping[str, float]
"""The figures of one row. A name ends in its unit: ``cpu_s``, ``median_us``."""

Contender: TypeAlias = Callable[[], Mapping[str, Figures]]
"""A function that runs once and returns the figures of each of its rows."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """The figures of each row in each repeat."""

    repeats: Sequence[Mapping[str, Figures]]

    def values(self, row: str, figure: str) -> list[float]:
        """Return a figure of each repeat."""
        return [repeat[row][figure] for repeat in self.repeats]

    def median(self, row: str, figure: str) -> float:
        """Return the median of a figure."""
        return median(self.values(row, figure))

    def ratio(self, over: str, under: str, figure: str) -> float:
        """Return the median of the ratios of two rows, each from one repeat.

        The speed of a machine changes over minutes. It changes least within one repeat.

        Example:
            >>> Measurement([{"a": {"s": 1.0}, "b": {"s": 2.0}}]).ratio("b", "a", "s")
            2.0
        """
        pairs = zip(self.values(over, figure), self.values(under, figure), strict=True)
        return median(above / below for above, below in pairs)

    def summary(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return median, minimum and maximum by row and figure. Rows are in alphabetical order."""
        return {
            row: {
                figure: {
                    "median": self.median(row, figure),
                    "min": min(self.values(row, figure)),
                    "max": max(self.values(row, figure)),
                }
                for figure in figures
            }
            for row, figures in sorted(self.repeats[0].items())
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """A number from a measurement, with its bar.

    Attributes:
        name: The name, with its unit.
        value: The number.
        bar: The smallest or the largest number that is good enough.
        sense: ``>=`` if the bar is the smallest such number, ``<=`` if it is the largest.

    Example:
        >>> Finding("time, s", 2.0, 1.5, "<=").ok
        False
    """

    name: str
    value: float
    bar: float
    sense: Literal[">=", "<="] = ">="

    @property
    def ok(self) -> bool:
        """True unless the bar is missed."""
        return self.value >= self.bar if self.sense == ">=" else self.value <= self.bar


@dataclass(frozen=True, slots=True)
class Workload:
    """Contenders that do the same work in different ways.

    Attributes:
        about: One line about the work.
        contenders: The contenders by name.
        findings: Derives the findings from the measurement.
        facts: Counts and sizes of the work.
        repeats: Number of times that each contender runs; None for the number in the settings.
    """

    about: str
    contenders: Mapping[str, Contender]
    findings: Callable[[Measurement], Sequence[Finding]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    repeats: int | None = None


def measure(
    contenders: Mapping[str, Contender], repeats: int, random: Random, progress: Callable[[int], None]
) -> Measurement:
    """Run every contender once in each repeat, in a new random order, and report progress after each."""
    found = []
    for _ in range(repeats):
        names, figures = list(contenders), dict[str, Figures]()
        random.shuffle(names)
        for name in names:
            figures |= contenders[name]()
            progress(1)
        found.append(figures)
    return Measurement(found)
