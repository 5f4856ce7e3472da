"""Runs of `trainers.demo` over several seeds in one table: ``python -m trainers.studies.table runs/*/*``.

A row is an algorithm and a back end, with the mean over its seeds and their standard deviation. Runs
compare only if they had the same starts; otherwise the command ends with an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

import typer

from sql_env.display.terminal import make_console
from sql_env.errors import DataError
from trainers.arguments import exit_on_error
from trainers.studies.experiment import Record, Rows, format_mean, make_markdown, make_table

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
        DataError: There are no runs; or they differ in settings other than `OWN_SETTINGS`; or two runs of
            one seed have other starts; or two runs of one row have the same seed.
    """
    if not runs:
        raise DataError("no runs: give the folders that trainers.demo has written")
    starts: dict[int, Mapping[str, Any]] = {}
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for run in runs:
        own, first = run["settings"], runs[0]["settings"]
        if other := [key for key in own if key not in OWN_SETTINGS and own[key] != first.get(key)]:
            raise DataError(f"the runs differ in {', '.join(other)}: they cannot be in one table")
        if starts.setdefault(own["seed"], run)["before"] != run["before"]:
            raise DataError(f"the runs of seed {own['seed']} did not start from the same model")
        name = f"{own['algorithm'] or 'GRPO, as tuned for the demo'} ({own['backend']})"
        groups.setdefault(name, []).append(run)
    head = ("", "seeds", *runs[0]["before"], "wall time of RL, s")
    rows = [make_row(name, group, "after") for name, group in groups.items()]
    return [head, make_row("cold start", starts.values(), "before"), *rows]


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


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs of trainers.demo.")],
    markdown: Annotated[bool, typer.Option(help="Print Markdown.")] = False,
) -> None:
    """Compare algorithms over several seeds."""
    with exit_on_error():
        rows = compare_runs([read_record(run) for run in runs])
    table = make_table("mean ± standard deviation over seeds", rows)
    print(make_markdown(rows)) if markdown else make_console().print(table)


if __name__ == "__main__":
    app()
