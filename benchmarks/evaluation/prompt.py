"""``sql-env prompt``: how a task is asked, to the letter."""

from __future__ import annotations

import json
import logging
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.loading.parameters import parameters
from sql_env.benchmark import load_benchmark
from sql_env.errors import TaskError
from sql_env.execution.executor import Executor
from sql_env.parser import get_format
from sql_env.plugins import suggest
from sql_env.prompts.prompt import Prompt, PromptBudget, build_prompt, count_characters
from sql_env.types import Task


def prompt(
    benchmark: Annotated[str, typer.Option(help="An installed benchmark.")] = "demo",
    task: Annotated[str | None, typer.Option(help="The task's id; the first task's where not told.")] = None,
    split: Annotated[str | None, typer.Option(help="Its split; the benchmark's own default.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="The folder with its files.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="A further argument of the loader, NAME=VALUE.")
    ] = None,
    template: Annotated[str, typer.Option(help="NAME, NAME@VERSION or package.module:object.")] = "full",
    budget: Annotated[int | None, typer.Option(help="Characters at most; no limit where not told.")] = None,
    turns: Annotated[int, typer.Option(min=1, help="Turns of the episode.")] = 1,
    form: Annotated[
        str, typer.Option("--response-format", help="The format that the model is told to keep.")
    ] = "think-answer",
    as_json: Annotated[bool, typer.Option("--json", help="Print the chat messages as JSON.")] = False,
) -> None:
    """Print the prompt of a task; what the budget has left out goes to stderr."""
    logging.getLogger("sql_env.benchmark").setLevel(logging.ERROR)
    logging.getLogger("sql_env.prompts.prompt").setLevel(logging.ERROR)  # what it warns of is printed below
    tasks = {one.id: one for one in load_benchmark(benchmark, split, data_dir, **parameters(param)).tasks}
    limit = None if budget is None else PromptBudget(budget)
    with Executor() as executor:
        asked = build_prompt(_chosen(tasks, task), executor, get_format(form), template, turns, limit)
    if as_json:
        typer.echo(json.dumps(asked.messages, ensure_ascii=False))
    else:
        for message in asked.messages:
            typer.echo(f"--- {message['role']} ---\n{message['content']}\n")
    Console(stderr=True).print("\n".join(_report(asked)), markup=False, highlight=False, soft_wrap=True)


def _chosen(tasks: dict[str, Task], task_id: str | None) -> Task:
    if task_id is None:
        return next(iter(tasks.values()))
    if task_id not in tasks:
        raise TaskError(f"no task has the id {task_id!r}.{suggest(task_id, sorted(tasks)[:20])}")
    return tasks[task_id]


def _report(asked: Prompt) -> list[str]:
    left_out = asked.left_out
    lines = [f"{asked.template}, {count_characters(asked.messages):,} characters"]
    if left_out:
        lines.append(f"left out: values of {left_out.values} columns, {left_out.descriptions} descriptions")
    for kind, names in (
        ("columns", left_out.columns),
        ("tables", left_out.tables),
        ("tables that the gold query reads", asked.dropped_gold_tables),
    ):
        if names:
            lines.append(f"left out {kind}: {', '.join(names)}")
    return lines
