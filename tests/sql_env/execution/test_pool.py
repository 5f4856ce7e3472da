"""Many threads, few workers, and whatever may end either: everyone gets their own right results."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql_env import Executor, Limits, Query, Status
from sql_env.comparison import COMPARISONS, make_gold
from sql_env.errors import ClosedError, SQLEnvError
from sql_env.execution import pending, pool
from sql_env.execution.messages import JudgeRequest, Reference, ResultMode
from sql_env.execution.worker_process import WorkerProcess
from sql_env.types import ExecutionResult

from ..interrupt import Stop, interrupt_at
from ..processes import children

SPIN = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT {}) SELECT max(x) FROM r"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}


@pytest.fixture
def ask(concerts):
    return lambda sql: Query(str(concerts), sql)


def rows(results):
    return [result.rows for result in results]


def wait_until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not (result := true()) and time.monotonic() < end:
        time.sleep(0.005)
    return result


def start(*calls):
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    return threads


def ended(threads, seconds=60):
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def reference(*result, semantics="bird", columns=1):
    known = ExecutionResult(Status.OK, tuple(f"c{n}" for n in range(columns)), result)
    return Reference(semantics, make_gold(known, None))


def test_equal_queries_of_many_threads_run_once(ask):
    """While a first query holds the only worker, 64 threads come with the same three."""
    with Executor() as executor, ThreadPoolExecutor(65) as threads:
        first = threads.submit(executor.run, ask(SPIN.format(1_000_000)))
        assert wait_until(lambda: executor._pool.processes)
        queries = [ask(f"SELECT {n}") for n in range(3)]
        others = [threads.submit(executor.run_many, queries) for _ in range(64)]
        assert wait_until(lambda: executor.stats.shared + executor.stats.executed >= 3 * 63)
        assert all(rows(other.result(60)) == [((0,),), ((1,),), ((2,),)] for other in others)
        assert first.result(60).ok
        assert (executor.stats.executed, executor.stats.shared) == (4, 3 * 63)


def test_what_is_measured_is_not_shared(ask):
    with Executor() as executor:
        costs = executor.measure([ask("SELECT 1")] * 5)
        assert len({cost.steps for cost in costs}) == 1
        assert (executor.stats.executed, executor.stats.shared) == (5, 0)


def test_different_golds_are_not_confused_and_equal_ones_are_shared(ask):
    one, two = reference((1,)), reference((2,))
    with Executor() as executor:
        cases = [
            JudgeRequest(ask("SELECT 1"), (one,)),
            JudgeRequest(ask("SELECT 1"), (two,)),
            JudgeRequest(ask("SELECT 1"), (two, one)),
        ]
        judged = executor.judge(cases * 2)
    assert [each.equal for each in judged] == [(True,), (False,), (False, True)] * 2
    assert (executor.stats.executed, executor.stats.shared) == (3, 3)


@pytest.mark.slow
def test_a_small_call_is_served_while_a_huge_batch_runs(ask):
    with Executor() as executor, ThreadPoolExecutor(1) as thread:
        huge = thread.submit(executor.run_many, [ask(f"{SPIN.format(3_000)} -- {n}") for n in range(4_000)])
        assert wait_until(lambda: executor.stats.executed > 100)
        for n in range(5):
            assert executor.run(ask(f"SELECT {n}")).rows == ((n,),)
        assert executor.stats.executed < 3_000
        assert all(result.rows == ((3_000,),) for result in huge.result(60))


def test_a_worker_killed_in_mid_comparison_is_no_verdict(ask):
    """Its memory still says that it compares when it has ended, and sits idle."""
    with Executor() as executor:
        case = JudgeRequest(ask("SELECT 1"), (reference((2,)),))
        assert executor.judge([case])[0].equal == (False,)
        [worker] = executor._pool.processes
        assert worker._heartbeat.comparing
        worker._process.kill()
        worker._process.wait()
        [judged] = executor.judge([case])
    assert (judged.result.status, judged.equal) == (Status.OK, (False,))


def test_who_ended_before_the_kill_leaves_no_blame(ask):
    """A worker is killed as overdue for a query that ends at this moment: the next one runs again."""
    with Executor(Limits(cpu_seconds=60)) as executor, ThreadPoolExecutor(1) as thread:
        future = thread.submit(
            executor.run_many, [ask("SELECT 1"), ask(SPIN.format(1_000_000)), ask("SELECT 2")]
        )
        assert wait_until(lambda: [w for w in executor._pool.processes if w._heartbeat.place == 1])
        [worker] = executor._pool.processes
        worker._overdue = 0
        worker.kill()
        assert [result.status for result in future.result(60)] == [Status.OK] * 3


def test_a_signal_that_no_query_can_cause(ask):
    with Executor() as executor, ThreadPoolExecutor(1) as thread:
        future = thread.submit(executor.run, ask(SPIN.format(5_000_000)))
        for _ in range(2):
            assert wait_until(lambda: [w for w in executor._pool.processes if w._heartbeat.place >= 0])
            [worker] = executor._pool.processes
            os.kill(worker._process.pid, signal.SIGRTMIN + 3)
            assert wait_until(lambda w=worker: w not in executor._pool.processes)
        assert future.result(60).rows == ((5_000_000,),)


@pytest.mark.slow
def test_a_stopped_worker_in_mid_message_stops_nobody_else(ask, monkeypatch):
    """Half of its reply is there when it is stopped. The wall clock ends it, and the query runs again."""
    big = ask("SELECT hex(zeroblob(12000000))")
    limits = Limits(wall_seconds=1.5, max_value_bytes=2**25)
    with Executor(limits, workers=2) as executor, ThreadPoolExecutor(1) as thread:
        executor.run_many([ask("SELECT 1"), ask("SELECT 2")])
        stopped = []

        def stop(worker):
            """Stop the worker before its thread reads: it has sent no more than the buffer takes."""
            if worker.outstanding and worker.outstanding[0].request.query == big and not stopped:
                time.sleep(0.2)
                os.kill(worker._process.pid, signal.SIGSTOP)
                stopped.append(worker)
            return receive(worker)

        receive = WorkerProcess._read
        monkeypatch.setattr(WorkerProcess, "_read", stop)
        future = thread.submit(executor.run, big)
        assert wait_until(lambda: stopped)
        for n in range(5):
            assert executor.run(ask(f"SELECT {n}")).rows == ((n,),)
        assert not future.done()
        assert len(future.result(60).rows[0][0]) == 24_000_000


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_at_any_line_harms_nobody_else(ask, workers):
    """A caller is interrupted when it enters, waits or leaves."""
    with Executor(workers=workers) as executor:
        chance, struck = random.Random(workers), 0
        for step in range(160):
            shared, results = [ask(f"SELECT 'shared', {step}, {n}") for n in range(4)], {}

            def call(number, shared=shared, results=results, step=step):
                mine = [ask(f"SELECT {number}, {step}, {n}") for n in range(6)]
                results[number] = rows(executor.run_many([*mine, *shared]))[:6] == [
                    ((number, step, n),) for n in range(6)
                ]

            others = start(*(lambda n=n, call=call: call(n) for n in range(3)))
            time.sleep(chance.random() * 0.002)
            hit = interrupt_at(
                step % 24, [pool, pending], lambda shared=shared: executor.run_many(shared * 2)
            )
            struck += hit
            assert ended(others, 30), f"interrupted at line {step}: somebody waits for ever"
            assert results == dict.fromkeys(range(3), True)
            after = start(lambda call=call: call(9))
            assert ended(after, 30), f"interrupted at line {step}: nobody can call any more"
            assert results[9]
    assert struck > 60


@pytest.mark.slow
def test_threads_that_raise_at_random_times(ask):
    """Some of many threads with equal queries are interrupted; each distinct query of the rest is right."""
    from ctypes import c_long, py_object, pythonapi

    chance, going, wrong = random.Random(0), threading.Event(), []
    with Executor(workers=2) as executor:

        def call(number):
            mine = random.Random(number)
            try:
                while not going.is_set():
                    values = [mine.randrange(60) for _ in range(5)]
                    if rows(executor.run_many([ask(f"SELECT {v}") for v in values])) != [
                        ((v,),) for v in values
                    ]:
                        wrong.append(values)
            except Stop:
                return

        steady = start(*(lambda n=n: call(n) for n in range(12)))
        for n in range(150):
            [victim] = start(lambda n=n: call(100 + n))
            time.sleep(chance.random() * 0.02)
            pythonapi.PyThreadState_SetAsyncExc(c_long(victim.ident), py_object(Stop))
            if n % 10 == 0:
                assert ended([victim], 30)
        going.set()
        assert ended(steady)
        assert not wrong
        assert executor.run(ask("SELECT 5")).rows == ((5,),)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_killed_all_the_time(ask, workers):
    """Every query gets its own right result."""
    chance, wrong, stop = random.Random(workers), [], threading.Event()
    other, right = reference((8,)), reference((7,), (7,))
    with Executor(workers=workers) as executor:

        def call(number):
            for turn in range(30):
                cases = [
                    JudgeRequest(ask(f"SELECT {number}, {turn}, {n} FROM ({SPIN.format(2_000)})"))
                    for n in range(20)
                ]
                cases += [JudgeRequest(ask(f"SELECT 7 -- {number}, {turn}"), (other, right))]
                judged = executor.judge(cases, rows=True)
                for n, each in enumerate(judged):
                    if (each.result.rows, each.equal) != (
                        (((number, turn, n),), ()) if n < 20 else (((7,),), (False, True))
                    ):
                        wrong.append(each)

        def kill():
            while not stop.is_set():
                # Something must run between two kills, also on a busy machine.
                before = executor.stats.executed
                wait_until(lambda before=before: stop.is_set() or executor.stats.executed > before)
                time.sleep(chance.uniform(0.1, 0.3))
                pids = [worker._process for worker in list(executor._pool.processes)]
                if pids:
                    chance.choice(pids).kill()

        killer = start(kill)
        assert ended(start(*(lambda n=n: call(n) for n in range(16))))
        stop.set()
        assert ended(killer)
    assert not wrong
    assert executor.stats.killed > 0


@pytest.mark.slow
def test_requests_and_replies_that_no_buffer_holds(ask):
    """Golds of 32 MB on their way in, results of 20 MB on their way out: neither side waits for the other."""
    big = reference(*(("x" * 1_000_000,) for _ in range(30)))
    small = reference(("y",))
    text = "SELECT hex(zeroblob({})) || '{}'"
    with Executor(workers=2) as executor, ThreadPoolExecutor(4) as threads:

        def call(number):
            cases = [
                JudgeRequest(ask(text.format(500_000, f"{number}.{n}")), (big, small)) for n in range(40)
            ]
            return [len(each.result.rows[0][0]) for each in executor.judge(cases, rows=True)]

        results = list(threads.map(call, range(4), timeout=100))
    assert results == [[1_000_000 + len(f"{m}.{n}") for n in range(40)] for m in range(4)]


@pytest.mark.slow
def test_a_killed_worker_with_a_request_that_was_held_back(ask):
    """The second request is too long to be sent before the first is answered; both run elsewhere."""
    long = "x" * 90_000
    with Executor() as executor, ThreadPoolExecutor(1) as thread:
        queries = [ask(f"{SPIN.format(100_000)} -- {n}{long}") for n in range(60)]
        future = thread.submit(executor.run_many, queries)
        assert wait_until(lambda: any(w._held for w in list(executor._pool.processes)))
        [worker] = executor._pool.processes
        worker._process.kill()
        assert rows(future.result(60)) == [((100_000,),)] * 60
        assert executor.stats.killed == 1


@pytest.mark.slow
def test_a_worker_that_retires_with_another_request_ahead(library, tmp_path):
    """DuckDB keeps the memory of large queries."""
    large = "SELECT count(*) FROM (SELECT a, count(*) FROM range(2000000) t(a) GROUP BY a)"
    files = [str(shutil.copy(library, tmp_path / f"{n}.duckdb")) for n in range(4)]
    with Executor(Limits(max_bytes=2**20)) as executor:
        queries = [Query(files[n % 4], f"SELECT {n}" if n % 25 else large, "duckdb") for n in range(300)]
        results = executor.run_many(queries)
        assert rows(results) == [((n if n % 25 else 2_000_000,),) for n in range(300)]
        assert executor.stats.retired >= 1
        assert executor.stats.killed == 0


@pytest.mark.parametrize("delay", [0.0, 0.05, pytest.param(0.3, marks=pytest.mark.slow)])
def test_closing_under_many_threads(ask, delay):
    executor, said = Executor(workers=2), []

    def call(number):
        try:
            for turn in range(10**6):
                executor.run_many([ask(f"{SPIN.format(500)} -- {number}, {turn}, {n}") for n in range(20)])
        except ClosedError:
            said.append(number)

    threads = start(*(lambda n=n: call(n) for n in range(24)))
    time.sleep(delay)
    executor.close()
    assert ended(threads)
    assert sorted(said) == list(range(24))
    assert not children()


def test_workers_that_cannot_start_are_an_error_for_all(ask, tmp_path, monkeypatch):
    (tmp_path / "apsw.py").write_text("raise RuntimeError('no engine here')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with Executor(workers=2) as executor:
        errors = []

        def call():
            with pytest.raises(SQLEnvError, match="no engine here") as raised:
                executor.run(ask("SELECT 1"))
            errors.append(raised.value)

        assert ended(start(*[call] * 6))
        assert len({id(error) for error in errors}) == 6  # a traceback of its own for each


WITHOUT_DESCRIPTORS = """
import resource
from sql_env import Executor, Query
from sql_env.errors import SQLEnvError
with Executor() as executor:
    query, before = Query("concerts.sqlite", "SELECT 5"), resource.getrlimit(resource.RLIMIT_NOFILE)
    for left in range(3, 30):
        resource.setrlimit(resource.RLIMIT_NOFILE, (left, before[1]))
        try:
            executor.run(query)
            break
        except SQLEnvError as error:
            assert "could not start" in str(error)
    assert left > 6
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    print(executor.run(query).rows)
"""


def test_no_descriptors_for_a_worker(concerts):
    command = [sys.executable, "-W", "error", "-c", WITHOUT_DESCRIPTORS]
    done = subprocess.run(command, cwd=concerts.parent, env=ENVIRONMENT, capture_output=True, timeout=60)
    assert (done.stdout.decode().strip(), done.stderr.decode()) == ("((5,),)", "")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forks_in_the_middle(ask):
    """Forks at random moments, under threads that lead, start workers and wait: each runs its own queries."""
    chance, going, wrong = random.Random(0), threading.Event(), []
    with Executor(workers=2) as executor:

        def call(number):
            turn = 0
            while not going.is_set():
                turn += 1
                result = executor.run(ask(f"SELECT {number}, {turn}"))
                if result.rows != ((number, turn),):
                    wrong.append(result)
                if number == 0 and turn % 40 == 0:
                    for worker in list(executor._pool.processes):
                        worker._process.kill()

        threads = start(*(lambda n=n: call(n) for n in range(6)))
        for turn in range(12):
            time.sleep(chance.random() * 0.1)
            child = os.fork()
            if not child:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(20)
                os._exit(0 if executor.run(ask(f"SELECT {turn}")).rows == ((turn,),) else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        going.set()
        assert ended(threads)
    assert not wrong


VALUES = st.sampled_from(["NULL", "1", "1.0", "2", "0.1 + 0.2", "0.3", "'1'", "'a'", "x'61'", "-0.0"])
TABLES = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.lists(VALUES, min_size=width, max_size=width), min_size=1, max_size=5)
)


def selecting(table, clause):
    return f"SELECT * FROM ({' UNION ALL '.join('SELECT ' + ', '.join(row) for row in table)}) {clause}"


@pytest.fixture(scope="module")
def one_executor():
    with Executor() as executor:
        yield executor


@pytest.mark.parametrize("most", [15, pytest.param(250, marks=pytest.mark.slow)])
def test_judging_in_a_worker_equals_comparing_here(one_executor, make_concerts, tmp_path, most):
    path = str(make_concerts(tmp_path / "concerts.sqlite"))
    clauses = st.sampled_from(["", "ORDER BY 1", "ORDER BY 1 DESC", "WHERE 0", "LIMIT 2"])
    queries = st.builds(selecting, TABLES, clauses) | st.just("SELEC")

    @settings(max_examples=most)
    @given(st.lists(queries, min_size=1, max_size=4), st.lists(queries, max_size=3))
    def judge(predictions, golds):
        """Each prediction is compared with each gold under every semantics, in one run of it."""
        references = []
        for name, semantics in COMPARISONS.items():
            for sql in golds:
                order = semantics.find_order(sql, "sqlite")
                probed = one_executor.run(Query(path, order.probe)) if order and order.probe else None
                known = make_gold(one_executor.run(Query(path, sql)), order, probed)
                if known.result.ok:
                    references.append(Reference(name, known))
        asked = [Query(path, sql) for sql in predictions]
        results = one_executor.run_many(asked)
        expected = [
            tuple(result.ok and COMPARISONS[r.comparison].is_equal(result, r.gold) for r in references)
            for result in results
        ]
        for keep in (False, True):
            judged = one_executor.judge(
                [JudgeRequest(query, tuple(references)) for query in asked], rows=keep
            )
            assert [each.equal for each in judged] == expected
            assert [each.result.status for each in judged] == [result.status for result in results]
            assert not keep or [each.result for each in judged] == results

    judge()


@pytest.mark.slow
def test_the_same_from_any_number_of_workers(ask):
    right, wrong = reference((3,)), reference((4,))
    sqls = [f"SELECT {n} % 7" for n in range(200)] + ["SELEC", SPIN.format(10**6), "DROP TABLE singer"]
    cases = [JudgeRequest(ask(sql), (right, wrong)[: n % 3]) for n, sql in enumerate(sqls)]
    seen = []
    for workers in (1, 2, 4):
        with Executor(Limits(max_steps=100_000), workers=workers) as executor:
            seen.append([(j.result.status, j.result.columns, j.equal) for j in executor.judge(cases)])
            assert executor.judge(cases, rows=True) == executor.judge(cases, rows=True)
    assert seen[0] == seen[1] == seen[2]
    assert {status for status, _, _ in seen[0]} == {Status.OK, Status.ERROR, Status.TIMEOUT, Status.DENIED}


MEMORY = """
import resource, sys
from sql_env import Executor, Query
from sql_env.comparison import make_gold
from sql_env.execution.messages import JudgeRequest, Reference, ResultMode
from sql_env.types import ExecutionResult, Status
known = Reference("bird", make_gold(ExecutionResult(Status.OK, ("c",), ((1,),)), None))
text = "SELECT hex(zeroblob(500000)) || {} FROM singer, concert"
cases = [JudgeRequest(Query("concerts.sqlite", text.format(n)), (known,)) for n in range(30)]
with Executor() as executor:
    executor.judge(cases[:1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    judged = executor.judge(cases)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert all(j.result.ok and j.equal == (False,) for j in judged)
print((after - before) // 1024)
"""


@pytest.mark.slow
def test_what_is_only_judged_takes_no_memory_here(concerts):
    command = [sys.executable, "-c", MEMORY]
    done = subprocess.run(command, cwd=concerts.parent, env=ENVIRONMENT, capture_output=True, timeout=100)
    assert int(done.stdout) < 20, done.stderr.decode()  # MB; the results are 600


@pytest.mark.slow
def test_a_comparison_that_does_not_end_is_a_wrong_answer(ask):
    """Spider's rules sort the values of each row as texts, until the kernel's timer ends it: no pay."""
    count, width = 20_000, 40
    columns = ", ".join(f"x + {n}" for n in range(width))
    hard = reference(
        *(tuple(x + n for n in reversed(range(width))) for x in range(1, count + 1)),
        semantics="spider",
        columns=width,
    )
    easy = reference((1,))
    cases = [
        JudgeRequest(ask("SELECT 1 -- before"), (easy,)),
        JudgeRequest(ask(SPIN.format(count).replace("max(x)", columns)), (easy, hard)),
        JudgeRequest(ask("SELECT 1"), (easy,)),
        JudgeRequest(ask(SPIN.format(10**8)), (easy,)),
    ]
    with Executor(Limits(cpu_seconds=0.2, max_steps=2**30)) as executor:
        judged = executor.judge(cases)
    assert [(each.result.status.value, each.equal) for each in judged] == [
        ("ok", (True,)), ("timeout", (False, False)), ("ok", (True,)), ("timeout", (False,)),
    ]  # fmt: skip
    assert judged[1].result.error == "its result could not be compared: more than 0.2 s of CPU"


def test_a_request_ends_with_many_bytes_of_golds(ask):
    """A worker holds the golds of a request in memory, so large golds make short requests."""
    large = reference(*((n, "x" * 1_000_000) for n in range(9)), columns=2)
    backlog = pending.Backlog(1)
    for n in range(64):
        backlog.add(pending.PendingQuery(JudgeRequest(ask(f"SELECT {n}"), (large,)), ResultMode.VERDICT))
    taken = [len(backlog.take(0)) for _ in range(16)]
    assert taken[:15] == [4] * 15
    assert sum(taken) == 64


def test_an_interrupted_call_leaves_no_queries_behind(ask):
    with Executor() as executor:
        call = pending.Call(
            [JudgeRequest(ask(f"{SPIN.format(20_000)} -- {n}")) for n in range(2_000)], ResultMode.ROWS
        )
        executor.run(ask("SELECT 1"))
        executor._pool._inbox.put(call)
        assert wait_until(lambda: executor.stats.executed > 20)
        call.abandoned = True
        assert executor.run(ask("SELECT 2")).rows == ((2,),)
        assert wait_until(lambda: not executor._pool._calls)
        assert executor._pool._small.count + executor._pool._large.count == 0
        assert executor.stats.executed < 1_000
