"""The measurements of scaling: generated tasks, long runs and reward workers."""

import json
import subprocess
import sys
from random import Random

import pytest

from benchmarks.performance.batches import small_batch
from benchmarks.performance.generated import orders_database, part_databases, part_samples, part_tasks
from benchmarks.performance.harness import Settings
from benchmarks.performance.scaling import READINGS, draw_batch, long_run, memory_growth, reward_seconds
from sql_env import Executor, Query


def test_generated_tasks_repeat_and_run(monkeypatch, tmp_path):
    monkeypatch.setenv("SQL_ENV_CACHE", str(tmp_path))
    paths = part_databases(3, seed=0)
    assert paths == part_databases(3, seed=0)
    tasks = list(part_tasks(paths, 60, seed=0))
    assert tasks == list(part_tasks(paths, 60, seed=0))
    assert len({task.id for task in tasks}) == len({(t.database, t.gold_sql) for t in tasks}) == 60
    assert [task.database for task in tasks] == sorted(task.database for task in tasks)
    assert len({task.database for task in tasks}) == 3
    with Executor() as executor:
        results = executor.run_many([Query(task.database, task.gold_sql) for task in tasks])
    assert all(result.ok for result in results)
    assert sum(bool(result.rows) for result in results) > 50
    assert [task for _, task in part_samples(paths, 60, seed=0)] == tasks


def test_the_generated_orders_join(monkeypatch, tmp_path):
    monkeypatch.setenv("SQL_ENV_CACHE", str(tmp_path))
    path = orders_database(1000, seed=0)
    sql = """
        SELECT COUNT(*), COUNT(DISTINCT region), COUNT(DISTINCT category), MIN(price) >= 0, MAX(price) > 900
        FROM orders JOIN customer ON customer_id = customer.id JOIN product ON product_id = product.id
    """
    with Executor() as executor:
        assert executor.run(Query(str(path), sql)).rows == ((1000, 5, 4, 1, 1),)


def test_memory_growth_compares_the_second_fifth_with_the_last():
    assert memory_growth((90, 10, 12, 13, 15, 16, 18, 19, 21, 22)) == 9
    assert memory_growth((1.0,)) == 0


def test_a_batch_is_drawn_from_a_random_place():
    data = small_batch(Settings(), 4)
    pairs = list(zip(data.tasks, data.completions, strict=True))
    batch = draw_batch(data, 50, Random(0))
    drawn = list(zip(batch.tasks, batch.completions, strict=True))
    assert len(drawn) == 50
    assert drawn[:18] == drawn[32:]
    assert sorted(map(str, drawn[:32])) == sorted(map(str, pairs))


@pytest.mark.slow
def test_a_long_run_has_the_same_outcome_with_any_number_of_workers(monkeypatch, tmp_path):
    monkeypatch.setenv("SQL_ENV_CACHE", str(tmp_path))
    for job in ("score", "check"):
        done = []
        one, two = (long_run(job, 400, 4, workers, "local", 0, done.append) for workers in (1, 2))
        assert one["outcome"] == two["outcome"]
        assert sum(done) == 800
        assert 1 < len(one["memory"]) <= READINGS
        assert all(5 < megabytes < 100_000 for megabytes in one["memory"])
        assert one["cpu"] > 0 < one["wall"]
        assert one["rate"] == 400 / one["wall"]
    assert sum(long_run("score", 100, 2, 1, "local", 0, done.append)["outcome"].values()) == 100


@pytest.mark.slow
def test_reward_workers_share_a_batch():
    seconds, masked = reward_seconds(small_batch(Settings(), 10), 2)
    assert seconds > 0
    assert masked == 0


@pytest.mark.slow
def test_the_commands(tmp_path):
    def run(*words):
        command = [sys.executable, "-m", "benchmarks.performance.scaling", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    file = tmp_path / "scale.json"
    done = run("long-run", "--tasks", 200, "--databases", 2, "--backend", "local", "--json", file)
    assert done.returncode == 0, done.stderr
    first, second = json.loads(file.read_text())["runs"]
    assert (first["workers"], second["workers"], first["tasks"]) == (1, 2, 200)
    assert first["outcome"] == second["outcome"]
    assert f"{first['wall']:.1f}" in done.stdout
    wrong = run("long-run", "--job", "scroe")
    assert wrong.returncode == 2
    assert "'scroe' is not one of" in wrong.stderr
    missing = ("--data-dir", tmp_path)  # so that it takes the demo benchmark
    done = run("reward", "--batch", 20, "--workers", 1, "--repeats", 2, *missing, "--json", file)
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())
    assert found["data"] == "demo"
    [wait] = found["waits"]
    assert (wait["batch"], wait["workers"], wait["masked"], len(wait["seconds"])) == (20, 1, 0, 2)
