"""Compare a training set with a test set in one pass over the training set."""

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import islice
from multiprocessing import get_context

from benchmarks.diagnostics.overlap.databases import DatabaseRef, find_shared_databases
from benchmarks.diagnostics.overlap.questions import QuestionIndex, normalise_question
from benchmarks.diagnostics.overlap.results import Neighbour, Overlap, SharedTask
from benchmarks.diagnostics.overlap.skeletons import make_skeleton, normalise_sql
from sql_env.types import Task

NEAR_SIMILARITY = 0.7
"""Questions are near-duplicates from this Jaccard similarity on."""

MIN_SIMILARITY = 0.3
"""Training questions with a lower similarity are never among the nearest."""

BATCH_SIZE = 2048
"""Training tasks in memory at once."""


def compare_tasks(
    train: Iterable[Task],
    test: Sequence[Task],
    *,
    near: float = NEAR_SIMILARITY,
    top: int = 3,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Overlap:
    """Compare two sets of tasks.

    The training set is read once, `BATCH_SIZE` tasks at a time. Memory grows with the test set and with
    the number of databases, but not with the number of training tasks.

    Args:
        train: The training tasks; any iterable of any length.
        test: The test tasks.
        near: The similarity from which on questions are near-duplicates, from `MIN_SIMILARITY` to 1.
        top: The number of nearest training tasks to keep for each test task.
        workers: The number of processes that parse the training queries.
        progress: Called with the number of training tasks done since the last call.

    Raises:
        ValueError: ``near`` is out of range.

    Example:
        >>> one = Task("a", "How old is she?", "SELECT age FROM t", "missing.sqlite", "d")
        >>> compare_tasks([one], [one]).items[0].nearest[0].similarity
        1.0
    """
    if not MIN_SIMILARITY <= near <= 1:
        raise ValueError(f"near must be from {MIN_SIMILARITY} to 1, not {near}")
    counter = _OverlapCounter(test, near, top)
    rest = iter(train)
    with ExitStack() as stack:
        pool = None
        if workers > 1:
            pool = stack.enter_context(ProcessPoolExecutor(workers, get_context("spawn")))
        while batch := list(islice(rest, BATCH_SIZE)):
            queries = list(dict.fromkeys((task.gold_sql, task.dialect) for task in batch))
            sqls, dialects = zip(*queries, strict=True)
            chunk = max(1, len(queries) // (4 * workers))
            found = (
                pool.map(make_skeleton, sqls, dialects, chunksize=chunk)
                if pool is not None
                else map(make_skeleton, sqls, dialects)
            )
            skeletons = dict(zip(queries, found, strict=True))
            for task in batch:
                counter.add(task, skeletons[task.gold_sql, task.dialect])
            if progress is not None:
                progress(len(batch))
    return counter.make_overlap()


class _OverlapCounter:
    """The test set, with counts of what the training tasks so far share with it."""

    def __init__(self, tasks: Sequence[Task], near: float, top: int) -> None:
        self._tasks, self._near, self._top = tasks, near, top
        self._index = QuestionIndex([normalise_question(task.question) for task in tasks])
        self._keys = [_make_keys(task, make_skeleton(task.gold_sql, task.dialect)) for task in tasks]
        # only keys of the test set are counted, so that memory does not grow with the training set
        self._counts = {key: 0 for keys in self._keys for key in keys}
        self._near_questions, self._near_duplicates = Counter[int](), Counter[int]()
        self._heaps: list[list[Neighbour]] = [[] for _ in tasks]
        self._databases: dict[DatabaseRef, None] = {}
        self._train = 0

    def add(self, task: Task, skeleton: str) -> None:
        """Compare a training task with the whole test set."""
        self._train += 1
        self._databases[DatabaseRef.of_task(task)] = None
        keys = _make_keys(task, skeleton)
        for key in keys:
            if key in self._counts:
                self._counts[key] += 1
        for place, similarity in self._index.similar_to(normalise_question(task.question), MIN_SIMILARITY):
            _, same_sql, same_skeleton, _ = (a == b for a, b in zip(keys, self._keys[place], strict=True))
            self._near_questions[place] += similarity >= self._near
            self._near_duplicates[place] += similarity >= self._near and same_skeleton
            heap = self._heaps[place]
            if self._top and (len(heap) < self._top or similarity >= heap[0].similarity):
                neighbour = Neighbour(
                    similarity, same_sql, same_skeleton, task.id, task.db_id, task.question, task.gold_sql
                )
                (heapq.heappush if len(heap) < self._top else heapq.heappushpop)(heap, neighbour)

    def make_overlap(self) -> Overlap:
        databases = find_shared_databases(self._databases, map(DatabaseRef.of_task, self._tasks))
        items = []
        for place, (task, keys) in enumerate(zip(self._tasks, self._keys, strict=True)):
            same_question, same_sql, same_skeleton, same_sql_and_name = (self._counts[key] for key in keys)
            items.append(
                SharedTask(
                    task.id,
                    task.db_id,
                    task.question,
                    task.gold_sql,
                    database=databases[DatabaseRef.of_task(task)],
                    same_question=same_question,
                    near_question=self._near_questions[place],
                    same_sql=same_sql,
                    same_sql_and_name=same_sql_and_name,
                    same_skeleton=same_skeleton,
                    near_duplicates=self._near_duplicates[place],
                    nearest=tuple(sorted(self._heaps[place], reverse=True)),
                )
            )
        return Overlap(self._train, tuple(items))


def _make_keys(task: Task, skeleton: str) -> tuple[tuple[str, ...], ...]:
    """Return what tasks can share: the question, the query, its skeleton, the query and the database."""
    sql = normalise_sql(task.gold_sql)
    question = normalise_question(task.question)
    return ("question", question), ("sql", sql), ("skeleton", skeleton), ("sql here", task.db_id, sql)
