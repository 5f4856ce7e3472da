"""A run for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.performance.throughput.run import Measured, Run

_SHARES = {"cpu_s": "CPU ms/score", "wall_s": "scores/s"}
"""What is shown in place of a figure, where it is known how many were scored."""

_WIDE = 3
"""Figures that fit side by side; where there are more, they stand below each other."""


def show(run: Run, console: Console) -> None:
    """Print every workload's rows, then all bars."""
    for each in run.measured:
        console.print(_rows(each))
        for name, value in each.ratios.items():
            console.print(f"{name}: {_number(value)}", markup=False)
    for name, reason in run.skipped.items():
        console.print(f"{name} is skipped: {reason}", markup=False)
    if run.bars:
        console.print(_bars(run))


def _rows(each: Measured) -> Table:
    """The median of each figure with the smallest and the largest value; of times a score's share."""
    workload, rows = each.workload, each.measurement.summary()
    facts = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in workload.facts.items())
    table = Table(title=escape(f"{workload.name}: {workload.about}\n{facts}"), title_justify="left")
    scores = workload.facts.get("scores")
    figures = list(dict.fromkeys(figure for row in rows.values() for figure in row))
    cells = [
        [row, *(_cell(figure, spreads.get(figure), scores) for figure in figures)]
        for row, spreads in rows.items()
    ]
    cells.insert(0, ["", *(_SHARES.get(figure, figure) if scores else figure for figure in figures)])
    if len(figures) > _WIDE:
        cells = [list(column) for column in zip(*cells, strict=True)]
    for n, head in enumerate(cells[0]):
        table.add_column(head, justify="right" if n else "left", no_wrap=True)
    for line in cells[1:]:
        table.add_row(*line)
    return table


def _cell(figure: str, spread: Mapping[str, float] | None, scores: int | None) -> str:
    if spread is None:
        return ""
    middle, low, high = (spread[name] for name in ("median", "min", "max"))
    if scores and figure == "cpu_s":
        middle, low, high = (1000 * value / scores for value in (middle, low, high))
    if scores and figure == "wall_s":
        middle, low, high = scores / middle, scores / high, scores / low
    return f"{_number(middle)} ({_number(low)}-{_number(high)})"


def _bars(run: Run) -> Table:
    table = Table(title="bars", title_justify="left")
    for column in ("what", "value", "bar", ""):
        table.add_column(column, justify="left" if column == "what" else "right")
    for bar in run.bars:
        verdict = "[green]holds[/]" if bar.ok else "[red]missed[/]"
        table.add_row(escape(bar.name), _number(bar.value), f"{bar.sense} {_number(bar.bar)}", verdict)
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"
