"""Judge answers: run them, compare them, vote among candidates, and measure what else is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

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
from benchmarks.records.item import Candidate, Item, item
from sql_env.limits import Limits
from sql_env.scoring.scorer import Scorer
from sql_env.scoring.stream import score_stream
from sql_env.types import Benchmark, Score, Task

SQL = {"rewards": ["result"], "response_format": "sql"}
"""The rubric of bare SQL, of which only the result counts."""

CHUNK = 128
"""Answers that are judged at a time, at least."""

SHARE = 64
"""Answers a worker that are judged at a time, where there are many workers."""

Columns: TypeAlias = dict[str, Sequence[float | None]]
"""A value for each score, by the metric's name; None where it does not apply."""

Measure: TypeAlias = Callable[[Sequence[Score]], Columns]
"""What measures scores: one metric, or several that come of one measurement."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said to one task.

    Attributes:
        index: The task's place in the benchmark's own file.
        task: The task.
        greedy: The one answer, or that of greedy decoding; None where there are only samples.
        samples: The candidates.
    """

    index: int
    task: Task
    greedy: str | None
    samples: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """All of it, the greedy answer first."""
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
        benchmark: What is measured.
        predictions: Bare SQL, one for each task, as `read_predictions` returns them.
        comparison: Semantics that replace the tasks' own.
        limits: What each query may cost.
        workers: How many processes run queries; the scores do not depend on it.
        backend: What runs queries, nor on this; see `sql_env.execution.backends`.
        progress: Told how many more are scored, now and then.

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
        SQL, limits=limits, workers=workers, comparison=comparison, rows=True, backend=backend
    ) as scorer:
        pairs = zip(predictions, benchmark.tasks, strict=True)
        for score in score_stream(scorer, pairs, batch=at_a_time(workers)):
            scores.append(score)
            if progress is not None:
                progress(1)
    return scores


def at_a_time(workers: int) -> int:
    """How many answers are judged at a time."""
    return max(CHUNK, SHARE * workers)


def measures(
    benchmark: Benchmark, comparison: str | None = None, *, efficiency: bool = False
) -> list[Measure]:
    """What is measured of each answer beside its correctness.

    Args:
        benchmark: What is measured.
        comparison: Semantics that replace the tasks' own. Spider's bring exact set match, ``exact``,
            and BIRD's ``soft_f1``.
        efficiency: Whether to measure ``r_ves`` and ``ves``, by counted steps.

    Raises:
        DataError: A ``tables.json`` is malformed.
        DatabaseError: A database can be read neither there nor itself.
    """
    semantics = {comparison or task.comparison for task in benchmark.tasks}
    found: list[Measure] = [lambda scores: {"valid": [_number(is_valid(score)) for score in scores]}]
    if "spider" in semantics:
        match = ExactMatch(benchmark)
        found.append(
            lambda scores: {"exact": [match(s.rollout.task, s.rollout.action.sql or "") for s in scores]}
        )
    if "bird" in semantics:
        found.append(lambda scores: {"soft_f1": [score_soft_f1(score) for score in scores]})
    if efficiency:
        found.append(_efficiency)
    return found


def _efficiency(scores: Sequence[Score]) -> Columns:
    measured = measure_speedups(scores)
    return {"r_ves": list(map(r_ves_from_speedup, measured)), "ves": list(map(ves_from_speedup, measured))}


def judge(
    scorer: Scorer, answers: Sequence[Answer], wanted: Sequence[Measure], suites: str | None = None
) -> list[Item]:
    """Judge some answers.

    Where there are samples, the item is about the one that `benchmarks.metrics.accuracy.pick_by_vote` picks,
    or the first where nobody votes, and its metrics hold ``greedy``, ``mean@1``, ``pass@k`` and ``vote@k``.

    Args:
        scorer: What runs and compares them.
        answers: ``n`` answers.
        wanted: What `measures` returns.
        suites: A folder of database suites, where each answer is judged on all of them.

    Returns:
        ``n`` items.
    """
    texts = [text for answer in answers for text in answer.texts]
    tasks = [answer.task for answer in answers for _ in answer.texts]
    found = score_on_suites(scorer, texts, tasks, suites) if suites else scorer.score(texts, tasks)
    scores = iter(found)
    judged = [[next(scores) for _ in answer.texts] for answer in answers]
    chosen = [_chosen(answer, group) for answer, group in zip(answers, judged, strict=True)]
    columns = {name: column for measure in wanted for name, column in measure(chosen).items()}
    return [
        item(
            answer.index,
            score,
            metrics={name: column[n] for name, column in columns.items()} | _selection(answer, group),
            candidates=_candidates(_samples(answer, group)) if len(answer.samples) > 1 else (),
        )
        for n, (answer, group, score) in enumerate(zip(answers, judged, chosen, strict=True))
    ]


def _samples(answer: Answer, group: Sequence[Score]) -> Sequence[Score]:
    return group if answer.greedy is None else group[1:]


def _chosen(answer: Answer, group: Sequence[Score]) -> Score:
    """The score that the item is about."""
    if not answer.samples:
        return group[0]
    samples = _samples(answer, group)
    counted = [score for score in samples if not score.masked] or samples
    return counted[pick_by_vote([score.rollout for score in counted]) or 0]


def _selection(answer: Answer, group: Sequence[Score]) -> dict[str, float | None]:
    """How greedy decoding, one sample, the best of the samples and their vote do."""
    samples, k = _samples(answer, group), len(answer.samples)
    if k < 2:
        return {}
    right = [None if score.masked else bool(score.rollout.correct) for score in samples]
    greedy = {} if answer.greedy is None else {"greedy": _number(group[0].rollout.correct)}
    return greedy | {
        "mean@1": pass_at_k_by_task([right], 1)[0],
        f"pass@{k}": None if None in right else pass_at_k_by_task([right], k)[0],
        f"vote@{k}": _number(is_vote_correct([score.rollout for score in samples])),
    }


def _candidates(samples: Sequence[Score]) -> list[Candidate]:
    counts = count_votes([score.rollout.result for score in samples])
    return [
        Candidate(
            score.rollout.action.sql,
            "malformed" if score.rollout.result is None else str(score.rollout.result.status),
            score.rollout.correct,
            count,
        )
        for score, count in zip(samples, counts, strict=True)
    ]


def _number(verdict: bool | None) -> float | None:
    return None if verdict is None else float(verdict)
