"""A run for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.throughput.run import Measured, Run

_SHARES = {"cpu_s": "CPU ms/score", "wall_s": "scores/s"}
"""What is shown beside a figure, where it is known how many were scored."""


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
    """The median of each figure with the smallest and the largest value; of times also a score's share."""
    workload, seen = each.workload, each.measurement
    facts = ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in workload.facts.items())
    table = Table(title=escape(f"{workload.name}: {workload.about}\n{facts}"), title_justify="left")
    rows, scores = seen.summary(), workload.facts.get("scores")
    figures = list(dict.fromkeys(figure for row in rows.values() for figure in row))
    table.add_column("row", no_wrap=True)
    for figure in figures:
        table.add_column(figure, justify="right", no_wrap=True)
        if scores and figure in _SHARES:
            table.add_column(_SHARES[figure], justify="right", no_wrap=True)
    for row, spreads in rows.items():
        cells = (_cells(figure, spreads.get(figure), scores) for figure in figures)
        table.add_row(row, *(text for group in cells for text in group))
    return table


def _cells(figure: str, spread: Mapping[str, float] | None, scores: int | None) -> list[str]:
    shared = bool(scores and figure in _SHARES)
    if spread is None:
        return [""] * (1 + shared)
    middle = spread["median"]
    found = [f"{_number(middle)} ({_number(spread['min'])}-{_number(spread['max'])})"]
    if scores and shared:
        found.append(f"{1000 * middle / scores:.4f}" if figure == "cpu_s" else f"{scores / middle:,.0f}")
    return found


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
