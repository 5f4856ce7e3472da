"""Compare two runs on the same items: which one is better, and how likely is that by chance?"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from benchmarks.metrics.intervals import RESAMPLES, Interval, bootstrap_interval


@dataclass(frozen=True, slots=True)
class McNemar:
    """The differences between the verdicts of two runs on the same items.

    Attributes:
        n: Items that are judged in both runs.
        gained: Items that are wrong in the first run and right in the second.
        lost: Items that are right in the first run and wrong in the second.
        p_value: The probability of a split of these flips that is as uneven or more, if both directions
            are equally likely. 1 if there is no flip.
    """

    n: int
    gained: int
    lost: int
    p_value: float


def mcnemar(first: Sequence[bool | None], second: Sequence[bool | None]) -> McNemar:
    """Compute McNemar's test (1947) in its exact two-sided form, by the binomial distribution.

    Args:
        first: Whether each item is right in the first run; None if it does not count.
        second: The same in the second run, in the same order. An item counts if it counts in both.

    Raises:
        ValueError: The arguments differ in length.

    Example:
        >>> mcnemar([True, False, False, False, False, False], [True] * 6)
        McNemar(n=6, gained=5, lost=0, p_value=0.0625)
    """
    both = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    gained = sum(not a and b for a, b in both)
    lost = sum(a and not b for a, b in both)
    flips = gained + lost
    # each binomial coefficient from the one before, which is much faster than math.comb for many flips
    counts = accumulate(range(min(gained, lost)), lambda count, k: count * (flips - k) // (k + 1), initial=1)
    return McNemar(len(both), gained, lost, min(1.0, 2 * sum(counts) / 2**flips))


def bootstrap_difference(
    first: Sequence[float | None],
    second: Sequence[float | None],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """Return the mean of the second run minus that of the first, with its 95 % paired bootstrap interval.

    Items are drawn with their values in both runs, so the difficulty of an item cancels out. If the interval
    does not contain 0, the runs differ at the 5 % level.

    Args:
        first: A metric of each item in the first run; None if the item does not count.
        second: The same in the second run, in the same order. An item counts if it counts in both.
        resamples: The number of bootstrap samples.
        seed: The same seed gives the same interval.

    Returns:
        None if no item counts.

    Raises:
        ValueError: The arguments differ in length.

    Example:
        >>> bootstrap_difference([0.5, 0.0, 1.0], [0.75, 0.25, 1.25])
        Interval(n=3, mean=0.25, low=0.25, high=0.25)
    """
    changes = [
        None if a is None or b is None else float(b) - float(a) for a, b in zip(first, second, strict=True)
    ]
    return bootstrap_interval(changes, resamples=resamples, seed=seed)
