"""The ablation: records that are kept, the report, and a miniature of the whole."""

import json
import subprocess
import sys
from statistics import stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sql_env.errors import DataError
from trainers.logs.progress import Display
from trainers.studies.ablation import (
    ARMS,
    Ablation,
    AblationArguments,
    Settings,
    get_rubric,
    judge_claim,
)
from trainers.studies.experiment import FIGURES, Experiment, compute_margin, make_markdown


class Study(Experiment):
    """An experiment of one arm that counts its runs."""

    arms = ("full",)
    name = "study"

    def load(self, seed, stack):
        return seed

    def run_arm(self, loaded, seed, arm, earlier):
        self.runs = [*getattr(self, "runs", []), (loaded, arm)]
        return {"held_out": {"greedy": 0.5}, "log": [{"step": 1, "other": 2}]}

    def make_report(self, records):
        raise NotImplementedError


def study(out, settings, kind=Study):
    return kind(AblationArguments(out=str(out), threads=1), settings, None)


def test_an_arm_runs_once(tmp_path):
    made = study(tmp_path, Settings(grpo_steps=3))
    first = made.run_seed(7)["full"]
    assert made.run_seed(7)["full"] == first == json.loads((tmp_path / "7/full/record.json").read_text())
    assert made.runs == [(7, "full")]
    assert (first["arm"], first["seed"], first["held_out"]) == ("full", 7, {"greedy": 0.5})
    assert first["log"] == [{"step": 1}]
    assert (first["settings"]["grpo_steps"], first["machine"]["threads"]) == (3, 1)
    with pytest.raises(DataError, match=r"other settings \(grpo_steps\)"):
        study(tmp_path, Settings(grpo_steps=4)).run_seed(7)


def test_an_arm_that_fails_leaves_no_record(tmp_path):
    class Failing(Study):
        def run_arm(self, *args):
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        study(tmp_path, Settings(), Failing).run_seed(7)
    assert not list(tmp_path.rglob("record.json"))


def test_an_arm_lacks_one_part_of_the_reward():
    parts = get_rubric("full")["rewards"]
    assert len(parts) == len(get_rubric("start")["rewards"]) == 4
    for part in parts:
        assert set(parts) - set(get_rubric(f"without-{part}")["rewards"]) == {part}
    assert set(ARMS) == {"start", "random", "full", *(f"without-{part}" for part in parts)}


@given(st.lists(st.floats(0, 1), min_size=2, max_size=10), st.floats(-1, 1))
def test_a_margin_is_of_the_spread_alone(values, shift):
    assert compute_margin([value + shift for value in values]) == pytest.approx(
        compute_margin(values), abs=1e-6
    )
    assert compute_margin(values) >= stdev(values) * 0.7
    with pytest.raises(ValueError, match="2 to 10 values"):
        compute_margin(values[:1])


def records(gain):
    """Two seeds; arm number i is better than the cold start by i times the gain."""
    arms = {arm: i * gain for i, arm in enumerate(ARMS)}
    return {
        seed: {
            arm: {"held_out": dict.fromkeys(FIGURES, 0.2 + seed / 100 + more), "votes": {"1": 0.3, "8": 0.4}}
            for arm, more in arms.items()
        }
        for seed in (1, 2)
    }


def test_conclusions_follow_the_intervals(tmp_path):
    report = study(tmp_path, Settings(), Ablation).make_report(records(0.05))
    assert "RL improves the cold start: yes (+0.100 ± 0.000)" in report.conclusions
    assert "better than RL without: yes (+0.050" in report.conclusions
    assert "Table 5: leaving out the format reward costs accuracy: the contrary" in report.conclusions
    assert "8 candidates are better than 1: yes" in report.conclusions
    assert "8 candidates is better than greedy decoding: yes" in report.conclusions
    assert "16 candidates" not in report.conclusions
    assert "cannot be told" in judge_claim("It is so", [0.1, -0.1])
    head, rule, start, *_ = make_markdown(report.rows).splitlines()
    assert head.count("|") == rule.count("|") == start.count("|")
    assert start.startswith("| cold start, no RL | 0.215 ± 0.064 |")
    report.write(tmp_path, "ablation", Console(quiet=True))
    assert (tmp_path / "ablation.png").read_bytes().startswith(b"\x89PNG")
    assert "RL improves the cold start" in (tmp_path / "table.md").read_text()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_miniature_resumes(tmp_path):
    small = Settings(contents=1, questions=4, sft_steps=2, grpo_steps=1, candidates=2)
    with Display(Console()) as display:
        ablation = Ablation(AblationArguments(out=str(tmp_path), threads=1), small, display)
        found = ablation.run_seed(5)
        assert set(found) == set(ARMS)
        assert set(found["full"]["votes"]) == {"1", "2"}
        assert all("reward" in record["log"][0] for arm, record in found.items() if arm != "start")
        times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("record.json")}
        gone = tmp_path / "5" / "without-length" / "record.json"
        gone.unlink()
        assert ablation.run_seed(5)["full"] == found["full"]
    assert {path for path, time in times.items() if path.stat().st_mtime_ns != time} == {gone}


@pytest.mark.slow
def test_a_mistake_is_one_line(tmp_path):
    record = tmp_path / "5" / "start" / "record.json"
    record.parent.mkdir(parents=True)
    record.write_text('{"settings": {"grpo_rate": 0.1}}')
    command = [sys.executable, "-m", "trainers.studies.ablation", "--out", str(tmp_path), "--threads", "1"]
    done = subprocess.run([*command, "--seeds", "5,6"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "other settings" in done.stderr.splitlines()[-1]
    few = subprocess.run([*command, "--seeds", "5"], capture_output=True, text=True, check=False)
    assert "2 to 10 seeds" in few.stderr
