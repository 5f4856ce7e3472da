"""BIRD's efficiency scores, VES and R-VES, by counted steps or by CPU time."""

from __future__ import annotations

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
"""What a query's cost is: SQLite's virtual-machine instructions, or seconds of CPU."""

Average: TypeAlias = Literal["median", "mean"]
"""How the ratios of the turns become one: their median, or the mean after outliers are dropped."""

CPU_REPEATS = 100
"""How often gold and prediction take turns under the clock ``cpu``, as in BIRD's evaluators."""

_RESOLUTION = time.get_clock_info("thread_time").resolution
_STEPS = ((2.0, 1.25), (1.0, 1.0), (0.5, 0.75), (0.25, 0.5))  # of R-VES: from this ratio up, this reward


def ves(
    scores: Sequence[Score],
    *,
    clock: Clock = "steps",
    repeats: int = CPU_REPEATS,
    average: Average = "median",
    limits: Limits | None = None,
) -> list[float | None]:
    """The valid efficiency score of BIRD (arXiv 2305.03111) of each item; the score is their mean.

    100 times the square root of `speedups`. A prediction that costs what the gold costs has 100.

    Args:
        scores: What was scored under BIRD's rules.
        clock: What is counted; ``steps`` are the same on every run.
        repeats: How often the queries take turns under ``cpu``.
        average: What is taken of the turns under ``cpu``; see `speedups`.
        limits: What each query may cost; the same as when they were scored.

    Returns:
        A number for each score: 0 where it is wrong, None where it does not count.

    Raises:
        MetricError: As `speedups`.
    """
    found = measure_speedups(scores, clock=clock, repeats=repeats, average=average, limits=limits)
    return [ves_from_speedup(speedup) for speedup in found]


def r_ves(
    scores: Sequence[Score],
    *,
    clock: Clock = "steps",
    repeats: int = CPU_REPEATS,
    average: Average = "median",
    limits: Limits | None = None,
) -> list[float | None]:
    """The reward-based valid efficiency score of BIRD's mini-dev of each item; the score is their mean.

    100 times the square root of a reward in five steps, so that a query far faster than gold cannot
    make up for others. Parameters and result are those of `ves`.
    """
    found = measure_speedups(scores, clock=clock, repeats=repeats, average=average, limits=limits)
    return [r_ves_from_speedup(speedup) for speedup in found]


def ves_from_speedup(speedup: float | None) -> float | None:
    """One item's VES from its speed-up.

    Example:
        >>> ves_of(4.0), ves_of(0.0), ves_of(None)
        (200.0, 0.0, None)
    """
    return None if speedup is None else 100 * sqrt(speedup)


def r_ves_from_speedup(speedup: float | None) -> float | None:
    """One item's R-VES from its speed-up, by the steps of bird-bench/mini_dev 4d970a9.

    The reward is 1.25 from a speed-up of 2, 1 from 1, 0.75 from 0.5, 0.5 from 0.25, 0.25 above 0, and
    0 where the prediction is wrong.

    Example:
        >>> r_ves_of(1.5), r_ves_of(0.1), r_ves_of(0.0), r_ves_of(None)
        (100.0, 50.0, 0.0, None)
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
    """The gold query's cost over the prediction's, for each item: 2 is twice as fast.

    Both run as they are written, in a worker process and under the limits, as in scoring. Under
    ``steps`` each runs once: SQLite counts the same on every run and under any load. Under ``cpu`` they
    take turns on a warm connection, so that what slows one slows both, and each pair gives a ratio. The
    median of the ratios is taken; or ``mean``, as BIRD's evaluators do with the clock on the wall: ratios
    beyond three standard deviations are dropped and the rest is averaged, which a loaded machine
    raises.

    Args:
        scores: What was scored.
        clock: What is counted.
        repeats: How often the queries take turns under ``cpu``.
        average: What is taken of the turns.
        limits: What each query may cost.
        progress: Told how many more are measured, now and then.

    Returns:
        A number above 0 for each score whose prediction is right; 0 where it is wrong; None where it is
        masked, or where gold or prediction did not run to its end this time.

    Raises:
        MetricError: There is no such clock or average, the engine counts no steps, or there are no repeats.
    """
    for kind, name, known in (("clock", clock, get_args(Clock)), ("average", average, get_args(Average))):
        if name not in known:
            raise MetricError(f"no {kind} is called {name!r}; known: {', '.join(known)}")
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
    # the first turn opens the database and reads it into memory
    costs = executor.measure(pair) if clock == "steps" else executor.measure(pair * (1 + repeats))[2:]
    if not all(cost.ok for cost in costs):
        return None
    ratios = _ratios(costs, clock, task.dialect)
    return median(ratios) if average == "median" else mean(_without_outliers(ratios))


def _ratios(costs: Sequence[Cost], clock: Clock, dialect: str) -> list[float]:
    """The ratio of each turn; the costs are gold's and the prediction's by turns."""
    if clock == "cpu":  # no time is shorter than the clock can tell
        amounts = [max(cost.cpu_seconds or 0.0, _RESOLUTION) for cost in costs]
    else:
        counted = [cost.steps for cost in costs if cost.steps]
        if len(counted) < len(costs):
            raise MetricError(f"the engine of {dialect!r} counts no steps; measure with clock='cpu'")
        amounts = list(map(float, counted))
    return [gold / ours for gold, ours in zip(amounts[::2], amounts[1::2], strict=True)]


def _without_outliers(values: Sequence[float]) -> list[float]:
    """The values within three standard deviations of their mean."""
    middle, most = mean(values), 3 * pstdev(values)
    return [value for value in values if abs(value - middle) <= most]
