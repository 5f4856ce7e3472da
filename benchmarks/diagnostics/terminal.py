"""Print progress and findings to the terminal."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks.diagnostics.checks.checker import CheckSummary
from benchmarks.diagnostics.overlap.results import Overlap
from sql_env.display.terminal import make_console
from sql_env.types import Benchmark


@contextmanager
def progress_bar(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on stderr. Call the result with the number of further items that are done."""
    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=make_console(stderr=True), transient=True) as progress:
        row = progress.add_task("", total=total)
        yield lambda more: progress.advance(row, more)


def print_checks(benchmark: Benchmark, summary: CheckSummary, show: int) -> None:
    """Print the number of tasks with each finding, with examples and advice."""
    console = make_console(highlight=False, soft_wrap=True)
    console.print(f"{benchmark.name} {benchmark.split}: gold queries", markup=False)
    console.print(f"right as their own predictions: {summary.right} of {summary.tasks}")
    for line in benchmark.left_out:
        console.print(f"left out: {line}", markup=False)
    if not summary.findings:
        console.print("nothing found")
        return
    _print_shares(console, ("finding", "tasks"), summary.counts, summary.tasks)
    for code in summary.counts if show else ():
        same = [finding for finding in summary.findings if finding.code == code]
        console.print(f"\n{code}: {same[0].advice}", markup=False)
        for finding in same[:show]:
            console.print(f"  {finding.task_id}: {finding.evidence}", markup=False)


def print_overlap(overlap: Overlap, show: int) -> None:
    """Print the number of test tasks that share something with the training set, and the nearest pairs."""
    console = make_console(highlight=False, soft_wrap=True)
    console.print(f"{len(overlap.items)} test tasks beside {overlap.train} training tasks")
    headings = ("shared with the training set", "test tasks")
    _print_shares(console, headings, overlap.counts, max(1, len(overlap.items)))
    pairs = sorted(
        ((item.nearest[0], item) for item in overlap.items if item.nearest),
        key=lambda pair: (pair[0].similarity, pair[0].same_sql, pair[0].same_skeleton),
        reverse=True,
    )
    for neighbour, item in pairs[:show]:
        console.print(f"\n{neighbour.similarity:.2f}  {item.task_id}  {neighbour.task_id}", markup=False)
        for text in (item.question, neighbour.question, item.sql, neighbour.sql):
            console.print(f"      {text}", markup=False)


def _print_shares(console: Console, headings: tuple[str, str], counts: Mapping[str, int], total: int) -> None:
    table = Table(*headings, "share")
    for name, count in counts.items():
        table.add_row(escape(name), str(count), f"{count / total:.1%}")
    console.print(table)
