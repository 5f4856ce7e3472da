"""The steps that both commands add to TRL's trainers: load, filter, measure, train, save."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sql_env import Scorer, Task, load_benchmark
from sql_env.benchmark import parse_parameters
from sql_env.errors import DataError
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
from trainers.generation.accuracy import GreedyAccuracy, measure_greedy_accuracy
from trainers.hardware import use_threads
from trainers.logs.run_folder import TrainerFolder, resolve_path

log = logging.getLogger(__name__)

NEWEST = ("last", "true", "True")
"""Values of ``--resume_from_checkpoint`` that mean the newest checkpoint of the output folder."""

FREE = (
    "workers", "threads", "rollouts", "eval_", "max_new_tokens", "attn_implementation", "output_dir",
    "run_name", "resume_from_checkpoint", "max_steps", "num_train_epochs", "save_", "load_best",
    "metric_for_best", "greater_is_better", "logging_", "log_", "report_to", "disable_tqdm", "do_",
    "per_device_eval_", "num_completions_", "hub_", "push_to_hub", "project", "trackio_", "dataloader_",
    "ddp_", "local_rank", "vllm_", "use_cpu", "bf16", "fp16", "tf32", "torch_", "gradient_checkpointing",
    "accelerator_config", "debug", "fsdp", "deepspeed",
)  # fmt: skip
"""Beginnings of the names of settings that a resumed run may change: they do not change what is learnt."""


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

    params = parse_parameters(args.param)
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
        loaded = load_benchmark(args.benchmark, split, args.data_dir, **params)
        tasks = filter_usable(loaded.tasks, scorer, args.keep_empty)
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

    The greedy execution accuracy on the held-out tasks and the share of masked answers, before and after,
    go into ``held_out.json`` in the output folder.
    """
    from trainers.logs.step_line import print_step_lines  # needs transformers

    out, is_main = Path(trainer.args.output_dir), trainer.accelerator.is_main_process
    print_step_lines(trainer)
    before = measure_held_out(trainer, setup, max_new_tokens)
    trainer.train(resume_from_checkpoint=trainer.args.resume_from_checkpoint)
    trainer.save_model()
    if is_main:
        budget = setup.prompter.budget
        record_template(out, get_template(setup.prompter.template), budget and budget.max_size)
    after = measure_held_out(trainer, setup, max_new_tokens)
    if setup.held_out and is_main:
        held_out = {
            "tasks": len(setup.held_out),
            "before": before.accuracy,
            "after": after.accuracy,
            "masked": {"before": before.masked, "after": after.masked},
        }
        (out / "held_out.json").write_text(json.dumps(held_out, indent=2) + "\n")
        print(
            f"greedy execution accuracy on {len(setup.held_out)} held-out tasks: "
            f"{before.accuracy:.3f} before, {after.accuracy:.3f} after "
            f"(masked answers: {before.masked:.1%} before, {after.masked:.1%} after)"
        )


def measure_held_out(trainer: Any, setup: Setup, max_new_tokens: int) -> GreedyAccuracy:
    """Measure the greedy execution accuracy of the trainer's model on the held-out tasks; 0 without any."""
    if not setup.held_out:
        return GreedyAccuracy(0.0, 0.0)
    model = trainer.accelerator.unwrap_model(trainer.model)
    return measure_greedy_accuracy(
        model, setup.tokenizer, setup.held_out, setup.prompter, max_new_tokens=max_new_tokens
    )


@contextmanager
def claim_output_folder(args: SQLArguments, config: Any, model: Any) -> Iterator[None]:
    """Lock the output folder for this training, and find the checkpoint that it resumes from.

    Raises:
        DataError: The folder has an earlier run that is not resumed, or there is no such checkpoint.
    """
    path = Path(config.output_dir)
    names = "--output_dir", "--resume_from_checkpoint last"
    folder = TrainerFolder(path, *names, "checkpoint-", "trainer_state.json")
    checkpoint = find_checkpoint(folder, config.resume_from_checkpoint)
    if checkpoint is not None and 0 < config.max_steps <= folder.get_step(checkpoint):
        raise DataError(
            f"{str(checkpoint)!r} has all of the {config.max_steps} steps of --max_steps: give more steps"
        )
    with folder.claim(describe_settings(args, config, model), checkpoint):
        config.resume_from_checkpoint = None if checkpoint is None else str(checkpoint)
        yield


def find_checkpoint(folder: TrainerFolder, name: str | None) -> Path | None:
    """Return the checkpoint that ``--resume_from_checkpoint`` names; None for a new training.

    Raises:
        DataError: There is none.
    """
    if not name:
        return None
    found = folder.find_newest() if name in NEWEST else Path(name)
    if found is None or not (found / "trainer_state.json").is_file():
        place = str(folder.path if found is None else found)
        raise DataError(
            f"there is no checkpoint in {place!r}: leave out --resume_from_checkpoint to train from the start"
        )
    return found


def describe_settings(args: SQLArguments, config: Any, model: Any) -> dict[str, Any]:
    """Return the settings of a run that a resumed run may not change, by name."""
    settings = {**config.to_dict(), **asdict(model), **asdict(args)}
    for name in ("model_name_or_path", "data_dir"):
        settings[name] = resolve_path(settings[name])
    return {name: value for name, value in settings.items() if not name.startswith(FREE)}
