"""The commands that the demo prints at its end, and the text before its installation."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers")

from trainers.demo.run import list_next_commands
from trainers.demo.tasks import DemoArguments

ROOT = Path(__file__).parents[3]


def test_the_commands_name_the_paths_and_the_settings_of_the_demo(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    evaluate, report = list_next_commands(DemoArguments(out="my runs/a", reward="arctic", data_dir="d"), 40)
    assert evaluate == [
        ".venv/bin/python", "-m", "benchmarks.evaluate", "--benchmark", "demo", "--model", "my runs/a/grpo",
        "--max-tokens", "40", "--data-dir", "d", "--reward", "arctic", "--out", "my runs/a/evaluation",
    ]  # fmt: skip
    assert report == [
        ".venv/bin/python", "-m", "sql_env.cli", "report", "my runs/a/evaluation",
        "--out", "my runs/a/report.html",
    ]  # fmt: skip


@pytest.mark.parametrize("target", ["demo", "demo-verl"])
def test_make_says_the_size_and_the_time_before_it_installs(tmp_path, target):
    command = ["make", "-n", target, f"VENV={tmp_path / 'none'}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    places = [done.stdout.index(text) for text in ("2.5 GB", "8 minutes", "-m venv", "pip")]
    assert places == sorted(places)
