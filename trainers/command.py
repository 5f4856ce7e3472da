"""``sql-env train``: the trainers as commands of their own. Their options are those of their modules."""

from __future__ import annotations

import typer

from sql_env.plugins import load_object

TRAINERS = {
    "sft": "Train a cold start on gold SQL with TRL: trainers.sft.",
    "grpo": "Train with GRPO or another RL algorithm with TRL: trainers.trl_grpo.",
    "verl": "Train with RL with verl: trainers.verl_grpo.",
}
"""The trainers, and their lines in ``sql-env train --help``."""

MODULES = {"sft": "trainers.sft", "grpo": "trainers.trl_grpo", "verl": "trainers.verl_grpo"}

# A trainer reads its arguments itself, `--help` among them: TRL and verl add many to ours.
UNREAD = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def _run(context: typer.Context) -> None:
    """Run the trainer that the context is named for, with all arguments that follow the name."""
    load_object(f"{MODULES[str(context.info_name)]}:main")(context.args)


def _make_app() -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.__doc__ = "Train a model: a cold start, or RL with TRL or verl."
    for name, text in TRAINERS.items():
        app.command(name, help=text, context_settings=dict(UNREAD), add_help_option=False)(_run)
    return app


train = _make_app()
"""The command ``sql-env train``."""
