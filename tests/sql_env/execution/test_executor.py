"""The worker pool: verdicts, order, sharing, and leaving nothing behind in any way that it can end."""

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from sql_env import Executor, Limits, Query, Status
from sql_env.errors import ClosedError, DatabaseError, LimitError, SQLEnvError
from sql_env.execution.blame import MAX_CRASHES
from sql_env.execution.engines.sqlite.engine import SQLiteEngine
from sql_env.execution.heartbeat import Heartbeat
from sql_env.prompts.ddl import schema_to_ddl

from ..processes import children

ENDLESS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r"
STUCK = (  # hours in a few thousand opcodes
    "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 9999) SELECT count(*) FROM r "
    "WHERE hex(zeroblob(500000)) LIKE '%' || hex(zeroblob(490)) || x"
)
ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(autouse=True)
def no_process_is_left():
    yield
    gc.collect()
    assert wait_until(lambda: not children())


@pytest.fixture
def singers(concerts):
    def query(sql="SELECT count(*) FROM singer"):
        return Query(str(concerts), sql)

    return query


def different(query, count):
    """The same work ``count`` times over, in queries that are not shared."""
    return [Query(query.database, f"{query.sql} -- {i}") for i in range(count)]


def wait_until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not (result := true()) and time.monotonic() < end:
        time.sleep(0.02)
    return result


def busy(pid=None, count=1):
    """The worker processes of ``pid``, once ``count`` of them are in a query."""

    def running():
        found = [process for process in children(pid) if process.cpu_times().user > 0.3]
        return found if len(found) >= count else []

    return wait_until(running)


def test_results_come_in_order_from_many_databases(tmp_path, make_concerts):
    paths = [str(make_concerts(tmp_path / f"{i}.sqlite")) for i in range(7)]
    queries = [Query(paths[i % 7], f"SELECT {i}, count(*) FROM singer") for i in range(300)]
    with Executor(workers=2) as executor:
        assert [result.rows for result in executor.run_many(queries)] == [((i, 5),) for i in range(300)]


def test_equal_queries_and_no_queries(singers):
    with Executor() as executor:
        assert executor.run_many([]) == []
        assert not children()  # workers start with the first query
        assert [result.rows for result in executor.run_many([singers()] * 150)] == [((5,),)] * 150


def test_both_dialects_in_one_batch(singers, library):
    with Executor() as executor:
        books = Query(str(library), "SELECT count(*) FROM book", "duckdb")
        results = executor.run_many([singers(), books, singers()])
    assert [result.rows for result in results] == [((5,),), ((2,),), ((5,),)]


def test_a_killed_query_takes_only_itself(singers):
    """The queries before and after it in its chunk get their own results."""
    queries = [singers(f"SELECT {i}") for i in range(40)]
    queries[7] = queries[30] = singers(STUCK)
    with Executor(Limits(cpu_seconds=0.3)) as executor:
        results = executor.run_many(queries)
    ends = [result.rows[0][0] if result.ok else result.status for result in results]
    assert ends == [Status.TIMEOUT if i in (7, 30) else i for i in range(40)]
    assert results[7].error == "more than 0.3 s of CPU"


@pytest.mark.slow
def test_cpu_time_of_one_query_does_not_count_for_the_next(singers):
    spin = singers(
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 500000) SELECT max(x) FROM r"
    )
    with Executor(Limits(cpu_seconds=0.5)) as executor:
        assert all(result.ok for result in executor.run_many(different(spin, 10)))


def test_duckdb_is_stopped_by_cpu_time(library, singers):
    sql = "SELECT count(*) FROM range(100000) a, range(100000) b, range(100000) c"
    with Executor(Limits(cpu_seconds=0.3)) as executor:
        results = executor.run_many(
            [Query(str(library), sql, "duckdb"), Query(str(library), "SELECT 1", "duckdb")]
        )
    assert [result.status for result in results] == [Status.TIMEOUT, Status.OK]


def test_the_wall_clock_judges_no_query_that_uses_cpu_time(singers):
    with Executor(Limits(cpu_seconds=1.5, wall_seconds=0.3)) as executor:
        results = executor.run_many([singers(), singers(STUCK), singers()])
        assert executor.stats.killed == 1  # at the first time-out: nothing hides who sent the signal
    assert [result.status for result in results] == [Status.OK, Status.TIMEOUT, Status.OK]
    assert results[1].error == "more than 1.5 s of CPU"


def test_a_stopped_worker_is_replaced(singers):
    """Nothing in the query stops its worker, so it runs again."""
    with Executor(Limits(max_steps=60_000_000, wall_seconds=1)) as executor, ThreadPoolExecutor(1) as thread:
        future = thread.submit(executor.run_many, [singers(), singers(ENDLESS), singers()])
        (worker,) = busy()
        worker.suspend()
        results = future.result()
    assert [result.status for result in results] == [Status.OK, Status.TIMEOUT, Status.OK]
    assert results[1].error == "more than 60000000 steps"


@pytest.mark.slow
def test_the_deadline_is_each_querys_own(singers):
    """Queries that together take longer than the deadline, in one chunk, do not run into it."""
    spin = (
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 1000000) SELECT max(x) FROM r"
    )
    with Executor(Limits(wall_seconds=4.0)) as executor:
        assert all(result.ok for result in executor.run_many(different(singers(spin), 30)))


def test_a_worker_killed_from_outside_is_replaced(singers):
    with Executor(Limits(max_steps=60_000_000)) as executor, ThreadPoolExecutor(1) as thread:
        future = thread.submit(executor.run_many, [singers(), singers(ENDLESS), singers()])
        (worker,) = busy()
        worker.kill()
        results = future.result()
    assert [result.status for result in results] == [Status.OK, Status.TIMEOUT, Status.OK]
    assert results[1].error == "more than 60000000 steps"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGKILL, Status.TOO_LARGE), (signal.SIGSEGV, Status.ERROR), (signal.SIGTERM, Status.OK)],
)
def test_a_query_that_ends_each_of_its_workers(singers, number, status):
    """It is to blame if it can end a worker in this way, and if another query survives each time."""
    slow = ENDLESS.replace("FROM r)", "FROM r LIMIT 5000000)")
    with Executor(Limits(cpu_seconds=60)) as executor, ThreadPoolExecutor(1) as thread:
        future = thread.submit(executor.run_many, [singers(), singers(slow), singers()])
        for _ in range(MAX_CRASHES):
            (worker,) = busy()
            worker.send_signal(number)
            assert wait_until(lambda pid=worker.pid: pid not in {process.pid for process in children()})
        results = future.result()
        assert [result.status for result in results] == [Status.OK, status, Status.OK]


def test_an_idle_worker_killed_from_outside_is_replaced(singers):
    with Executor() as executor:
        assert executor.run(singers()).ok
        (worker,) = children()
        worker.kill()
        worker.wait()
        assert executor.run(singers()).ok


@pytest.mark.slow
def test_a_query_that_takes_all_memory_runs_again_in_a_new_worker(singers):
    """The row has 200 values of a megabyte. Each is copied before the row can be counted."""
    wide = f"WITH q(x) AS MATERIALIZED (SELECT zeroblob(1000000)) SELECT {', '.join('x' * 200)} FROM q"
    limits = Limits(memory_bytes=4 * 2**20, max_bytes=2**20, max_value_bytes=2**22)
    with Executor(limits) as executor:
        results = executor.run_many([singers(), singers(wide), singers(), singers(wide + " ")])
        started = executor.stats.started
    ends = [Status.OK, Status.TOO_LARGE, Status.OK, Status.TOO_LARGE]
    assert [result.status for result in results] == ends
    assert str(limits.process_bytes) in results[1].error
    assert started >= 3


def test_threads_share_the_workers(singers):
    with Executor(workers=2) as executor, ThreadPoolExecutor(12) as threads:
        batches = [[singers(f"SELECT {i}, {j}") for j in range(60)] for i in range(24)]
        results = list(threads.map(executor.run_many, batches))
        assert len(children()) == 2
    assert [[result.rows[0] for result in batch] for batch in results] == [
        [(i, j) for j in range(60)] for i in range(24)
    ]


@pytest.mark.slow
def test_a_long_batch_does_not_starve_another_thread(singers):
    slow = singers(
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 100000) SELECT max(x) FROM r"
    )
    with Executor() as executor, ThreadPoolExecutor(1) as thread:
        long = thread.submit(executor.run_many, different(slow, 100))
        time.sleep(0.2)
        assert executor.run(singers()).ok
        assert not long.done()
        assert all(result.ok for result in long.result())


def test_step_verdicts_are_the_same_in_process_under_load_and_in_any_number_of_workers(singers):
    sql = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT {}) SELECT max(x) FROM r"
    queries = [singers(sql.format(n)) for n in range(50, 4_000, 61)]
    limits = Limits(max_steps=20_000)
    engine = SQLiteEngine(limits)
    alone = [engine.run(query.database, query.sql) for query in queries]
    engine.close()
    assert {result.status for result in alone} == {Status.OK, Status.TIMEOUT}
    spinners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        for workers in (1, 2, 3):
            with Executor(limits, workers) as executor:
                assert executor.run_many(queries) == alone
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def test_closing(singers):
    executor = Executor()
    executor.run(singers())
    executor.close()
    executor.close()
    for use in (lambda: executor.run(singers()), lambda: executor.run_many([]), lambda: executor.schema("x")):
        with pytest.raises(ClosedError):
            use()


def test_closing_while_a_thread_runs_queries(singers):
    executor = Executor(Limits(cpu_seconds=60))
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(executor.run, singers(STUCK)) for _ in range(2)]  # one runs, one waits
        assert busy()
        executor.close()
        for future in futures:
            with pytest.raises(ClosedError):
                future.result(timeout=60)


def test_a_forgotten_executor_ends_its_workers(singers):
    executor = Executor()
    executor.run(singers())
    (worker,) = children()
    del executor
    gc.collect()
    assert wait_until(lambda: not worker.is_running())


@pytest.mark.parametrize("workers", [0, -1, 1.5, True, "2"])
def test_bad_numbers_of_workers(workers):
    with pytest.raises(LimitError, match="workers"):
        Executor(workers=workers)


@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), "5", True, None])
def test_bad_limits(value):
    with pytest.raises(LimitError, match="'max_rows'"):
        Limits(max_rows=value)


def test_an_unknown_dialect(singers):
    with Executor() as executor, pytest.raises(DatabaseError, match="'postgres'; known: duckdb, sqlite"):
        executor.run(Query("x", "SELECT 1", "postgres"))


def test_a_path_relative_to_a_working_directory_that_changes(singers, concerts, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    with Executor() as executor:
        assert executor.run(Query("concerts.sqlite", "SELECT 1")).ok
        monkeypatch.chdir(tmp_path / "sub")
        assert executor.run(Query("../concerts.sqlite", "SELECT 2")).ok
        assert executor.run(Query("concerts.sqlite", "SELECT 1")).status is Status.UNAVAILABLE


def test_schema(concerts):
    with Executor() as executor:
        assert schema_to_ddl(executor.schema(str(concerts))).startswith(
            "CREATE TABLE singer (\n  id INTEGER, -- values: 1, 2, 3"
        )
        with pytest.raises(DatabaseError, match="nowhere"):
            executor.schema("nowhere.sqlite")
    assert not children()


def test_a_module_of_the_same_name_in_the_working_directory(singers, tmp_path, monkeypatch):
    for name in ("sql_env.py", "apsw.py", "marshal.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong module')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    with Executor() as executor:
        assert executor.run(singers()).ok


def test_workers_that_cannot_start_are_an_error(singers, tmp_path, monkeypatch):
    (tmp_path / "apsw.py").write_text("raise RuntimeError('no engine here')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with Executor() as executor, pytest.raises(SQLEnvError, match="start: RuntimeError: no engine here"):
        executor.run(singers())


def fork_and_run(executor, query, results):
    results.put(executor.run(query).rows)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_starts_its_own_workers(singers):
    context = get_context("fork")
    with Executor() as executor:
        assert executor.run(singers()).ok
        results = context.SimpleQueue()
        fork = context.Process(target=fork_and_run, args=(executor, singers("SELECT 7"), results))
        fork.start()
        assert results.get() == ((7,),)
        fork.join()
        assert executor.run(singers("SELECT 8")).rows == ((8,),)


SCRIPT = """
    import os, signal, sys, time
    from sql_env import Executor, Limits, Query
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    def main():
        executor = Executor(Limits(cpu_seconds=60, max_steps=10**9), workers=2)
        query = Query({database!r}, {sql!r})
        queries = [Query(query.database, query.sql + " -- " + str(i)) for i in range(50)]
        print("ready", flush=True)
        {body}
    if __name__ == "__main__":
        main()
"""


def start(tmp_path, concerts, body, sql=STUCK):
    """Run ``body`` in a Python process of its own, in a terminal session of its own."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT).format(database=str(concerts), sql=sql, body=body))
    process = subprocess.Popen(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process, seconds=60):
    _, errors = process.communicate(timeout=seconds)
    return process.returncode, errors


@pytest.mark.slow
def test_ctrl_c_in_mid_batch(tmp_path, concerts):
    process = start(tmp_path, concerts, "executor.run_many(queries)")
    workers = busy(process.pid, 2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    began = time.monotonic()
    code, errors = finish(process)
    assert time.monotonic() - began < 10  # the query would take minutes
    assert (code, "KeyboardInterrupt" in errors) == (-signal.SIGINT, True)
    assert errors.count("Traceback") == 1  # workers say nothing
    assert wait_until(lambda: not any(worker.is_running() for worker in workers))


def test_ctrl_c_leaves_a_usable_executor(tmp_path, concerts):
    body = """
        try:
            executor.run_many(queries)
        except KeyboardInterrupt:
            rows = executor.run(Query(query.database, "SELECT 1")).rows
            sys.exit(0 if rows == ((1,),) else 1)"""
    process = start(tmp_path, concerts, textwrap.indent(textwrap.dedent(body), "    ").strip())
    assert len(busy(process.pid, 2)) == 2
    process.send_signal(signal.SIGINT)
    assert finish(process) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("sql", [STUCK, ENDLESS])
def test_a_killed_parent_leaves_no_process(tmp_path, concerts, sql):
    process = start(tmp_path, concerts, "executor.run_many(queries)", sql)
    workers = busy(process.pid, 2)
    assert len(workers) == 2
    process.kill()
    finish(process)
    assert wait_until(lambda: not any(worker.is_running() for worker in workers), 5)


@pytest.mark.slow
def test_a_parent_killed_while_a_fork_of_it_lives(tmp_path, concerts):
    body = "executor.run(Query(query.database, 'SELECT 1')); os.fork(); time.sleep(9)"
    process = start(tmp_path, concerts, body)
    assert wait_until(lambda: len(children(process.pid)) == 2)
    (worker,) = [child for child in children(process.pid) if "sql_env" in " ".join(child.cmdline()[2:])]
    process.kill()
    assert wait_until(lambda: not worker.is_running(), 5)
    os.killpg(process.pid, signal.SIGKILL)
    finish(process)


@pytest.mark.slow
def test_the_end_of_the_program_ends_the_workers(tmp_path, concerts):
    process = start(tmp_path, concerts, "executor.run(query); time.sleep(0.5)", "SELECT 1")
    workers = wait_until(lambda: children(process.pid))
    assert finish(process) == (0, "")
    assert workers
    assert not any(worker.is_running() for worker in workers)


def test_a_parent_that_cannot_learn_how_its_children_end(tmp_path, concerts):
    """Some frameworks reap all children themselves; a CPU time-out must stay one."""
    body = """
        import signal
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        with Executor(Limits(cpu_seconds=0.3)) as executor:
            result = executor.run(query)
        assert result.status == "timeout", result
        assert executor.workers == 1"""
    process = start(tmp_path, concerts, textwrap.indent(textwrap.dedent(body), "    ").strip())
    assert finish(process) == (0, "")


def test_workers_do_not_import_the_users_program_again(tmp_path, concerts):
    process = start(tmp_path, concerts, "assert executor.run(query).ok", "SELECT 1")
    script = tmp_path / "script.py"
    assert "__main__" in script.read_text()
    out, errors = process.communicate(timeout=60)
    assert (out, errors) == ("", "")


@pytest.mark.slow
def test_no_file_descriptor_leaks(singers):
    def run():
        with Executor(Limits(cpu_seconds=0.1), workers=2) as executor:
            executor.run_many([singers(STUCK), singers()])

    run()
    before = len(os.listdir("/proc/self/fd"))
    threads = threading.active_count()
    for _ in range(3):
        run()
    assert len(os.listdir("/proc/self/fd")) == before
    assert threading.active_count() == threads


def test_progress_is_never_torn(tmp_path):
    """Another process that looks while a query begins must not see the time of no query."""
    writer = textwrap.dedent(
        """
        from sql_env.execution.heartbeat import Heartbeat
        with open("progress", "r+b") as file:
            progress = Heartbeat(file.fileno())
        while True:
            for place in range(1, 100):
                progress.begin(place)
        """
    )
    (tmp_path / "progress").write_bytes(bytes(Heartbeat.SIZE))
    with open(tmp_path / "progress", "r+b") as file:
        progress = Heartbeat(file.fileno())
    process = subprocess.Popen([sys.executable, "-c", writer], cwd=tmp_path, env=ENVIRONMENT)
    try:
        assert wait_until(lambda: progress.began > 0)
        assert all(progress.began > 0 and progress.place > 0 for _ in range(300_000))
    finally:
        process.kill()
        process.wait()
        progress.close()


INTERRUPTED = """
import random, signal
from sql_env import Executor, Query

class Stop(Exception):
    pass

def stop(*_):
    raise Stop

signal.signal(signal.SIGALRM, stop)
chance = random.Random(0)
executor = Executor(workers=1)
stopped = 0
while stopped < 150:
    try:
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00005, 0.002))
        executor.run_many([Query("concerts.sqlite", f"SELECT {n}") for n in range(3)])
    except Stop:
        stopped += 1
    finally:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Stop:
            stopped += 1
print(executor.run(Query("concerts.sqlite", "SELECT 5")).rows)
"""


@pytest.mark.slow
def test_an_exception_out_of_nowhere_loses_no_worker(concerts):
    """A time-out by a signal, say, wherever it strikes: the executor goes on."""
    command = [sys.executable, "-c", INTERRUPTED]
    done = subprocess.run(command, cwd=concerts.parent, env=ENVIRONMENT, capture_output=True, timeout=120)
    assert done.stdout.decode().strip() == "((5,),)", done.stderr.decode()


FORKED = """
import os, subprocess, time
from sql_env import Executor, Query

popen, forks = subprocess.Popen, []

def fork_first(*arguments, **options):
    forks.append(os.fork())
    if not forks[-1]:
        time.sleep(60)
        os._exit(0)
    return popen(*arguments, **options)

subprocess.Popen = fork_first
with Executor() as executor:
    executor.run(Query("concerts.sqlite", "SELECT 1"))
    (worker,) = executor._pool.processes
    worker._process.kill()
    worker._process.wait()
    print(executor.run(Query("concerts.sqlite", "SELECT 5")).rows)
for fork in forks:
    os.kill(fork, 9)
"""


@pytest.mark.slow
def test_a_worker_dies_while_a_fork_holds_its_line_open(concerts):
    """A thread forked at the moment when a worker was started: its death must be noticed all the same."""
    command = [sys.executable, "-c", FORKED]
    done = subprocess.run(command, cwd=concerts.parent, env=ENVIRONMENT, capture_output=True, timeout=60)
    assert done.stdout.decode().strip() == "((5,),)", done.stderr.decode()


@pytest.mark.parametrize(
    "limits", [{"max_steps": 0.5}, {"max_rows": 1.5}, {"max_steps": 2**31}, {"max_bytes": float("nan")}]
)
def test_limits_that_no_engine_can_keep(limits):
    with pytest.raises(LimitError, match="must be"):
        Limits(**limits)
