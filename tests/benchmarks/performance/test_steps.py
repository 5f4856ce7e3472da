"""What a budget of steps costs and saves: the arithmetic, and the command on real queries."""

import json
import subprocess
import sys
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.performance.steps.__main__ import grouped, split_of
from benchmarks.performance.steps.figure import save
from benchmarks.performance.steps.mix import Load, mix
from benchmarks.performance.steps.report import as_dict, study, tables
from benchmarks.performance.steps.rule import Rule, cheapest, least_factor, point
from benchmarks.performance.steps.spent import Spent, spent
from sql_env import Limits, load_benchmark
from sql_env.errors import DataError

GOLDS = [
    Spent("a", 100, 100, 0.1, True),
    Spent("b", 5_000, 5_000, 0.1, True),
    Spent("c", None, None, 0, None),
]
ANSWERS = [
    Spent("a", 100, 100, 0.1, True, "f"),
    Spent("a", 100, 3_000, 0.1, True, "g"),
    Spent("b", 5_000, 20_000, 0.1, False, "f"),
    Spent("b", 5_000, inf, 0.0, False, "g"),
    Spent("b", 5_000, None, 0.0, False, "h"),
    Spent("c", None, 9_000, 0.0, None, "f"),
]
MIX = [Load(100, 50, 0.0, 0.5), Load(5_000, inf, 0.001)]


@pytest.mark.parametrize(
    ("rule", "lost", "stopped", "golds", "margin", "steps"),
    [
        (Rule(50), 2, 2, 2, 0.01, 50 + 50),
        (Rule(2_999), 1, 2, 1, 0.5998, 50 + 2_999),
        (Rule(10_000), 0, 2, 0, 2, 50 + 10_000),
        (Rule(30_000), 0, 1, 0, 6, 50 + 30_000),
        (Rule(10**6, 10, 10), 1, 1, 0, 1 / 3, 50 + 50_000),
        (Rule(10**6, 10, 3_000), 0, 1, 0, 1, 50 + 50_000),
        (Rule(10**6, 2, 3_000), 0, 2, 0, 1, 50 + 10_000),
        (Rule(4_000, 2, 3_000), 0, 2, 1, 0.8, 50 + 4_000),
    ],
)
def test_what_comes_of_a_rule(rule, lost, stopped, golds, margin, steps):
    found = point(rule, GOLDS, ANSWERS, MIX)
    assert (len(found.lost), found.stopped, len(found.golds_lost)) == (lost, stopped, golds)
    assert found.margin == pytest.approx(margin)
    assert found.mix_steps == steps
    assert found.mix_seconds == pytest.approx(0.5 + (steps - 50) * 0.001)


steps = st.integers(1, 10**9) | st.just(inf)
spendings = st.builds(
    Spent, st.sampled_from("abc"), st.integers(1, 10**9), steps, st.just(0.0), st.sampled_from([True, False])
)
loads = st.builds(Load, st.none() | st.integers(1, 10**9), steps, st.floats(0, 1e-6), st.floats(0, 1))
rules = st.tuples(st.integers(1, 10**10), st.integers(0, 10**4), st.integers(0, 10**10))


@given(st.lists(spendings), st.lists(loads), rules, rules)
def test_a_larger_budget_loses_no_more_and_costs_no_less(answers, loads, one, other):
    if (one[1] == 0) != (other[1] == 0):
        other = (other[0], one[1], other[2])
    small = point(Rule(*map(min, one, other)), answers, answers, loads)
    large = point(Rule(*map(max, one, other)), answers, answers, loads)
    assert set(large.lost) <= set(small.lost)
    assert set(large.golds_lost) <= set(small.golds_lost)
    assert large.stopped <= small.stopped
    assert large.margin >= small.margin
    assert large.mix_steps >= small.mix_steps
    assert large.mix_seconds >= small.mix_seconds or large.mix_seconds == pytest.approx(small.mix_seconds)
    assert bool(
        small.lost or any(a.steps > small.rule.budget(a.gold_steps) for a in answers if a.correct)
    ) == (small.margin < 1)


@given(st.lists(spendings), st.integers(1, 10**9), st.floats(1, 100))
def test_the_least_factor_is_enough_and_no_less_is(answers, floor, margin):
    factor = least_factor(answers, floor, margin)
    if factor in (0, inf):
        assert factor or all(margin * a.steps <= floor for a in answers if a.correct)
        return
    assert point(Rule(inf, factor * (1 + 1e-9), floor), [], answers, []).margin >= margin * (1 - 1e-9)
    assert point(Rule(inf, factor * 0.99, floor), [], answers, []).margin < margin


def test_the_cheapest_rule_loses_nothing():
    points = [point(Rule(cap), GOLDS, ANSWERS, MIX) for cap in (50, 10_000, 30_000, 40_000)]
    assert cheapest(points, 1).rule == Rule(10_000)
    assert cheapest(points, 5).rule == Rule(30_000)
    assert cheapest(points, 100) is None


def test_the_report_has_each_file_and_rule():
    found = study({"x:dev": GOLDS}, {"x:dev": ANSWERS}, MIX, 10**6, 2.0)
    said = json.loads(json.dumps(as_dict(found), allow_nan=False))
    assert [row["file"] for row in said["files"]] == ["", "f", "g", "h"]
    assert said["files"][2]["dearest_correct"] == 3_000
    assert said["files"][2]["dearest_wrong"] is None
    assert said["mix"] == {"distinct": 2, "runaways": 1}
    assert said["cheapest"]["absolute"]["cap"] == 100_000
    assert len(tables(found)) == 5


@pytest.mark.slow
def test_the_same_study_is_the_same_drawing(tmp_path):
    found = study({"x:dev": GOLDS}, {"x:dev": ANSWERS}, MIX, 10**6, 2.0)
    save(found, tmp_path / "a.svg")
    save(found, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with pytest.raises(DataError, match="cannot write the figure"):
        save(found, tmp_path / "a.nothing")


def test_benchmarks_and_their_files():
    found = grouped(["a:x", "f", "b:", "c:y", "g", "h"])
    assert [(name, [file.name for file in files]) for name, files in found] == [
        ("a:x", ["f"]), ("b:", []), ("c:y", ["g", "h"])
    ]  # fmt: skip
    assert split_of("pkg.module:load:dev") == ("pkg.module:load", "dev")
    assert split_of("b:") == ("b", None)
    with pytest.raises(DataError, match="before any benchmark"):
        grouped(["file.txt"])
    with pytest.raises(DataError, match="comes twice"):
        grouped(["a:x", "a:x"])


@pytest.fixture
def predictions(tmp_path):
    """Gold queries in the first half, then a wrong one, a runaway, an error and blanks."""
    tasks = load_benchmark("demo", "test").tasks
    endless = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r"
    lines = [" ".join(task.gold_sql.split()) for task in tasks[: len(tasks) // 2]]
    lines += ["SELECT 1 WHERE 0", endless, "SELECT nothing"]
    path = tmp_path / "predictions.txt"
    text = "".join(line + "\n" for line in lines) + "\n" * (len(tasks) - len(lines))
    path.write_text("\n" + text)  # places are those in the ids, which begin with 1
    return path


@pytest.mark.slow
def test_what_queries_take(predictions):
    benchmark = load_benchmark("demo", "test")
    golds, answers = spent(benchmark, [predictions], limits=Limits(max_steps=1_000_000))
    half = len(benchmark.tasks) // 2
    assert all(gold.correct and gold.steps == gold.gold_steps > 0 for gold in golds)
    assert [a.steps for a in answers[:half]] == [gold.steps for gold in golds[:half]]
    assert all(answer.correct for answer in answers[:half])
    wrong, runaway, error = answers[half : half + 3]
    assert wrong.steps < 100
    assert (runaway.steps, runaway.correct) == (inf, False)
    assert (error.steps, error.correct) == (None, False)


@pytest.mark.slow
def test_the_mix_has_its_share_of_runaways():
    benchmark = load_benchmark("demo", "test")
    steps = dict.fromkeys([task.id for task in benchmark.tasks], 100)
    groups = [(task, [task.gold_sql, task.gold_sql]) for task in benchmark.tasks]
    found = mix(groups, steps, size=500, probe=3_000_000)
    endless = [load for load in found if load.steps == inf]
    assert 1 <= len(endless) <= 10  # 2 %, the distinct ones of them
    assert all(0 < load.seconds_a_step < 1e-3 for load in endless)
    assert all(load.steps <= 3_000_000 for load in found if load not in endless)
    assert mix([], steps) == []


@pytest.mark.slow
def test_the_command(predictions, tmp_path):
    def run(*words):
        command = [sys.executable, "-m", "benchmarks.performance.steps.__main__", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    short = tmp_path / "short.txt"
    text = predictions.read_text()
    endless = next(line for line in text.split("\n") if line.startswith("WITH RECURSIVE"))
    short.write_text(text.replace(endless, "SELECT 2"))  # with the runaway the command takes some seconds
    out, figure = tmp_path / "out" / "steps.json", tmp_path / "out" / "steps.svg"
    done = run("demo:test", short, "demo:train", "--size", 100, "--json", out, "--figure", figure)
    assert done.returncode == 0, done.stderr
    assert "cheapest absolute rule" in done.stdout
    said = json.loads(out.read_text())
    assert {(row["benchmark"], row["file"]) for row in said["files"]} == {
        ("demo:test", ""), ("demo:test", "short.txt"), ("demo:train", "")
    }  # fmt: skip
    assert not said["absolute"][-1]["lost"]
    assert figure.stat().st_size > 1_000
    failed = run("demo:test", tmp_path / "missing.txt")
    assert failed.returncode == 2
    assert "cannot be read" in failed.stderr
