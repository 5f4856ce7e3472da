"""An overlap, for the terminal and as a file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.diagnostics.overlap.shared import Overlap
from sql_env.errors import DataError


def print_overlap(found: Overlap, show: int) -> None:
    """Print how many test tasks share something with the training set, and the nearest pairs."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{len(found.items)} test tasks beside {found.train} training tasks")
    table = Table("shared with the training set", "test tasks", "share")
    for name, count in found.counts.items():
        table.add_row(name, str(count), f"{count / max(1, len(found.items)):.1%}")
    console.print(table)
    pairs = sorted(
        ((item.nearest[0], item) for item in found.items if item.nearest),
        key=lambda pair: (pair[0].likeness, pair[0].same_sql, pair[0].same_skeleton),
        reverse=True,
    )
    for neighbour, item in pairs[:show]:
        console.print(f"\n{neighbour.likeness:.2f}  {item.task_id}  {neighbour.task_id}", markup=False)
        for text in (item.question, neighbour.question, item.sql, neighbour.sql):
            console.print(f"      {text}", markup=False)


def write_overlap(path: Path, found: Overlap) -> None:
    """Write a JSON line for each test task.

    Raises:
        DataError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(asdict(item)) + "\n" for item in found.items)
    except OSError as error:
        raise DataError(f"cannot write the overlap into {str(path)!r}: {error}") from None
