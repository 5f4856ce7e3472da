"""Measure how fast scoring is: ``python -m benchmarks.performance.throughput --help``."""

from __future__ import annotations

import json
import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.performance.throughput.settings import Settings, data_folder
from sql_env.errors import DataError, SQLEnvError
from sql_env.plugins import suggest

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    workload: Annotated[
        list[str] | None, typer.Option(help="What to measure, several times if need be; all if not told.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="How often each contender runs.")] = 5,
    seed: Annotated[int, typer.Option(help="Draws completions, databases and turns.")] = 0,
    data_dir: Annotated[
        Path | None, typer.Option(help="The folder of real data; else $SQL_ENV_TEST_DATA.")
    ] = None,
    scale: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The share of the full size, for a quick look.")
    ] = 1.0,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here.")] = None,
    profile: Annotated[
        bool, typer.Option(help="Profile the parent process on the workload spider, beside the JSON.")
    ] = False,
    check: Annotated[bool, typer.Option(help="End with exit code 1 where a bar is missed.")] = False,
) -> None:
    """Measure scoring against SQLite's own time and against plain code."""
    logging.getLogger("sql_env.benchmark").setLevel(logging.ERROR)  # what Spider leaves out is no news here
    settings = Settings(repeats, seed, data_dir or data_folder(), scale)
    try:
        missed = _run(workload, settings, json_file, profile)
    except SQLEnvError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    raise typer.Exit(1 if check and missed else 0)


def _run(names: list[str] | None, settings: Settings, json_file: Path | None, profile: bool) -> int:
    """Measure, print and write; how many bars are missed."""
    if find_spec("psutil") is None:
        raise DataError("psutil is missing: pip install 'sql-env[bench]'")
    from benchmarks.performance.throughput.profile import profiled
    from benchmarks.performance.throughput.run import run
    from benchmarks.performance.throughput.table import show
    from benchmarks.performance.throughput.workloads import WORKLOADS

    for name in names or ():
        if name not in WORKLOADS:
            raise DataError(f"no workload is called {name!r}.{suggest(name, list(WORKLOADS))}")
    found = run(names or list(WORKLOADS), settings, Console(stderr=True))
    show(found, Console(highlight=False))
    if json_file is not None:
        json_file.write_text(json.dumps(found.to_dict(), indent=1) + "\n")
    if profile:
        path = (json_file or Path("throughput.json")).with_suffix(".profile.txt")
        path.write_text(profiled(settings))
        typer.echo(f"the profile is in {path}")
    return sum(not bar.ok for bar in found.bars)


if __name__ == "__main__":
    app()
