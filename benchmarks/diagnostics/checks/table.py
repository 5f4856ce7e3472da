"""What checks have found, for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.diagnostics.checks.health import Health
from sql_env.types import Benchmark


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr; what it gives is told how many more are done."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        row = progress.add_task("", total=total)
        yield lambda more: progress.advance(row, more)


def print_health(benchmark: Benchmark, health: Health, show: int) -> None:
    """Print how many tasks each finding concerns, with some examples and what to do."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{benchmark.name} {benchmark.split}: gold queries", markup=False)
    console.print(f"right as their own predictions: {health.right} of {health.tasks}")
    for line in benchmark.left_out:
        console.print(f"left out: {line}", markup=False)
    if not health.findings:
        console.print("nothing found")
        return
    table = Table("finding", "tasks", "share")
    for code, count in health.counts.items():
        table.add_row(escape(code), str(count), f"{count / health.tasks:.1%}")
    console.print(table)
    for code in health.counts if show else ():
        same = [finding for finding in health.findings if finding.code == code]
        console.print(f"\n{code}: {same[0].advice}", markup=False)
        for finding in islice(same, show):
            console.print(f"  {finding.task_id}: {finding.evidence}", markup=False)
