import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from benchmarks.demo import demo
from benchmarks.evaluate import app, evaluate
from benchmarks.evaluation.judging import TaskCompletions, judge, select_metrics
from benchmarks.evaluation.options import EvaluationConfig, PromptSettings
from benchmarks.evaluation.summary import make_summary, print_summary
from benchmarks.generation.generator import SamplingParams
from benchmarks.loading.limits import make_evaluation_limits, parse_limits
from benchmarks.loading.predictions import find_indices, read_predictions
from benchmarks.metrics.accuracy import compute_accuracy
from benchmarks.records.masking import measure_masking
from sql_env import Benchmark, Limits, Scorer, Task
from sql_env.errors import ComparisonError, DataError, GenerationError, SQLEnvError

GOLDS = ("SELECT count(*) FROM singer", "SELECT name FROM singer ORDER BY id", "SELECT nothing FROM nowhere")


def many(count, left_out=(), skip=()):
    tasks = [Task(f"spider-dev-{i:04d}", "?", "SELECT 1", "d") for i in range(count) if i not in skip]
    return Benchmark("spider", "dev", tuple(tasks), left_out)


@pytest.fixture
def small(ask):
    """Three tasks; the gold of the last fails, and item 1 of the file was left out."""
    levels = ("extra", "easy", "easy")
    tasks = [
        ask(gold, id=f"spider-dev-000{place}", difficulty=level)
        for gold, level, place in zip(GOLDS, levels, (0, 2, 3), strict=True)
    ]
    return Benchmark("spider", "dev", tuple(tasks), ("gone: 1 task, no database at gone.sqlite",))


def test_lines_belong_to_tasks_by_position(tmp_path):
    path = tmp_path / "p.txt"
    path.write_text("SELECT 0\n\n SELECT 2 \tdb_id\nSELECT\u20283\n")
    assert read_predictions(path, many(4)) == ["SELECT 0", "", "SELECT 2", "SELECT\u20283"]
    assert read_predictions(path, many(4, ("x: 2 tasks",), skip=(0, 2))) == ["", "SELECT\u20283"]


def test_spider_placeholders(tmp_path):
    """The letters ``value`` become 1 for Spider, inside names too. Other benchmarks keep them."""
    path = tmp_path / "p.txt"
    path.write_text("SELECT market_value FROM t WHERE a = value\n")
    tasks = many(1).tasks
    spider = Benchmark("spider", "dev", tuple(replace(task, comparison="spider") for task in tasks))
    assert read_predictions(path, spider) == ["SELECT market_1 FROM t WHERE a = 1"]
    assert read_predictions(path, many(1)) == ["SELECT market_value FROM t WHERE a = value"]


@pytest.mark.parametrize(("lines", "wanted"), [(3, "needs 4"), (5, "needs 4")])
def test_wrong_number_of_lines(lines, wanted, tmp_path):
    path = tmp_path / "p.txt"
    path.write_text("SELECT 1\n" * lines)
    with pytest.raises(DataError, match=f"have {lines} lines, but 'spider', 'dev' {wanted}"):
        read_predictions(path, many(4))


def test_the_last_items_may_be_left_out(tmp_path):
    path = tmp_path / "p.txt"
    path.write_text("SELECT 1\n" * 4)
    assert len(read_predictions(path, many(4, ("x: 1 task",), skip=(3,)))) == 3
    with pytest.raises(DataError, match="needs at least 5"):
        read_predictions(path, many(5, ("x: 1 task",), skip=(3,)))


def test_bird_files(tmp_path):
    path = tmp_path / "p.json"
    path.write_text(
        json.dumps({"0": "SELECT 0\t----- bird -----\tdb", "2": 0, "4": "\nSELECT\t4 ", "3": "SELECT 3"})
    )
    assert read_predictions(path, many(5)) == ["SELECT 0", "", "", "SELECT 3", "SELECT\t4"]
    path.write_text(json.dumps(["SELECT 0", None]))
    assert read_predictions(path, many(2)) == ["SELECT 0", ""]


@pytest.mark.parametrize(
    "content", ["{", "3", "[" * 100_000, '{"a": "SELECT 1"}', '["SELECT 1"]', '{"9": "SELECT 1"}']
)
def test_malformed_files(content, tmp_path):
    path = tmp_path / "p.json"
    path.write_text(content)
    with pytest.raises(DataError, match=r"the predictions .*p\.json"):
        read_predictions(path, many(2))


@given(st.sets(st.integers(0, 30), max_size=30), st.integers(31, 40))
def test_predictions_keep_their_positions(tmp_path_factory, skip, count):
    path = tmp_path_factory.mktemp("places") / "p.txt"
    path.write_text("".join(f"SELECT {place}\n" for place in range(count)))
    benchmark = many(count, ("x",) if skip else (), skip)
    assert read_predictions(path, benchmark) == [f"SELECT {place}" for place in find_indices(benchmark)]


def test_ids_without_positions(small):
    mine = replace(small, tasks=tuple(replace(task, id=f"mine-{i}") for i, task in enumerate(small.tasks)))
    assert find_indices(replace(mine, left_out=())) == [0, 1, 2]
    with pytest.raises(DataError, match=r"cannot be assigned to the tasks of 'spider'.*gone: 1 task"):
        find_indices(mine)


@pytest.fixture
def scorer():
    with Scorer({"rewards": ["result"], "response_format": "sql"}, rows=True) as scorer:
        yield scorer


def test_evaluate(small):
    seen = []
    scores = evaluate(small, [GOLDS[0], "", "SELECT 1"], workers=1, progress=seen.append)
    assert sum(seen) == 3
    assert [score.rollout.correct for score in scores] == [True, False, None]


def test_judge_and_summary(small, scorer):
    given = list(map(TaskCompletions, find_indices(small), small.tasks, [GOLDS[0], "", "SELECT 1"]))
    items = judge(scorer, given, select_metrics(small))
    assert [(item.index, item.task_id, item.correct, item.status) for item in items] == [
        (0, "spider-dev-0000", True, "ok"),
        (2, "spider-dev-0002", False, "malformed"),
        (3, "spider-dev-0003", None, "ok"),
    ]
    report = make_summary(small, items, EvaluationConfig("spider").to_dict(small) | {"source": {}})
    assert (report["tasks"], report["masked"], report["n"], report["accuracy"]) == (3, 1, 2, 0.5)
    assert (report["low"], report["high"]) == pytest.approx((0.0945, 0.9055), abs=1e-4)
    assert list(report["by_difficulty"]) == ["easy", "extra"]
    assert list(report["metrics_by_difficulty"]) == ["easy", "extra"]
    for level in ("easy", "extra"):  # a masked item counts in no figure
        assert {part["n"] for part in report["metrics_by_difficulty"][level].values()} == {1}
    assert set(items[2].metrics.values()) == {None}
    easy = report["by_difficulty"]["easy"]
    assert (easy["n"], easy["correct"], easy["accuracy"], easy["masked_share"]) == (1, 0, 0.0, 0.0)
    assert easy["low"] == 0.0 < easy["high"] < 1.0
    assert (report["masked_share"], report["masked_by_gold"]) == (0.0, 1)
    assert report["masked_reasons"] == {'the gold query fails (error): near "nothing": syntax error': 1}
    assert report["metrics"]["valid"]["mean"] == 0.5
    assert report["statuses"] == {"malformed": 1, "ok": 1}
    recorded = replace(items[2], metrics={"valid": 1.0, "exact": 1.0})  # as older runs recorded it
    again = make_summary(
        small, [*items[:2], recorded], EvaluationConfig("spider").to_dict(small) | {"source": {}}
    )
    assert again["metrics"]["valid"] == report["metrics"]["valid"]
    assert report["left_out"] == list(small.left_out)
    json.dumps(report)


def test_the_masked_share_is_shown_beside_the_accuracy(small, scorer, capsys):
    """One task whose gold fails, one right answer, and 98 answers of which two are masked by a fault."""
    given = list(map(TaskCompletions, find_indices(small), small.tasks, [GOLDS[0], "", "SELECT 1"]))
    right, wrong, gold_fails = judge(scorer, given, {})
    lost = replace(wrong, correct=None, status="unavailable", masked="it could not be run:\x1b[2J\nline 2")
    for count, warned in ((99, True), (199, False)):
        items = [right, *[wrong] * (count - 2), lost, lost, gold_fails]
        summary = make_summary(small, items, EvaluationConfig("spider").to_dict(small) | {"source": {}})
        assert summary["masked_share"] == pytest.approx(2 / (count + 1))
        assert (summary["masked"], summary["masked_by_gold"]) == (3, 1)
        assert summary["by_difficulty"]["extra"]["masked_share"] == 0.0
        print_summary(small, summary)
        shown = capsys.readouterr().out
        assert f"{2 / (count + 1):.1%} │\n" in shown
        assert "masked, and in no average: 3, 1 of them because the gold query fails" in shown
        assert "2 x it could not be run:" in shown
        assert "\x1b[2J" not in shown
        assert "line 2" not in shown
        assert ("warning: 2.0% of the answers" in shown) == warned


def test_masked_candidates_count_one_by_one(small, scorer):
    """A model that masks some of its candidates leaves them out of the vote, but not unseen."""
    task = small.tasks[0]
    [item] = judge(scorer, [TaskCompletions(0, task, None, (GOLDS[0], "SELECT 1", "SELECT 2"))], {})
    voted = [replace(each, correct=None) if n else each for n, each in enumerate(item.candidates)]
    found = measure_masking([replace(item, candidates=voted)])
    assert (found.healthy, found.masked, found.gold_fails) == (3, 2, 0)
    assert found.suspicious
    assert measure_masking([]).share is None


def test_an_answer_cannot_leave_the_average_by_an_odd_function():
    """Five right answers of 400 are 1.25 %, whatever the others are."""
    test = demo(split="test")
    golds = [task.gold_sql for task in test.tasks[:5]]
    odd = ["SELECT randomblob(9e999)", "SELECT * FROM pragma_table_info(x'ff')"]
    answers = [*golds, *(odd[n % 2] for n in range(len(test.tasks) - 5))]
    assert compute_accuracy(evaluate(test, answers)) == 5 / 400


def test_a_vote_among_candidates(ask, scorer):
    """The largest group of equal results wins. Of equally large groups, the first wins."""
    task = ask("SELECT name FROM singer WHERE country = 'France'")
    right, other, wrong = task.gold_sql, "SELECT name FROM singer WHERE id IN (4, 2)", "SELECT 1"
    groups = {
        (right, wrong, other, "SELECT nope"): (True, [2, 1, 2, 0]),
        (wrong, right, "SELECT 2", ""): (False, [1, 1, 1, 0]),
        ("SELECT nope", "", right, wrong): (True, [0, 0, 1, 1]),
        ("SELECT nope", "", "nope", ""): (False, [0, 0, 0, 0]),
    }
    given = [TaskCompletions(n, task, wrong, samples) for n, samples in enumerate(groups)]
    for item, (samples, (correct, votes)) in zip(judge(scorer, given, {}), groups.items(), strict=True):
        assert item.correct is correct
        assert [candidate.votes for candidate in item.candidates] == votes
        assert item.metrics["greedy"] == 0.0
        assert item.metrics["vote@4"] == float(correct)
        assert item.metrics["pass@4"] == float(right in samples)
        assert item.metrics["mean@1"] == sum(sample in (right, other) for sample in samples) / 4
    [alone] = judge(scorer, [TaskCompletions(0, task, None, (right,))], {})
    assert (alone.correct, alone.candidates, alone.metrics) == (True, [], {})
    masked = judge(
        scorer, [TaskCompletions(0, replace(task, gold_sql="SELECT nope"), right, (right, right))], {}
    )
    assert masked[0].correct is None
    assert set(masked[0].metrics.values()) == {None}


def test_metrics_of_each_comparison(ask, scorer):
    for comparison, names in (
        ("strict", ["valid"]), ("spider", ["valid", "exact"]), ("bird", ["valid", "soft_f1"])
    ):  # fmt: skip
        task = ask("SELECT name, age FROM singer WHERE country = 'France'", comparison=comparison)
        benchmark = Benchmark("b", "dev", (task,))
        given = [TaskCompletions(0, task, "SELECT name FROM singer WHERE country = 'France'")]
        [item] = judge(scorer, given, select_metrics(benchmark))
        assert list(item.metrics) == names
        assert item.metrics.get("exact") in (None, 0.0)
        assert item.metrics.get("soft_f1") in (None, pytest.approx(2 / 3))
    assert (
        len(select_metrics(benchmark, "strict", efficiency=True))
        == len(select_metrics(benchmark, efficiency=True)) - 1
    )
    [item] = judge(
        scorer, [TaskCompletions(0, task, task.gold_sql)], select_metrics(benchmark, efficiency=True)
    )
    assert item.metrics == {"valid": 1.0, "soft_f1": 1.0, "r_ves": 100.0, "ves": 100.0}


def test_drawn_tasks_keep_their_order_and_positions(small):
    benchmark, five = many(30), EvaluationConfig("spider", tasks=5)
    few = five.draw_tasks(benchmark, seed=1)
    assert find_indices(few) == sorted(find_indices(few))
    assert len(set(find_indices(few))) == 5
    assert five.draw_tasks(benchmark, seed=1) == few != five.draw_tasks(benchmark, seed=2)
    for count in (0, 3):
        assert EvaluationConfig("spider", tasks=count).draw_tasks(small, seed=0) is small


def test_decodings():
    """One completion is greedy. Several have SQL-R1's temperature, and come with a greedy one."""
    assert PromptSettings().get_decodings() == {"greedy": SamplingParams()}
    assert PromptSettings(temperature=0.5, seed=3).get_decodings() == {
        "sampled": SamplingParams(temperature=0.5, seed=3)
    }
    assert PromptSettings(candidates=4, top_p=0.9, max_tokens=7).get_decodings() == {
        "greedy": SamplingParams(max_tokens=7),
        "sampled": SamplingParams(4, 0.8, 0.9, 7),
    }
    with pytest.raises(GenerationError, match="temperature 0"):
        PromptSettings(candidates=4, temperature=0.0).get_decodings()


def test_evaluate_with_other_comparison_and_limits(small):
    [first, *_] = evaluate(small, ["SELECT 5.0", "", ""], comparison="bird", limits=Limits(max_steps=10**6))
    assert first.rollout.correct
    with pytest.raises(ComparisonError):
        evaluate(small, ["", "", ""], comparison="none")
    with pytest.raises(ValueError, match="2 predictions for 3 tasks"):
        evaluate(small, ["", ""])


def count_to(number):
    return (
        f"WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < {number}) "
        "SELECT count(*) FROM singer WHERE (SELECT max(x) FROM r) > 0"
    )


def test_a_right_answer_may_take_many_times_the_steps_of_its_gold_query(ask, scorer):
    """Training stops it at 10 million steps. An evaluation would lose a right answer."""
    task = ask("SELECT count(*) FROM singer")
    dear = count_to(1_000_000)
    [trained] = scorer.score([dear], [task])
    assert (trained.rollout.correct, trained.rollout.result.status) == (False, "timeout")
    [score] = evaluate(Benchmark("b", "dev", (task,)), [dear], workers=1)
    assert score.rollout.correct


def test_limits_of_the_command():
    assert parse_limits(None) == make_evaluation_limits() == Limits(min_steps=Limits().max_steps)
    found = parse_limits(['{"max_steps": 1000, "max_rows": 7}', "max_rows=8"])
    assert found == Limits(max_steps=1_000, min_steps=1_000, max_rows=8)
    assert parse_limits(["min_steps=9"]).min_steps == 9
    for text, error in (
        ("max_step=3", r"Did you mean 'max_steps'"),
        ("max_steps=-1", "must be positive"),
        ("max_steps=many", "must be positive"),
        ('{"max_rows": null}', "must be positive"),
        ("[1]", "not of the form NAME=VALUE"),
    ):
        with pytest.raises(SQLEnvError, match=error):
            parse_limits([text])


@pytest.fixture
def command(tmp_path, concerts):
    """Run the command over a file of two questions."""
    rows = [
        {"question": "?", "sql": sql, "database": "concerts.sqlite", "difficulty": level}
        for sql, level in zip(GOLDS, ("hard", "easy"), strict=False)
    ]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "p.txt").write_text(f"{GOLDS[0]}\nSELECT 1\n")

    def run(*more, benchmark="jsonl", predictions="p.txt"):
        arguments = ["--benchmark", benchmark, "--predictions", str(tmp_path / predictions)]
        return CliRunner().invoke(app, [*arguments, *more])

    return run


def test_command(command, tmp_path):
    out = str(tmp_path / "out" / "deep")
    done = command("--param", f"path={tmp_path / 'q.jsonl'}", "--out", out, "--profile")
    assert done.exit_code == 0, done.output
    assert "2 scores in" in done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [
        "│",
        "hard",
        "│",
        "1",
        "│",
        "1",
        "│",
        "100.0%",
        "│",
        "20.7%",
        "to",
        "100.0%",
        "│",
        "0.0%",
        "│",
    ] in lines
    assert [
        "│",
        "all",
        "│",
        "2",
        "│",
        "1",
        "│",
        "50.0%",
        "│",
        "9.5%",
        "to",
        "90.5%",
        "│",
        "0.0%",
        "│",
    ] in lines
    valid = ["│", "valid", "│", "2", "│", "100.0%", "│", "34.2%", "to", "100.0%", *["│", "100.0%"] * 2, "│"]
    assert valid in lines
    assert "masked, and in no average: 0" in done.stdout
    assert "left out: nothing" in done.stdout
    assert "scoring" in done.stderr
    written = [json.loads(line) for line in (tmp_path / "out/deep/items.jsonl").read_text().splitlines()]
    assert [(line["index"], line["correct"]) for line in written] == [(0, True), (1, False)]
    report = json.loads((tmp_path / "out/deep/summary.json").read_text())
    digest = hashlib.sha256((tmp_path / "p.txt").read_bytes()).hexdigest()
    assert report["predictions"] == {"file": "p.txt", "sha256": digest}
    assert report["comparison"] == "strict"
    assert report["limits"]["max_steps"] == Limits().max_steps
    config = json.loads((tmp_path / "out/deep/config.json").read_text())
    assert config["source"] == report["predictions"]
    assert json.loads((tmp_path / "out/deep/environment.json").read_text()).keys() >= {"python", "sqlite"}
    rows = [json.loads(line) for line in (tmp_path / "out/deep/predictions.jsonl").read_text().splitlines()]
    assert [row["completions"] for row in rows] == [[GOLDS[0]], ["SELECT 1"]]
    schemas = json.loads((tmp_path / "out/deep/schemas.json").read_text())
    assert "CREATE TABLE singer" in schemas[written[0]["db_id"]]


def test_command_writes_the_same_files_again(command, tmp_path):
    for folder, workers in (("a", "1"), ("b", "2")):
        path = f"path={tmp_path / 'q.jsonl'}"
        assert command("--param", path, "--workers", workers, "--out", str(tmp_path / folder)).exit_code == 0
    for name in ("items.jsonl", "summary.json", "config.json", "predictions.jsonl", "environment.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_command_prints_what_is_left_out(command, tmp_path):
    with (tmp_path / "q.jsonl").open("a") as file:
        file.write(json.dumps({"question": "?", "sql": "SELECT 1", "database": "gone.sqlite"}) + "\n")
    (tmp_path / "p.txt").write_text("SELECT 1\n" * 3)
    done = command("--param", f"path={tmp_path / 'q.jsonl'}")
    assert f"left out: gone: 1 task, no database at {tmp_path / 'gone.sqlite'}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"benchmark": "spidr"}, "Did you mean 'spider'"),
        ({"benchmark": "jsonl"}, "--param path=FILE"),
        ({"predictions": "gone.txt"}, "gone.txt"),
        ({"predictions": "q.jsonl", "more": ("--comparison", "brid")}, "Did you mean 'bird'"),
        ({"more": ("--param", "colour=blue")}, "colour"),
        ({"more": ("--split", "dev")}, "no row of"),
        ({"more": ("--out", "{tmp}/p.txt")}, "cannot write a run"),
        ({"more": ("--suites", "{tmp}/gone")}, "its suite is missing"),
    ],
)
def test_command_mistakes(arguments, message, command, tmp_path):
    more = [text.replace("{tmp}", str(tmp_path)) for text in arguments.pop("more", ())]
    path = [] if arguments.get("benchmark") else ["--param", f"path={tmp_path / 'q.jsonl'}"]
    done = command(*path, *more, **arguments)
    assert done.exit_code == 2
    [line] = [line for line in done.stderr.splitlines() if "error: " in line]
    assert message in line
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--comparison", "spidr"), "Did you mean 'spider'"),
        (("--reward", '["format",'), "is not valid JSON"),
        (("--reward", '[{"reward": "result", "params": {"wrng": 0}}]'), "Did you mean 'wrong'"),
        (("--response-format", "fencd"), "Did you mean 'fenced'"),
    ],
)
def test_a_mistake_is_found_before_the_model_is_loaded(more, message, monkeypatch):
    monkeypatch.setattr(
        "benchmarks.evaluation.options.GeneratorOptions.load", lambda *_: pytest.fail("loaded")
    )
    done = CliRunner().invoke(app, ["--benchmark", "demo", "--model", "m", *more])
    assert done.exit_code == 2
    [line] = [line for line in done.stderr.splitlines() if "error: " in line]
    assert message in line


def test_command_with_a_malformed_param(command):
    for param, message in (("path", "NAME=VALUE"), ("split=dev", "option of its own")):
        done = command("--param", param)
        assert done.exit_code == 2
        assert message in done.stderr


def test_command_needs_predictions_or_a_model(command):
    done = command("--model", "m")
    assert done.exit_code == 2
    assert "either --predictions FILE or --model NAME" in " ".join(done.stderr.replace("│", " ").split())


def test_command_on_a_suite_of_databases(command, tmp_path, concerts, make_concerts):
    """A query that is right by chance on one database is wrong on another."""
    folder = tmp_path / "suites" / "concerts"
    folder.mkdir(parents=True)
    make_concerts(folder / "concerts.sqlite")
    with closing(sqlite3.connect(make_concerts(folder / "fewer.sqlite"))) as connection, connection:
        connection.execute("DELETE FROM singer WHERE id = 5")
    (tmp_path / "p.txt").write_text(f"SELECT 5\n{GOLDS[1]}\n")
    found = []
    for more in ((), ("--suites", str(tmp_path / "suites"))):
        out = str(tmp_path / f"out{len(found)}")
        assert command("--param", f"path={tmp_path / 'q.jsonl'}", "--out", out, *more).exit_code == 0
        found.append(json.loads((tmp_path / out / "summary.json").read_text())["correct"])
    assert found == [2, 1]
