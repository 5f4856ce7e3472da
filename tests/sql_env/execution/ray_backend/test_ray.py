"""The Ray backend on a real cluster of two nodes: same results as here, whatever dies."""

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from benchmarks.diagnostics.checks.checker import check_tasks
from benchmarks.evaluate import app
from benchmarks.evaluation.judging import SQL
from benchmarks.loading.predictions import read_predictions
from sql_env import Executor, Limits, Query, Scorer, Status, Task, load_benchmark
from sql_env.errors import ClosedError, DatabaseError, LimitError, SQLEnvError
from sql_env.execution.backends import load_executor, map_distributed, resolve_backend
from sql_env.execution.messages import JudgeRequest
from sql_env.scoring.stream import score_stream

ray = pytest.importorskip("ray", reason="the Ray backend needs the extra ray")
from sql_env.execution.ray_backend import executor as ray_executor  # noqa: E402
from sql_env.execution.ray_backend.executor import RayExecutor  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO:FutureWarning"),
]
TIGHT = Limits(max_steps=1_000_000, max_rows=1_000, max_bytes=1_000_000)
ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT COUNT(*) FROM r"
RAYLET = re.compile(r"\x1b\[33m\(raylet\).*\n(?:\s.*\n|Raylet .*\n)*")  # what Ray says about lost nodes
WORKER = "sql_env.execution.worker"
NODE = {"num_cpus": 2, "object_store_memory": 100 * 2**20, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of two CPUs each, of which the second may be lost and found."""
    from ray.cluster_utils import Cluster

    place = tempfile.mkdtemp(prefix="ray")  # short: sockets in there have names of limited length
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", place)
        patch.delenv("RAY_ADDRESS", raising=False)
        made = Cluster(initialize_head=True, head_node_args=NODE)
        made.add_node(**NODE)
        patch.setenv("RAY_ADDRESS", made.address)
        try:
            yield made
        finally:
            ray.shutdown()
            made.shutdown()
            shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def both(cluster, tight):
    """An executor here, and one of two workers on the cluster, under tight limits."""
    with Executor(tight, 2) as here, load_executor("ray", tight, 2) as there:
        yield here, there


@pytest.fixture(scope="module")
def spider(shared_data):
    """Real tasks, three times over, with what two models really said and something that is no SQL at all."""
    dev = load_benchmark("spider", "dev", str(shared_data / "spider"))
    tasks = dev.tasks[::8]
    said = [
        read_predictions(shared_data / "predictions" / "spider_dev" / name, dev)[::8]
        for name in ("c3_chatgpt.txt", "codes_sft_1b.txt")
    ]
    wild = [(ENDLESS, "SELECT", "DROP TABLE singer", "", "SELECT 'a")[n % 5] for n in range(len(tasks))]
    return [*tasks] * 3, [*said[0], *said[1], *wild]


def test_real_predictions_score_the_same_to_the_bit(cluster, spider):
    tasks, texts = spider
    for options in ({"rows": True}, {"rows": False}):
        with Scorer(SQL, limits=TIGHT, workers=2, **options) as here:
            expected = here.score(texts, tasks)
        with Scorer(SQL, limits=TIGHT, workers=2, backend="ray", **options) as there:
            assert there.score(texts, tasks) == expected
            assert list(score_stream(there, zip(texts, tasks, strict=True), batch=100)) == expected
            stats = there.stats
        statuses = Counter(score.rollout.result.status for score in expected if score.rollout.result)
        assert statuses[Status.OK] > 100
        assert statuses[Status.ERROR] > 10
        assert statuses[Status.TIMEOUT] > 10
        assert stats.executor.executed >= stats.distinct > 300
        assert stats.executor.ended[Status.TIMEOUT] > 10


def test_hostile_queries_end_the_same(both, concerts, hostile_sql):
    here, there = both
    queries = [Query(str(concerts), sql) for sql, _ in hostile_sql.values()]
    expected = here.run_many(queries)
    assert there.run_many(queries) == expected
    assert {Status.TOO_LARGE, Status.TIMEOUT, Status.DENIED, Status.ERROR} <= {r.status for r in expected}


def test_costs_are_the_same(both, concerts):
    here, there = both
    queries = [Query(str(concerts), sql) for sql in ("SELECT * FROM singer", ENDLESS, "SELECT 1")]
    costs = [[(cost.status, cost.steps, cost.error) for cost in each.measure(queries)] for each in both]
    assert costs[0] == costs[1]
    assert there.schema(str(concerts)) == here.schema(str(concerts))


def test_a_relative_path_and_a_missing_database(both, concerts, monkeypatch):
    here, there = both
    monkeypatch.chdir(concerts.parent)
    queries = [Query(concerts.name, "SELECT count(*) FROM singer"), Query("gone.sqlite", "SELECT 1")]
    assert there.run_many(queries) == here.run_many(queries)
    found, gone = there.judge([JudgeRequest(query) for query in queries], rows=True)
    assert found.result.rows == ((5,),)
    assert gone.result.status is Status.UNAVAILABLE
    assert "gone.sqlite" in gone.result.error
    assert list(map_distributed(os.path.exists, [concerts.name, "gone.sqlite"], "ray")) == [True, False]


def test_many_threads_at_once(both, concerts):
    here, there = both
    queries = [Query(str(concerts), f"SELECT {n}, name FROM singer") for n in range(64)]
    found = {}

    def ask(n):
        found[n] = there.run(queries[n])

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[n] for n in range(64)] == here.run_many(queries)


def test_a_node_that_dies_loses_no_score_and_changes_none(cluster, concerts):
    """Ray runs the tasks of the dead node again on the other node."""
    limits = Limits(max_steps=30_000_000)
    slow = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT {}) SELECT max(n) FROM r"
    queries = [Query(str(concerts), slow.format(200_000 + n)) for n in range(200)]
    with Executor(limits, 2) as here:
        expected = here.run_many(queries)
    with load_executor("ray", limits, 4) as there:
        found = []
        worker = threading.Thread(target=lambda: found.append(there.run_many(queries)))
        worker.start()
        until(lambda: there.stats.executed > 10)
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        assert worker.is_alive()
        worker.join(100)
        assert found == [expected]
        cluster.add_node(**NODE)
        assert there.run_many(queries[:8]) == expected[:8]


def test_a_task_that_is_lost_again_and_again_is_an_error(cluster, concerts, monkeypatch):
    monkeypatch.setattr(ray_executor, "RETRIES", 1)
    limits = Limits(max_steps=2**31 - 1, cpu_seconds=60)
    with load_executor("ray", limits, 1) as there:
        errors = []

        def ask():
            try:
                there.run(Query(str(concerts), ENDLESS))
            except SQLEnvError as error:
                errors.append(str(error))

        worker = threading.Thread(target=ask)
        worker.start()
        while worker.is_alive():
            for process in processes(cluster, ["ray::_apply"]):
                process.kill()
            time.sleep(0.2)
    assert "the Ray cluster does not run the queries" in errors[0]


def test_closing_cancels_what_runs(cluster, concerts):
    there = load_executor("ray", Limits(max_steps=2**31 - 1, cpu_seconds=60), workers=2)
    query = Query(str(concerts), "SELECT count(*) FROM singer")
    there.run_many([query] * 8)
    errors = []

    def ask():
        try:
            there.run_many([Query(str(concerts), ENDLESS)] * 20)
        except ClosedError as error:
            errors.append(str(error))

    worker = threading.Thread(target=ask)
    worker.start()
    until(lambda: processes(cluster, ["ray::_apply"]))
    there.close()
    worker.join(30)
    assert errors == ["the executor was closed while it ran queries"]
    until(lambda: not processes(cluster, ["ray::_apply"]))
    there.close()
    with pytest.raises(ClosedError):
        there.run(query)
    with pytest.raises(ClosedError):
        there.schema(str(concerts))


def test_workers_end_with_their_driver(cluster, concerts):
    code = (
        "from sql_env.execution.backends import load_executor; from sql_env import Query; import time;"
        f"there = load_executor('ray'); there.run(Query({str(concerts)!r}, 'SELECT 1'));"
        "print('up', flush=True); time.sleep(100)"
    )
    before = processes(cluster, [WORKER])
    driver = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert driver.stdout.readline() == b"up\n"
    left = [process for process in processes(cluster, [WORKER]) if process not in before]
    assert left
    driver.kill()
    driver.communicate()
    assert psutil.wait_procs(left, 30)[1] == []


def test_jobs_come_back_in_order_and_are_taken_as_needed(cluster):
    taken = []

    def feed():
        for number in range(1_000_000):
            taken.append(number)
            yield number

    found = map_distributed(partial(pow, 2), feed(), "ray", workers=2)
    assert [next(found) for _ in range(20)] == [2**n for n in range(20)]
    found.close()
    assert len(taken) < 50
    with pytest.raises(ZeroDivisionError):
        list(map_distributed(partial(divmod, 1), [1, 0], "ray"))


def test_a_driver_may_use_ray_by_itself_and_a_task_not(cluster):
    assert list(map_distributed(resolve_backend, ["auto", "ray"], "ray")) == ["local", "ray"]
    assert resolve_backend("auto") == "ray"


def test_a_lost_node_delays_a_health_check_and_changes_nothing(cluster, many_concerts):
    tasks = many_concerts(12, 128)
    expected = check_tasks(tasks, limits=TIGHT)
    assert expected.findings
    found = []
    worker = threading.Thread(
        target=lambda: found.append(
            check_tasks(tasks, limits=TIGHT, workers=4, backend="ray", progress=seen.append)
        )
    )
    seen = []
    worker.start()
    until(lambda: seen)
    cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
    assert worker.is_alive()
    worker.join(120)
    cluster.add_node(**NODE)
    assert found == [expected]
    assert sum(seen) == len(tasks)


@pytest.fixture
def many_concerts(tmp_path, make_concerts):
    """Make tasks over copies of one database; of every three golds one is empty and one hangs on a tie."""

    def make(databases, each):
        golds = (
            "SELECT name FROM singer WHERE id < {}",
            "SELECT name FROM singer WHERE age > {}",
            "SELECT name, {} FROM singer ORDER BY country LIMIT 1",
        )
        paths = [str(make_concerts(tmp_path / f"{n}.sqlite")) for n in range(databases)]
        return [
            Task(
                f"jsonl-all-{n}",
                "Which?",
                golds[n % 3].format(100 + n),
                paths[n % databases],
                f"{n % databases}",
            )
            for n in range(databases * each)
        ]

    return make


def test_commands_print_the_same(cluster, many_concerts, tmp_path):
    tasks = many_concerts(3, 30)
    file, said = tmp_path / "q.jsonl", tmp_path / "said.txt"
    rows = [{"question": t.question, "sql": t.gold_sql, "database": t.database} for t in tasks]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    said.write_text("".join(f"{sql}\n" for sql in (ENDLESS, *(t.gold_sql for t in tasks[:-2]), "SELECT")))
    common = ["--benchmark", "jsonl", "--param", f"path={file}", "--workers", "2", "--backend"]
    printed = {}
    for backend in ("local", "ray"):
        evaluated = CliRunner().invoke(app, ["--predictions", str(said), *common, backend])
        assert evaluated.exit_code == 0, evaluated.output
        command = [str(Path(sys.executable).with_name("sql-env")), "check", *common, backend]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        printed[backend] = tuple(RAYLET.sub("", text) for text in (evaluated.stdout, checked.stdout))
    assert printed["ray"] == printed["local"]
    assert "tie-at-limit" in printed["ray"][1]


def test_mistakes_say_what_to_mend(cluster, concerts):
    with pytest.raises(LimitError):
        load_executor("ray", workers=0)
    with load_executor("ray") as there, pytest.raises(DatabaseError, match="no engine"):
        there.run(Query(str(concerts), "SELECT 1", "oracle"))
    code = "from sql_env.execution.backends import load_executor; load_executor('ray')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "RAY_ADDRESS": "127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "cannot reach a Ray cluster (RAY_ADDRESS='127.0.0.1:1')" in done.stderr


def test_both_executors_are_called_alike():
    for name in ("__init__", "run", "run_many", "judge", "measure", "schema", "close"):
        ours, theirs = (inspect.signature(getattr(kind, name)) for kind in (RayExecutor, Executor))
        assert ours == theirs


@given(st.lists(st.sampled_from("abcdefgh"), max_size=60), st.integers(1, 9))
def test_each_item_is_in_one_chunk_and_databases_stay_together(databases, workers):
    chunks = ray_executor._chunks(databases, workers)
    places = [place for chunk in chunks for place in chunk]
    assert sorted(places) == list(range(len(databases)))
    assert [databases[place] for place in places] == sorted(databases)


def processes(cluster, marks):
    """The processes of a cluster's nodes whose command line has one of the marks."""
    raylets = [info for node in cluster.list_all_nodes() for info in node.all_processes["raylet"]]
    children = [c for info in raylets for c in psutil.Process(info.process.pid).children(recursive=True)]
    found = []
    for child in children:
        with suppress(psutil.Error):
            if any(mark in " ".join(child.cmdline()) for mark in marks):
                found.append(child)
    return found


def until(condition, seconds=60):
    """Wait for what must become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.05)
