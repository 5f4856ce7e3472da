"""The runs that show how scoring grows do what they say, and say what was measured."""

import json
import subprocess
import sys

import pytest

from benchmarks.performance.scaling.flow import SAMPLES, Flow, Watch, flow
from benchmarks.performance.scaling.generated import Generated
from benchmarks.performance.scaling.reward import _batch, wait
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workloads.small import small_items
from sql_env import Executor, Query


def test_tasks_are_drawn_alike_and_run(monkeypatch, tmp_path):
    monkeypatch.setenv("SQL_ENV_CACHE", str(tmp_path))
    generated = Generated(60, 3)
    tasks = list(generated)
    assert tasks == list(generated)
    assert len({task.id for task in tasks}) == len({(t.database, t.gold_sql) for t in tasks}) == 60
    assert [task.database for task in tasks] == sorted(task.database for task in tasks)
    assert len({task.database for task in tasks}) == 3
    with Executor() as executor:
        results = executor.run_many([Query(task.database, task.gold_sql) for task in tasks])
    assert all(result.ok for result in results)
    assert sum(bool(result.rows) for result in results) > 50
    assert [task for _, task in generated.pairs()] == tasks


def test_a_watch_looks_after_equal_numbers():
    watch = Watch(10)
    for more in (3, 3, 3, 1, 25, 4):
        watch(more)
    assert watch.done == 39
    assert len(watch.memory) == 2
    assert all(5 < megabytes < 100_000 for megabytes in watch.memory)


def test_growth_compares_the_second_fifth_with_the_last():
    figures = ("check", "local", 1, 100, 4.0, 1.0)
    assert Flow(*figures, (90, 10, 12, 13, 15, 16, 18, 19, 21, 22), {}).growth == 9
    assert Flow(*figures, (1.0,), {}).growth == 0
    assert Flow(*figures, (1.0,), {}).rate == 25


@pytest.mark.slow
def test_a_run_gives_the_same_with_any_number_of_workers(monkeypatch, tmp_path):
    monkeypatch.setenv("SQL_ENV_CACHE", str(tmp_path))
    for job in ("score", "check"):
        told = []
        one, two = (flow(job, Generated(400, 4), workers, "local", told.append) for workers in (1, 2))
        assert one.outcome == two.outcome
        assert sum(told) == 800
        assert 1 < len(one.memory) <= SAMPLES
        assert one.cpu > 0 < one.wall
    assert sum(flow("score", Generated(100, 2), 1, "local").outcome.values()) == 100


@pytest.mark.slow
def test_reward_workers_share_a_batch():
    settings = Settings(repeats=2)
    data = small_items(settings, 20)
    batch = _batch(data, 50, settings.draw("test"))
    pairs = list(zip(batch.tasks, batch.completions, strict=True))
    assert len(pairs) == 50
    assert set(pairs) <= set(zip(data.tasks, data.completions, strict=True))
    found = wait(data, 50, 2, settings)
    assert (found.batch, found.workers, found.masked, len(found.seconds)) == (50, 2, 0, 2)


@pytest.mark.slow
def test_the_command(tmp_path):
    file = tmp_path / "scale.json"
    small = ["--tasks", "200", "--databases", "2", "--backend", "local", "--json", str(file)]
    command = [sys.executable, "-m", "benchmarks.performance.scaling.__main__", "flow", *small]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    first, second = json.loads(file.read_text())["flows"]
    assert (first["workers"], second["workers"], first["tasks"]) == (1, 2, 200)
    assert first["outcome"] == second["outcome"]
    assert f"{first['wall']:.1f}" in done.stdout
    wrong = subprocess.run([*command, "--job", "scroe"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: no job is called 'scroe'. Did you mean 'score'?")
