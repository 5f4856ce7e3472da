"""The cold start: supervised fine-tuning on gold SQL, with its reasoning or without.

``python -m trainers.sft --model_name_or_path runs/tiny --benchmark demo --output_dir runs/sft``
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sql_env import Scorer, Task
from trainers.arguments import SQLArguments, exit_on_error, parse_arguments, read_command_line
from trainers.dataset import Prompter, make_sft_dataset

DESCRIPTION = "Train a cold start on gold SQL with TRL."


def make_sft_trainer(
    model: Any,
    tokenizer: Any,
    tasks: Sequence[Task],
    prompter: Prompter,
    config: Any,
    *,
    strategy: str = "auto",
    **others: Any,
) -> Any:
    """Make TRL's `SFTTrainer` for the gold answers of the tasks.

    Args:
        model: A model, or the path or name of one.
        tokenizer: Its tokenizer.
        tasks: The tasks.
        prompter: Makes the prompts.
        config: `trl.SFTConfig`. The loss covers the completion only, which is TRL's default here.
        strategy: See `trainers.dataset.make_sft_dataset`.
        others: Further arguments of `SFTTrainer`, such as ``callbacks`` and ``peft_config``.
    """
    from trl import SFTTrainer

    data = make_sft_dataset(tasks, prompter, strategy)
    return SFTTrainer(model, args=config, train_dataset=data, processing_class=tokenizer, **others)


def main(argv: list[str] | None = None) -> None:
    """Run the cold start with the settings of the command line."""
    with exit_on_error():
        given = read_command_line(argv, "sql-env train sft", DESCRIPTION)
        from trl import SFTConfig

        args, config, model = parse_arguments(SFTConfig, given)
        run_training(args, config, model)


def run_training(args: SQLArguments, config: Any, model: Any) -> None:
    """Load, train, measure and save.

    Args:
        args: Our arguments.
        config: `trl.SFTConfig`.
        model: `trl.ModelConfig`.

    Raises:
        SQLEnvError: The user can correct it; the message says how.
    """
    from trainers.training import claim_output_folder, load_setup, make_adapter_arguments, train_and_measure

    with (
        claim_output_folder(args, config, model),
        Scorer(args.reward, workers=args.workers) as scorer,
    ):
        setup = load_setup(args, config, model, scorer)
        trainer = make_sft_trainer(
            model.model_name_or_path,
            setup.tokenizer,
            setup.tasks,
            setup.prompter,
            config,
            strategy=args.strategy,
            **make_adapter_arguments(model),
        )
        train_and_measure(trainer, setup, args.max_new_tokens)


if __name__ == "__main__":
    main()
