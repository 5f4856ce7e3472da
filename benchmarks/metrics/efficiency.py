"""Compute BIRD's efficiency scores, VES and R-VES, by counted steps or by CPU time."""

import time
from collections.abc import Callable, Sequence
from math import sqrt
from statistics import mean, median, pstdev
from typing import Literal, TypeAlias, get_args

from sql_env.errors import MetricError
from sql_env.execution.executor import Executor
from sql_env.limits import Limits
from sql_env.types import Cost, Query, Score

Clock: TypeAlias = Literal["steps", "cpu"]
"""The cost of a query: steps (SQLite's virtual-machine instructions) or seconds of CPU."""

Average: TypeAlias = Literal["median", "mean"]
"""The average of ratios: the median, or the mean without outliers."""

SCORES = ("r_ves", "ves")
"""The names of the metrics of this module in a summary. They are numbers, not shares."""

CPU_REPEATS = 100
"""Runs of each query under the clock ``cpu``, as in BIRD's evaluators."""

_RESOLUTION = time.get_clock_info("thread_time").resolution
_STEPS = ((2.0, 1.25), (1.0, 1.0), (0.5, 0.75), (0.25, 0.5))  # R-VES: the least ratio and its reward


def ves(
    scores: Sequence[Score],
    *,
    clock: Clock = "steps",
    repeats: int = CPU_REPEATS,
    average: Average = "median",
    limits: Limits | None = None,
) -> list[float | None]:
    """Compute the valid efficiency score of BIRD (arXiv 2305.03111) for each item; VES is their mean.

    It is 100 times the square root of the speed-up. A prediction with the cost of the gold query has 100.

    Args:
        scores: Scores under BIRD's rules.
        clock: The cost; ``steps`` are equal in every run.
        repeats: The runs of each query under ``cpu``.
        average: The average of the runs under ``cpu``; see `measure_speedups`.
        limits: The limits of each query, as for scoring.

    Returns:
        A number for each score: 0 if it is wrong, None if it does not count.

    Raises:
        MetricError: See `measure_speedups`.
    """
    speedups = measure_speedups(scores, clock=clock, repeats=repeats, average=average, limits=limits)
    return list(map(ves_from_speedup, speedups))


def r_ves(
    scores: Sequence[Score],
    *,
    clock: Clock = "steps",
    repeats: int = CPU_REPEATS,
    average: Average = "median",
    limits: Limits | None = None,
) -> list[float | None]:
    """Compute the reward-based valid efficiency score of BIRD's mini-dev for each item; R-VES is their mean.

    It is 100 times the square root of a reward with five levels, so a query that is much faster than the
    gold query cannot make up for others. Parameters and result are those of `ves`.
    """
    speedups = measure_speedups(scores, clock=clock, repeats=repeats, average=average, limits=limits)
    return list(map(r_ves_from_speedup, speedups))


def ves_from_speedup(speedup: float | None) -> float | None:
    """Return one item's VES from its speed-up.

    Example:
        >>> ves_from_speedup(4.0), ves_from_speedup(0.0), ves_from_speedup(None)
        (200.0, 0.0, None)
    """
    return None if speedup is None else 100 * sqrt(speedup)


def r_ves_from_speedup(speedup: float | None) -> float | None:
    """Return one item's R-VES from its speed-up, by the levels of bird-bench/mini_dev 4d970a9.

    The reward is 1.25 from a speed-up of 2, 1 from 1, 0.75 from 0.5, 0.5 from 0.25, 0.25 above 0, and
    0 if the prediction is wrong.

    Example:
        >>> [r_ves_from_speedup(speedup) for speedup in (1.5, 0.1, 0.0, None)]
        [100.0, 50.0, 0.0, None]
    """
    if not speedup:
        return speedup
    return 100 * sqrt(next((reward for least, reward in _STEPS if speedup >= least), 0.25))


def measure_speedups(
    scores: Sequence[Score],
    *,
    clock: Clock = "steps",
    repeats: int = CPU_REPEATS,
    average: Average = "median",
    limits: Limits | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[float | None]:
    """Measure the speed-up of each item: the gold query's cost over the prediction's. 2 is twice as fast.

    Both queries run as they are written, in a worker process and under the limits, as in scoring. Under
    ``steps`` each query runs once, because SQLite counts the same steps in every run and under any load.
    Under ``cpu`` they run by turns on a warm connection, so that a slow moment slows both, and each pair of
    runs gives a ratio. ``median`` takes the median of the ratios. ``mean`` averages them without ratios
    beyond three standard deviations, as BIRD's evaluators do with wall-clock time; a loaded machine raises
    this mean.

    Args:
        scores: The scores.
        clock: The cost.
        repeats: The runs of each query under ``cpu``.
        average: The average of the runs under ``cpu``.
        limits: The limits of each query.
        progress: Called with the number of scores measured since the last call.

    Returns:
        A number above 0 for each right prediction; 0 for a wrong one; None if it is masked, or if one of
        the two queries did not run to its end this time.

    Raises:
        MetricError: The clock or average is unknown, the engine counts no steps, or ``repeats`` is below 1.
    """
    for kind, name, known in (("clock", clock, get_args(Clock)), ("average", average, get_args(Average))):
        if name not in known:
            raise MetricError(f"unknown {kind} {name!r}; known: {', '.join(known)}")
    if repeats < 1:
        raise MetricError(f"repeats must be at least 1, not {repeats}")
    found: list[float | None] = []
    with Executor(limits or Limits()) as executor:
        for score in scores:
            found.append(_speedup(executor, score, clock, repeats, average))
            if progress is not None:
                progress(1)
    return found


def _speedup(executor: Executor, score: Score, clock: Clock, repeats: int, average: Average) -> float | None:
    if score.masked:
        return None
    task, sql = score.rollout.task, score.rollout.action.sql
    if not score.rollout.correct or sql is None:
        return 0.0
    pair = [Query(task.database, each, task.dialect) for each in (task.gold_sql, sql)]
    # the first run of each opens the database and reads it into memory
    costs = executor.measure(pair) if clock == "steps" else executor.measure(pair * (1 + repeats))[2:]
    if not all(cost.ok for cost in costs):
        return None
    ratios = _ratios(costs, clock, task.dialect)
    return median(ratios) if average == "median" else mean(_without_outliers(ratios))


def _ratios(costs: Sequence[Cost], clock: Clock, dialect: str) -> list[float]:
    """Return the ratio of each pair of runs; the costs are of the gold query and the prediction by turns."""
    if clock == "cpu":  # no time is below the resolution of the clock
        amounts = [max(cost.cpu_seconds or 0.0, _RESOLUTION) for cost in costs]
    else:
        counted = [cost.steps for cost in costs if cost.steps]
        if len(counted) < len(costs):
            raise MetricError(f"the engine of {dialect!r} counts no steps; measure with clock='cpu'")
        amounts = list(map(float, counted))
    return [gold / ours for gold, ours in zip(amounts[::2], amounts[1::2], strict=True)]


def _without_outliers(values: Sequence[float]) -> list[float]:
    """Return the values within three standard deviations of their mean."""
    middle, most = mean(values), 3 * pstdev(values)
    return [value for value in values if abs(value - middle) <= most]
