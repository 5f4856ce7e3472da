"""What the trainers are told on the command line or in a YAML file, beside TRL's own arguments."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sql_env.errors import SQLEnvError
from sql_env.scoring.rubric import RubricSpec
from trainers.hardware import get_cpu_defaults

log = logging.getLogger(__name__)

STRATEGIES = ("auto", "reasoning", "sql")


def make_option(default: Any, help: str, **metadata: Any) -> Any:
    """A field of an argument class, with its line of ``--help``."""
    return field(default=default, metadata={"help": help, **metadata})


@dataclass
class SQLArguments:
    """Which tasks are asked, how, and what is paid."""

    benchmark: str = make_option("demo", "Name of an installed benchmark, or package.module:loader.")
    data_dir: str | None = make_option(None, "Folder of the benchmark's files, where it needs one.")
    split: str = make_option("train", "Split to train on.")
    eval_split: str = make_option("dev", "Split of the held-out questions.")
    tasks: int = make_option(0, "Train on this many tasks, drawn with the seed; 0 for all.")
    eval_tasks: int = make_option(
        0, "Greedy accuracy on this many held-out tasks, before and after; 0 for none."
    )
    prompt: str = make_option(
        "", "Prompt template; where empty the one that the model was trained with, or full."
    )
    prompt_budget: int = make_option(
        0, "Tokens beyond which the least relevant of a schema goes; 0 for no limit."
    )
    max_prompt_tokens: int = make_option(0, "Leave out tasks with a longer prompt; 0 for no limit.")
    keep_empty: bool = make_option(
        False, "Keep tasks whose gold result is empty, which any empty result matches."
    )
    reward: str = make_option("sql-r1", "A preset or reward by name, or a rubric as JSON.")
    workers: int = make_option(1, "Processes that run SQL.")
    threads: int = make_option(0, "Threads of torch; 0 leaves it to torch.")
    max_new_tokens: int = make_option(512, "Tokens of a held-out answer; GRPO has its own limit.")
    max_turns: int = make_option(1, "Turns in GRPO: above 1 the model may run SQL and read it, then answer.")
    rollouts: int = make_option(16, "Answers of each GRPO step kept in OUTPUT_DIR/rollouts; 0 for none.")
    algorithm: str = make_option("", "RL algorithm of trainers.algorithms; TRL's own GRPO where empty.")
    strategy: str = make_option(
        "auto",
        "Teach reasoning and SQL, or SQL; auto: reasoning where all tasks have it.",
        choices=STRATEGIES,
    )

    @property
    def rubric(self) -> RubricSpec:
        """The argument of `load_rubric`. JSON text is decoded; a value from YAML is taken as it is."""
        if isinstance(self.reward, str) and self.reward.lstrip()[:1] in ("[", "{"):
            spec: RubricSpec = json.loads(self.reward)
            return spec
        return self.reward


def parse_arguments(
    config_class: type, argv: list[str] | None = None, defaults: Mapping[str, Any] | None = None
) -> tuple[SQLArguments, Any, Any]:
    """Our arguments, TRL's training arguments and its model arguments.

    ``--config file.yaml`` sets defaults, which the command line overrides. Without an accelerator
    the defaults are those that a CPU can run; see `trainers.hardware.get_cpu_defaults`.

    Args:
        config_class: `trl.SFTConfig`, `trl.GRPOConfig` or another of TRL's.
        argv: The command line; this process's own where None.
        defaults: Arguments that differ from TRL's defaults; a file and the command line override them.
    """
    from trl import ModelConfig, TrlParser

    parser = TrlParser((SQLArguments, config_class, ModelConfig))
    if slow := get_cpu_defaults():
        log.warning("no accelerator: %s, unless told otherwise", slow)
    parser.set_defaults_with_config(**slow, **(defaults or {}))
    ours, config, model = parser.parse_args_and_config(argv)
    if not model.model_name_or_path:
        parser.error("--model_name_or_path is missing: a folder, or a name on the Hugging Face hub")
    return ours, config, model


def peek_argument(name: str, argv: list[str]) -> str:
    """What an argument will be, on the command line or in the file, before all of them are parsed."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config")
    parser.add_argument("--" + name)
    told, _ = parser.parse_known_args(argv)
    if getattr(told, name) is None and told.config:
        import yaml

        settings = yaml.safe_load(Path(told.config).read_text()) or {}
        return str(settings.get(name) or "")
    return getattr(told, name) or ""


def run_command(command: Callable[..., None], *argument_classes: type, argv: list[str] | None = None) -> None:
    """Run a command with the arguments of the command line. Its errors end the process with one line.

    Args:
        command: Takes an object of each class.
        argument_classes: Dataclasses whose fields are the options.
        argv: The command line; that of this process if None.
    """
    from transformers import HfArgumentParser

    try:
        command(*HfArgumentParser(argument_classes).parse_args_into_dataclasses(argv))
    except (SQLEnvError, ChildProcessError) as error:
        sys.exit(f"error: {error}")
