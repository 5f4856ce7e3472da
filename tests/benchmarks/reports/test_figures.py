"""Figures for papers, and the two commands that draw runs."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.records.item import Candidate, Item, write_items
from benchmarks.reports.figures import group_by_k, make_panels, save_figure
from benchmarks.reports.html.overview import make_headline
from benchmarks.reports.recorded_run import RecordedRun
from sql_env.errors import DataError

COMMAND = Path(sys.executable).with_name("sql-env")
ITEM = Item(0, "t-0", "db", "sqlite", "easy", "Which?", "", "SELECT 1", "SELECT 1", "", "SELECT 1", True,
            "ok", "", "", 1.0, {"result": 1.0})  # fmt: skip


def evaluation(name="an _odd_ $name$"):
    several = [Candidate("SELECT 1", "ok", i < 2, 2) for i in range(4)]
    same = replace(ITEM, candidates=several, metrics={"vote@2": 1.0, "vote@4": 0.0, "exact": 1.0})
    items = [
        replace(same, index=i, task_id=f"t-{i}", difficulty=level, correct=i % 3 > 0)
        for i, level in enumerate(["easy", "hard"] * 10)
    ]
    return RecordedRun(name, items, {}, {})


def training(name="grpo"):
    steps = [step for step in range(1, 9) for _ in range(4)]
    items = [replace(ITEM, step=s, total=float(s), task_id=f"t-{i % 2}") for i, s in enumerate(steps)]
    return RecordedRun(name, items, {}, {})


def sql_env(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_there_is_a_panel_for_each_that_there_is_something_for():
    assert [title for title, _ in make_panels([evaluation()])] == [
        "Execution accuracy by difficulty (items)", "Several candidates",
    ]  # fmt: skip
    assert [title for title, _ in make_panels([training()])] == [
        "Reward",
        "Answers",
        "How queries end",
        "Length",
    ]
    assert len(make_panels([evaluation("a"), evaluation("b"), training()])) == 6
    masked = replace(evaluation(), items=[replace(ITEM, correct=None, masked="why")])
    with pytest.raises(DataError, match="nothing to draw"):
        save_figure([masked], Path("figure.svg"))


def test_figures_over_k_are_found_by_their_names():
    found = group_by_k(make_headline([evaluation()]))
    sizes = {name: sorted(bars) for name, bars in found.items()}
    assert sizes == {("vote@k", 0): [2, 4], ("pass@k", 0): [1, 2, 4]}
    assert found["pass@k", 0][2].value.mean == pytest.approx(5 / 6)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_the_same_runs_give_the_same_file(kind, magic, tmp_path):
    runs = [evaluation(), training(), training("_second")]
    for name in ("a", "b"):
        save_figure(runs, tmp_path / "made" / f"{name}.{kind}")
    first, second = ((tmp_path / "made" / f"{name}.{kind}").read_bytes() for name in ("a", "b"))
    assert first == second
    assert first.startswith(magic)
    if kind == "svg":
        for text in (b"an _odd_ $name$", b"_second: total", b"pass@k", b"per cent"):
            assert text in first


@pytest.mark.slow
def test_the_commands(tmp_path):
    write_items(tmp_path / "evaluation", evaluation().items)
    write_items(tmp_path / "training" / "rollouts", training().items)
    runs = [tmp_path / "evaluation", tmp_path / "training"]
    done = sql_env("report", *runs, "--out", tmp_path / "report.html")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").read_text(encoding="utf-8").count("<svg") > 10
    done = sql_env("plot", *runs, "--out", tmp_path / "figure.pdf")
    assert done.returncode == 0, done.stderr
    for command in (
        ["plot", *runs, "--out", tmp_path / "figure.gif"],
        ["plot", tmp_path / "nothing"],
        ["report", tmp_path / "nothing"],
        ["report", *runs, "--out", tmp_path / "report.html" / "x.html"],
    ):
        done = sql_env(*command)
        assert done.returncode == 2
        assert done.stderr.startswith("DataError")
