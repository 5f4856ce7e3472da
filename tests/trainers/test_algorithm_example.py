"""An algorithm in another distribution: its formulas, and a training in both back ends."""

import importlib.util
import json
import math
import os
import re
import runpy
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.demo import demo
from sql_env import Scorer
from trainers.dataset import Prompter
from trainers.demo import tiny

EXAMPLE = Path(__file__).parents[1] / "algorithm_example"
FORMULAS = runpy.run_path(str(EXAMPLE / "sql_env_spo" / "formulas.py"))
advantages, loss, mean = (FORMULAS[name] for name in ("advantages", "loss", "mean"))

REWARD = "def varied(rollout):\n    return float(len(rollout.completion) % 5)\n"

groups_of_rewards = st.lists(
    st.lists(st.integers(-6, 6).map(float), min_size=1, max_size=8), min_size=1, max_size=5
)
numbers = st.floats(-1e4, 1e4, width=32).filter(lambda number: number == 0 or abs(number) > 1e-30)
ranges = st.floats(0.01, 0.9)


def numbered(groups):
    """Return the rewards, and the number of each one's group."""
    rewards = torch.tensor([reward for group in groups for reward in group])
    return rewards, torch.tensor([number for number, group in enumerate(groups) for _ in group])


@settings(deadline=None)
@given(groups_of_rewards)
def test_every_group_in_which_rewards_differ_weighs_the_same(groups):
    rewards, group = numbered(groups)
    found = advantages(rewards, group)
    assert found.shape == rewards.shape
    for number, members in enumerate(groups):
        weight = 1.0 if len(set(members)) > 1 else 0.0
        assert found[group == number].abs().mean().item() == pytest.approx(weight, abs=1e-4)


@settings(deadline=None)
@given(groups_of_rewards, st.randoms())
def test_only_a_group_s_own_rewards_count_in_whatever_order(groups, random):
    rewards, group = numbered(groups)
    found = advantages(rewards, group)
    for number, members in enumerate(groups):
        alone = advantages(torch.tensor(members), torch.zeros(len(members), dtype=torch.long))
        assert torch.equal(found[group == number], alone)
    order = torch.tensor(random.sample(range(len(rewards)), len(rewards)))
    assert torch.equal(advantages(rewards[order], group[order]), found[order])


@settings(deadline=None)
@given(groups_of_rewards, st.data())
def test_what_cannot_be_scored_gets_nothing_and_changes_nothing(groups, data):
    rewards, group = numbered(groups)
    lost = torch.tensor(data.draw(st.lists(st.booleans(), min_size=len(rewards), max_size=len(rewards))))
    found = advantages(rewards.masked_fill(lost, torch.nan), group)
    assert (found[lost] == 0).all()
    torch.testing.assert_close(found[~lost], advantages(rewards[~lost], group[~lost]))


def test_one_right_answer_among_wrong_ones_is_all_that_is_learnt_from():
    assert advantages(torch.tensor([-1.0, -1.0, 6.0, -1.0]), torch.zeros(4)).tolist() == pytest.approx(
        [0, 0, 4, 0], abs=1e-4
    )


@settings(deadline=None)
@given(numbers, numbers, ranges)
def test_the_loss_is_finite_and_lowest_where_the_ratio_has_gone_far_enough(anywhere, advantage, epsilon):
    lowest = math.log(1 + math.copysign(epsilon, advantage))
    log_ratio = torch.tensor([anywhere, lowest], requires_grad=True)
    losses = loss(log_ratio, torch.tensor(advantage), epsilon)
    [slope] = torch.autograd.grad(losses.sum(), log_ratio)
    assert torch.isfinite(losses).all()
    assert torch.isfinite(slope).all()
    assert slope[1].item() == pytest.approx(0, abs=1e-3 * abs(advantage))
    assert losses[0] >= losses[1] - 1e-3 * abs(advantage)


@settings(deadline=None)
@given(numbers, ranges)
def test_where_nothing_has_moved_the_slope_is_that_of_the_policy_gradient(advantage, epsilon):
    log_ratio = torch.zeros(1, requires_grad=True)
    [slope] = torch.autograd.grad(loss(log_ratio, torch.tensor([advantage]), epsilon).sum(), log_ratio)
    assert slope.item() == -advantage


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), numbers)
def test_masked_tokens_count_for_nothing(lengths, noise):
    mask = (torch.arange(5) < torch.tensor(lengths)[:, None]).long()
    values = torch.arange(len(lengths) * 5.0).view(-1, 5)
    disturbed = torch.where(mask.bool(), values, noise)
    assert torch.equal(mean(disturbed, mask), mean(values, mask))
    by_hand = [row[:n].mean().item() if n else 0.0 for row, n in zip(values, lengths, strict=True)]
    assert mean(values, mask).item() == pytest.approx(sum(by_hand) / len(by_hand), rel=1e-5)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The distribution, installed into a folder of its own; a model of random weights; a reward."""
    place = tmp_path_factory.mktemp("example")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", place, EXAMPLE]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (place / "varied_reward.py").write_text(REWARD)
    with Scorer("sql-r1") as scorer:
        prompter = Prompter(scorer, "compact")
        prompts = [prompter(task) for task in demo(split="dev").tasks[:24]]
        words = tiny.train_tokenizer(prompts, scorer.rubric.form, 500)
    for part in (words, tiny.make_model(words, width=32)):
        part.save_pretrained(place / "model")
    return place


def run(place, module, *arguments, fails=False):
    command = [sys.executable, "-m", f"trainers.{module}", *map(str, arguments)]
    paths = os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env, start_new_session=True
    )
    try:
        output, _ = process.communicate(timeout=280)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert (process.returncode != 0) == fails, output[-6000:]
    return output


def trl(place, out, *more, fails=False):
    return run(
        place, "trl_grpo", "--algorithm", "median_spo", "--model_name_or_path", place / "model",
        "--tasks", 24, "--prompt", "compact", "--reward", '["varied_reward:varied"]', "--num_generations", 4,
        "--per_device_train_batch_size", 8, "--max_completion_length", 12, "--learning_rate", "1e-3",
        "--logging_steps", 1, "--max_steps", 4, "--output_dir", out, *more, fails=fails,
    )  # fmt: skip


@pytest.mark.slow
def test_trl_learns_from_two_batches_with_it(place, tmp_path):
    trl(place, tmp_path)
    state = json.loads((tmp_path / "checkpoint-4" / "trainer_state.json").read_text())
    rows = [row for row in state["log_history"] if "loss" in row]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    check([row["spo/advantage"] for row in rows], groups=2)
    assert [row["spo/drift"] > 1e-5 for row in rows] == [False, True, False, True], "each batch is used twice"
    assert all(row["grad_norm"] > 0 for row in rows)


@pytest.mark.slow
def test_what_it_lacks_in_trl_is_one_line(place, tmp_path):
    output = trl(place, tmp_path, "--beta", 0.1, fails=True)
    assert "error: SPO has neither a KL term" in output
    assert "Traceback" not in output


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.skipif(importlib.util.find_spec("verl") is None, reason="verl is not installed")
def test_verl_learns_from_two_batches_with_it(place, tmp_path):
    keys = {
        "sql.algorithm": "median_spo",
        "actor_rollout_ref.model.path": place / "model",
        "sql.prompt": "compact",
        "sql.tasks": 24,
        "sql.eval_tasks": 8,
        "sql.reward": "'[\"varied_reward:varied\"]'",
        "data.train_batch_size": 4,
        "data.max_response_length": 12,
        "actor_rollout_ref.rollout.n": 4,
        "trainer.default_local_dir": tmp_path,
        "trainer.total_training_steps": 2,
    }
    output = run(place, "verl_grpo", *(f"{key}={value}" for key, value in keys.items()))
    found = {
        name: [float(value) for value in re.findall(rf" - actor/{name}:(?:np.float64\()?([^) ]+)", output)]
        for name in ("spo/advantage", "spo/drift", "grad_norm")
    }
    assert all(len(values) == 2 for values in found.values())
    check(found["spo/advantage"], groups=4)
    assert all(value > 0 for value in found["spo/drift"] + found["grad_norm"])


def check(weights, groups):
    """Each group has the weight 1 or 0, which no other algorithm's advantages have."""
    assert weights == [pytest.approx(round(weight * groups) / groups, abs=1e-4) for weight in weights]
    assert min(weights) > 0
