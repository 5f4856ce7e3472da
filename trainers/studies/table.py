"""Runs of `trainers.demo` over several seeds in one table: ``python -m trainers.studies.table runs/*/*``.

A row is an algorithm and a back end, with the mean over its seeds and their standard deviation. Runs
compare only if they had the same starts; otherwise the command ends with an error.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import typer
from rich.console import Console

from sql_env.errors import DataError, SQLEnvError
from trainers.studies.report import Record, Rows, format_mean, make_markdown, make_table

START = "cold start"
"""The name of the row of the models before RL."""

OWN_SETTINGS = ("seed", "out", "start", "clean", "algorithm", "backend", "threads", "data_dir")
"""Settings in which the runs of a table may differ."""


def read_record(folder: Path) -> Record:
    """Read the record of a run.

    Raises:
        DataError: There is none.
    """
    path = folder / "record.json" if folder.is_dir() else folder
    try:
        record: Record = json.loads(path.read_text())
        return record
    except (OSError, ValueError) as error:
        raise DataError(f"no record of a run at {str(path)!r}: {error}") from None


def compare_runs(runs: Sequence[Mapping[str, Any]]) -> Rows:
    """Make the rows of the table: the head, the cold start, then each algorithm in the order of the runs.

    Raises:
        DataError: Runs differ in settings that make them other experiments, or two runs of one row
            have the same seed.
    """
    check_comparable(runs)
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        settings = run["settings"]
        name = f"{settings['algorithm'] or 'GRPO, as tuned for the demo'} ({settings['backend']})"
        groups.setdefault(name, []).append(run)
    starts = {run["settings"]["seed"]: run for run in runs}
    rows = [make_row(START, starts.values(), "before")]
    rows += [make_row(name, group, "after") for name, group in groups.items()]
    head = ("", "seeds", *runs[0]["before"], "wall time of RL, s")
    return [head, *rows]


def make_row(name: str, runs: Iterable[Mapping[str, Any]], stage: str) -> tuple[str, ...]:
    """Make one row of the table.

    Raises:
        DataError: Two runs have the same seed.
    """
    runs = sorted(runs, key=lambda run: run["settings"]["seed"])
    seeds = [run["settings"]["seed"] for run in runs]
    if len(set(seeds)) < len(seeds):
        raise DataError(f"{name}: two runs have the same seed, of {seeds}; leave one out")
    figures = [format_mean([run[stage][figure] for run in runs]) for figure in runs[0][stage]]
    seconds = "–" if stage == "before" else f"{mean(run['seconds']['grpo'] for run in runs):.0f}"
    return (name, ", ".join(map(str, seeds)), *figures, seconds)


def check_comparable(runs: Sequence[Mapping[str, Any]]) -> None:
    """Check that all runs have the same settings except `OWN_SETTINGS`, and one start for each seed.

    Raises:
        DataError: They do not, or there are no runs.
    """
    if not runs:
        raise DataError("no runs: give the folders that trainers.demo has written")
    first = runs[0]["settings"]
    starts: dict[int, Any] = {}
    for run in runs:
        settings = run["settings"]
        if other := [key for key in settings if key not in OWN_SETTINGS and settings[key] != first.get(key)]:
            raise DataError(f"the runs differ in {', '.join(other)}: they cannot be in one table")
        if starts.setdefault(settings["seed"], run["before"]) != run["before"]:
            raise DataError(f"the runs of seed {settings['seed']} did not start from the same model")


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs of trainers.demo.")],
    markdown: Annotated[bool, typer.Option(help="Print Markdown.")] = False,
) -> None:
    """Compare algorithms over several seeds."""
    try:
        rows = compare_runs([read_record(run) for run in runs])
    except SQLEnvError as error:
        sys.exit(f"error: {error}")
    title = "held-out execution accuracy: mean ± standard deviation over seeds"
    print(make_markdown(rows)) if markdown else Console().print(make_table(title, rows))


if __name__ == "__main__":
    app()
