"""The throughput benchmark: its arithmetic, its contenders against each other, and the command."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from benchmarks.performance.throughput.__main__ import app
from benchmarks.performance.throughput.clock import clocked
from benchmarks.performance.throughput.echo import Echo
from benchmarks.performance.throughput.engine import scores
from benchmarks.performance.throughput.floor import Floor
from benchmarks.performance.throughput.hostile import SHARES, spoiled
from benchmarks.performance.throughput.items import items
from benchmarks.performance.throughput.measurement import Measurement, measure
from benchmarks.performance.throughput.plain import rewards
from benchmarks.performance.throughput.samples import groups
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.stints import Stint, stints
from benchmarks.performance.throughput.workload import Finding, held
from benchmarks.performance.throughput.workloads import WORKLOADS
from benchmarks.performance.throughput.workloads.many import files_allowed
from benchmarks.performance.throughput.workloads.overrun import stuck
from sql_env import Limits, Scorer, Status, load_benchmark, respond
from sql_env.execution.engines import load_engine
from sql_env.types import Query

BURN = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
ENDLESS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r"
SECTION_2 = {
    "efficiency, spider, golds cold, scorer-2": 0.60,
    "efficiency, spider, golds cached, scorer-2": 0.75,
    "efficiency, small databases, golds cold, scorer-2": 0.70,
    "efficiency, large database, golds cold, scorer-2": 0.95,
    "times less CPU than plain code, spider, 2 workers": 20.0,
    "times faster than plain code, hostile mix, 2 workers": 10.0,
    "rate of two workers over one, spider": 1.8,
    "rate of 64 threads sample by sample over that of one batch": 0.6,
    "env.step beyond SQLite's time, median, us": 150.0,
    "rate of a vector environment's step over that of one batch": 0.7,
    "overrun past the wall limit, 99th percentile, ms": 100.0,
    "verdicts lost among them": 0.0,
    "peak memory of the whole tree, hostile mix, 2 workers, GB": 1.5,
    "import sql_env over import gymnasium, s": 0.25,
    "sql-env --help, s": 0.5,
    "verdicts that differ, with 1, 2 and 4 workers, idle and under full load": 0.0,
}


def completion(sql, batch):
    return respond(sql, "", batch.reward.form)


def measured(*values, row="a"):
    return Measurement([{row: {"s": value}} for value in values])


class TestMeasurement:
    def test_a_ratio_is_taken_within_each_repeat(self):
        """The machine was ten times slower in the second repeat: of the medians the ratio would be 5."""
        seen = Measurement([{"a": {"s": a}, "b": {"s": b}} for a, b in ((1, 2), (10, 20), (2, 4))])
        assert seen.ratio("b", "a", "s") == 2
        slow = Measurement([{"a": {"s": a}, "b": {"s": b}} for a, b in ((1, 2), (100, 100), (1, 3))])
        assert slow.ratio("b", "a", "s") == 2
        assert slow.median("b", "s") / slow.median("a", "s") == 3

    @given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=9))
    def test_a_summary_is_in_order(self, values):
        spread = measured(*values).summary()["a"]["s"]
        assert spread["min"] <= spread["median"] <= spread["max"]
        assert {spread["min"], spread["max"]} <= set(values)

    def test_contenders_take_turns_in_an_order_that_the_seed_draws(self):
        def order(seed):
            ran = []
            contenders = {
                name: lambda name=name: ran.append(name) or {name: {"s": float(len(ran))}} for name in "abcd"
            }
            seen = measure(contenders, 6, Random(seed))
            assert seen.rows == list("abcd")
            return ran

        assert order(0) == order(0) != order(1)
        turns = [order(0)[start : start + 4] for start in range(0, 24, 4)]
        assert all(sorted(turn) == list("abcd") for turn in turns)
        assert len(set(map(tuple, turns))) > 1

    @pytest.mark.parametrize(
        ("bar", "value", "ok"),
        [
            ({"least": 2.0}, 2.0, True),
            ({"least": 2.0}, 1.9, False),
            ({"most": 0.0}, 0.0, True),
            ({"most": 2.0}, 2.1, False),
        ],
    )
    def test_bars(self, bar, value, ok):
        judged = held(Finding("x", lambda seen: seen.median("a", "s"), **bar), measured(value))
        assert (judged.value, judged.bar, judged.ok) == (value, *bar.values(), ok)

    def test_a_finding_without_a_bar_is_none(self):
        assert held(Finding("x", lambda seen: seen.median("a", "s")), measured(1.0)) is None


class TestClock:
    def test_processes_below_this_one_are_counted(self):
        """One that has ended, and one that still lives."""

        def work():
            subprocess.run([sys.executable, "-c", BURN], check=True)
            living = subprocess.Popen(
                [sys.executable, "-c", f"{BURN}\nprint(flush=True)\ninput()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            living.stdout.readline()
            return living

        living, reading = clocked(work)
        living.communicate(b"\n")
        assert 0.4 <= reading.cpu < 2.0

    def test_time_that_others_took_before_is_not(self):
        subprocess.run([sys.executable, "-c", BURN], check=True)
        slept, reading = clocked(lambda: time.sleep(0.02))
        assert slept is None
        assert reading.cpu < 0.2
        assert reading.wall >= 0.02


def test_an_echo_says_what_it_is_told_and_ends():
    with Echo() as echo:
        assert [echo.exchange(said) for said in (b"", b"a", b"b" * 1_000_000)] == [
            b"",
            b"a",
            b"b" * 1_000_000,
        ]
    with pytest.raises(OSError, match="Bad file"):
        echo.exchange(b"c")


@pytest.fixture
def batch(ask):
    tasks = [
        ask("SELECT name FROM singer WHERE age > 30", comparison="bird"),
        ask("SELECT title FROM concert ORDER BY fee DESC", comparison="spider"),
        ask("SELECT country, count(*) FROM singer GROUP BY country"),
    ]
    return items(
        [
            *((task, samples) for task, samples in groups(tasks, 6, Random(3))),
            (
                tasks[0],
                ["SELECT nope", ENDLESS, "DELETE FROM singer", "", "SELECT * FROM singer a, singer b"],
            ),
        ],
        Limits(max_steps=200_000, max_rows=20),
    )


class TestContenders:
    def test_the_floor_runs_what_the_scorer_runs(self, batch):
        """Each distinct query that the scorer runs is in the floor, once, and returns the same rows there."""
        planned = stints(batch)
        with Scorer(batch.reward, limits=batch.limits, rows=True) as scorer:
            rollouts = scorer.rollouts(batch.completions, batch.tasks, rows=True)
        asked = batch.predictions(batch.actions())
        ran = dict(zip(asked, (rollout.result for rollout in rollouts), strict=True))
        allowed = {query for query, result in ran.items() if query and result.status is not Status.DENIED}
        assert len(planned.cached) == len(allowed)
        assert {stint.query for stint in planned.unknown} == allowed - set(batch.golds())
        assert {stint.query for stint in planned.cached} == allowed
        assert {stint.query for stint in planned.cold} == allowed | set(batch.golds())
        assert len({result.status for result in ran.values() if result}) == 5
        bare = Floor(planned.databases, batch.limits)
        for stint in planned.cached:
            result, rows = ran[stint.query], bare.rows(stint)
            assert (rows is not None) is result.ok
            if result.ok:
                assert tuple(rows) == result.rows
            assert (stint.steps is not None) is (result.status in (Status.TIMEOUT, Status.TOO_LARGE))
        bare.close()

    def test_a_runaway_in_the_floor_is_stopped(self, concerts):
        bare = Floor([str(concerts)], Limits())
        assert bare.rows(Stint(Query(str(concerts), ENDLESS), steps=1000)) is None
        assert bare.rows(Stint(Query(str(concerts), "SELECT 1"))) == [(1,)]
        bare.close()

    def test_the_engine_without_processes_scores_the_same(self, batch):
        engine = load_engine("sqlite", batch.limits)
        known = {}
        first, second = scores(batch, engine, known), scores(batch, engine, known)
        engine.close()
        with Scorer(batch.reward, limits=batch.limits) as scorer:
            expected = scorer.score(batch.completions, batch.tasks)
        for found in (first, second):
            assert [score.total for score in found] == [score.total for score in expected]
            assert [s.rollout.correct for s in found] == [s.rollout.correct for s in expected]

    def test_plain_code_agrees_where_it_can(self, ask):
        """On BIRD's semantics, which are its own."""
        task = ask("SELECT name FROM singer WHERE country = 'France'", comparison="bird")
        said = [
            task.gold_sql,
            "SELECT name FROM singer WHERE country = 'China'",
            "SELECT DISTINCT name FROM singer WHERE country IN ('France') ORDER BY name",
            "SELECT",
            ENDLESS,
            "SELECT a.name FROM singer a, singer b, singer c",
            "DELETE FROM singer",
        ]
        batch = items([(task, said)], Limits(max_steps=200_000, max_rows=100))
        completions = [*batch.completions, "SELECT name FROM singer"]
        tasks = [*batch.tasks, task]
        plain = rewards(completions, tasks, batch.limits)
        with Scorer(batch.reward, limits=batch.limits) as scorer:
            ours = scorer.rollouts(completions, tasks)
        assert plain == [1, 0, 1, 0, 0, 0, 0, -1]
        assert [reward == 1 for reward in plain] == [rollout.correct for rollout in ours]
        assert [reward >= 0 for reward in plain] == [rollout.action.well_formed for rollout in ours]
        assert rewards(batch.completions[:1], [task], batch.limits) == [1]  # nothing was deleted


class TestMaking:
    def test_samples_are_drawn_with_the_seed(self):
        tasks = load_benchmark("demo", "test").tasks[:40]
        found = groups(tasks, 8, Random(0))
        assert found == groups(tasks, 8, Random(0)) != groups(tasks, 8, Random(1))
        assert all(samples[0] == task.gold_sql and len(samples) == 8 for task, samples in found)
        assert 0.4 < sum(len(set(samples)) for _, samples in found) / (8 * 40) < 0.9

    def test_the_shares_of_the_hostile_mix_are_exact(self):
        tasks = load_benchmark("demo", "test").tasks[:50]
        plain = [(task, [task.gold_sql] * 8) for task in tasks]
        mixed = spoiled(plain, Random(0))
        changed = sum(sql != task.gold_sql for task, samples in mixed for sql in samples)
        assert changed == sum(round(share * 400) for share in SHARES.values()) == 60

    @pytest.mark.slow
    def test_hostile_samples_end_as_they_should(self):
        tasks = load_benchmark("demo", "test").tasks[:50]
        mixed = spoiled([(task, [task.gold_sql] * 8) for task in tasks], Random(0))
        batch = items(mixed, Limits(max_steps=10_000_000))
        with Scorer(batch.reward, limits=batch.limits, workers=2, rows=True) as scorer:
            found = [rollout.result for rollout in scorer.rollouts(batch.completions, batch.tasks)]
        statuses = [result.status for result in found if result]
        assert statuses.count(Status.TIMEOUT) >= 8
        assert statuses.count(Status.DENIED) >= 4
        assert statuses.count(Status.ERROR) >= 35
        assert sum(
            s is Status.TOO_LARGE or len(r.rows) > 20_000 for s, r in zip(statuses, found, strict=True)
        )

    @pytest.mark.slow
    def test_what_is_stuck_stays_stuck(self, concerts, ask):
        """No step limit ends it, and the wall limit does."""
        task, draw = ask("SELECT 1"), Random(0)
        limits = Limits(wall_seconds=0.5, max_steps=100_000)
        batch = items([(task, [stuck(draw) for _ in range(12)])], limits)
        with Scorer(batch.reward, limits=limits, workers=2) as scorer:
            found = scorer.rollouts(batch.completions, batch.tasks)
        assert {rollout.result.status for rollout in found} == {Status.UNAVAILABLE}

    def test_few_files_are_allowed_meanwhile(self):
        import resource

        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        with files_allowed(200):
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (200, before[1])
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == before

    def test_the_scale_is_a_share(self):
        assert Settings(scale=0.25).scaled(1000) == 250
        assert Settings(scale=0.0).scaled(1000, least=3) == 3
        assert replace(Settings(), scale=1.0).scaled(7, least=9) == 7


class TestCommand:
    def run(self, *arguments):
        return CliRunner().invoke(app, [*map(str, arguments)])

    def test_an_unknown_workload_is_an_error_that_says_what_there_is(self):
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
        assert "pip install 'sql-env[bench]'" in done.stderr

    @pytest.mark.slow
    def test_every_workload_runs(self, shared_data, tmp_path, monkeypatch):
        monkeypatch.setenv("SQL_ENV_CACHE", str(tmp_path / "cache"))
        out = tmp_path / "t.json"
        done = self.run(
            "--repeats", 1, "--scale", 0.01, "--data-dir", shared_data, "--json", out, "--profile", "--check"
        )  # fmt: skip
        found = json.loads(out.read_text())
        assert done.exit_code == int(any(not bar["ok"] for bar in found["bars"])), done.output
        assert not found["skipped"]
        assert set(found["workloads"]) == set(WORKLOADS)
        bars = {bar["name"]: bar["bar"] for bar in found["bars"]}
        assert SECTION_2.items() <= bars.items()
        for bar in found["bars"]:
            assert bar["name"] in done.output.replace("\n", " ") or len(bar["name"]) > 40
            assert bar["ok"] is (
                bar["value"] >= bar["bar"] if bar["sense"] == ">=" else bar["value"] <= bar["bar"]
            )
        values = {bar["name"]: bar["value"] for bar in found["bars"]}
        assert values["verdicts that differ, with 1, 2 and 4 workers, idle and under full load"] == 0
        assert values["verdicts lost among them"] == 0
        spider = found["workloads"]["spider"]
        assert spider["facts"]["scores"] == 8 * spider["facts"]["tasks"]
        assert len(spider["repeats"]) == found["settings"]["repeats"] == 1
        assert (
            0 < spider["rows"]["floor cold"]["cpu_s"]["median"] < spider["rows"]["plain"]["cpu_s"]["median"]
        )
        assert found["machine"]["sqlite"]
        assert "the parent process" in out.with_suffix(".profile.txt").read_text()
