"""The steps that both commands add to TRL's trainers: load, filter, measure, train, save."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sql_env import Scorer, Task, load_benchmark
from sql_env.prompts.template import get_template, load_template, read_recorded_template, record_template
from trainers.arguments import SQLArguments
from trainers.dataset import (
    Prompter,
    expect_model,
    filter_by_length,
    filter_usable,
    load_tokenizer,
    make_token_budget,
)
from trainers.generation.accuracy import measure_greedy
from trainers.hardware import use_threads

log = logging.getLogger(__name__)

NEWEST = ("last", "true", "True")
"""Values of ``--resume_from_checkpoint`` that mean the newest checkpoint of the output folder."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The parts of a training beside TRL's configuration.

    Attributes:
        tokenizer: The model's tokenizer.
        prompter: Makes the prompts.
        tasks: The training tasks.
        held_out: The tasks on which accuracy is measured before and after.
    """

    tokenizer: Any
    prompter: Prompter
    tasks: list[Task]
    held_out: list[Task]


def load_setup(args: SQLArguments, config: Any, model: Any, scorer: Scorer) -> Setup:
    """Load the tokenizer and the tasks, and complete TRL's configuration.

    Raises:
        SQLEnvError: The user can correct it; the message says how.
    """
    from transformers import AutoConfig

    use_threads(args.threads)
    recorded = None if args.prompt else read_recorded_template(model.model_name_or_path)
    template = recorded or load_template(args.prompt or "full")
    trust = config.trust_remote_code
    name, revision = model.model_name_or_path, model.model_revision
    with expect_model(name):
        AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=trust)
        tokenizer = load_tokenizer(name, revision, trust_remote_code=trust)
    budget = make_token_budget(args.prompt_budget, tokenizer)
    prompter = Prompter(scorer, template, tokenizer.chat_template is not None, budget)
    named = {
        "dtype": model.dtype,
        "revision": model.model_revision,
        "attn_implementation": model.attn_implementation,
    }
    config.model_init_kwargs = named | (config.model_init_kwargs or {})

    def load(split: str, at_most: int) -> list[Task]:
        tasks = load_benchmark(args.benchmark, split, args.data_dir).tasks
        tasks = filter_usable(tasks, scorer, args.keep_empty)
        tasks = filter_by_length(tasks, prompter, tokenizer, args.max_prompt_tokens)
        return sample_tasks(tasks, at_most, config.seed)

    tasks = load(args.split, args.tasks)
    held_out = load(args.eval_split, args.eval_tasks) if args.eval_tasks else []
    log.info("%d tasks to train on, %d held out", len(tasks), len(held_out))
    return Setup(tokenizer, prompter, tasks, held_out)


def make_adapter_arguments(model: Any) -> dict[str, Any]:
    """Make the PEFT and quantization arguments of a trainer from `trl.ModelConfig`."""
    from trl import get_peft_config, get_quantization_config

    return {"peft_config": get_peft_config(model), "quantization_config": get_quantization_config(model)}


def sample_tasks(tasks: Sequence[Task], at_most: int, seed: int) -> list[Task]:
    """Sample ``at_most`` tasks. Return all in their order if that is 0, or if there are not more."""
    if not at_most or at_most >= len(tasks):
        return list(tasks)
    return random.Random(seed).sample(list(tasks), at_most)


def train_and_measure(trainer: Any, setup: Setup, max_new_tokens: int) -> None:
    """Measure, train (from a checkpoint if one is named), save, measure again.

    The greedy execution accuracy on the held-out tasks, before and after, goes into
    ``held_out.json`` in the output folder.
    """
    out, is_main = Path(trainer.args.output_dir), trainer.accelerator.is_main_process
    held_out = {"tasks": len(setup.held_out), "before": measure_held_out(trainer, setup, max_new_tokens)}
    trainer.train(resume_from_checkpoint=find_checkpoint(trainer.args))
    trainer.save_model()
    if is_main:
        budget = setup.prompter.budget
        record_template(out, get_template(setup.prompter.template), budget and budget.max_size)
    held_out["after"] = measure_held_out(trainer, setup, max_new_tokens)
    if setup.held_out and is_main:
        (out / "held_out.json").write_text(json.dumps(held_out, indent=2) + "\n")
        print(
            f"greedy execution accuracy on {len(setup.held_out)} held-out tasks: "
            f"{held_out['before']:.3f} before, {held_out['after']:.3f} after"
        )


def measure_held_out(trainer: Any, setup: Setup, max_new_tokens: int) -> float:
    """Measure the greedy execution accuracy of the trainer's model on the held-out tasks; 0 without any."""
    if not setup.held_out:
        return 0.0
    model = trainer.accelerator.unwrap_model(trainer.model)
    return measure_greedy(
        model, setup.tokenizer, setup.held_out, setup.prompter, max_new_tokens=max_new_tokens
    )


def find_checkpoint(config: Any) -> str | None:
    """Return the checkpoint to resume from; None for none."""
    from transformers.trainer_utils import get_last_checkpoint

    if config.resume_from_checkpoint not in NEWEST:
        return config.resume_from_checkpoint
    found = get_last_checkpoint(config.output_dir) if Path(config.output_dir).is_dir() else None
    if found is None:
        log.warning("no checkpoint in %s: training starts from the beginning", config.output_dir)
    return found
