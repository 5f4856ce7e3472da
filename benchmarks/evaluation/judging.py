"""Judge answers: run them, compare them, vote among candidates, and compute further metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from benchmarks.loading.limits import make_evaluation_limits
from benchmarks.metrics.accuracy import (
    count_votes,
    is_valid,
    is_vote_correct,
    pass_at_k_by_task,
    pick_by_vote,
)
from benchmarks.metrics.efficiency import measure_speedups, r_ves_from_speedup, ves_from_speedup
from benchmarks.metrics.exact_match import ExactMatch
from benchmarks.metrics.soft_f1 import score_soft_f1
from benchmarks.metrics.suite import score_on_suites
from benchmarks.records.item import Candidate, Item, make_item
from sql_env import Benchmark, Limits, Score, Scorer, Task
from sql_env.scoring.stream import score_stream

SQL = {"rewards": ["result"], "response_format": "sql"}
"""The rubric of bare SQL. Only the result counts."""

Columns: TypeAlias = dict[str, Sequence[float | None]]
"""The name of each metric, and its value for each score; None where the metric does not apply."""

Metric: TypeAlias = Callable[[Sequence[Score]], Columns]
"""A function from scores to one metric, or to several that share one measurement."""


@dataclass(frozen=True, slots=True)
class TaskCompletions:
    """The completions of one task.

    Attributes:
        index: The position of the task in the benchmark's own file, from 0.
        task: The task.
        greedy: The only completion, or the completion of greedy decoding; None where there are only samples.
        samples: The candidates.
    """

    index: int
    task: Task
    greedy: str | None
    samples: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All completions, the greedy one first."""
        return self.samples if self.greedy is None else (self.greedy, *self.samples)


def evaluate(
    benchmark: Benchmark,
    predictions: Sequence[str],
    *,
    comparison: str | None = None,
    limits: Limits | None = None,
    workers: int = 2,
    backend: str = "local",
    progress: Callable[[int], None] | None = None,
) -> list[Score]:
    """Score one prediction for each task of a benchmark.

    Args:
        benchmark: The benchmark.
        predictions: Bare SQL, one query for each task, as `read_predictions` returns them.
        comparison: The comparison that replaces the comparisons of the tasks.
        limits: The limits of each query. Default: `benchmarks.loading.limits.make_evaluation_limits`.
        workers: Number of processes that run queries. The scores do not depend on it.
        backend: The backend that runs queries; see `sql_env.execution.backends`. The scores do not
            depend on it.
        progress: Called with the number of predictions that were scored since the last call.

    Returns:
        A score for each task, in order.

    Raises:
        ValueError: There are more or fewer predictions than tasks.
        ComparisonError: No comparison has this name.

    Example:
        >>> from benchmarks.demo import demo
        >>> test = demo(split="test")
        >>> scores = evaluate(test, [task.gold_sql for task in test.tasks])
        >>> all(score.rollout.correct for score in scores)
        True
    """
    if len(predictions) != len(benchmark.tasks):
        raise ValueError(
            f"{len(predictions)} predictions for {len(benchmark.tasks)} tasks: give one for each"
        )
    scores: list[Score] = []
    with Scorer(
        SQL,
        limits=limits or make_evaluation_limits(),
        workers=workers,
        comparison=comparison,
        rows=True,
        backend=backend,
    ) as scorer:
        pairs = zip(predictions, benchmark.tasks, strict=True)
        for score in score_stream(scorer, pairs, batch=get_batch_size(workers)):
            scores.append(score)
            if progress is not None:
                progress(1)
    return scores


def get_batch_size(workers: int) -> int:
    """Return the number of tasks that are judged in one batch: 64 for each worker, but at least 128."""
    return max(128, 64 * workers)


def select_metrics(
    benchmark: Benchmark,
    comparison: str | None = None,
    *,
    efficiency: bool = False,
    limits: Limits | None = None,
) -> list[Metric]:
    """Select the metrics that are computed in addition to correctness.

    Args:
        benchmark: The benchmark. Tasks with Spider's comparison have exact set match, ``exact``, and
            tasks with BIRD's have ``soft_f1``.
        comparison: The comparison that replaces the comparisons of the tasks.
        efficiency: Also measure ``r_ves`` and ``ves``, by counted steps.
        limits: The limits of each query that is measured for them, as for scoring.

    Raises:
        DataError: A ``tables.json`` is malformed.
        DatabaseError: A schema can be read neither from ``tables.json`` nor from the database.
    """
    semantics = {comparison or task.comparison for task in benchmark.tasks}
    metrics: list[Metric] = [lambda scores: {"valid": [_as_float(is_valid(score)) for score in scores]}]
    if "spider" in semantics:
        match = ExactMatch(benchmark)
        metrics.append(
            lambda scores: {"exact": [match(s.rollout.task, s.rollout.action.sql or "") for s in scores]}
        )
    if "bird" in semantics:
        metrics.append(lambda scores: {"soft_f1": list(map(score_soft_f1, scores))})
    if efficiency:
        metrics.append(partial(_measure_efficiency, limits=limits or make_evaluation_limits()))
    return metrics


def _measure_efficiency(scores: Sequence[Score], limits: Limits) -> Columns:
    measured = measure_speedups(scores, limits=limits)
    return {"r_ves": list(map(r_ves_from_speedup, measured)), "ves": list(map(ves_from_speedup, measured))}


def judge(
    scorer: Scorer, batch: Sequence[TaskCompletions], metrics: Sequence[Metric], suites: str | None = None
) -> list[Item]:
    """Judge the completions of some tasks.

    Where a task has samples, its item is about the sample that `benchmarks.metrics.accuracy.pick_by_vote`
    picks, or about the first sample where none has a vote. With several samples its metrics include
    ``greedy``, ``mean@1``, ``pass@k`` and ``vote@k``.

    Args:
        scorer: Runs the queries and compares their results.
        batch: The completions of ``n`` tasks.
        metrics: The metrics; see `select_metrics`.
        suites: A folder of database suites. Each query is then judged on all databases of its suite.

    Returns:
        ``n`` items. A masked item has no metric: each of them is None.
    """
    texts = [text for each in batch for text in each.texts]
    tasks = [each.task for each in batch for _ in each.texts]
    scored = scorer.score(texts, tasks) if suites is None else score_on_suites(scorer, texts, tasks, suites)
    scores = iter(scored)
    groups = [[next(scores) for _ in each.texts] for each in batch]
    samples = [group[-len(each.samples) :] for each, group in zip(batch, groups, strict=True)]
    chosen = list(map(_choose, samples))
    columns = {
        name: [None if score.masked else value for score, value in zip(chosen, column, strict=True)]
        for metric in metrics
        for name, column in metric(chosen).items()
    }
    return [
        make_item(
            each.index,
            chosen[n],
            metrics={name: column[n] for name, column in columns.items()}
            | _measure_candidates(None if each.greedy is None else groups[n][0], samples[n]),
            candidates=_make_candidates(samples[n]),
        )
        for n, each in enumerate(batch)
    ]


def _choose(samples: Sequence[Score]) -> Score:
    """Return the score of the sample that the vote picks. Masked samples do not vote."""
    counted = [score for score in samples if not score.masked] or samples
    return counted[pick_by_vote([score.rollout for score in counted]) or 0]


def _measure_candidates(greedy: Score | None, samples: Sequence[Score]) -> dict[str, float | None]:
    """Compare greedy decoding, one sample, the best of the samples and their vote; {} for a single sample."""
    k = len(samples)
    if k < 2:
        return {}
    right = [None if score.masked else bool(score.rollout.correct) for score in samples]
    return ({} if greedy is None else {"greedy": _as_float(greedy.rollout.correct)}) | {
        "mean@1": pass_at_k_by_task([right], 1)[0],
        f"pass@{k}": None if None in right else pass_at_k_by_task([right], k)[0],
        f"vote@{k}": _as_float(is_vote_correct([score.rollout for score in samples])),
    }


def _make_candidates(samples: Sequence[Score]) -> list[Candidate]:
    """Return the candidates with their votes; none for a single sample."""
    counts = count_votes([score.rollout.result for score in samples])
    found = [
        Candidate(
            score.rollout.action.sql,
            "malformed" if score.rollout.result is None else str(score.rollout.result.status),
            score.rollout.correct,
            count,
        )
        for score, count in zip(samples, counts, strict=True)
    ]
    return found if len(found) > 1 else []


def _as_float(verdict: bool | None) -> float | None:
    return None if verdict is None else float(verdict)
