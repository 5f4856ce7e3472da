"""Gold results of tasks: from memory, from disk, or by running the gold queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from time import perf_counter

from sql_env.caching.gold_cache import GoldCache, GoldKey
from sql_env.caching.gold_store import GoldStore
from sql_env.comparison import Gold, Order, get_comparison, make_gold
from sql_env.execution.backends import Backend
from sql_env.execution.engines.files import read_signature
from sql_env.execution.messages import Judgement, JudgeRequest
from sql_env.scoring.batch import GoldTarget
from sql_env.scoring.stats import Counters
from sql_env.types import ExecutionResult, Query, Task


class GoldResults:
    """The gold results of tasks, each computed once for each state of its database file.

    Args:
        executor: Runs gold queries.
        counters: Count hits, misses and seconds.
        comparison: A comparison that replaces the comparison of each task.
        size: The number of results in memory.
        store: Results on disk.
    """

    def __init__(
        self,
        executor: Backend,
        counters: Counters,
        comparison: str | None = None,
        size: int = 4096,
        store: GoldStore | None = None,
    ) -> None:
        self._executor = executor
        self._counters = counters
        self._comparison = comparison
        self._cache = GoldCache(size)
        self._store = store

    def targets(self, tasks: Sequence[Task]) -> dict[int, GoldTarget]:
        """Return the target of each task, under ``id(task)``."""
        began = perf_counter()
        distinct = {id(task): task for task in tasks}
        files = {
            database: read_signature(database) for database in {task.database for task in distinct.values()}
        }
        keys = {}
        for place, task in distinct.items():
            comparison = get_comparison(self._comparison or task.comparison)
            query = Query(task.database, comparison.prepare_gold(task.gold_sql), task.dialect)
            keys[place] = GoldKey(query, comparison.name, files[task.database])
        golds = self._cache.get_many(dict.fromkeys(keys.values()))
        unknown = [key for key in dict.fromkeys(keys.values()) if key not in golds]
        if unknown:
            golds |= self._load(unknown)
        hits, seconds = len(golds) - len(unknown), perf_counter() - began
        self._counters.add(gold_hits=hits, gold_misses=len(unknown), gathering=seconds)
        targets = {
            key: GoldTarget(key.query, get_comparison(key.comparison), gold, self._executor.limits)
            for key, gold in golds.items()
        }
        return {place: targets[key] for place, key in keys.items()}

    def prepared(self, task: Task, sql: str) -> Query:
        """The query that runs for the SQL of a completion."""
        comparison = get_comparison(self._comparison or task.comparison)
        return Query(task.database, comparison.prepare(sql), task.dialect)

    def _load(self, keys: Sequence[GoldKey]) -> dict[GoldKey, Gold]:
        """Load results from disk, and run the queries of the others."""
        golds: dict[GoldKey, Gold] = {}
        if self._store is not None:
            golds = self._store.get_many(keys, self._executor.limits)
            self._counters.add(gold_stored=len(golds))
        fresh = self._run([key for key in keys if key not in golds])
        if self._store is not None:
            self._store.put_many(fresh, self._executor.limits)
        golds |= fresh
        self._cache.put_many(golds)
        return golds

    def _run(self, keys: Sequence[GoldKey]) -> dict[GoldKey, Gold]:
        """Run gold queries, and the probes that find ties in their order."""
        judged = self._judge([key.query for key in keys])
        orders = {key: _order(key, judged[key.query].result) for key in keys}
        probes = {
            key: replace(key.query, sql=order.probe) for key, order in orders.items() if order and order.probe
        }
        probed = self._judge(probes.values()) if probes else {}
        golds = {}
        for key, order in orders.items():
            answer = judged[key.query]
            rows = probed[probes[key]].result if key in probes else None
            golds[key] = make_gold(answer.result, order, rows, answer.steps)
        return golds

    def _judge(self, queries: Iterable[Query]) -> dict[Query, Judgement]:
        """Run queries, each of them once, with their rows and steps."""
        distinct = list(dict.fromkeys(queries))
        began = perf_counter()
        judged = self._executor.judge([JudgeRequest(query) for query in distinct], steps=True)
        self._counters.add(gathering=began - perf_counter())  # the executor counts the waiting time itself
        return dict(zip(distinct, judged, strict=True))


def _order(key: GoldKey, result: ExecutionResult) -> Order | None:
    """The order of a gold's rows. One row needs none, and to find it takes a slow parser."""
    if not result.ok or len(result.rows) < 2:
        return None
    return get_comparison(key.comparison).find_order(key.query.sql, key.query.dialect)
