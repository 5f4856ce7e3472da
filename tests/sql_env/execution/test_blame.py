"""Who is to blame for a failure: the query or the machine."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql_env import Executor, Limits, Query, Scorer, Status, Task
from sql_env.execution.blame import MAX_CRASHES, MAX_INTERRUPTIONS, explain, find_result
from sql_env.execution.death import Death, End, Fault, find_death
from sql_env.execution.messages import EXIT_OUT_OF_MEMORY, Judgement, JudgeRequest, ResultMode
from sql_env.execution.pending import PendingQuery
from sql_env.types import ExecutionResult

OK = Judgement(ExecutionResult(Status.OK))
LOST = Judgement(ExecutionResult(Status.UNAVAILABLE, error="no database"))
SPIN = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT {}) SELECT max(x) FROM r"


def make_query(mode=ResultMode.VERDICT):
    return PendingQuery(JudgeRequest(Query("x.sqlite", "SELECT 2"), control="SELECT 1"), mode)


def make_death(fault, status=Status.ERROR, first=False):
    return Death(fault, ExecutionResult(status, error="why"), "killed", True, first, False)


suspicious = st.sampled_from([
    make_death(Fault.QUERY, Status.TIMEOUT),
    make_death(Fault.MEMORY, Status.TOO_LARGE),
    make_death(Fault.MEMORY, Status.TOO_LARGE, first=True),
    make_death(Fault.UNKNOWN, Status.ERROR),
    make_death(Fault.UNKNOWN, Status.TOO_LARGE),
    make_death(Fault.UNKNOWN, Status.TIMEOUT),
])  # fmt: skip


@given(st.lists(suspicious, min_size=MAX_CRASHES + 1, max_size=MAX_CRASHES + 1))
def test_no_query_is_masked_while_its_control_works(deaths):
    query = make_query()
    results = []
    for death in deaths:
        results.append(find_result(query, death))
        query.make_control().judgement = OK
    found = [result for result in results if result is not None]
    assert found
    assert found[0].status in (Status.ERROR, Status.TIMEOUT, Status.TOO_LARGE)


@given(st.sampled_from([Status.ERROR, Status.TOO_LARGE, Status.TIMEOUT]), st.sampled_from([None, LOST]))
def test_no_query_is_blamed_if_its_control_fails_too(status, judgement):
    query = make_query()
    assert find_result(query, make_death(Fault.UNKNOWN, status)) is None
    query.make_control().judgement = judgement
    assert find_result(query, make_death(Fault.UNKNOWN, status)).status is Status.UNAVAILABLE


@given(st.integers(0, MAX_INTERRUPTIONS), st.booleans())
def test_no_query_is_blamed_for_what_it_cannot_cause(times, of_control):
    query = make_query()
    culprit = query.make_control() if of_control else query
    results = [find_result(culprit, make_death(Fault.MACHINE)) for _ in range(times + 1)]
    assert all(result is None for result in results[:MAX_INTERRUPTIONS])
    assert all(result.status is Status.UNAVAILABLE for result in results[MAX_INTERRUPTIONS:])


def test_an_unknown_error_is_the_querys_fault_if_it_repeats():
    query, failure = make_query(), LOST.result
    assert explain(query, failure) is None
    query.make_control().judgement = OK
    assert explain(query, failure) is None
    assert explain(query, failure) == ExecutionResult(Status.ERROR, error="no database")


def test_a_gold_query_is_never_blamed():
    query = make_query(ResultMode.GOLD)
    query.make_control().judgement = OK
    for _ in range(MAX_CRASHES):
        result = find_result(query, make_death(Fault.UNKNOWN))
    assert result.status is Status.UNAVAILABLE


@pytest.mark.parametrize(
    ("end", "fault", "status"),
    [
        (End(-signal.SIGPROF, "", False, False, False, True), Fault.QUERY, Status.TIMEOUT),
        (End(-signal.SIGPROF, "", False, False, True, True), Fault.QUERY, Status.TIMEOUT),
        (End(0, "Stack (most recent call first):", False, False, False, True), Fault.QUERY, Status.TIMEOUT),
        (End(-signal.SIGPROF, "", False, False, False, False), Fault.MACHINE, Status.UNAVAILABLE),
        (End(-signal.SIGTERM, "", False, False, False, True), Fault.MACHINE, Status.UNAVAILABLE),
        (End(-signal.SIGKILL, "", False, False, False, True), Fault.UNKNOWN, Status.TOO_LARGE),
        (End(-signal.SIGKILL, "", True, False, False, True), Fault.UNKNOWN, Status.TIMEOUT),
        (End(-signal.SIGKILL, "", True, True, False, True), Fault.MACHINE, Status.UNAVAILABLE),
        (End(-signal.SIGSEGV, "", False, False, False, True), Fault.UNKNOWN, Status.ERROR),
        (End(1, "Traceback\nKeyError: 1", False, False, False, True), Fault.UNKNOWN, Status.ERROR),
        (End(EXIT_OUT_OF_MEMORY, "", False, False, False, True), Fault.MEMORY, Status.TOO_LARGE),
    ],
)
def test_the_suspect(end, fault, status):
    death = find_death(end, Limits(), began=True, first=False)
    assert (death.fault, death.result.status) == (fault, status)
    assert death.reason


def test_a_worker_that_cannot_start_is_told_apart():
    end = End(1, "ImportError: no apsw", False, False, False, True)
    assert find_death(end, Limits(), began=False, first=True).failed_to_start
    assert not find_death(end, Limits(), began=True, first=True).failed_to_start


def test_a_timer_signal_from_outside_is_no_timeout(concerts):
    with Executor() as executor, ThreadPoolExecutor(1) as thread:
        future = thread.submit(executor.run, Query(str(concerts), SPIN.format(5_000_000)))
        while not [worker for worker in executor._pool.processes if worker._heartbeat.place == 0]:
            time.sleep(0.01)
        os.kill(executor._pool.processes[0]._process.pid, signal.SIGPROF)
        assert future.result(60).rows == ((5_000_000,),)
        assert executor.stats.killed == 1


@pytest.fixture
def half_corrupt(tmp_path):
    """A database with a healthy table, and a table whose page is overwritten."""
    path = tmp_path / "half.sqlite"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE good(a); CREATE TABLE bad(a); INSERT INTO good VALUES (1)")
    connection.execute("WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 999) "
                       "INSERT INTO bad SELECT hex(zeroblob(200)) FROM r")  # fmt: skip
    [(page,)] = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'bad'").fetchall()
    connection.close()
    data = bytearray(path.read_bytes())
    data[4096 * (page - 1) : 4096 * page] = b"\xff" * 4096
    path.write_bytes(data)
    return str(path)


def test_a_corrupt_table_masks_only_the_task_that_needs_it(half_corrupt):
    """A completion cannot choose to be masked by a query on a part that the gold query does not need."""
    tasks = [
        Task("1", "?", "SELECT a FROM good", half_corrupt),
        Task("2", "?", "SELECT a FROM bad", half_corrupt),
    ]
    bad = "<think>\n</think>\n<answer>\n```sql\nSELECT count(a) FROM bad\n```\n</answer>"
    with Scorer("sql-r1") as scorer:
        scores = scorer.score([bad, bad], tasks)
    assert [score.masked for score in scores] == [False, True]
    assert scores[0].rollout.result.status is Status.ERROR
    assert "malformed" in scores[0].rollout.result.error


@pytest.mark.parametrize(
    "sql",
    ["SELECT randomblob(9e999)", "SELECT randomblob(-9e999)", "SELECT * FROM pragma_table_info(x'ff')",
     "SELECT * FROM pragma_table_info(char(55296))", "SELECT instr(x'ff', 'a')",
     "SELECT replace(x'ff', 'a', 'b')"],
)  # fmt: skip
def test_odd_arguments_mask_nothing(concerts, sql):
    with Executor() as executor:
        result = executor.run(Query(str(concerts), sql))
        assert executor.stats.started == 1
    assert result.status is not Status.UNAVAILABLE
