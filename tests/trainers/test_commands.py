"""The command lines: a tiny model, both cold starts, GRPO, a kill, and a resumed run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.records.item import read_items
from sql_env import ScorerStats

pytestmark = pytest.mark.slow

TASKS = ["--benchmark", "demo", "--tasks", "24", "--prompt", "compact", "--threads", "1"]
BATCH = ["--per_device_train_batch_size", "4", "--logging_steps", "1", "--disable_tqdm", "True"]


def run(module, *arguments, fails=False):
    command = [sys.executable, "-m", f"trainers.{module}", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def state(checkpoint: Path) -> dict:
    return json.loads((checkpoint / "trainer_state.json").read_text())


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("tiny")
    assert "M parameters" in run("demo.tiny", "--output_dir", place, "--vocabulary", 600)
    return place


@pytest.mark.parametrize("strategy", ["sql", "reasoning"])
def test_the_cold_start_learns_and_saves_a_model(tiny_model, tmp_path, strategy):
    output = run(
        "sft", "--model_name_or_path", tiny_model, *TASKS, *BATCH, "--strategy", strategy,
        "--max_steps", 6, "--learning_rate", "3e-3", "--lr_scheduler_type", "constant",
        "--output_dir", tmp_path, "--eval-tasks", 4, "--max-new-tokens", 8, "--save_steps", 6,
    )  # fmt: skip
    log = state(tmp_path / "checkpoint-6")["log_history"]
    losses = [row["loss"] for row in log if "loss" in row]
    assert losses[-1] < losses[0] - 0.5
    assert (tmp_path / "model.safetensors").exists()
    held_out = json.loads((tmp_path / "held_out.json").read_text())
    assert set(held_out) == {"tasks", "before", "after", "masked"}
    assert held_out["masked"] == {"before": 0.0, "after": 0.0}
    assert "(masked answers: 0.0% before, 0.0% after)" in output
    assert "greedy execution accuracy on 4 held-out tasks" in output


def test_a_model_keeps_the_prompt_template_of_its_training(tiny_model, tmp_path):
    """A model that was trained with `compact` continues with `compact`, without the option."""
    for model, out, how in ((tiny_model, "a", TASKS), (tmp_path / "a", "b", [*TASKS[:4], *TASKS[6:]])):
        run(
            "sft", "--model_name_or_path", model, *how, *BATCH, "--prompt_budget", 60,
            "--max_steps", 1, "--output_dir", tmp_path / out, "--save_steps", 9,
        )  # fmt: skip
        assert json.loads((tmp_path / out / "prompt.json").read_text()) == {
            "template": "compact@1",
            "budget": 60,
        }


OWN = """
from sql_env.prompts.template import Template
MINE = Template("mine", 1, lambda task, *_: [{"role": "user", "content": task.question}])
"""


def test_a_template_of_ones_own(tiny_model, tmp_path, monkeypatch):
    """The command line can name code. The record in the model's folder cannot."""
    (tmp_path / "own_template.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    settings = [*TASKS[:4], *BATCH, "--max_steps", 1, "--save_steps", 9]
    how = ["--output_dir", tmp_path / "a", "--prompt", "own_template:MINE", *settings]
    run("sft", "--model_name_or_path", tiny_model, *how)
    assert json.loads((tmp_path / "a" / "prompt.json").read_text())["template"] == "mine@1"
    more = ["--output_dir", tmp_path / "b", *settings]
    said = run("sft", "--model_name_or_path", tmp_path / "a", *more, fails=True)
    assert "no prompt template is called 'mine@1'" in said
    assert "--prompt in a training" in said


def grpo(model, out, *more, fails=False):
    return run(
        "trl_grpo", "--model_name_or_path", model, *TASKS, *BATCH, "--num_generations", 2,
        "--max_completion_length", 16, "--output_dir", out, "--save_steps", 2, *more, fails=fails,
    )  # fmt: skip


def test_grpo_logs_every_component_and_resumes_from_a_checkpoint(tiny_model, tmp_path):
    config = tmp_path / "grpo.yaml"
    config.write_text(
        "learning_rate: 1.0e-3\nlr_scheduler_type: constant\nmax_steps: 99\n"
        "reward: [format, {reward: result, weight: 2.0}, {reward: result, name: extra, weight: 0.5}]\n"
    )
    said = grpo(tiny_model, tmp_path, "--config", config, "--max-steps", 3)
    log = [row for row in state(tmp_path / "checkpoint-3")["log_history"] if "reward" in row]
    assert [row["step"] for row in log] == [1, 2, 3]
    metrics = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["reward"] for row in metrics if "reward" in row] == [row["reward"] for row in log]
    lines = [line for line in said.splitlines() if "step 3 of 3: reward" in line]
    assert len(lines) == 1
    assert all(word in lines[0] for word in ("correct", "masked", "length", " s"))
    assert "rewards/format/mean" not in said
    for row in log:
        format, result, extra = (row[f"rewards/{name}/mean"] for name in ("format", "result", "extra"))
        assert row["reward"] == pytest.approx(format + 2.0 * result + 0.5 * extra, abs=1e-4)
        assert {"sql/correct", "sql/masked", *(f"sql/{name}" for name in ScorerStats().metrics())} <= set(row)
        assert 1 <= row["sql/gold_hits"] + row["sql/gold_misses"] <= 2, "of four answers to two questions"
        assert row["sql/time/parse"] > 0
        assert row["sql/time/reward"] > 0
        assert row["learning_rate"] == 1e-3

    for leftover in (tmp_path / "checkpoint-3").iterdir():  # as after a kill between steps 2 and 3
        leftover.unlink()
    (tmp_path / "checkpoint-3").rmdir()
    grpo(tiny_model, tmp_path, "--config", config, "--max-steps", 4, "--resume-from-checkpoint", "last")
    resumed = [row for row in state(tmp_path / "checkpoint-4")["log_history"] if "reward" in row]
    assert [row["step"] for row in resumed] == [1, 2, 3, 4]
    assert resumed[:2] == log[:2]

    said = grpo(tiny_model, tmp_path, "--config", config, "--max-steps", 2, fails=True)
    assert "error: " in said
    assert "has an earlier run (checkpoint-4, " in said
    assert "--resume_from_checkpoint last" in said
    other = ["--max-steps", 5, "--seed", 7, "--resume-from-checkpoint", "last"]
    said = grpo(tiny_model, tmp_path, "--config", config, *other, fails=True)
    assert "seed: 42 there, 7 here" in said
    said = grpo(tiny_model, tmp_path / "new", "--resume-from-checkpoint", "last", fails=True)
    assert f"error: there is no checkpoint in '{tmp_path / 'new'}'" in said
    assert not (tmp_path / "new").exists()

    kept = list(read_items(tmp_path / "rollouts"))
    assert [item.step for item in kept] == [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4]
    for row in resumed:
        totals = [item.total for item in kept if item.step == row["step"]]
        assert row["reward"] == pytest.approx(sum(totals) / 4, abs=1e-4)


def test_an_algorithm_sets_what_the_command_line_does_not(tiny_model, tmp_path):
    output = grpo(tiny_model, tmp_path, "--max_steps", 1, "--algorithm", "rloo", "--save_steps", 1)
    [row] = [row for row in state(tmp_path / "checkpoint-1")["log_history"] if "reward" in row]
    assert "rewards/result/mean" in row
    assert "Traceback" not in output


def test_a_mistake_on_the_command_line_is_one_line(tiny_model, tmp_path):
    output = grpo(tiny_model, tmp_path, "--max_steps", 1, "--reward", "sql-r2", fails=True)
    assert "error: no preset or reward is called 'sql-r2'. Did you mean 'sql-r1'?" in output
    assert "Traceback" not in output
    assert "--model_name_or_path is missing" in run("trl_grpo", "--max_steps", 1, fails=True)


def test_a_broken_reward_stops_training(tiny_model, tmp_path):
    reward = '[{"reward": "os.path:join", "name": "broken"}]'
    output = grpo(tiny_model, tmp_path, "--max_steps", 1, "--reward", reward, fails=True)
    assert "error: reward 'broken' raised TypeError" in output
