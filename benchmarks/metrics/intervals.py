"""How sure a mean is: bootstrap intervals over the items of a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
"""How often an interval covers the true mean, where items are many."""

RESAMPLES = 10_000
"""Bootstrap samples that an interval is read from."""

_CELLS = 2_000_000  # values that are drawn at once: 16 MB of them


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over items, and an interval about it.

    Attributes:
        n: How many items count.
        mean: Their mean.
        low: The interval's lower end.
        high: Its upper end.
    """

    n: int
    mean: float
    low: float
    high: float


def bootstrap_interval(
    values: Sequence[float | None], *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval | None:
    """The mean of a metric and its 95 % bootstrap interval.

    The percentile bootstrap of Efron (1979): as many items as there are, drawn from them with
    replacement, and the mean taken; the interval lies between the 2.5 % and 97.5 % quantiles of
    ``resamples`` such means. It is about other questions of the same kind, not about another training
    run or another sample of the model. Where all items are alike it has no width, which says little
    when they are few.

    Args:
        values: One for each item: a number, or whether it is right; None for an item that does not count.
        resamples: How often the items are drawn.
        seed: The same seed gives the same interval.

    Returns:
        None where no item counts.

    Example:
        >>> interval([True, False, None, True, True])
        Interval(n=4, mean=0.75, low=0.25, high=1.0)
    """
    counted = np.array([value for value in values if value is not None], dtype=np.float64)
    if not counted.size:
        return None
    mean = float(counted.mean())
    margin = 50 * (1 - LEVEL)
    low, high = np.percentile(_means(counted, resamples, seed), [margin, 100 - margin])
    return Interval(len(counted), mean, min(float(low), mean), max(float(high), mean))  # rounding aside


def _means(values: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """The means of so many bootstrap samples, drawn some at a time."""
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, _CELLS // len(values))
    for start in range(0, resamples, step):
        part = means[start : start + step]
        places = generator.integers(0, len(values), (len(part), len(values)), dtype=np.int32)
        part[:] = values[places].mean(axis=1)
    return means
