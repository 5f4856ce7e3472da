"""The ``sql-env`` command."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sql_env import plugins
from sql_env.benchmark import load_benchmark
from sql_env.comparison import COMPARISONS
from sql_env.envs.registration import environment_id
from sql_env.errors import DataError, SQLEnvError, TaskError
from sql_env.execution.executor import Executor
from sql_env.parser import FORMATS
from sql_env.prompts.ddl import schema_to_ddl
from sql_env.prompts.template import TEMPLATES
from sql_env.scoring.scorer import Scorer
from sql_env.testing import check_reward
from sql_env.types import Query, Score, Task

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

Reward = Annotated[str, typer.Option(help="A preset or reward by name, or package.module:function.")]
BenchmarkName = Annotated[str, typer.Option(help="An installed benchmark.")]
Split = Annotated[str | None, typer.Option(help="Its split; the benchmark's default if not given.")]
DataDir = Annotated[str | None, typer.Option(help="The folder of its files, where it needs one.")]


def main() -> None:
    """Run the command; a mistake ends in one clear line and exit code 2."""
    with one_line_errors():
        for name in plugins.names(plugins.COMMANDS):
            if name in sys.argv[1:2]:
                app.command(name)(plugins.load(plugins.COMMANDS, name))
            else:
                app.command(name, help=plugins.docstring(plugins.COMMANDS, name))(_listed)
        app()


def _listed() -> None:
    """Stand in for a command that is shown in a list and not run."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn an error of this library into a line on stderr and exit code 2."""
    try:
        yield
    except SQLEnvError as error:
        Console(stderr=True, highlight=False).print(
            f"{type(error).__name__}: {error}", style="red", markup=False
        )
        raise SystemExit(2) from None


@app.command("list")
def list_() -> None:
    """Show what is installed: environments, rewards, presets, formats and more."""
    benchmarks = plugins.names(plugins.BENCHMARKS)
    table = Table(show_header=False, box=None)
    for kind, found in {
        "environments": [environment_id(name) for name in benchmarks],
        "benchmarks": benchmarks,
        "rewards": plugins.names(plugins.REWARDS),
        "presets": plugins.names(plugins.PRESETS),
        "generators": plugins.names(plugins.GENERATORS),
        "comparisons": sorted(COMPARISONS),
        "response formats": sorted(FORMATS),
        "prompt templates": sorted(template.id for template in TEMPLATES.values()),
    }.items():
        table.add_row(kind, "  ".join(found))
    Console().print(table)


@app.command()
def run(
    database: Annotated[Path, typer.Argument(help="A SQLite or DuckDB file.")],
    sql: Annotated[str, typer.Argument(help="One query.")],
    dialect: Annotated[str, typer.Option(help="The engine that runs it.")] = "sqlite",
) -> None:
    """Run one query as a model's would be run: read-only and under the default limits."""
    from sql_env.display.panel import result_table  # what draws takes long to import, and few commands do

    with Executor() as executor:
        result = executor.run(Query(str(database), sql, dialect))
    Console().print(result_table("result", result))
    raise typer.Exit(0 if result.ok else 1)


@app.command()
def schema(
    database: Annotated[Path, typer.Argument(help="A SQLite or DuckDB file.")],
    dialect: Annotated[str, typer.Option(help="The engine that reads it.")] = "sqlite",
) -> None:
    """Print a database's schema as a model sees it."""
    with Executor() as executor:
        typer.echo(schema_to_ddl(executor.schema(str(database), dialect)))


@app.command()
def score(
    completions: Annotated[Path, typer.Argument(help="JSON lines: {task_id, completion}.")],
    benchmark: BenchmarkName = "demo",
    split: Split = None,
    data_dir: DataDir = None,
    reward: Reward = "sql-r1",
    workers: Annotated[int, typer.Option(help="Processes that run queries.")] = 1,
    show: Annotated[bool, typer.Option(help="Draw each one, too.")] = False,
    profile: Annotated[bool, typer.Option(help="Say where the time went, on standard error.")] = False,
) -> None:
    """Score completions: a JSON line each with its total, components, status and correctness."""
    from sql_env.display.panel import draw_panel
    from sql_env.display.profile import draw_profile as drawn

    tasks = {task.id: task for task in load_benchmark(benchmark, split, data_dir).tasks}
    texts, asked = _read(completions, tasks)
    with Scorer(reward, workers=workers, rows=True if show else None) as scorer:
        for scored in scorer.score(texts, asked):
            typer.echo(json.dumps(_line(scored)))
            if show:
                typer.echo(draw_panel(scored.rollout.task, scored), err=True)
        if profile:
            Console(stderr=True).print(drawn(scorer.stats))


@app.command("check-reward")
def check_reward_(
    reward: Annotated[str, typer.Argument(help="A reward by name, or package.module:function.")],
    params: Annotated[str, typer.Option(help="Its parameters, as a JSON object.")] = "{}",
) -> None:
    """Check that a reward keeps its contract on every kind of rollout."""
    check_reward(reward, **_object(params))
    typer.echo(f"{reward} keeps the contract of a reward")


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{text!r} is no JSON object, such as '{{\"max_length\": 9}}'")
    return found


def _read(path: Path, tasks: dict[str, Task]) -> tuple[list[str], list[Task]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from None
    rows = [_row(line, f"{path}, line {n}", tasks) for n, line in enumerate(lines, 1) if line.strip()]
    return [text for text, _ in rows], [task for _, task in rows]


def _row(line: str, where: str, tasks: dict[str, Task]) -> tuple[str, Task]:
    try:
        row = json.loads(line)
        task_id, text = row["task_id"], row["completion"]
    except (ValueError, RecursionError, KeyError, TypeError):
        task_id = text = None
    if not (isinstance(task_id, str) and isinstance(text, str)):
        raise DataError(f'{where}: not of the form {{"task_id": "...", "completion": "..."}}')
    if task_id not in tasks:
        raise TaskError(f"{where}: no task has the id {task_id!r}")
    return text, tasks[task_id]


def _line(scored: Score) -> dict[str, object]:
    rollout = scored.rollout
    return {
        "task_id": rollout.task.id,
        "total": scored.total,
        "components": dict(scored.components),
        "status": rollout.result and rollout.result.status,
        "correct": rollout.correct,
    }


if __name__ == "__main__":
    main()
