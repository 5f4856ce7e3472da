"""Predictions under all comparisons: the same verdicts as under each alone, and the items that flip."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console
from typer.testing import CliRunner

from benchmarks.demo import demo
from benchmarks.evaluate import evaluate
from benchmarks.evaluation.comparisons import app, draw_flip, draw_report, make_report
from benchmarks.loading.predictions import find_indices, read_predictions
from benchmarks.metrics.verdicts import compute_accuracies, group_results, judge_under_all
from benchmarks.spider import spider
from sql_env import Benchmark
from sql_env.comparison import COMPARISONS
from sql_env.errors import ComparisonError

CASES = {  # name: (gold, prediction, semantics under which it is right)
    "same": ("SELECT name FROM singer", "SELECT name FROM singer", {"strict", "bird", "spider", "sql-r1"}),
    "columns": ("SELECT id, name FROM singer", "SELECT name, id FROM singer", {"spider", "sql-r1"}),
    "twice": ("SELECT DISTINCT age FROM singer", "SELECT age FROM singer", {"bird", "spider", "sql-r1"}),
    "order": ("SELECT id FROM singer ORDER BY id", "SELECT id FROM singer ORDER BY id DESC", {"bird"}),
    "noise": ("SELECT 0.3", "SELECT 0.1 + 0.2", {"strict"}),
    "wrong": ("SELECT 1", "SELECT 2", set()),
    "blank": ("SELECT 1", "", set()),
}  # fmt: skip


@pytest.fixture
def cases(ask):
    tasks = [ask(gold, id=f"spider-dev-{i:04d}") for i, (gold, _, _) in enumerate(CASES.values())]
    masked = ask("SELECT nothing", id=f"spider-dev-{len(tasks):04d}")
    return Benchmark("spider", "dev", (*tasks, masked), ("gone: 1 task",))


@pytest.fixture
def found(cases):
    return judge_under_all(cases, [sql for _, sql, _ in CASES.values()] + ["SELECT 1"])


def text(renderable, width=110):
    console = Console(width=width, file=StringIO())
    console.print(renderable)
    return console.file.getvalue()


def test_verdicts(found):
    *judged, masked = found
    for verdicts, (_, sql, right) in zip(judged, CASES.values(), strict=True):
        assert verdicts.sql == sql
        assert set(verdicts.comparisons_with(True)) == right
        assert set(verdicts.comparisons_with(False)) == set(COMPARISONS) - right
        assert verdicts.flips == (0 < len(right) < 4) == bool(verdicts.rollouts)
    assert set(masked.correct.values()) == {None}
    assert not masked.flips


def test_accuracies(found):
    shares = compute_accuracies(found)
    assert {name: (share.n, share.mean) for name, share in shares.items()} == {
        "strict": (7, 2 / 7),
        "bird": (7, 3 / 7),
        "spider": (7, 3 / 7),
        "sql-r1": (7, 3 / 7),
    }
    assert all(share.low < share.mean < share.high for share in shares.values())
    assert compute_accuracies([]) == {}


def test_comparisons_that_run_the_same_sql_share_results(found):
    columns, duplicates = found[1], found[2]
    assert [names for names, _, _ in group_results(columns)] == [tuple(COMPARISONS)]
    (plain, _, gold), (spiders, result, undistinct) = group_results(duplicates)
    assert (plain, spiders) == (("strict", "bird"), ("spider", "sql-r1"))
    assert (len(gold.rows), len(undistinct.rows), len(result.rows)) == (4, 5, 5)


def test_some_semantics_only(cases):
    [first, *_] = judge_under_all(cases, ["SELECT 1"] * 8, semantics=["bird", "strict"])
    assert list(first.correct) == ["bird", "strict"]
    with pytest.raises(ComparisonError, match="strikt"):
        judge_under_all(cases, ["SELECT 1"] * 8, semantics=["strikt"])
    with pytest.raises(ValueError, match="1 predictions for 8 tasks"):
        judge_under_all(cases, ["SELECT 1"])


def test_draw_report(cases, found):
    shown = text(draw_report(cases, found, most=2))
    share = compute_accuracies(found)["strict"]
    row = next(line for line in shown.split("\n") if line.startswith("│ strict"))
    assert row.replace("│", " ").split() == [
        "strict",
        "7",
        "28.6%",
        f"{share.low:.1%}",
        "to",
        f"{share.high:.1%}",
    ]
    assert "1 right under spider and sql-r1, wrong under strict and bird" in shown
    assert "1 right under bird, wrong under strict, spider and sql-r1" in shown
    assert "prediction: 5 rows" in shown
    assert "as run for spider and sql-r1" in shown
    assert "2 more items flip; --out writes all of them" in shown
    assert "spider-dev-0003" not in shown


def test_hostile_text_is_drawn_as_text(cases):
    evil = "\x1b[2J[red]\u202e"
    tasks = (replace(cases.tasks[1], id=f"i{evil}", question=f"Which {evil}?"),)
    sql = f'SELECT name AS "{evil}", id FROM singer'
    [verdicts] = judge_under_all(Benchmark("b", "s", tasks), [sql])
    shown = text(draw_flip(verdicts))
    assert "[red]" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_report_is_json(cases, found):
    written = json.loads(json.dumps(make_report(cases, found, {"file": "p.txt"})))
    assert written["accuracy"]["bird"]["mean"] == 3 / 7
    assert [line["index"] for line in written["flips"]] == [1, 2, 3, 4]
    duplicates = written["flips"][1]
    assert duplicates["correct"] == {"strict": False, "bird": True, "spider": True, "sql-r1": True}
    assert [part["semantics"] for part in duplicates["compared"]] == [
        ["strict", "bird"],
        ["spider", "sql-r1"],
    ]
    assert duplicates["compared"][1]["gold"]["table"]["row_count"] == 5
    nothing = make_report(Benchmark("b", "s", ()), [], {})
    assert (nothing["accuracy"], nothing["flips"]) == ({}, [])


def test_command(tmp_path):
    benchmark = demo(split="dev")
    path = tmp_path / "p.json"
    golds = [task.gold_sql for task in benchmark.tasks]
    path.write_text(
        json.dumps(dict(zip(map(str, find_indices(benchmark)), ["SELECT 1", *golds[1:]], strict=True)))
    )
    arguments = ["--benchmark", "demo", "--split", "dev", "--predictions", str(path)]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "demo dev: execution accuracy" in done.output
    written = json.loads((tmp_path / "out" / "semantics.json").read_text())
    assert {share["n"] for share in written["accuracy"].values()} == {len(golds)}
    assert written["predictions"]["file"] == "p.json"
    missing = CliRunner().invoke(app, [*arguments[:-1], "nowhere.txt"])
    assert missing.exit_code == 2
    assert "'nowhere.txt' cannot be read" in missing.output
    (tmp_path / "file").write_text("")
    blocked = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "file")])
    assert blocked.exit_code == 2
    assert "cannot write" in blocked.output


def test_command_on_own_questions(tmp_path, concerts):
    rows = [{"question": "Who?", "sql": gold, "database": str(concerts)} for gold, _, _ in CASES.values()]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "p.txt").write_text("".join(sql + "\n" for _, sql, _ in CASES.values()))
    arguments = ["--benchmark", "jsonl", "--predictions", str(tmp_path / "p.txt"), "--items", "0"]
    done = CliRunner().invoke(app, [*arguments, "--param", f"path={tmp_path / 'q.jsonl'}"])
    assert done.exit_code == 0, done.output
    assert "4 more items flip" in done.output


@pytest.mark.slow
def test_published_predictions_have_the_same_verdicts_under_each_comparison_alone(shared_data):
    benchmark = spider(data_dir=str(shared_data / "spider"))
    path = shared_data / "predictions/spider_dev/codes_sft_1b.txt"
    predictions = read_predictions(path, benchmark)
    found = judge_under_all(benchmark, predictions)
    assert sum(verdicts.flips for verdicts in found) > 10
    for name in COMPARISONS:
        alone = [score.rollout.correct for score in evaluate(benchmark, predictions, comparison=name)]
        assert [verdicts.correct[name] for verdicts in found] == alone
