"""The ``sql-env`` command."""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from sql_env import __version__, plugins
from sql_env.benchmark import load_benchmark, parse_parameters
from sql_env.comparison import COMPARISONS
from sql_env.display.terminal import echo, make_console, print_log
from sql_env.envs.registration import OWN_TASKS, get_environment_id
from sql_env.errors import DataError, PluginError, SQLEnvError, TaskError
from sql_env.execution.engines.files import detect_dialect
from sql_env.execution.executor import Executor
from sql_env.parser import FORMATS
from sql_env.prompts.ddl import schema_to_ddl
from sql_env.prompts.template import TEMPLATES
from sql_env.scoring.rubric import load_rubric, parse_rubric_spec
from sql_env.scoring.scorer import Scorer
from sql_env.testing import check_component, check_reward, check_rubric
from sql_env.types import Query, Score, Task

# Commands that need only sql_env are functions here. The others are entry points of the group
# sql_env.commands, in the folder of their subject.
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

Reward = Annotated[
    str,
    typer.Option(help="A preset or reward by name, package.module:function, or a rubric as JSON."),
]
BenchmarkName = Annotated[str, typer.Option(help="An installed benchmark.")]
Split = Annotated[str | None, typer.Option(help="The split of the benchmark. Default: the benchmark's own.")]
DataDir = Annotated[str | None, typer.Option(help="The folder of the benchmark's files, if it needs one.")]
Dialect = Annotated[
    str | None, typer.Option(help="sqlite or duckdb. Default: the file's own, by its first bytes.")
]
Param = Annotated[
    list[str] | None,
    typer.Option(help="Further argument of the benchmark's loader, NAME=VALUE: path=FILE."),
]


def main() -> None:
    """Run the command. An error of this library prints one line and exits with code 2."""
    print_log()
    with one_line_errors():
        add_commands(sys.argv[1:2] or _read_completed_words()[1:2])
        app(prog_name="sql-env")


def add_commands(loaded: Sequence[str]) -> None:
    """Add the installed commands to the app: functions, and apps with commands of their own.

    Args:
        loaded: The names of the commands that are imported. The others are only listed by the help.

    Raises:
        PluginError: A name is claimed twice, or its code cannot be imported.
    """
    for name in plugins.list_names(plugins.COMMANDS):
        if name not in loaded:
            app.command(name, help=plugins.read_docstring(plugins.COMMANDS, name))(_show_only)
            continue
        command = plugins.load(plugins.COMMANDS, name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name, help=inspect.getdoc(command))
        else:
            app.command(name)(command)


def _read_completed_words() -> list[str]:
    """Return the words of the command line that a shell wants to have completed; none in any other run."""
    return (os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS") or "").split()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sql-env {__version__}")
        raise typer.Exit


@app.callback(help="Run SQL, score completions, and train and measure models that turn questions into SQL.")
def add_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def _show_only() -> None:
    """Stand for a command that the help lists and that does not run: it need not be imported."""


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Print an error of this library as one line on stderr and exit with code 2."""
    try:
        yield
    except SQLEnvError as error:
        make_console(stderr=True, highlight=False).print(
            f"{type(error).__name__}: {error}", style="red", markup=False, soft_wrap=True
        )
        raise SystemExit(2) from None


@app.command("list")
def list_installed() -> None:
    """Show what is installed: environments, rewards, presets, formats and more."""
    benchmarks = plugins.list_names(plugins.BENCHMARKS)
    table = Table(show_header=False, box=None)
    for kind, found in {
        "environments": [OWN_TASKS, *(get_environment_id(name) for name in benchmarks)],
        "benchmarks": benchmarks,
        "rewards": plugins.list_names(plugins.REWARDS),
        "presets": plugins.list_names(plugins.PRESETS),
        "generators": plugins.list_names(plugins.GENERATORS),
        "comparisons": sorted(COMPARISONS),
        "response formats": sorted(FORMATS),
        "prompt templates": sorted(template.id for template in TEMPLATES.values()),
    }.items():
        table.add_row(kind, "  ".join(found))
    make_console().print(table)


@app.command()
def run(
    database: Annotated[Path, typer.Argument(help="A SQLite or DuckDB file.")],
    sql: Annotated[str, typer.Argument(help="The query.")],
    dialect: Dialect = None,
) -> None:
    """Run one query like a model's query: read-only and under the default limits."""
    from sql_env.display.panel import draw_result  # slow to import

    with Executor() as executor:
        result = executor.run(Query(str(database), sql, dialect or detect_dialect(str(database))))
    make_console().print(draw_result("result", result))
    raise typer.Exit(0 if result.ok else 1)


@app.command()
def schema(
    database: Annotated[Path, typer.Argument(help="A SQLite or DuckDB file.")],
    dialect: Dialect = None,
) -> None:
    """Print a database's schema in the form of the prompts."""
    with Executor() as executor:
        echo(schema_to_ddl(executor.schema(str(database), dialect or detect_dialect(str(database)))))


@app.command()
def score(
    completions: Annotated[Path, typer.Argument(help="JSON lines: {task_id, completion}.")],
    benchmark: BenchmarkName = "demo",
    split: Split = None,
    data_dir: DataDir = None,
    param: Param = None,
    reward: Reward = "sql-r1",
    workers: Annotated[int, typer.Option(help="The number of processes that run queries.")] = 1,
    show: Annotated[bool, typer.Option(help="Also draw each score, on standard error.")] = False,
    profile: Annotated[
        bool, typer.Option(help="Also print the time of each phase, on standard error.")
    ] = False,
) -> None:
    """Score completions. Print a JSON line for each: total, components, status and correctness."""
    from sql_env.display.panel import draw_panel
    from sql_env.display.profile import draw_profile

    loaded = load_benchmark(benchmark, split, data_dir, **parse_parameters(param))
    known = {task.id: task for task in loaded.tasks}
    texts, tasks = _read_completions(completions, known)
    with Scorer(reward, workers=workers, rows=True if show else None) as scorer:
        for scored in scorer.score(texts, tasks):
            typer.echo(json.dumps(_to_record(scored)))
            if show:
                echo(draw_panel(scored.rollout.task, scored), err=True)
        if profile:
            make_console(stderr=True).print(draw_profile(scorer.stats))


@app.command("check-reward")
def check_reward_command(
    reward: Annotated[str, typer.Argument(help="A reward as in --reward: by name, or a rubric as JSON.")],
    params: Annotated[
        str, typer.Option(help="The parameters of a reward that is given by name, as a JSON object.")
    ] = "{}",
) -> None:
    """Check that a reward, or each reward of a rubric, keeps its contract on every kind of rollout.

    A preset or a rubric must also give every right answer more than every wrong answer.
    """
    given = _parse_object(params)
    spec = parse_rubric_spec(reward)
    if isinstance(spec, str) and spec not in plugins.list_names(plugins.PRESETS):
        check_reward(spec, **given)
        typer.echo(f"{reward} keeps the contract of a reward")
        return
    if given:
        raise PluginError("--params is for a reward by name: write the params into the JSON of the rubric")
    rubric = load_rubric(spec)
    for part in rubric.rewards:
        check_component(part)
        typer.echo(f"{part.name} keeps the contract of a reward")
    check_rubric(rubric)
    typer.echo(f"{reward} gives every right answer more than every wrong answer")


def _parse_object(text: str) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        parsed = json.loads(text)
        if isinstance(parsed, dict):
            return parsed
    raise typer.BadParameter(f"{text!r} is not a JSON object, such as '{{\"max_length\": 9}}'")


def _read_completions(path: Path, known: dict[str, Task]) -> tuple[list[str], list[Task]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from None
    rows = [_parse_row(line, f"{path}, line {n}", known) for n, line in enumerate(lines, 1) if line.strip()]
    return [text for text, _ in rows], [task for _, task in rows]


def _parse_row(line: str, place: str, known: dict[str, Task]) -> tuple[str, Task]:
    row = None
    with suppress(ValueError, RecursionError):
        row = json.loads(line)
    match row:
        case {"task_id": str(task_id), "completion": str(text)} if task_id in known:
            return text, known[task_id]
        case {"task_id": str(task_id), "completion": str()}:
            raise TaskError(f"{place}: no task has the id {task_id!r}")
    raise DataError(f'{place}: expected {{"task_id": "...", "completion": "..."}}')


def _to_record(scored: Score) -> dict[str, object]:
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
