"""The gain of RL over a clean cold start: the split, the conclusions, and all arms in a miniature."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest

from trainers.demo.tasks import get_label
from trainers.studies.cold_start import ARMS, ColdStart, RunArguments
from trainers.studies.cold_start_tasks import Settings, load_cold_start_tasks
from trainers.studies.experiment import FIGURES, make_markdown

SETTINGS = Settings(contents=2, covered=1000, thin=40, copies=3, replay=0.2, questions=100)


@pytest.fixture(scope="module")
def split():
    return load_cold_start_tasks(SETTINGS, seed=4)


def test_the_cold_start_has_few_complex_questions_several_times(split):
    levels = Counter(task.difficulty for task in split.cold_start)
    assert set(levels) == {"simple", "moderate", "complex"}
    assert levels["complex"] == 40 * 3
    assert levels["simple"] + levels["moderate"] == 1000
    thin = [task for task in split.cold_start if task.difficulty == "complex"]
    assert set(Counter((task.database, task.id) for task in thin).values()) == {3}


def test_rl_asks_what_nothing_has_taught(split):
    levels = Counter(task.difficulty for task in split.rl)
    assert levels["complex"] > 2000
    assert (levels["simple"] + levels["moderate"]) / levels.total() == pytest.approx(0.2, abs=0.001)
    assert not {get_label(task) for task in split.rl} & {get_label(task) for task in split.cold_start}


def test_no_held_out_label_is_taught_or_asked(split):
    assert {kind: len(tasks) for kind, tasks in split.held_out.items()} == {"complex": 100, "simple": 100}
    held_out = {get_label(task) for tasks in split.held_out.values() for task in tasks}
    assert held_out <= split.reserved
    assert not split.reserved & {get_label(task) for task in split.train + split.cold_start + split.rl}


def test_dev_and_test_are_different_questions(split):
    other = load_cold_start_tasks(replace(SETTINGS, split="dev"), seed=4)
    assert [get_label(task) for task in other.cold_start] == [get_label(task) for task in split.cold_start]
    for kind, tasks in split.held_out.items():
        questions = {(task.database, task.id) for task in tasks}
        assert not questions & {(task.database, task.id) for task in other.held_out[kind]}


def records(*greedy, simple=0.9, cpu=100.0):
    def figures(value):
        return dict.fromkeys(FIGURES, value)

    return {
        arm: {
            "complex": figures(value),
            "simple": figures(simple if arm == "grpo" else 0.9),
            "cpu_seconds": {"training": cpu if arm == "supervised" else 100.0},
            "log": [{"step": 1, "sql/correct": value}],
        }
        for arm, value in zip(ARMS, greedy, strict=True)
    }


@pytest.mark.parametrize(
    ("second", "reached"),
    [
        (records(0.4, 0.6, 0.5, 0.7), True),
        (records(0.4, 0.59, 0.5, 0.7), False),
        (records(0.4, 0.6, 0.5, 0.7, simple=0.87), False),
        (records(0.4, 0.6, 0.5, 0.7, cpu=99.0), False),
    ],
)
def test_the_bar_is_for_every_seed_and_has_several_parts(second, reached):
    study = ColdStart(RunArguments(threads=1), Settings(), None)
    report = study.make_report({1: records(0.3, 0.5, 0.3, 0.4), 2: second})
    assert ("The bar was reached" in report.conclusions) is reached
    assert ("The bar was not reached" in report.conclusions) is not reached
    assert "| complex | start | 0.350 ± 0.071 |" in make_markdown(report.rows)


@pytest.mark.slow
def test_a_miniature_runs_every_arm_once(tmp_path):
    small = {"contents": 1, "questions": 8, "thin": 8, "sft-steps": 4, "grpo-steps": 2, "longest": 16}
    small |= {"rounds": 2, "asked": 16, "seeds": "5", "threads": 1, "out": tmp_path}
    command = [sys.executable, "-m", "trainers.studies.cold_start"]
    command += [str(part) for name, value in small.items() for part in (f"--{name}", value)]

    def run(*more):
        return subprocess.run([*command, *more], capture_output=True, text=True, check=False)

    first = run()
    assert first.returncode == 0, first.stderr
    paths = [tmp_path / "5" / arm / "record.json" for arm in ARMS]
    found = [json.loads(path.read_text()) for path in paths]
    for record in found:
        for kind in ("complex", "simple"):
            assert set(record[kind]) == {*FIGURES, "masked"}
            assert all(0 <= value <= 1 for value in record[kind].values())
        assert record["settings"]["grpo_steps"] == 2
    assert all(record["cpu_seconds"]["training"] > 0 for record in found[1:])
    assert (tmp_path / "cold_start.png").read_bytes().startswith(b"\x89PNG")
    assert "The bar was" in (tmp_path / "table.md").read_text()
    times = [path.stat().st_mtime_ns for path in paths]
    again = run()
    assert again.returncode == 0, again.stderr
    assert times == [path.stat().st_mtime_ns for path in paths]
    assert "cold start ..." in first.stdout
    assert "cold start ..." not in again.stdout
    other = run("--grpo-rate", "1e-5")
    assert "other settings (grpo_rate)" in other.stderr
