"""Runs compared on the tasks that both were asked."""

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
        first: The number of the one.
        second: That of the other.
        test: Their flips, and how likely these are by chance.
        change: Accuracy of the second minus that of the first.
        gained: Where the page shows the tasks that only the second has right.
        lost: Where it shows those that only the first has right.
    """

    first: int
    second: int
    test: McNemar
    change: Interval
    gained: str
    lost: str


def compare_runs(runs: Sequence[RecordedRun]) -> Iterator[RunPair]:
    """Each two evaluations of the report that share tasks; rollouts are not compared.

    A task is the same by its id, its question and its gold query.
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
