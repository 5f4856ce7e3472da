"""Runs of `trainers.demo` over several seeds, as one table: ``python -m trainers.studies.table runs/*/*``.

A row is an algorithm and a back end, with the mean over its seeds and their standard deviation. Rows
compare only where their runs had the same starts: the table says so where they had not.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sql_env.errors import DataError, SQLEnvError

START = "cold start"
"""What the row of the models before RL is called."""

OWN = ("seed", "out", "start", "clean", "algorithm", "backend", "threads", "data_dir")
"""Settings in which the runs of a table may differ."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: The algorithm and what ran it.
        seeds: Seeds of the runs.
        figures: Each figure's values, one for each seed.
        seconds: What RL took of wall time, one for each seed; empty for the cold start.
    """

    name: str
    seeds: list[int]
    figures: dict[str, list[float]]
    seconds: list[float]

    def shown(self, figure: str) -> str:
        """Mean and standard deviation over the seeds."""
        return spread(self.figures[figure])


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation of a sample; the mean alone of one value.

    Example:
        >>> spread([0.6, 0.7, 0.8])
        '0.700 ± 0.100'
    """
    mean = f"{statistics.mean(values):.3f}"
    return f"{mean} ± {statistics.stdev(values):.3f}" if len(values) > 1 else mean


def read(folder: Path) -> dict[str, Any]:
    """The record of a run.

    Raises:
        DataError: There is none.
    """
    path = folder / "record.json" if folder.is_dir() else folder
    try:
        record: dict[str, Any] = json.loads(path.read_text())
        return record
    except (OSError, ValueError) as error:
        raise DataError(f"no record of a run at {str(path)!r}: {error}") from None


def rows(records: Iterable[Mapping[str, Any]]) -> list[Row]:
    """The cold start, then an algorithm a line, in the order in which they come.

    Raises:
        DataError: Runs differ in settings that make them other experiments, or two runs of one line
            have the same seed.
    """
    records = list(records)
    _comparable(records)
    lines: dict[str, list[Mapping[str, Any]]] = {}
    starts: dict[int, Mapping[str, Any]] = {}
    for record in records:
        settings = record["settings"]
        starts.setdefault(settings["seed"], record)
        lines.setdefault(name(settings), []).append(record)
    found = [_row(START, list(starts.values()), "before")]
    return found + [_row(line, runs, "after") for line, runs in lines.items()]


def name(settings: Mapping[str, Any]) -> str:
    """What a run's line is called."""
    return f"{settings['algorithm'] or 'GRPO, as tuned for the demo'} ({settings['backend']})"


def _row(line: str, runs: Sequence[Mapping[str, Any]], what: str) -> Row:
    runs = sorted(runs, key=lambda run: run["settings"]["seed"])
    seeds = [run["settings"]["seed"] for run in runs]
    if len(set(seeds)) < len(seeds):
        raise DataError(f"{line}: two runs have the same seed, of {seeds}; leave one out")
    figures = {figure: [run[what][figure] for run in runs] for figure in runs[0][what]}
    seconds = [run["seconds"]["grpo"] for run in runs] if what == "after" else []
    return Row(line, seeds, figures, seconds)


def _comparable(records: Sequence[Mapping[str, Any]]) -> None:
    """All runs must have the same settings but for `OWN`, and one start for each seed."""
    if not records:
        raise DataError("no runs: give the folders that trainers.demo has written")
    first, starts = records[0]["settings"], {}
    for record in records:
        settings = record["settings"]
        if other := [key for key in settings if key not in OWN and settings[key] != first.get(key)]:
            raise DataError(f"the runs differ in {', '.join(other)}: they cannot stand in one table")
        before = starts.setdefault(settings["seed"], record["before"])
        if before != record["before"]:
            raise DataError(f"the runs of seed {settings['seed']} did not start from the same model")


def drawn(lines: Sequence[Row], markdown: bool = False) -> str | Table:
    """The lines, for a terminal or as Markdown."""
    figures = list(lines[0].figures)
    head = ["", "seeds", *figures, "wall time of RL, s"]
    body = [
        [
            line.name,
            ", ".join(map(str, line.seeds)),
            *(line.shown(figure) for figure in figures),
            f"{statistics.mean(line.seconds):.0f}" if line.seconds else "–",
        ]
        for line in lines
    ]
    if markdown:
        rule = ["---"] * len(head)
        return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *body))
    table = Table(title="held-out execution accuracy: mean ± standard deviation over seeds")
    for column in head:
        table.add_column(column, justify="left" if not column else "right")
    for cells in body:
        table.add_row(*cells)
    return table


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs of trainers.demo.")],
    markdown: Annotated[bool, typer.Option(help="Print Markdown.")] = False,
) -> None:
    """Compare algorithms over several seeds."""
    try:
        table = drawn(rows(map(read, runs)), markdown)
    except SQLEnvError as error:
        sys.exit(f"error: {error}")
    print(table) if markdown else Console().print(table)


if __name__ == "__main__":
    app()
