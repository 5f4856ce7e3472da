"""The demo, in a miniature and at a size at which it learns."""

import json
import shlex
import subprocess
import sys

import pytest
from rich.console import Console

from sql_env import Scorer
from trainers.demo.run import Demo
from trainers.demo.tasks import DemoArguments
from trainers.hardware import use_threads
from trainers.logs.progress import Display

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

KEYS = {"greedy", "mean@1", "pass@8", "vote@8", "masked"}


def demo(out, *arguments):
    command = [
        sys.executable,
        "-m",
        "trainers.demo",
        "--out",
        str(out),
        "--threads",
        "1",
        *map(str, arguments),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=580)
    if done.returncode:
        return done.stderr, None
    return done.stdout, json.loads((out / "record.json").read_text())


@pytest.mark.timeout(1200)  # 80 seconds of one core, on a machine that may be busy
def test_grpo_repairs_a_mislabelled_cold_start(tmp_path):
    settings = DemoArguments(
        out=str(tmp_path),
        levels="simple",
        contents=2,
        questions=100,
        split="dev",
        sft_steps=800,
        grpo_steps=30,
        seed=5,
    )
    use_threads(1)
    with Scorer(settings.reward) as scorer, Display(Console()) as display:
        run = Demo(settings, scorer, display)
        model, _ = run.cold_start(run.tasks.mislabelled, "cold start")
        before = run.measure(model, "before")
        model, log = run.improve(model)
        after = run.measure(model, "after")
    rewards = [row["reward"] for row in log if "reward" in row]
    assert sum(rewards[-10:]) / 10 > sum(rewards[:2]) / 2 + 0.5
    assert after["mean@1"] > before["mean@1"] + 0.03


def test_a_miniature_writes_its_record_and_its_curves(tmp_path):
    output, record = demo(
        tmp_path, "--sft-steps", 5, "--grpo-steps", 2, "--contents", 1, "--questions", 16, "--seed", 7
    )
    for name in ("before", "after", "clean_labels"):
        assert set(record[name]) == KEYS
        assert all(0 <= value <= 1 for value in record[name].values())
    assert record["settings"]["seed"] == 7
    assert record["held_out_questions"] == 16
    assert 0.5 < record["mislabelled_share"] < 0.8
    assert 0.5e6 < record["parameters"] < 5e6
    assert record["seconds"]["total"] > record["seconds"]["grpo"] > 0
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert {"cold_start", "grpo"} <= {path.name for path in tmp_path.iterdir()}
    for text in ("about 8 minutes", "step 5 of 5", "after GRPO", "GRPO, reaches", "record.json"):
        assert text in " ".join(output.split())
    for name in ("cold_start", "grpo"):
        assert json.loads((tmp_path / name / "prompt.json").read_text())["template"] == "compact@1"
    evaluate, report = (shlex.split(line) for line in output.splitlines() if " -m " in line)
    done = subprocess.run([*evaluate, "--tasks", "20"], capture_output=True, text=True, check=True)
    assert "prompt.json" not in done.stderr
    config = json.loads((tmp_path / "evaluation" / "config.json").read_text())
    assert config["prompt"]["template"] == "compact@1"
    subprocess.run(report, capture_output=True, check=True)
    assert "</html>" in (tmp_path / "report.html").read_text()


def test_another_algorithm_resumes_from_the_same_cold_start(tmp_path):
    small = ["--sft-steps", 2, "--grpo-steps", 2, "--contents", 1, "--questions", 8, "--levels", "simple"]
    _, first = demo(tmp_path / "a", *small, "--clean", "False")
    assert first["clean_labels"] == {}
    start = ["--start", tmp_path / "a" / "cold_start", *small, "--clean", "False"]
    output, second = demo(tmp_path / "b", *start, "--algorithm", "rloo")
    assert second["before"] == first["before"]
    assert second["seconds"]["cold start"] < first["seconds"]["cold start"]
    assert "after rloo" in output
    assert "clean labels" not in output
    output, nothing = demo(tmp_path / "c", *start, "--seed", "1")
    assert nothing is None
    assert "another vocabulary: give the seed" in output
