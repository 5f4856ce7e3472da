"""``sql-env prompt``: the prompt of a task, without control characters unless it is JSON."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from sql_env import Executor, load_benchmark
from sql_env.benchmark import parse_parameters
from sql_env.display.terminal import echo, echo_json
from sql_env.errors import TaskError
from sql_env.parser import get_format
from sql_env.plugins import suggest
from sql_env.prompts.prompt import Prompt, PromptBudget, build_prompt, count_characters
from sql_env.prompts.template import load_template


def prompt(
    benchmark: Annotated[str, typer.Option(help="Name of an installed benchmark.")] = "demo",
    task: Annotated[str | None, typer.Option(help="Id of the task. Default: the first task.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Split of the benchmark. Default: the benchmark's own default.")
    ] = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder with the benchmark's files.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="Further argument of the loader, NAME=VALUE.")
    ] = None,
    template: Annotated[str, typer.Option(help="NAME, NAME@VERSION or package.module:object.")] = "full",
    budget: Annotated[
        int | None, typer.Option(help="Maximum number of characters. Default: no limit.")
    ] = None,
    turns: Annotated[int, typer.Option(min=1, help="Number of turns of the episode.")] = 1,
    form: Annotated[
        str, typer.Option("--response-format", help="Response format that the prompt asks for.")
    ] = "think-answer",
    as_json: Annotated[bool, typer.Option("--json", help="Print the chat messages as JSON.")] = False,
) -> None:
    """Print the prompt of a task. Print to stderr what the budget leaves out."""
    for name in ("sql_env.benchmark", "sql_env.prompts.prompt"):
        logging.getLogger(name).setLevel(logging.ERROR)  # the lines on stderr repeat the warnings
    tasks = {
        each.id: each for each in load_benchmark(benchmark, split, data_dir, **parse_parameters(param)).tasks
    }
    chosen = task or next(iter(tasks))
    if chosen not in tasks:
        raise TaskError(f"no task has the id {chosen!r}.{suggest(chosen, sorted(tasks)[:20])}")
    with Executor() as executor:
        built = build_prompt(
            tasks[chosen],
            executor,
            get_format(form),
            load_template(template),
            turns,
            None if budget is None else PromptBudget(budget),
        )
    if as_json:
        echo_json(built.messages)
    else:
        for message in built.messages:
            echo(f"--- {message['role']} ---\n{message['content']}\n")
    echo("\n".join(_describe(built)), err=True)


def _describe(built: Prompt) -> list[str]:
    left_out = built.left_out
    lines = [f"{built.template}, {count_characters(built.messages):,} characters"]
    if left_out:
        lines.append(f"left out: values of {left_out.values} columns, {left_out.descriptions} descriptions")
    for kind, names in (
        ("columns", left_out.columns),
        ("tables", left_out.tables),
        ("tables that the gold query reads", built.dropped_gold_tables),
    ):
        if names:
            lines.append(f"left out {kind}: {', '.join(names)}")
    return lines
