"""Runs compared on the tasks that both were asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from benchmarks.metrics.intervals import Interval
from benchmarks.metrics.paired import McNemar, difference, mcnemar
from benchmarks.reports.html.overview import link
from benchmarks.reports.recorded import Recorded


@dataclass(frozen=True, slots=True)
class Pair:
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


def pairs(runs: Sequence[Recorded]) -> Iterator[Pair]:
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
        if (change := difference(left, right)) is not None:
            ways = {way: link(flip=f"{way}-{first}-{second}") for way in ("gained", "lost")}
            yield Pair(first, second, mcnemar(left, right), change, **ways)
