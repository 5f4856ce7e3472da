"""Judge predictions under several comparisons at once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.loading.limits import make_evaluation_limits
from benchmarks.loading.predictions import find_indices
from benchmarks.metrics.intervals import Interval, wilson_interval
from sql_env.comparison import COMPARISONS
from sql_env.limits import Limits
from sql_env.scoring.scorer import Scorer
from sql_env.types import Benchmark, ExecutionResult, Rollout, Task

TASKS_PER_BATCH = 128
"""Tasks that are judged between two calls of ``progress``."""

_RUBRIC = {"rewards": ["result"], "response_format": "sql"}


@dataclass(frozen=True, slots=True)
class Verdicts:
    """One prediction under several comparisons.

    Attributes:
        index: The task's place in the benchmark's own file.
        task: The task.
        sql: The prediction.
        correct: Whether it is right, by the name of the comparison; None if it is masked.
        rollouts: The rollout under each comparison if the verdicts differ; else empty.
    """

    index: int
    task: Task
    sql: str
    correct: Mapping[str, bool | None]
    rollouts: Mapping[str, Rollout]

    @property
    def flips(self) -> bool:
        """True if it is right under some comparisons and wrong under others."""
        return {True, False} <= set(self.correct.values())

    def comparisons_with(self, verdict: bool) -> tuple[str, ...]:
        """Return the comparisons with this verdict."""
        return tuple(name for name, correct in self.correct.items() if correct is verdict)


def judge_under_all(
    benchmark: Benchmark,
    predictions: Sequence[str],
    *,
    semantics: Sequence[str] = tuple(COMPARISONS),
    limits: Limits | None = None,
    workers: int = 2,
    progress: Callable[[int], None] | None = None,
) -> list[Verdicts]:
    """Judge one prediction for each task under each of several comparisons.

    A query that several comparisons do not change runs once for all of them.

    Args:
        benchmark: The benchmark.
        predictions: Bare SQL, one for each task; see `benchmarks.loading.predictions.read_predictions`.
        semantics: Names of comparisons.
        limits: The limits of each query. Default: `benchmarks.loading.limits.make_evaluation_limits`.
        workers: The number of processes that run queries; the verdicts do not depend on it.
        progress: Called with the number of tasks judged since the last call.

    Raises:
        ValueError: The numbers of predictions and tasks differ.
        ComparisonError: A comparison is unknown.
        DataError: The places of the tasks are not known.

    Example:
        >>> from benchmarks.demo import demo
        >>> test = demo(split="test")
        >>> found = judge_under_all(test, [task.gold_sql for task in test.tasks])
        >>> {name for verdicts in found for name in verdicts.comparisons_with(False)}
        set()
    """
    places, found = find_indices(benchmark), list[Verdicts]()
    if len(predictions) != len(places):
        raise ValueError(f"{len(predictions)} predictions for {len(places)} tasks: give one for each")
    with Scorer(_RUBRIC, limits=limits or make_evaluation_limits(), workers=workers, rows=True) as scorer:
        for start in range(0, len(places), TASKS_PER_BATCH):
            part = slice(start, start + TASKS_PER_BATCH)
            tasks = [replace(task, comparison=name) for name in semantics for task in benchmark.tasks[part]]
            judged = iter(scorer.rollouts([*predictions[part]] * len(semantics), tasks))
            rollouts = {name: [next(judged) for _ in places[part]] for name in semantics}
            for offset, place in enumerate(places[part]):
                each = {name: rollouts[name][offset] for name in semantics}
                verdicts = Verdicts(
                    place,
                    benchmark.tasks[start + offset],
                    predictions[start + offset],
                    {name: rollout.correct for name, rollout in each.items()},
                    each,
                )
                found.append(verdicts if verdicts.flips else replace(verdicts, rollouts={}))
            if progress is not None:
                progress(len(places[part]))
    return found


def compute_accuracies(found: Sequence[Verdicts]) -> dict[str, Interval | None]:
    """Return execution accuracy under each comparison, 0 to 1, with its 95 % interval."""
    names = found[0].correct if found else ()
    return {name: wilson_interval([verdicts.correct[name] for verdicts in found]) for name in names}


def group_results(
    verdicts: Verdicts,
) -> Iterator[tuple[tuple[str, ...], ExecutionResult | None, ExecutionResult]]:
    """Yield the compared results of an item that flips: names of comparisons, result, gold result.

    Comparisons share a pair of results unless they change the SQL, as Spider's does, which deletes DISTINCT.
    """
    pairs: dict[tuple[ExecutionResult | None, ExecutionResult], list[str]] = {}
    for name, rollout in verdicts.rollouts.items():
        pairs.setdefault((rollout.result, rollout.gold), []).append(name)
    for (result, gold), names in pairs.items():
        yield tuple(names), result, gold
