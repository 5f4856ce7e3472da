"""A system that allows no more threads: calls end with results or with an error, and later calls work."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from sql_env import Executor, Query, Status
from sql_env.errors import SQLEnvError
from sql_env.scoring.coalescer import Coalescer


@contextmanager
def no_more_threads():
    """Ask for stacks that no system has room for: Python then says that it can't start new threads."""
    threading.stack_size(2**46)
    try:
        yield
    finally:
        threading.stack_size(0)


def test_without_any_thread_a_call_is_an_error(concerts):
    with Executor() as executor:
        query = Query(str(concerts), "SELECT 1")
        with no_more_threads(), pytest.raises(SQLEnvError, match="could not start: can't start new thread"):
            executor.run(query)
        assert executor.run(query).ok


def test_one_thread_does_the_work_of_all(concerts):
    with Executor(workers=4) as executor:
        assert executor.run(Query(str(concerts), "SELECT 0")).ok
        with no_more_threads():
            results = executor.run_many([Query(str(concerts), f"SELECT {n}") for n in range(500)])
        assert [result.rows for result in results] == [((n,),) for n in range(500)]
        assert executor.stats.started == 1
        assert executor.stats.ended[Status.UNAVAILABLE] == 0


def test_a_caller_without_a_thread_runs_its_call_itself():
    coalesce = Coalescer(lambda items: [2 * item for item in items], 2)
    with ThreadPoolExecutor(1) as other:
        other.submit(str).result()
        assert coalesce._alone.acquire(blocking=False)  # as if another caller were in there
        with no_more_threads():
            assert other.submit(coalesce, [1, 2]).result(60) == [2, 4]
        coalesce._alone.release()
        assert other.submit(coalesce, [3]).result(60) == [6]
