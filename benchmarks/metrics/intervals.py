"""Compute intervals of shares and means over the items of a benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
"""The share of intervals that contain the true mean, if there are many items."""

RESAMPLES = 10_000
"""Bootstrap samples for one interval."""

_MAX_VALUES = 2_000_000  # values that are drawn at once, 16 MB


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over items with its interval.

    Attributes:
        n: The number of items that count.
        mean: Their mean.
        low: The lower end of the interval.
        high: The upper end of the interval.
    """

    n: int
    mean: float
    low: float
    high: float


def compute_interval(values: Sequence[float | None]) -> Interval | None:
    """Return the mean of a metric of 0 to 1 with its 95 % interval.

    It is `wilson_interval` if each value is 0 or 1, so that the mean is a share of items, and otherwise
    `bootstrap_interval`.

    Args:
        values: A number from 0 to 1 or a verdict for each item; None for an item that does not count.

    Returns:
        None if no item counts.
    """
    is_share = all(value in (None, 0, 1) for value in values)
    return wilson_interval(values) if is_share else bootstrap_interval(values)


def wilson_interval(verdicts: Sequence[float | None]) -> Interval | None:
    """Return a share of items and its 95 % interval by Wilson (1927).

    It lies inside 0 to 1, contains the share, and has a width even if all items are right.

    Args:
        verdicts: True or 1, False or 0 for each item; None for an item that does not count.

    Returns:
        None if no item counts.

    Raises:
        ValueError: A value is neither 0 nor 1.

    Example:
        >>> found = wilson_interval([True, False, None, True, True])
        >>> found.mean, round(found.low, 3), round(found.high, 3)
        (0.75, 0.301, 0.954)
    """
    counted = [value for value in verdicts if value is not None]
    if any(value not in (0, 1) for value in counted):
        raise ValueError("a share needs verdicts: True or False for each item")
    if not counted:
        return None
    n, share = len(counted), float(sum(counted)) / len(counted)
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # at the ends of 0 to 1, rounding can leave the share just outside
    return Interval(n, share, max(0.0, min(center - half, share)), min(1.0, max(center + half, share)))


def bootstrap_interval(
    values: Sequence[float | None], *, resamples: int = RESAMPLES, seed: int = 0
) -> Interval | None:
    """Return the mean of a metric and its 95 % bootstrap interval.

    This is the percentile bootstrap of Efron (1979). Each bootstrap sample draws as many items as there are,
    with replacement, and takes their mean. The interval lies between the 2.5 % and 97.5 % quantiles of
    ``resamples`` such means. It covers other questions of the same kind, not another training run or another
    sample of the model. If all items are equal it has no width: for a share, `wilson_interval` is better.

    Args:
        values: A number or a verdict for each item; None for an item that does not count.
        resamples: The number of bootstrap samples.
        seed: The same seed gives the same interval.

    Returns:
        None if no item counts.

    Example:
        >>> bootstrap_interval([True, False, None, True, True])
        Interval(n=4, mean=0.75, low=0.25, high=1.0)
    """
    counted = np.array([value for value in values if value is not None], dtype=np.float64)
    if not counted.size:
        return None
    mean = float(counted.mean())
    margin = 50 * (1 - LEVEL)
    low, high = np.percentile(_resample_means(counted, resamples, seed), [margin, 100 - margin])
    return Interval(
        len(counted), mean, min(float(low), mean), max(float(high), mean)
    )  # means can differ by rounding


def _resample_means(values: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Return the means of the bootstrap samples, drawn in parts to save memory."""
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, _MAX_VALUES // len(values))
    for start in range(0, resamples, step):
        part = means[start : start + step]
        places = generator.integers(0, len(values), (len(part), len(values)), dtype=np.int32)
        part[:] = values[places].mean(axis=1)
    return means
