"""What both trainers do around TRL's: load, leave out, measure, train, save."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sql_env import Scorer, Task, load_benchmark
from sql_env.prompts.template import get_template, record_template, recorded_template
from trainers.arguments import SQLArguments
from trainers.dataset import Prompter, filter_by_length, filter_usable, make_token_budget
from trainers.generation.accuracy import measure_greedy
from trainers.hardware import use_threads

log = logging.getLogger(__name__)

LAST = ("last", "true", "True")
"""Values of ``--resume_from_checkpoint`` that mean the newest checkpoint of the output folder."""


@dataclass(frozen=True, slots=True)
class Setup:
    """All that a trainer needs beside TRL's configuration.

    Attributes:
        tokenizer: The model's tokenizer.
        prompter: How tasks are asked.
        tasks: What is trained on.
        held_out: What accuracy is measured on before and after.
    """

    tokenizer: Any
    prompter: Prompter
    tasks: list[Task]
    held_out: list[Task]


def load_setup(args: SQLArguments, config: Any, model: Any, scorer: Scorer) -> Setup:
    """Load the tokenizer and the tasks, and complete TRL's configuration."""
    from transformers import AutoTokenizer

    use_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(model.model_name_or_path, revision=model.model_revision)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    budget = make_token_budget(args.prompt_budget, tokenizer)
    chosen = get_template(args.prompt or recorded_template(model.model_name_or_path) or "full")
    prompter = Prompter(scorer, chosen.id, tokenizer.chat_template is not None, budget)
    named = {"dtype": model.dtype, "revision": model.model_revision}
    named["attn_implementation"] = model.attn_implementation
    config.model_init_kwargs = named | (config.model_init_kwargs or {})

    def load(split: str, at_most: int) -> list[Task]:
        tasks = filter_usable(
            load_benchmark(args.benchmark, split, args.data_dir).tasks, scorer, args.keep_empty
        )
        tasks = filter_by_length(tasks, prompter, tokenizer, args.max_prompt_tokens)
        return sample_tasks(tasks, at_most, config.seed)

    tasks = load(args.split, args.tasks)
    held_out = load(args.eval_split, args.eval_tasks) if args.eval_tasks else []
    log.info("%d tasks to train on, %d held out", len(tasks), len(held_out))
    return Setup(tokenizer, prompter, tasks, held_out)


def make_adapter_arguments(model: Any) -> dict[str, Any]:
    """PEFT and quantization arguments of a trainer, out of `trl.ModelConfig`."""
    from trl import get_peft_config, get_quantization_config

    return {"peft_config": get_peft_config(model), "quantization_config": get_quantization_config(model)}


def sample_tasks(tasks: Sequence[Task], at_most: int, seed: int) -> list[Task]:
    """A random part of the tasks, or all of them in their order where ``at_most`` is 0 or enough."""
    if not at_most or at_most >= len(tasks):
        return list(tasks)
    return random.Random(seed).sample(list(tasks), at_most)


def train_and_measure(trainer: Any, setup: Setup, max_new_tokens: int) -> dict[str, float]:
    """Measure, train (from a checkpoint where one is named), save, measure again.

    Returns:
        Greedy execution accuracy on the held-out tasks ``before`` and ``after``, which also goes
        into ``held_out.json`` in the output folder; empty without held-out tasks.
    """
    held_out = {"tasks": len(setup.held_out), "before": measure_held_out(trainer, setup, max_new_tokens)}
    trainer.train(resume_from_checkpoint=find_checkpoint(trainer.args))
    trainer.save_model()
    if trainer.accelerator.is_main_process:
        budget = setup.prompter.budget
        record_template(
            Path(trainer.args.output_dir), get_template(setup.prompter.template), budget and budget.most
        )
    held_out["after"] = measure_held_out(trainer, setup, max_new_tokens)
    if setup.held_out and trainer.accelerator.is_main_process:
        Path(trainer.args.output_dir, "held_out.json").write_text(json.dumps(held_out, indent=2) + "\n")
        print(
            f"greedy execution accuracy on {len(setup.held_out)} held-out tasks: "
            f"{held_out['before']:.3f} before, {held_out['after']:.3f} after"
        )
    return held_out if setup.held_out else {}


def measure_held_out(trainer: Any, setup: Setup, max_new_tokens: int) -> float:
    """Greedy execution accuracy of the trainer's model on the held-out tasks."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    how = {"max_new_tokens": max_new_tokens}
    return (
        measure_greedy(model, setup.tokenizer, setup.held_out, setup.prompter, **how)
        if setup.held_out
        else 0.0
    )


def find_checkpoint(config: Any) -> str | None:
    """The checkpoint to resume from, if any."""
    from transformers.trainer_utils import get_last_checkpoint

    if config.resume_from_checkpoint not in LAST:
        return config.resume_from_checkpoint
    found = get_last_checkpoint(config.output_dir) if Path(config.output_dir).is_dir() else None
    if found is None:
        log.warning("no checkpoint in %s: starting from the beginning", config.output_dir)
    return found
