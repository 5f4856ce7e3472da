"""One thread watches the CPU time of all queries."""

import gc
import threading
import time

from sql_env import Limits, Status
from sql_env.execution.engines.duckdb.engine import DuckDBEngine
from sql_env.execution.engines.duckdb.watcher import Watcher


def burn(event):
    while not event.is_set():
        sum(range(1000))


def watchers():
    return [thread for thread in threading.enumerate() if thread.name == "duckdb-watcher"]


def test_each_of_two_long_queries_is_interrupted():
    watcher = Watcher(0.05)
    for _ in range(2):
        late = threading.Event()
        watcher.begin(late.set)
        burn(late)  # ends only if it is interrupted
        watcher.end()
    watcher.stop()


def test_a_query_that_has_ended_is_not_interrupted():
    watcher = Watcher(0.02)
    first, second = threading.Event(), threading.Event()
    watcher.begin(first.set)
    watcher.end()
    watcher.begin(second.set)
    burn(second)
    watcher.end()
    watcher.stop()
    assert not first.is_set()


def test_waiting_costs_no_cpu_time():
    watcher = Watcher(0.2)
    late = threading.Event()
    watcher.begin(late.set)
    before = time.process_time()
    time.sleep(0.3)
    if time.process_time() - before < 0.1:  # other threads of the tests did little
        assert not late.is_set()
    watcher.end()
    watcher.stop()


def test_no_query_starts_a_thread(library, monkeypatch):
    engine = DuckDBEngine(Limits(cpu_seconds=0.2))
    monkeypatch.setattr(threading.Thread, "start", None)  # as near the memory limit of a process
    assert engine.run(str(library), "SELECT 1").ok
    endless = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r"
    for _ in range(2):
        assert engine.run(str(library), endless).status is Status.TIMEOUT
    assert engine.run(str(library), "SELECT 1").ok
    engine.close()


def test_the_thread_ends_with_the_engine():
    before = set(watchers())
    engine = DuckDBEngine(Limits())
    (thread,) = set(watchers()) - before
    del engine
    gc.collect()
    thread.join()
    assert set(watchers()) <= before
