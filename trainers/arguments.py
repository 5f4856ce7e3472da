"""The arguments of the commands, on the command line or in a YAML file, beside TRL's own."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sql_env.errors import SQLEnvError
from trainers.hardware import get_cpu_defaults

log = logging.getLogger(__name__)

STRATEGIES = ("auto", "reasoning", "sql")


def make_option(default: Any, help: str, **metadata: Any) -> Any:
    """Make a field of an argument class, with its text in ``--help``."""
    return field(default=default, metadata={"help": help, **metadata})


@dataclass
class SQLArguments:
    """The tasks, the prompts and the reward."""

    benchmark: str = make_option("demo", "Name of an installed benchmark, or package.module:loader.")
    data_dir: str | None = make_option(None, "Folder of the benchmark's files, if it needs one.")
    param: list[str] = field(
        default_factory=list,
        metadata={
            "help": "Further argument of the benchmark's loader, NAME=VALUE: path=FILE.",
            "action": "extend",  # so that the option can be repeated, and adds to a file's
        },
    )
    split: str = make_option("train", "Split to train on.")
    eval_split: str = make_option("dev", "Split of the held-out questions.")
    tasks: int = make_option(0, "Number of training tasks, drawn with the seed; 0 for all.")
    eval_tasks: int = make_option(
        0, "Number of held-out tasks for the greedy accuracy before and after; 0 for none."
    )
    prompt: str = make_option(
        "", "Prompt template; where empty, the template that the model was trained with, or full."
    )
    prompt_budget: int = make_option(
        0, "Tokens of a prompt; beyond them it lacks the least relevant part of the schema. 0 for no limit."
    )
    max_prompt_tokens: int = make_option(0, "Leave out tasks with a longer prompt; 0 for no limit.")
    keep_empty: bool = make_option(
        False, "Keep tasks whose gold result is empty, which any empty result matches."
    )
    reward: str = make_option("sql-r1", "A preset or reward by name, or a rubric as JSON.")
    workers: int = make_option(1, "Processes that run SQL.")
    threads: int = make_option(0, "Threads of torch; 0 leaves it to torch.")
    max_new_tokens: int = make_option(512, "Tokens of a held-out answer; GRPO has its own limit.")
    max_turns: int = make_option(
        1, "Turns in GRPO. Above 1, the model may run SQL and read the result before it answers."
    )
    rollouts: int = make_option(
        16, "Answers of each GRPO step that are kept in OUTPUT_DIR/rollouts; 0 for none."
    )
    algorithm: str = make_option("", "RL algorithm of trainers.algorithms; where empty, TRL's own GRPO.")
    strategy: str = make_option(
        "auto",
        "Teach reasoning and SQL, or SQL only; auto: reasoning if all tasks have it.",
        choices=STRATEGIES,
    )


def parse_arguments(
    config_class: type, argv: list[str] | None = None, defaults: Mapping[str, Any] | None = None
) -> tuple[SQLArguments, Any, Any]:
    """Parse our arguments, TRL's training arguments and its model arguments.

    ``--config file.yaml`` sets defaults, which the command line overrides. Without an accelerator
    the defaults suit a CPU; see `trainers.hardware.get_cpu_defaults`.

    Args:
        config_class: `trl.SFTConfig`, `trl.GRPOConfig` or another of TRL's.
        argv: The command line; that of this process if None.
        defaults: Arguments that differ from TRL's defaults; a file and the command line override them.
    """
    from trl import ModelConfig, TrlParser

    parser = TrlParser((SQLArguments, config_class, ModelConfig))
    if slow := get_cpu_defaults():
        log.warning("no accelerator: the defaults are %s", slow)
    parser.set_defaults_with_config(**slow, **(defaults or {}))
    ours, config, model = parser.parse_args_and_config(argv)
    if not model.model_name_or_path:
        parser.error("--model_name_or_path is missing: a folder, or a name on the Hugging Face hub")
    return ours, config, model


def peek_argument(name: str, argv: list[str]) -> str:
    """Return an argument of the command line or of its file, before all arguments are parsed."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config")
    parser.add_argument("--" + name)
    known, _ = parser.parse_known_args(argv)
    value = getattr(known, name)
    if value is None and known.config:
        import yaml

        value = (yaml.safe_load(Path(known.config).read_text()) or {}).get(name)
    return str(value or "")


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the process with one line if the block raises an error that the user can correct."""
    try:
        yield
    except (SQLEnvError, ChildProcessError) as error:
        sys.exit(f"error: {error}")


def run_command(command: Callable[..., None], *argument_classes: type) -> None:
    """Run a command with the arguments of the command line.

    Args:
        command: Takes an object of each class.
        argument_classes: Dataclasses whose fields are the options.
    """
    from transformers import HfArgumentParser

    with exit_on_error():
        command(*HfArgumentParser(argument_classes).parse_args_into_dataclasses())
