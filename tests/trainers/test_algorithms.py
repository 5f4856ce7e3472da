"""Algorithms by name: data that each back end understands."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from benchmarks.demo import demo
from sql_env import Scorer
from sql_env.errors import PluginError
from sql_env.plugins import ALGORITHMS, list_names, load_object
from sql_env.scoring.reward import WeightedReward
from sql_env.scoring.rubric import Rubric
from trainers.algorithms import Algorithm, get_algorithm, list_algorithms
from trainers.dataset import Prompter
from trainers.demo import tiny
from trainers.trl_grpo import make_grpo_trainer

PAGE = Path(__file__).parents[2] / "docs" / "algorithms.md"
REQUIRED = {"grpo", "dr_grpo", "dapo", "gspo", "rloo"}


def test_both_back_ends_run_the_required_algorithms():
    assert set(list_algorithms("trl")) >= REQUIRED | {"cispo", "sapo"}
    assert set(list_algorithms("verl")) >= REQUIRED | {"reinforce_plus_plus", "ppo", "cispo", "sapo"}
    assert set(list_algorithms("trl")) | set(list_algorithms("verl")) == set(list_names(ALGORITHMS))


@pytest.mark.parametrize("name", list_algorithms("trl"))
@pytest.mark.slow
def test_trl_knows_every_argument(name):
    settings = get_algorithm(name, "trl")
    load_object(settings.trainer)
    assert set(settings.arguments) <= {field.name for field in fields(load_object(settings.config))}


@pytest.mark.parametrize("name", list_names(ALGORITHMS))
def test_every_algorithm_names_its_source(name):
    settings = [
        get_algorithm(name, backend) for backend in ("trl", "verl") if name in list_algorithms(backend)
    ]
    assert settings
    source = load_object(f"trainers.algorithms:{name.upper()}").source
    assert "arXiv" in source or "documentation" in source


@pytest.mark.parametrize("name", list_names(ALGORITHMS))
def test_the_table_has_the_settings_of_each(name):
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    [row] = [line for line in lines if line.startswith(f"| `{name}` |")]
    _, trl, verl, ran, source = row.strip("| ").split(" | ")
    found = load_object(f"trainers.algorithms:{name.upper()}")
    assert source == found.source
    for cell, settings in (
        (trl, found.trl and found.trl.arguments),
        (verl, found.verl and found.verl.overrides),
    ):
        written = re.findall("`([^`]*=[^`]*)`", cell)
        for item, (key, value) in zip(written, (settings or {}).items(), strict=True):
            assert f".{key}={value}".endswith(f".{item}")
    assert ran == ", ".join(backend for backend in ("trl", "verl") if getattr(found, backend))


def test_a_back_end_that_cannot_says_which_can():
    with pytest.raises(PluginError, match=r"trl has no algorithm 'ppo', but verl has. trl runs bnpo, cispo"):
        get_algorithm("ppo", "trl")
    with pytest.raises(PluginError, match="verl has no algorithm 'luspo', but trl has"):
        get_algorithm("luspo", "verl")


@pytest.mark.parametrize(
    ("name", "message"), [("dr-grpo", "Did you mean 'dr_grpo'"), ("math:pi", "not an Algorithm")]
)
def test_a_mistake_says_how_to_mend_it(name, message):
    with pytest.raises(PluginError, match=message):
        get_algorithm(name, "trl")


def test_an_algorithm_of_ones_own_needs_no_registration():
    assert isinstance(load_object("trainers.algorithms:GRPO"), Algorithm)
    assert get_algorithm("trainers.algorithms:GRPO", "trl") is get_algorithm("grpo", "trl")


def varied(rollout):
    """Return a reward that differs between random answers."""
    return float(len(rollout.completion) % 5)


@pytest.fixture(scope="module")
def training_data():
    """A prompter with the reward `varied`, some tasks, and a tokenizer trained on them."""
    tasks = demo(split="dev").tasks[:24]
    with Scorer(Rubric("varied", (WeightedReward("varied", varied),))) as scorer:
        prompter = Prompter(scorer, "compact")
        yield prompter, tasks, tiny.train_tokenizer(map(prompter, tasks), scorer.rubric.form, 500)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", list_algorithms("trl"))
def test_trl_learns_for_three_steps(name, training_data, tmp_path):
    torch.set_num_threads(1)  # others use the machine too
    prompter, tasks, words = training_data
    settings = get_algorithm(name, "trl")
    config = load_object(settings.config)(
        output_dir=str(tmp_path), use_cpu=True, bf16=False, gradient_checkpointing=False, report_to=[],
        save_strategy="no", disable_tqdm=True, per_device_train_batch_size=8, num_generations=4, max_steps=3,
        max_completion_length=8, logging_steps=1, learning_rate=1e-3, **settings.arguments,
    )  # fmt: skip
    made = tiny.make_model(words, width=32)
    made.save_pretrained(tmp_path / "model")
    trainer = make_grpo_trainer(
        str(tmp_path / "model"), words, tasks, prompter, config, trainer=settings.trainer
    )
    trainer.train()
    rows = [row for row in trainer.state.log_history if "reward" in row]
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert all(0 < row["grad_norm"] < float("inf") for row in rows)
    moved = [
        (new - old).abs().max()
        for new, old in zip(trainer.model.parameters(), made.parameters(), strict=True)
    ]
    assert 1e-4 < max(moved) < 0.1
