"""The study of step limits: its arithmetic, and the command on real queries."""

import json
import subprocess
import sys
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.loading.predictions import read_predictions
from benchmarks.performance.harness import write_json
from benchmarks.performance.steps.__main__ import group_arguments
from benchmarks.performance.steps.measure import MeasuredQuery, MixQuery, measure_answers, measure_mix
from benchmarks.performance.steps.report import make_tables, save_figure
from benchmarks.performance.steps.rules import Rule, apply_rule, cheapest, compare_rules, least_factor
from sql_env import Benchmark, Limits, load_benchmark
from sql_env.errors import DataError

GOLDS = [
    MeasuredQuery("a", 100, 100, True),
    MeasuredQuery("b", 5_000, 5_000, True),
    MeasuredQuery("c", None, None, None),
]
ANSWERS = [
    MeasuredQuery("a", 100, 100, True, "f"),
    MeasuredQuery("a", 100, 3_000, True, "g"),
    MeasuredQuery("b", 5_000, 20_000, False, "f"),
    MeasuredQuery("b", 5_000, inf, False, "g"),
    MeasuredQuery("b", 5_000, None, False, "h"),
    MeasuredQuery("c", None, 9_000, None, "f"),
]
MIX = [MixQuery(100, 50, 0.01), MixQuery(5_000, inf, 0.001)]


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
def test_the_outcome_of_a_rule(rule, lost, stopped, golds, margin, steps):
    found = apply_rule(rule, [*GOLDS, *ANSWERS], MIX)
    assert (len(found["lost"]), found["wrong_stopped"], len(found["golds_lost"])) == (lost, stopped, golds)
    assert found["margin"] == pytest.approx(margin)
    assert found["mix_steps"] == steps
    assert found["mix_cpu_seconds"] == pytest.approx(50 * 0.01 + (steps - 50) * 0.001)


steps = st.integers(1, 10**9) | st.just(inf)
measured_queries = st.builds(
    MeasuredQuery,
    st.sampled_from("abc"),
    st.integers(1, 10**9),
    steps,
    st.sampled_from([True, False]),
    st.sampled_from(["", "f"]),
)
mix_queries = st.builds(MixQuery, st.none() | st.integers(1, 10**9), steps, st.floats(0, 1e-6))
rules = st.tuples(st.integers(1, 10**10), st.integers(0, 10**4), st.integers(0, 10**10))


@given(st.lists(measured_queries), st.lists(mix_queries), rules, rules)
def test_a_larger_limit_loses_no_more_and_costs_no_less(queries, mix, one, other):
    if (one[1] == 0) != (other[1] == 0):
        other = (other[0], one[1], other[2])
    rule = Rule(*map(min, one, other))
    small = apply_rule(rule, queries, mix)
    large = apply_rule(Rule(*map(max, one, other)), queries, mix)
    assert all(lost in small["lost"] for lost in large["lost"])
    assert set(large["golds_lost"]) <= set(small["golds_lost"])
    assert large["wrong_stopped"] <= small["wrong_stopped"]
    assert large["margin"] >= small["margin"]
    assert large["mix_steps"] >= small["mix_steps"]
    seconds = small["mix_cpu_seconds"]
    assert large["mix_cpu_seconds"] >= seconds or large["mix_cpu_seconds"] == pytest.approx(seconds)
    beyond = any(query.steps > rule.limit(query.gold_steps) for query in queries if query.correct)
    assert beyond == (small["margin"] < 1)


@given(st.lists(measured_queries), st.integers(1, 10**9), st.floats(1, 100))
def test_the_least_factor_is_enough_and_no_less_is(queries, floor, margin):
    factor = least_factor(queries, floor, margin)
    if factor in (0, inf):
        assert factor or all(margin * query.steps <= floor for query in queries if query.correct)
        return
    assert apply_rule(Rule(inf, factor * (1 + 1e-9), floor), queries, [])["margin"] >= margin * (1 - 1e-9)
    assert apply_rule(Rule(inf, factor * 0.99, floor), queries, [])["margin"] < margin


def test_the_cheapest_rule_loses_nothing():
    outcomes = [apply_rule(Rule(cap), [*GOLDS, *ANSWERS], MIX) for cap in (50, 10_000, 30_000, 40_000)]
    assert cheapest(outcomes, 1)["cap"] == 10_000
    assert cheapest(outcomes, 5)["cap"] == 30_000
    assert cheapest(outcomes, 100) is None


@pytest.fixture
def study():
    return compare_rules({"x:dev": [*GOLDS, *ANSWERS]}, MIX, 10**6, 2.0)


def test_the_report_has_each_file_and_rule(study, tmp_path):
    write_json(tmp_path / "new" / "steps.json", study)
    written = json.loads((tmp_path / "new" / "steps.json").read_text())
    assert [row["file"] for row in written["files"]] == ["", "f", "g", "h"]
    assert written["files"][2]["dearest_correct"] == 3_000
    assert written["files"][2]["dearest_wrong"] is None
    assert written["mix"] == {"distinct": 2, "runaways": 1}
    assert written["cheapest"]["absolute"]["cap"] == 100_000
    assert len(make_tables(study)) == 5
    with pytest.raises(DataError, match="cannot write"):
        write_json(tmp_path, study)


@pytest.mark.slow
def test_the_same_study_is_the_same_figure(study, tmp_path):
    save_figure(study, tmp_path / "a.svg")
    save_figure(study, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with pytest.raises(DataError, match="cannot write the figure"):
        save_figure(study, tmp_path / "a.nothing")


def test_benchmarks_and_their_files():
    found = group_arguments(["a:x", "f", "b:", "c:y", "g", "h"])
    assert [(name, [file.name for file in files]) for name, files in found] == [
        ("a:x", ["f"]), ("b:", []), ("c:y", ["g", "h"])
    ]  # fmt: skip
    with pytest.raises(DataError, match="before any benchmark"):
        group_arguments(["file.txt"])
    with pytest.raises(DataError, match="occurs twice"):
        group_arguments(["a:x", "a:x"])


@pytest.fixture
def predictions(tmp_path):
    """Gold queries in the first half, then a wrong one, a runaway, an error and blanks."""
    tasks = load_benchmark("demo", "test").tasks
    endless = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r"
    lines = [" ".join(task.gold_sql.split()) for task in tasks[: len(tasks) // 2]]
    lines += ["SELECT 1 WHERE 0", endless, "SELECT nothing"]
    path = tmp_path / "predictions.txt"
    text = "".join(line + "\n" for line in lines) + "\n" * (len(tasks) - len(lines))
    path.write_text(text)
    return path


@pytest.mark.slow
def test_the_steps_of_queries(predictions):
    benchmark, done = load_benchmark("demo", "test"), []
    texts = {predictions: read_predictions(predictions, benchmark)}
    found = measure_answers(benchmark, texts, limits=Limits(max_steps=1_000_000), progress=done.append)
    count, half = len(benchmark.tasks), len(benchmark.tasks) // 2
    assert sum(done) == len(found) == 2 * count
    golds, answers = found[:count], found[count:]
    assert {gold.file for gold in golds} == {""}
    assert all(gold.correct and gold.steps == gold.gold_steps > 0 for gold in golds)
    assert [a.steps for a in answers[:half]] == [gold.steps for gold in golds[:half]]
    assert all(answer.correct for answer in answers[:half])
    wrong, runaway, error = answers[half : half + 3]
    assert wrong.steps < 100
    assert (runaway.steps, runaway.correct) == (inf, False)
    assert (error.steps, error.correct) == (None, False)


def test_no_limit_is_in_force_while_answers_are_scored(ask, tmp_path):
    """A right answer beyond 400 times its gold's steps is one that a rule can lose."""
    task = ask("SELECT count(*) FROM singer")
    dear = (
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 1000000) "
        "SELECT count(*) FROM singer WHERE (SELECT max(x) FROM r) > 0"
    )
    _, answer = measure_answers(
        Benchmark("b", "dev", (task,)), {tmp_path / "f": [dear]}, progress=lambda done: None
    )
    assert answer.correct
    assert answer.steps > Limits().step_limit(int(answer.gold_steps))
    assert apply_rule(Rule(200_000_000, 400, 10_000_000), [answer], [])["lost"]


@pytest.mark.slow
def test_the_mix_has_its_share_of_runaways():
    benchmark = load_benchmark("demo", "test")
    steps = dict.fromkeys([task.id for task in benchmark.tasks], 100)
    groups = [(task, [task.gold_sql, task.gold_sql]) for task in benchmark.tasks]
    done = []
    found = measure_mix(groups, steps, size=500, probe=3_000_000, progress=done.append)
    assert sum(done) == len(found)
    endless = [query for query in found if query.steps == inf]
    assert 1 <= len(endless) <= 10  # the distinct ones of 2 %
    assert all(0 < query.seconds_per_step < 1e-3 for query in endless)
    assert all(query.steps <= 3_000_000 for query in found if query not in endless)
    assert measure_mix([], steps, size=500, progress=done.append) == []


@pytest.mark.slow
def test_the_command(predictions, tmp_path):
    def run(*words):
        command = [sys.executable, "-m", "benchmarks.performance.steps", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    short = tmp_path / "short.txt"
    text = predictions.read_text()
    endless = next(line for line in text.split("\n") if line.startswith("WITH RECURSIVE"))
    short.write_text(text.replace(endless, "SELECT 2"))  # with the runaway the command takes some seconds
    out, figure = tmp_path / "out" / "steps.json", tmp_path / "out" / "steps.svg"
    done = run("demo:test", short, "demo:train", "--size", 100, "--json", out, "--figure", figure)
    assert done.returncode == 0, done.stderr
    assert "cheapest absolute limit" in done.stdout
    written = json.loads(out.read_text())
    assert {(row["benchmark"], row["file"]) for row in written["files"]} == {
        ("demo:test", ""), ("demo:test", "short.txt"), ("demo:train", "")
    }  # fmt: skip
    assert not written["absolute"][-1]["lost"]
    assert figure.stat().st_size > 1_000
    failed = run("demo:test", tmp_path / "missing.txt")
    assert failed.returncode == 2
    assert "cannot be read" in failed.stderr
