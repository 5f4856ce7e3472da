"""The throughput benchmark: its arithmetic, its contenders against each other, and the command."""

import json
import subprocess
import sys
import time
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from benchmarks.performance.batches import (
    HOSTILE,
    Batch,
    add_hostile_queries,
    gold_query,
    make_batch,
    sample_groups,
)
from benchmarks.performance.harness import Settings, clocked
from benchmarks.performance.throughput.__main__ import WORKLOADS, app
from benchmarks.performance.throughput.contenders import SQLiteBaseline, naive_rewards
from benchmarks.performance.throughput.workloads import Finding, Measurement, measure
from sql_env import Limits, Query, Scorer, Status, load_benchmark

BURN = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
ENDLESS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r"
BARS = {
    "efficiency, spider, golds cold, scorer-2": 0.60,
    "efficiency, spider, golds cached, scorer-2": 0.75,
    "efficiency, small databases, golds cold, scorer-2": 0.70,
    "efficiency, large database, golds cold, scorer-2": 0.95,
    "times less CPU than the naive baseline, spider, 2 workers": 20.0,
    "times faster than the naive baseline, hostile mix, 2 workers": 10.0,
    "rate of two workers over one, spider": 1.8,
    "rate of 64 threads sample by sample over that of one batch": 0.6,
    "env.step beyond SQLite's time, median, us": 150.0,
    "peak memory of the whole tree, hostile mix, 2 workers, GB": 1.5,
    "verdicts that differ, with 1, 2 and 4 workers, idle and under full load": 0.0,
}


class TestMeasurement:
    def test_a_ratio_is_taken_within_each_repeat(self):
        """The machine is ten times slower in the second repeat. The ratio of the medians would be 5."""
        seen = Measurement([{"a": {"s": a}, "b": {"s": b}} for a, b in ((1, 2), (10, 20), (2, 4))])
        assert seen.ratio("b", "a", "s") == 2
        slow = Measurement([{"a": {"s": a}, "b": {"s": b}} for a, b in ((1, 2), (100, 100), (1, 3))])
        assert slow.ratio("b", "a", "s") == 2
        assert median(slow.values("b", "s")) / median(slow.values("a", "s")) == 3

    @given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=9))
    def test_a_summary_is_in_order(self, values):
        spread = Measurement([{"a": {"s": value}} for value in values]).summary()["a"]["s"]
        assert spread["min"] <= spread["median"] <= spread["max"]
        assert {spread["min"], spread["max"]} <= set(values)

    def test_contenders_take_turns_in_an_order_that_the_seed_draws(self):
        def order(seed):
            ran, done = [], []
            contenders = {
                name: lambda name=name: ran.append(name) or {name: {"s": float(len(ran))}} for name in "abcd"
            }
            seen = measure(contenders, 6, Random(seed), done.append)
            assert list(seen.summary()) == list("abcd")
            assert sum(done) == 24
            return ran

        assert order(0) == order(0) != order(1)
        turns = [order(0)[start : start + 4] for start in range(0, 24, 4)]
        assert all(sorted(turn) == list("abcd") for turn in turns)
        assert len(set(map(tuple, turns))) > 1

    @pytest.mark.parametrize(
        ("value", "bar", "sense", "ok"),
        [(2.0, 2.0, ">=", True), (1.9, 2.0, ">=", False), (0.0, 0.0, "<=", True), (2.1, 2.0, "<=", False)],
    )
    def test_bars(self, value, bar, sense, ok):
        assert Finding("x", value, bar, sense).ok is ok


class TestClock:
    @pytest.mark.slow
    def test_processes_below_this_one_are_counted(self):
        """One process has ended, and one still runs."""

        def work():
            subprocess.run([sys.executable, "-c", BURN], check=True)
            living = subprocess.Popen(
                [sys.executable, "-c", f"{BURN}\nprint(flush=True)\ninput()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            living.stdout.readline()
            return living

        living, figures = clocked(work)
        living.communicate(b"\n")
        assert 0.4 <= figures["cpu_s"] < 2.0

    def test_time_that_others_took_before_is_not(self):
        subprocess.run([sys.executable, "-c", BURN], check=True)
        slept, figures = clocked(lambda: time.sleep(0.02))
        assert slept is None
        assert figures["cpu_s"] < 0.2
        assert figures["wall_s"] >= 0.02


class TestBaselines:
    def test_the_sqlite_baseline_returns_the_rows_of_the_scorer(self, ask):
        tasks = [
            ask("SELECT name FROM singer WHERE age > 30", comparison="bird"),
            ask("SELECT title FROM concert ORDER BY fee DESC", comparison="spider"),
            ask("SELECT country, count(*) FROM singer GROUP BY country"),
        ]
        stopped = ["SELECT nope", ENDLESS, "DELETE FROM singer", ""]
        groups = [*sample_groups(tasks, 6, Random(3)), (tasks[0], stopped)]
        batch = make_batch(groups, Limits(min_steps=200_000, max_steps=200_000))
        with Scorer(limits=batch.limits, rows=True) as scorer:
            results = [rollout.result for rollout in scorer.rollouts(batch.completions, batch.tasks)]
            golds = scorer.golds(batch.tasks)
        ran = list(zip(batch.predictions(), results, strict=True))
        ran += zip(map(gold_query, batch.tasks), golds, strict=True)
        baseline = SQLiteBaseline((task.database for task in tasks), batch.limits)
        for query, result in ran:
            if query is None:
                assert result is None
            else:
                rows = baseline.rows(query)
                assert result.rows == tuple(rows) if result.ok else rows is None
        baseline.close()
        assert {result.status for _, result in ran if result} == {
            Status.OK, Status.ERROR, Status.TIMEOUT, Status.DENIED
        }  # fmt: skip

    def test_the_naive_baseline_agrees_where_it_can(self, ask):
        """It compares as BIRD does."""
        task = ask("SELECT name FROM singer WHERE country = 'France'", comparison="bird")
        samples = [
            task.gold_sql,
            "SELECT name FROM singer WHERE country = 'China'",
            "SELECT DISTINCT name FROM singer WHERE country IN ('France') ORDER BY name",
            "SELECT",
            ENDLESS,
            "SELECT a.name FROM singer a, singer b, singer c",
            "DELETE FROM singer",
        ]
        batch = make_batch([(task, samples)], Limits(max_steps=200_000, max_rows=100))
        completions = [*batch.completions, "SELECT name FROM singer"]
        tasks = [*batch.tasks, task]
        rewards = naive_rewards(Batch(completions, tasks, batch.limits))
        with Scorer(limits=batch.limits) as scorer:
            rollouts = scorer.rollouts(completions, tasks)
        assert rewards == [1, 0, 1, 0, 0, 0, 0, -1]
        assert [reward == 1 for reward in rewards] == [rollout.correct for rollout in rollouts]
        assert [reward >= 0 for reward in rewards] == [rollout.action.well_formed for rollout in rollouts]
        assert naive_rewards(make_batch([(task, samples[:1])])) == [1]  # nothing was deleted


class TestBatches:
    def test_samples_depend_on_the_seed(self):
        tasks = load_benchmark("demo", "test").tasks[:40]
        found = sample_groups(tasks, 8, Random(0))
        assert found == sample_groups(tasks, 8, Random(0)) != sample_groups(tasks, 8, Random(1))
        assert all(samples[0] == task.gold_sql and len(samples) == 8 for task, samples in found)
        assert 0.4 < sum(len(set(samples)) for _, samples in found) / (8 * 40) < 0.9

    def test_the_shares_of_hostile_queries_are_exact(self):
        tasks = load_benchmark("demo", "test").tasks[:50]
        mixed = add_hostile_queries([(task, [task.gold_sql] * 8) for task in tasks], Random(0))
        changed = sum(sql != task.gold_sql for task, samples in mixed for sql in samples)
        assert changed == sum(round(share * 400) for share, _ in HOSTILE.values()) == 60

    @pytest.mark.slow
    def test_hostile_queries_end_as_they_should(self):
        tasks = load_benchmark("demo", "test").tasks[:50]
        mixed = add_hostile_queries([(task, [task.gold_sql] * 8) for task in tasks], Random(0))
        batch = make_batch(mixed, Limits(max_steps=10_000_000))
        with Scorer(limits=batch.limits, workers=2, rows=True) as scorer:
            found = [rollout.result for rollout in scorer.rollouts(batch.completions, batch.tasks)]
        statuses = [result.status for result in found if result]
        assert statuses.count(Status.TIMEOUT) >= 8
        assert statuses.count(Status.DENIED) >= 4
        assert statuses.count(Status.ERROR) >= 35
        assert sum(
            s is Status.TOO_LARGE or len(r.rows) > 20_000 for s, r in zip(statuses, found, strict=True)
        )

    def test_a_query_of_a_batch_is_the_one_that_runs(self, ask):
        task = ask("SELECT name FROM singer", comparison="bird")
        batch = make_batch([(task, ["SELECT 1", "SELECT 1", ""])])
        assert batch.predictions() == [Query(task.database, "SELECT 1")] * 2 + [None]
        assert batch.facts() == {
            "scores": 3, "tasks": 1, "databases": 1, "distinct_predictions": 1, "distinct_queries": 2
        }  # fmt: skip

    def test_the_scale_is_a_share(self):
        assert Settings(scale=0.25).scaled(1000) == 250
        assert Settings(scale=0.0).scaled(1000, least=3) == 3
        assert Settings(scale=1.0).scaled(7, least=9) == 7


class TestCommand:
    def run(self, *arguments):
        return CliRunner().invoke(app, [*map(str, arguments)])

    def test_an_unknown_workload_is_an_error_with_a_suggestion(self):
        done = self.run("--workload", "spidr")
        assert done.exit_code == 2
        assert "Did you mean 'spider'?" in done.output

    def test_a_workload_without_its_data_is_skipped(self, tmp_path):
        done = self.run("--workload", "spider", "--data-dir", tmp_path, "--json", tmp_path / "t.json")
        assert done.exit_code == 0, done.output
        found = json.loads((tmp_path / "t.json").read_text())
        assert found["bars"] == []
        assert "set --data-dir or SQL_ENV_TEST_DATA" in found["skipped"]["spider"]
        assert "spider is skipped" in done.output

    def test_without_psutil_the_extra_is_named(self):
        command = "from benchmarks.performance.throughput.__main__ import app; app()"
        code = f"import sys; sys.modules['psutil'] = None; {command}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "pip install '.[bench]'" in done.stderr

    @pytest.mark.slow
    def test_every_workload_runs(self, shared_data, tmp_path, monkeypatch):
        monkeypatch.setenv("SQL_ENV_CACHE", str(tmp_path / "cache"))
        out = tmp_path / "t.json"
        done = self.run(
            "--repeats", 1, "--scale", 0.01, "--data-dir", shared_data, "--json", out, "--check"
        )  # fmt: skip
        found = json.loads(out.read_text())
        assert done.exit_code == int(any(not bar["ok"] for bar in found["bars"])), done.output
        assert not found["skipped"]
        assert set(found["workloads"]) == set(WORKLOADS)
        bars = {bar["name"]: bar["bar"] for bar in found["bars"]}
        assert bars == BARS
        for bar in found["bars"]:
            assert bar["name"] in done.output.replace("\n", " ") or len(bar["name"]) > 40
            assert bar["ok"] is (
                bar["value"] >= bar["bar"] if bar["sense"] == ">=" else bar["value"] <= bar["bar"]
            )
        values = {bar["name"]: bar["value"] for bar in found["bars"]}
        assert values["verdicts that differ, with 1, 2 and 4 workers, idle and under full load"] == 0
        spider = found["workloads"]["spider"]
        assert spider["facts"]["scores"] == 8 * spider["facts"]["tasks"]
        assert len(spider["repeats"]) == found["settings"]["repeats"] == 1
        assert (
            0
            < spider["rows"]["sqlite_baseline cold"]["cpu_ms_per_score"]["median"]
            < spider["rows"]["naive_baseline"]["cpu_ms_per_score"]["median"]
        )
        assert found["machine"]["sqlite"]
