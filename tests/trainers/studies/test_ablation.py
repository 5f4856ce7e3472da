"""The ablation: trials that are kept, what they show, and a miniature of the whole."""

import json
import subprocess
import sys
from statistics import stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql_env.errors import DataError
from trainers.studies.ablation import ARMS, AblationArguments, Settings, rubric, run
from trainers.studies.ablation_report import FIGURES, NAMES, Findings, trend
from trainers.studies.trials import Trials, margin


def test_a_trial_is_run_once(tmp_path):
    trials, runs = Trials(tmp_path, {"steps": 3}, {"cores": 2}), []

    def run():
        runs.append(1)
        return {"held_out": {"greedy": 0.5}}

    first = trials.record(7, "full", run)
    assert trials.record(7, "full", run) == first == json.loads((tmp_path / "7/full/record.json").read_text())
    assert (len(runs), first["arm"], first["seed"], first["held_out"]) == (1, "full", 7, {"greedy": 0.5})
    with pytest.raises(DataError, match=r"other settings \(steps\)"):
        Trials(tmp_path, {"steps": 4}, {}).record(7, "full", run)


def test_a_trial_that_fails_leaves_no_record(tmp_path):
    def run():
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError):
        Trials(tmp_path, {}, {}).record(7, "full", run)
    assert not list(tmp_path.rglob("record.json"))


def test_an_arm_lacks_one_part_of_the_reward():
    assert len(rubric("full")["rewards"]) == len(rubric("start")["rewards"]) == 4
    for part in rubric("full")["rewards"]:
        assert set(rubric("full")["rewards"]) - set(rubric(f"without-{part}")["rewards"]) == {part}
    assert set(ARMS) == set(NAMES)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=10), st.floats(-1, 1))
def test_a_margin_is_of_the_spread_alone(values, shift):
    assert margin([value + shift for value in values]) == pytest.approx(margin(values), abs=1e-6)
    assert margin(values) >= stdev(values) * 0.7
    with pytest.raises(ValueError, match="2 to 10 values"):
        margin(values[:1])


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


def test_findings_say_what_the_intervals_say():
    found = Findings(records(0.05))
    assert "RL improves the cold start: yes (+0.050 ± 0.000)" in found.text()
    assert "better than RL without: the contrary (-0.050" in found.text()
    assert "Table 5: leaving out the format reward costs accuracy: the contrary" in found.text()
    assert "8 candidates are better than 1: yes" in found.text()
    assert "8 candidates is better than greedy decoding: yes" in found.text()
    assert "cannot be told" in trend("It is so", [0.1, -0.1])
    head, rule, start, *_ = found.markdown().splitlines()
    assert head.count("|") == rule.count("|") == start.count("|")
    assert start.startswith("| cold start, no RL | 0.215 ± 0.064 |")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_miniature_goes_on_where_it_stopped(tmp_path):
    args = AblationArguments(out=str(tmp_path), seeds="5", threads=1)
    small = Settings(contents=1, questions=4, sft_steps=2, grpo_steps=1, candidates=2)
    found = run(args, small)[5]
    assert set(found) == set(ARMS)
    assert set(found["full"]["votes"]) == {"1", "2"}
    assert all("reward" in record["log"][0] for arm, record in found.items() if arm != "start")
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("record.json")}
    gone = tmp_path / "5" / "without-length" / "record.json"
    gone.unlink()
    assert run(args, small)[5]["full"] == found["full"]
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
