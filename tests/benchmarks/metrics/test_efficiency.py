"""What queries take, counted and timed, and BIRD's efficiency scores from it."""

import json
import subprocess
import sys
from itertools import pairwise
from statistics import mean

import apsw
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bird import bird
from benchmarks.evaluate import evaluate
from benchmarks.loading.predictions import read_predictions
from benchmarks.metrics.efficiency import (
    _without_outliers,
    measure_speedups,
    r_ves,
    r_ves_from_speedup,
    ves,
    ves_from_speedup,
)
from sql_env import Executor, Limits, Query, Scorer, Status, Task
from sql_env.errors import DatabaseError, MetricError
from sql_env.execution.engines.sqlite.engine import SQLiteEngine

SPIN = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT {}) SELECT max(x) FROM r"
STUCK = (  # hours in a few thousand opcodes
    "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 9999) SELECT count(*) FROM r "
    "WHERE hex(zeroblob(500000)) LIKE '%' || hex(zeroblob(490)) || x"
)
GOLD = "SELECT count(*) FROM singer WHERE age > 0"


@pytest.fixture
def busy():
    """More work beside than the machine has cores for."""
    spinners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    yield
    for spinner in spinners:
        spinner.kill()
        spinner.wait()


@pytest.fixture
def singers(concerts):
    return lambda sql: Query(str(concerts), sql)


@pytest.fixture
def scored(ask):
    """Score pairs of prediction and gold under BIRD's rules."""

    def score(*pairs, **fields):
        tasks = [ask(gold, comparison="bird", **fields) for _, gold in pairs]
        with Scorer({"rewards": ["result"], "response_format": "sql"}) as scorer:
            return scorer.score([prediction for prediction, _ in pairs], tasks)

    return score


class TestMeasure:
    def test_steps_are_the_same_on_every_run(self, singers, busy):
        sql = [SPIN.format(n) for n in range(1, 400, 7)] + [
            "SELECT date('now')",
            "SELECT random() FROM singer",
        ]
        queries = [singers(each) for each in sql]
        engine = SQLiteEngine(Limits())
        cold = [engine.measure(query.database, query.sql)[1] for query in queries]
        assert all(a < b for a, b in pairwise(cold[:-2]))
        for workers in (1, 3):
            with Executor(workers=workers) as executor:
                for _ in range(2):
                    assert [cost.steps for cost in executor.measure(queries)] == cold

    def test_steps_are_those_that_the_limit_counts(self, concerts):
        """SQLite looks at the limit where its program jumps, so it may pass it by less than one round."""
        engine = SQLiteEngine(Limits())
        _, steps = engine.measure(str(concerts), SPIN.format(1_000))
        for budget, status in ((steps - 40, Status.TIMEOUT), (steps + 1, Status.OK)):
            assert (
                SQLiteEngine(Limits(max_steps=budget)).run(str(concerts), SPIN.format(1_000)).status is status
            )

    def test_a_measured_query_and_the_one_after_it_return_what_they_should(self, concerts):
        engine = SQLiteEngine(Limits())
        result, steps = engine.measure(str(concerts), GOLD)
        assert result.rows == ((4,),)
        assert steps > 0
        assert engine.run(str(concerts), GOLD) == result
        assert engine.measure(str(concerts), GOLD) == (result, steps)

    def test_steps_over_a_virtual_table_repeat(self, tmp_path):
        path = str(tmp_path / "fts.sqlite")
        connection = apsw.Connection(path)
        with connection:
            connection.execute("CREATE VIRTUAL TABLE t USING fts5(a)")
            connection.executemany("INSERT INTO t VALUES (?)", [(f"word{i} and more",) for i in range(300)])
        connection.close()
        with Executor() as executor:
            rare, common = (
                Query(path, f"SELECT count(*) FROM t WHERE t MATCH '{w}'") for w in ("word7", "more")
            )
            costs = executor.measure([rare, common, rare, common])
        assert [cost.steps for cost in costs[:2]] == [cost.steps for cost in costs[2:]]
        assert 0 < costs[0].steps < costs[1].steps

    def test_text_that_is_not_utf8(self, tmp_path):
        path = str(tmp_path / "d.sqlite")
        apsw.Connection(path).execute("CREATE TABLE t AS SELECT CAST(x'41ff42' AS TEXT) AS a")
        with Executor() as executor:
            first, second = executor.measure([Query(path, "SELECT a FROM t")] * 2)
        assert first.steps == second.steps > 0

    @pytest.mark.slow
    def test_verdicts_are_those_of_running(self, singers):
        sql = [GOLD, "SELEC 1", "DELETE FROM singer", SPIN.format(10**9), STUCK, "SELECT 1"]
        queries = [*map(singers, sql), Query("missing.sqlite", "SELECT 1")]
        with Executor(Limits(max_steps=100_000, cpu_seconds=0.3)) as executor:
            costs, results = executor.measure(queries), executor.run_many(queries)
        assert [(cost.status, cost.error) for cost in costs] == [(r.status, r.error) for r in results]
        assert [cost.ok for cost in costs] == [True, False, False, False, False, True, False]
        assert [cost.steps is not None and cost.cpu_seconds is not None for cost in costs] == [
            cost.ok for cost in costs
        ]

    def test_cpu_time_grows_with_the_work(self, singers):
        with Executor() as executor:
            _, short, long = executor.measure([singers(SPIN.format(n)) for n in (1, 1, 1_000_000)])
        assert 0 < short.cpu_seconds < long.cpu_seconds

    def test_duckdb_has_no_steps(self, library):
        with Executor() as executor:
            [cost] = executor.measure([Query(str(library), "SELECT count(*) FROM book", "duckdb")])
        assert (cost.status, cost.steps) == (Status.OK, None)
        assert cost.cpu_seconds > 0

    def test_an_unknown_dialect(self):
        with Executor() as executor, pytest.raises(DatabaseError, match="postgres"):
            executor.measure([Query("x", "SELECT 1", "postgres")])


class TestScores:
    def test_right_wrong_and_masked(self, scored):
        scores = scored((GOLD, GOLD), ("SELECT 5", GOLD), ("", GOLD), ("SELECT 1", "SELECT nothing"))
        for clock in ("steps", "cpu"):
            found = measure_speedups(scores, clock=clock, repeats=2)
            assert found[1:] == [0.0, 0.0, None]
            assert found[0] > 0
        assert ves(scores) == r_ves(scores) == [100.0, 0.0, 0.0, None]

    def test_ratio_of_steps(self, scored, singers):
        long = f"SELECT 4 + 0 * ({SPIN.format(5_000)})"
        with Executor() as executor:
            gold, ours = (cost.steps for cost in executor.measure([singers(GOLD), singers(long)]))
        slow, fast = scored((long, GOLD), (GOLD, long))
        assert measure_speedups([slow, fast]) == [gold / ours, ours / gold]
        assert ves([slow, fast]) == [100 * (gold / ours) ** 0.5, 100 * (ours / gold) ** 0.5]
        assert r_ves([slow, fast]) == [50.0, 100 * 1.25**0.5]

    @pytest.mark.slow
    def test_ratio_of_cpu_time(self, scored):
        long = f"SELECT 4 + 0 * ({SPIN.format(300_000)})"
        scores = scored((long, GOLD), (GOLD, long))
        for average in ("median", "mean"):
            slow, fast = measure_speedups(scores, clock="cpu", repeats=5, average=average)
            assert slow < 0.25
            assert fast > 2
        slow, fast = r_ves(scores, clock="cpu", repeats=5)
        assert (slow, fast) == (50.0, 100 * 1.25**0.5)

    def test_what_cannot_be_measured_does_not_count(self, scored):
        scores = scored((SPIN.format(5_000), SPIN.format(5_000)))
        assert measure_speedups(scores, limits=Limits(max_steps=1_000)) == [None]

    def test_progress(self, scored):
        seen = []
        measure_speedups(scored((GOLD, GOLD), ("SELECT 5", GOLD)), progress=seen.append)
        assert seen == [1, 1]

    def test_mistakes(self, scored, library):
        with pytest.raises(MetricError, match="'wall'; known: steps, cpu"):
            ves([], clock="wall")
        with pytest.raises(MetricError, match="unknown average 'mode'; known: median, mean"):
            ves([], average="mode")
        with pytest.raises(MetricError, match="at least 1, not 0"):
            r_ves([], clock="cpu", repeats=0)
        task = Task("t", "?", "SELECT 1", str(library), dialect="duckdb", comparison="bird")
        with Scorer({"rewards": ["result"], "response_format": "sql"}) as scorer:
            scores = scorer.score(["SELECT 1"], [task])
        with pytest.raises(MetricError, match="'duckdb' counts no steps; measure with clock='cpu'"):
            ves(scores)
        assert measure_speedups(scores, clock="cpu", repeats=3)[0] > 0


@pytest.mark.parametrize(
    ("speedup", "reward"),
    [
        (9, 1.25),
        (2, 1.25),
        (1.99, 1),
        (1, 1),
        (0.99, 0.75),
        (0.5, 0.75),
        (0.49, 0.5),
        (0.25, 0.5),
        (0.2, 0.25),
    ],
)
def test_rewards_of_r_ves(speedup, reward):
    assert r_ves_from_speedup(speedup) == pytest.approx(100 * reward**0.5)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_faster_is_never_worse(a, b):
    low, high = sorted((a, b))
    assert r_ves_from_speedup(low) <= r_ves_from_speedup(high)
    assert ves_from_speedup(low) <= ves_from_speedup(high)
    assert ves_from_speedup(1 / a) == pytest.approx(1e4 / ves_from_speedup(a))


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=60))
def test_outliers_are_those_beyond_three_standard_deviations(values):
    kept = _without_outliers(values)
    array = np.array(values)
    far = np.abs(array - array.mean()) - 3 * array.std()
    assert kept
    assert len(set(values)) > 1 or kept == values
    if np.all(np.abs(far) > 1e-9):
        assert kept == [value for value, beyond in zip(values, far, strict=True) if beyond < 0]


def test_one_outlier_among_many_is_dropped_and_one_among_few_is_not():
    assert _without_outliers([1.0] * 50 + [9.0]) == [1.0] * 50
    assert _without_outliers([1.0] * 8 + [9.0]) == [1.0] * 8 + [9.0]


@pytest.mark.slow
def test_steps_on_real_queries_repeat_to_the_last_one(shared_data, busy):
    benchmark = bird(split="mini_dev", data_dir=str(shared_data / "bird"))
    predictions = read_predictions(shared_data / "predictions/bird_minidev/sqlite/gpt-4.json", benchmark)
    scores = evaluate(benchmark, predictions)
    official = json.loads((shared_data / "official_eval/bird_minidev_sqlite/gpt-4.json").read_text())
    first = measure_speedups(scores)
    assert first == measure_speedups(scores)
    assert [speedup > 0 for speedup in first] == [ex == 1 for ex in official["ex"]]
    assert 0 < mean(r_ves_from_speedup(speedup) for speedup in first) < 100 * 1.25**0.5
