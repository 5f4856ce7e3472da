"""Contenders that run in turns, and what they took."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import median
from typing import TypeAlias

Figures: TypeAlias = Mapping[str, float]
"""What one row was measured at, by the figure's name, which ends in its unit: ``cpu_s``, ``median_us``."""

Contender: TypeAlias = Callable[[], Mapping[str, Figures]]
"""Runs once, and says what each of its rows took; most contenders have one row."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What each row took in each repeat.

    Attributes:
        repeats: For each repeat, the figures of each row.
    """

    repeats: Sequence[Mapping[str, Figures]]

    @property
    def rows(self) -> list[str]:
        """The rows, sorted by name: the order in which they ran says nothing."""
        return sorted(self.repeats[0])

    def values(self, row: str, figure: str) -> list[float]:
        """A figure in each repeat."""
        return [repeat[row][figure] for repeat in self.repeats]

    def median(self, row: str, figure: str) -> float:
        """A figure's median over the repeats."""
        return median(self.values(row, figure))

    def ratio(self, over: str, under: str, figure: str) -> float:
        """The median of the ratios of two rows, each taken within one repeat.

        The machine changes from minute to minute, and within a repeat it does so least.

        Example:
            >>> Measurement([{"a": {"s": 1.0}, "b": {"s": 2.0}}]).ratio("b", "a", "s")
            2.0
        """
        pairs = zip(self.values(over, figure), self.values(under, figure), strict=True)
        return median(above / below for above, below in pairs)

    def summary(self) -> dict[str, dict[str, dict[str, float]]]:
        """For each row and figure its median, smallest and largest value, as an object of JSON."""
        return {
            row: {
                figure: {
                    "median": self.median(row, figure),
                    "min": min(self.values(row, figure)),
                    "max": max(self.values(row, figure)),
                }
                for figure in self.repeats[0][row]
            }
            for row in self.rows
        }


def measure(
    contenders: Mapping[str, Contender], repeats: int, draw: Random, done: Callable[[str], None] | None = None
) -> Measurement:
    """Run every contender once in each repeat, in an order that is drawn anew.

    Args:
        contenders: What runs, by name.
        repeats: How often.
        draw: What the order is drawn with.
        done: Told the name of each contender that has run.
    """
    found = []
    for _ in range(repeats):
        names = list(contenders)
        draw.shuffle(names)
        figures: dict[str, Figures] = {}
        for name in names:
            figures |= contenders[name]()
            if done is not None:
                done(name)
        found.append(figures)
    return Measurement(found)
