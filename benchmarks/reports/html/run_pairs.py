"""Compare runs on the tasks that they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from benchmarks.metrics.intervals import Interval
from benchmarks.metrics.paired import McNemar, bootstrap_difference, mcnemar
from benchmarks.reports.html.overview import make_link
from benchmarks.reports.recorded_run import RecordedRun


@dataclass(frozen=True, slots=True)
class RunPair:
    """Two runs on the same tasks.

    Attributes:
        first: The number of the first run.
        second: The number of the second run.
        test: The flips, with their p-value.
        change: Accuracy of the second run minus accuracy of the first.
        gained: The link to the tasks that only the second run has right.
        lost: The link to the tasks that only the first run has right.
    """

    first: int
    second: int
    test: McNemar
    change: Interval
    gained: str
    lost: str


def compare_runs(runs: Sequence[RecordedRun]) -> Iterator[RunPair]:
    """Compare each two evaluations that share tasks. Rollouts of training runs are not compared.

    Two tasks are the same if their id, question and gold query are equal.
    """
    verdicts = {
        number: {(item.task_id, item.question, item.gold_sql): item.correct for item in run.items}
        for number, run in enumerate(runs)
        if not run.training
    }
    for first, second in combinations(verdicts, 2):
        shared = [task for task in verdicts[first] if task in verdicts[second]]
        left, right = ([verdicts[run][task] for task in shared] for run in (first, second))
        if (change := bootstrap_difference(left, right)) is not None:
            ways = {way: make_link(flip=f"{way}-{first}-{second}") for way in ("gained", "lost")}
            yield RunPair(first, second, mcnemar(left, right), change, **ways)
