"""GRPO with TRL: every component of the reward is logged, and SQL runs once for all of them.

``python -m trainers.trl_grpo --config trainers/configs/tiny_grpo.yaml --benchmark demo --max_steps 50``
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sql_env import Scorer, Task
from sql_env.plugins import load_object
from trainers.algorithms import TRL, get_algorithm
from trainers.arguments import SQLArguments, exit_on_error, parse_arguments, peek_argument, read_command_line
from trainers.dataset import Prompter, make_grpo_dataset
from trainers.logs.rollouts import FOLDER, RolloutWriter
from trainers.trl_adapter.environment import check_chat_template, make_environment_arguments
from trainers.trl_adapter.rewards import get_reward_weights, make_reward_functions

DESCRIPTION = "Train with GRPO or another RL algorithm with TRL."


def make_grpo_trainer(
    model: Any,
    tokenizer: Any,
    tasks: Sequence[Task],
    prompter: Prompter,
    config: Any,
    *,
    trainer: str = "trl:GRPOTrainer",
    **others: Any,
) -> Any:
    """Make TRL's `GRPOTrainer`, or another trainer with its arguments. The scorer's rubric is its reward.

    Args:
        model: A model, or the path or name of one. With ``beta`` above 0 it must be a path or a
            name, because TRL loads the reference model from there.
        tokenizer: Its tokenizer.
        tasks: The tasks. Their gold SQL is only executed; no prompt contains it.
        prompter: Makes the prompts; its scorer scores the completions.
        config: `trl.GRPOConfig`; its ``reward_weights`` become the rubric's.
        trainer: The trainer's class, as ``package.module:Class``.
        others: Further arguments of the trainer, such as ``callbacks`` and ``peft_config``, or those
            of `trainers.trl_adapter.environment.make_environment_arguments`.
    """
    config.reward_weights = get_reward_weights(prompter.scorer.rubric)
    trainer_class: Any = load_object(trainer)
    return trainer_class(
        model,
        reward_funcs=others.pop("reward_funcs", None) or make_reward_functions(prompter.scorer),
        args=config,
        train_dataset=make_grpo_dataset(tasks, prompter),
        processing_class=tokenizer,
        **others,
    )


def main(argv: list[str] | None = None) -> None:
    """Run the training with the settings of the command line."""
    with exit_on_error():
        given = read_command_line(argv, "sql-env train grpo", DESCRIPTION)
        name = peek_argument("algorithm", given)
        chosen = get_algorithm(name, "trl") if name else TRL()
        args, config, model = parse_arguments(load_object(chosen.config), given, chosen.arguments)
        run_training(args, config, model, chosen.trainer)


def run_training(args: SQLArguments, config: Any, model: Any, trainer_class: str) -> None:
    """Load, train, measure and save.

    Args:
        args: Our arguments.
        config: `trl.GRPOConfig`.
        model: `trl.ModelConfig`.
        trainer_class: The trainer's class, as ``package.module:Class``.

    Raises:
        SQLEnvError: The user can correct it; the message says how.
    """
    from trainers.training import claim_output_folder, load_setup, make_adapter_arguments, train_and_measure

    with (
        claim_output_folder(args, config, model),
        Scorer(args.reward, workers=args.workers, gold_store=True) as scorer,
    ):
        setup = load_setup(args, config, model, scorer)
        writer = RolloutWriter(Path(config.output_dir, FOLDER), args.rollouts, scorer)
        if args.max_turns != 1:
            check_chat_template(setup.tokenizer)
            more = make_environment_arguments(scorer, config, max_turns=args.max_turns, rollouts=writer)
        else:
            more = {"reward_funcs": make_reward_functions(scorer, writer)}
        trainer = make_grpo_trainer(
            model.model_name_or_path,
            setup.tokenizer,
            setup.tasks,
            setup.prompter,
            config,
            trainer=trainer_class,
            **make_adapter_arguments(model),
            **more,
        )
        train_and_measure(trainer, setup, config.max_completion_length)


if __name__ == "__main__":
    main()
