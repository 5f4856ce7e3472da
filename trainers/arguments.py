"""The arguments of the commands, on the command line or in a YAML file, beside TRL's own."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from sql_env.errors import ArgumentError, DataError, SQLEnvError
from sql_env.plugins import require
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


HELP_OF_OURS, HELP_OF_ALL = ("-h", "--help"), "--help-all"

ESSENTIAL = {
    "config": "YAML file with options; the command line overrides it.",
    "model_name_or_path": "Model to train: a folder, or a name on the Hugging Face hub.",
    "output_dir": "Folder of the trained model, its checkpoints and logs.",
    "learning_rate": "Learning rate.",
    "max_steps": "Number of training steps.",
    "per_device_train_batch_size": "Completions in a batch on each device.",
    "resume_from_checkpoint": "Checkpoint to resume from; last for the newest in the output folder.",
    "seed": "Random seed.",
    "use_peft": "Train an adapter (LoRA) instead of all weights.",
}
"""TRL's options that most trainings need. ``--help-all`` shows all of them, with TRL's texts and defaults."""


def read_command_line(argv: list[str] | None, command: str, description: str) -> list[str]:
    """Return the arguments of a command that trains with TRL. Print the short help if it is asked for.

    The short help needs no TRL, and has no option of TRL but the most common ones: TRL has about 300.

    Args:
        argv: The command line; that of this process if None.
        command: The name of the command, for the help.
        description: The text above the options.

    Raises:
        PluginError: TRL, or a package that it needs, is missing.
        SystemExit: The help is printed.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    if set(HELP_OF_OURS) & set(given):
        print(make_help(command, description))
        raise SystemExit(0)
    require_trl()
    return given


def require_trl() -> None:
    """Check that TRL can be imported.

    Raises:
        PluginError: TRL, or a package that it needs, is missing.
    """
    require("trl", "torch", "transformers", "accelerate", "datasets", "trl", purpose="training")


def make_help(command: str, description: str) -> str:
    """Return the help of a trainer: our options and the most common ones of TRL."""
    parser = argparse.ArgumentParser(
        description=description,
        add_help=False,
        usage=f"{command} [OPTIONS]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ours = parser.add_argument_group("options of sql-env")
    for option in fields(SQLArguments):
        default = "" if option.default in ("", None) else f" (default: {option.default})"
        ours.add_argument(f"--{option.name}", help=_escape(option.metadata["help"] + default))
    common = parser.add_argument_group("the most common options of TRL")
    for name, text in ESSENTIAL.items():
        common.add_argument(f"--{name}", help=_escape(text))
    others = parser.add_argument_group("help")
    others.add_argument("--help", action="store_true", help="Show this text.")
    others.add_argument(HELP_OF_ALL, action="store_true", help="Show all options, TRL's too.")
    return parser.format_help()


def _escape(text: str) -> str:
    return text.replace("%", "%%")  # argparse formats a help text with %


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

    Raises:
        ArgumentError: An option is unknown, or its value is invalid.
        DataError: The YAML file is missing or malformed.
        SystemExit: ``--help-all`` has printed all options.
    """
    from trl import ModelConfig, TrlParser

    given = _split_config(sys.argv[1:] if argv is None else argv)
    read_config(given)
    parser = TrlParser((SQLArguments, config_class, ModelConfig))
    if HELP_OF_ALL in given:
        parser.print_help()
        raise SystemExit(0)
    parser.error = _refuse
    if slow := get_cpu_defaults():
        log.warning("no accelerator: the defaults are %s", slow)
    parser.set_defaults_with_config(**slow, **(defaults or {}))
    try:
        ours, config, model, in_file, on_line = parser.parse_args_and_config(
            given, return_remaining_strings=True, separate_remaining_strings=True
        )
    except (ValueError, TypeError) as error:  # TRL's own checks of the values
        raise ArgumentError(str(error)) from error
    known = [option.lstrip("-") for option in parser._option_string_actions]
    _refuse_unknown([text.removeprefix("--") for text in in_file[::2]], known, "key of the YAML file")
    _refuse_unknown([text for text in on_line if text.startswith("-")] or on_line, known, "option")
    if not model.model_name_or_path:
        _refuse("--model_name_or_path is missing: a folder, or a name on the Hugging Face hub")
    return ours, config, model


def _refuse(message: str) -> NoReturn:
    raise ArgumentError(f"{message} (--help lists the options, {HELP_OF_ALL} those of TRL too)")


def _refuse_unknown(words: Sequence[str], known: Sequence[str], kind: str) -> None:
    for word in words:
        dashes = "--" if word.startswith("-") else ""
        name = word.lstrip("-").partition("=")[0]
        close = get_close_matches(name.replace("-", "_"), known, n=1)
        hint = f". Did you mean {dashes + close[0]!r}?" if close else ""
        _refuse(f"there is no {kind} {dashes + name!r}{hint}")


def _split_config(argv: Sequence[str]) -> list[str]:
    """Write ``--config=FILE`` as two words, because TRL reads only these."""
    return [
        part for word in argv for part in (word.split("=", 1) if word.startswith("--config=") else [word])
    ]


def read_config(argv: Sequence[str]) -> dict[str, Any]:
    """Read the YAML file of a command line; empty if it names none.

    Raises:
        ArgumentError: ``--config`` has no value.
        DataError: The file is missing or malformed.
    """
    given = _split_config(argv)
    if "--config" not in given:
        return {}
    path = next(iter(given[given.index("--config") + 1 :]), "")
    if not path or path.startswith("--"):
        raise ArgumentError("--config needs a YAML file: --config FILE")
    import yaml

    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the YAML file {path}: {error}") from None
    except yaml.YAMLError as error:
        raise DataError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, dict):
        raise DataError(f"{path} must contain a mapping, such as 'learning_rate: 1.0e-5'")
    return found


def peek_argument(name: str, argv: list[str]) -> str:
    """Return an argument of the command line or of its file, before all arguments are parsed.

    Raises:
        ArgumentError: ``--config`` or the argument has no value.
        DataError: The file is missing or malformed.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.error = _refuse  # type: ignore[method-assign]
    parser.add_argument("--" + name)
    known, _ = parser.parse_known_args(argv)
    value = getattr(known, name)
    return str((read_config(argv).get(name) if value is None else value) or "")


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
    with exit_on_error():
        require_trl()
        from transformers import HfArgumentParser

        command(*HfArgumentParser(argument_classes).parse_args_into_dataclasses())
