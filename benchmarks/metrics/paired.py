"""Two runs on the same items: which is better, and could it be chance?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.metrics.intervals import RESAMPLES, Interval, bootstrap_interval


@dataclass(frozen=True, slots=True)
class McNemar:
    """How the verdicts of two runs on the same items differ.

    Attributes:
        n: Items that both runs were judged on.
        gained: Wrong in the first run, right in the second.
        lost: Right in the first, wrong in the second.
        p_value: How likely so lopsided a split of these flips, or one more so, is where each flip
            might as well have gone the other way. 1 where there is none.
    """

    n: int
    gained: int
    lost: int
    p_value: float


def mcnemar(first: Sequence[bool | None], second: Sequence[bool | None]) -> McNemar:
    """McNemar's test (1947) in its exact two-sided form, by the binomial distribution.

    Args:
        first: Whether each item is right in the first run; None where nobody can tell.
        second: The same in the second run, in the same order. An item counts where both tell.

    Raises:
        ValueError: They differ in length.

    Example:
        >>> mcnemar([True, False, False, False, False, False], [True] * 6)
        McNemar(n=6, gained=5, lost=0, p_value=0.0625)
    """
    both = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    gained = sum(not a and b for a, b in both)
    lost = sum(a and not b for a, b in both)
    flips = gained + lost
    return McNemar(len(both), gained, lost, min(1.0, 2 * _ways(flips, min(gained, lost)) / 2**flips))


def bootstrap_difference(
    first: Sequence[float | None],
    second: Sequence[float | None],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """The mean of the second run minus that of the first, with its 95 % paired bootstrap interval.

    Items are drawn, each with its values in both runs, so that what makes an item easy or hard for
    both falls out. Where the interval does not hold 0 the runs differ at the 5 % level.

    Args:
        first: A metric of each item in the first run; None where it does not count.
        second: The same in the second run, in the same order. An item counts where both do.
        resamples: How often the items are drawn.
        seed: The same seed gives the same interval.

    Returns:
        None where no item counts.

    Raises:
        ValueError: They differ in length.

    Example:
        >>> difference([0.5, 0.0, 1.0], [0.75, 0.25, 1.25])
        Interval(n=3, mean=0.25, low=0.25, high=0.25)
    """
    changes = [
        None if a is None or b is None else float(b) - float(a) for a, b in zip(first, second, strict=True)
    ]
    return bootstrap_interval(changes, resamples=resamples, seed=seed)


def _ways(n: int, most: int) -> int:
    """In how many ways at most so many of ``n`` flips go one way."""
    ways = total = 1
    for k in range(most):
        ways = ways * (n - k) // (k + 1)
        total += ways
    return total
