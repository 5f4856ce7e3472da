"""A finished run is judged again as if it had been evaluated under the other rules."""

import json
import shutil
import sys

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.evaluate import app
from benchmarks.evaluation.rescoring import rescore
from benchmarks.records.item import read_items
from benchmarks.reports.recorded_run import read_run
from sql_env.errors import DataError

GOLDS = ["SELECT name FROM singer ORDER BY name", "SELECT count(*) FROM singer"]
ANSWERS = ["SELECT DISTINCT name FROM singer ORDER BY name DESC", "SELECT count(*) + 0.0 FROM singer"]


@pytest.fixture
def evaluated(tmp_path, concerts):
    """A run over two questions, and a function that evaluates the same answers under other options."""
    rows = [{"question": "?", "sql": sql, "database": "concerts.sqlite"} for sql in GOLDS]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "p.txt").write_text("\n".join(ANSWERS) + "\n")

    def run(folder, *more):
        out = tmp_path / folder
        words = ["--benchmark", "jsonl", "--param", f"path={tmp_path / 'q.jsonl'}", "--out", out, *more]
        done = CliRunner().invoke(app, [str(word) for word in [*words, "--predictions", tmp_path / "p.txt"]])
        assert done.exit_code == 0, done.output
        return out

    return run


def invoke(*words):
    command = typer.Typer()
    command.command()(rescore)
    return CliRunner().invoke(command, [*map(str, words)])


def test_it_equals_an_evaluation_under_the_other_rules(evaluated, tmp_path):
    run, expected = evaluated("a", "--comparison", "spider"), evaluated("b", "--comparison", "bird")
    done = invoke(run, "--comparison", "bird", "--out", tmp_path / "new")
    assert done.exit_code == 0, done.output
    for name in ("config.json", "items.jsonl", "predictions.jsonl", "summary.json"):
        assert (tmp_path / "new" / name).read_text() == (expected / name).read_text(), name
    before, after = ([item.correct for item in read_items(each)] for each in (run, expected))
    gained = sum(new and not old for old, new in zip(before, after, strict=True))
    assert gained
    assert f"{gained} gained, 0 lost" in done.stdout


def test_what_is_not_given_stays(evaluated, tmp_path):
    run = evaluated("a", "--comparison", "bird", "--limits", "max_rows=50")
    done = invoke(run, "--limits", "max_steps=1000", "--out", tmp_path / "new")
    assert done.exit_code == 0, done.output
    config = json.loads((tmp_path / "new" / "config.json").read_text())
    assert config["comparison"] == "bird"
    found = {name: config["limits"][name] for name in ("max_steps", "min_steps", "max_rows")}
    assert found == {"max_steps": 1_000, "min_steps": 1_000, "max_rows": 50}


def test_mistakes(evaluated, tmp_path):
    run = evaluated("a")
    unfinished, other = (shutil.copytree(run, tmp_path / name) for name in ("unfinished", "other"))
    (unfinished / "summary.json").unlink()
    config = json.loads((other / "config.json").read_text())
    config["tasks"]["sha256"] = "0"
    (other / "config.json").write_text(json.dumps(config))
    for words, message in (
        ((tmp_path, "--out", tmp_path / "n"), "has no config.json"),
        ((unfinished, "--out", tmp_path / "n"), "is not finished"),
        ((other, "--out", tmp_path / "n"), "are not those of"),
        ((run, "--out", other), "belongs to another run"),
        ((run, "--out", tmp_path / "n", "--limits", "max_step=1"), "Did you mean 'max_steps'"),
        ((run, "--out", tmp_path / "n", "--comparison", "none"), "none"),
    ):
        done = invoke(*words)
        assert done.exit_code == 2, done.output
        assert message in " ".join(done.output.split())


def test_a_run_as_a_data_frame(evaluated, monkeypatch):
    pytest.importorskip("pandas")
    run = read_run(evaluated("a"))
    frame = run.to_pandas()
    assert list(frame["task_id"]) == [item.task_id for item in run.items]
    assert list(frame["correct"]) == [item.correct for item in run.items]
    assert list(frame["metric.valid"]) == [1.0, 1.0]
    assert frame["step"].isna().all()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(DataError, match="pip install pandas"):
        run.to_pandas()
