"""Compares a training set with a test set, in one pass over the training set."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import islice
from multiprocessing import get_context

from benchmarks.diagnostics.overlap.databases import Place, shared_databases
from benchmarks.diagnostics.overlap.questions import QuestionIndex, normalised
from benchmarks.diagnostics.overlap.shared import Neighbour, Overlap, Shared
from benchmarks.diagnostics.overlap.skeletons import exact, skeleton
from sql_env.types import Task

NEAR = 0.7
"""The Jaccard similarity from which on two questions are near-duplicates."""

FAR = 0.3
"""Training questions less similar than this are nobody's nearest."""

BATCH = 2048
"""Training tasks that are held at once."""


def overlap(
    train: Iterable[Task],
    test: Sequence[Task],
    *,
    near: float = NEAR,
    top: int = 3,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Overlap:
    """Compare two sets of tasks.

    The training set is gone through once, `BATCH` tasks at a time. What is kept grows with the test set
    and with the number of databases, but not with the number of training tasks.

    Args:
        train: The training tasks; any iterable, of any length.
        test: The test tasks.
        near: The similarity from which on questions are near-duplicates, from `FAR` to 1.
        top: How many of the nearest training tasks are kept for each test task.
        workers: How many processes parse the training queries.
        progress: Told how many more training tasks are done, now and then.

    Raises:
        ValueError: ``near`` is out of range.

    Example:
        >>> one = Task("a", "How old is she?", "SELECT age FROM t", "missing.sqlite", "d")
        >>> overlap([one], [one]).items[0].nearest[0].likeness
        1.0
    """
    if not FAR <= near <= 1:
        raise ValueError(f"near must be from {FAR} to 1, not {near}")
    side = _TestSide(test, near, top)
    with ExitStack() as stack:
        spread: Callable[..., Iterable[str]] = map
        if workers > 1:
            pool = stack.enter_context(ProcessPoolExecutor(workers, get_context("spawn")))
            spread = _in_pieces(pool, workers)
        for batch in _batches(train):
            queries = list(dict.fromkeys((task.gold_sql, task.dialect) for task in batch))
            shapes = dict(zip(queries, spread(_skeleton, queries), strict=True))
            for task in batch:
                side.meet(task, shapes[task.gold_sql, task.dialect])
            if progress is not None:
                progress(len(batch))
    return side.overlap()


class _TestSide:
    """The test set, with what it has met of the training set."""

    def __init__(self, tasks: Sequence[Task], near: float, top: int) -> None:
        self._tasks, self._near, self._top = tasks, near, top
        self._questions = [normalised(task.question) for task in tasks]
        self._index = QuestionIndex(self._questions)
        self._exact = [exact(task.gold_sql) for task in tasks]
        self._skeletons = [skeleton(task.gold_sql, task.dialect) for task in tasks]
        self._here = {(task.db_id, sql) for task, sql in zip(tasks, self._exact, strict=True)}
        self._known = {*self._exact}, {*self._skeletons}, {*self._questions}
        self._sql, self._shape, self._asked = Counter[str](), Counter[str](), Counter[str]()
        self._sql_here: Counter[tuple[str, str]] = Counter()
        self._near_ones, self._twins = Counter[int](), Counter[int]()
        self._heaps: list[list[Neighbour]] = [[] for _ in tasks]
        self._places: dict[Place, None] = {}
        self._met = 0

    def meet(self, task: Task, shape: str) -> None:
        """Compare a training task with all of the test set."""
        self._met += 1
        self._places[_place(task)] = None
        question, sql = normalised(task.question), exact(task.gold_sql)
        met = ((self._sql, sql), (self._shape, shape), (self._asked, question))
        for (counter, key), known in zip(met, self._known, strict=True):
            if key in known:
                counter[key] += 1
        if (task.db_id, sql) in self._here:
            self._sql_here[task.db_id, sql] += 1
        for place, likeness in self._index.like(question, FAR):
            same, alike = sql == self._exact[place], shape == self._skeletons[place]
            self._near_ones[place] += likeness >= self._near
            self._twins[place] += likeness >= self._near and alike
            heap = self._heaps[place]
            if self._top and (len(heap) < self._top or likeness >= heap[0].likeness):
                neighbour = Neighbour(
                    likeness, same, alike, task.id, task.db_id, task.question, task.gold_sql
                )
                (heapq.heappush if len(heap) < self._top else heapq.heappushpop)(heap, neighbour)

    def overlap(self) -> Overlap:
        databases = shared_databases(self._places, map(_place, self._tasks))
        return Overlap(
            self._met,
            tuple(
                Shared(
                    task.id,
                    task.db_id,
                    task.question,
                    task.gold_sql,
                    databases[_place(task)],
                    self._asked[self._questions[n]],
                    self._near_ones[n],
                    self._sql[self._exact[n]],
                    self._sql_here[task.db_id, self._exact[n]],
                    self._shape[self._skeletons[n]],
                    self._twins[n],
                    tuple(sorted(self._heaps[n], reverse=True)),
                )
                for n, task in enumerate(self._tasks)
            ),
        )


def _place(task: Task) -> Place:
    return Place(task.db_id, task.database, task.dialect)


def _skeleton(query: tuple[str, str]) -> str:
    return skeleton(*query)


def _batches(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    rest = iter(tasks)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _in_pieces(pool: ProcessPoolExecutor, workers: int) -> Callable[..., Iterable[str]]:
    def spread(function: Callable[[tuple[str, str]], str], queries: list[tuple[str, str]]) -> Iterable[str]:
        return pool.map(function, queries, chunksize=max(1, len(queries) // (4 * workers)))

    return spread
