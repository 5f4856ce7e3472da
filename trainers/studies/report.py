"""The report of a study: a table, a figure and conclusions, from the records of several seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import getitem
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table

from trainers.logs.curves import Log, draw_lines

Record = dict[str, Any]
Rows = Sequence[Sequence[str]]

FIGURES = ("greedy", "mean@1", "pass@8", "vote@8")
"""The figures of a model on held-out questions."""

STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantiles of Student's t for 1, 2, ... degrees of freedom."""


def compute_margin(values: Sequence[float]) -> float:
    """Return half the width of a mean's 95 % interval by Student's t, over the values of 2 to 10 seeds.

    Example:
        >>> round(compute_margin([0.5, 0.6, 0.7]), 3)
        0.248
    """
    if not 2 <= len(values) <= len(STUDENT) + 1:
        raise ValueError(f"an interval needs 2 to {len(STUDENT) + 1} values, not {len(values)}")
    return STUDENT[len(values) - 2] * stdev(values) / len(values) ** 0.5


def compute_spread(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample; 0 for one value."""
    return stdev(values) if len(values) > 1 else 0.0


def format_mean(
    values: Sequence[float], spread: Callable[[Sequence[float]], float] = compute_spread, sign: str = ""
) -> str:
    """Format the mean ± spread of the values; only the mean for one value.

    Example:
        >>> format_mean([0.6, 0.7, 0.8])
        '0.700 ± 0.100'
    """
    middle = f"{mean(values):{sign}.3f}"
    return f"{middle} ± {spread(values):.3f}" if len(values) > 1 else middle


def get_values(records: Mapping[int, Mapping[str, Any]], *keys: str) -> list[float]:
    """Return one value for each seed; ``keys``, of which the first is the arm, lead to it."""
    return [float(reduce(getitem, keys, arms)) for arms in records.values()]


def subtract(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return the differences, seed by seed."""
    return [round(value - other, 6) for value, other in zip(values, others, strict=True)]


def make_table(title: str, rows: Rows, text_columns: int = 1, section: int = 0) -> Table:
    """Make a table for a terminal.

    Args:
        title: The title.
        rows: The cells; the first row is the head.
        text_columns: Columns of text, at the left. The others have numbers.
        section: The row below the head after which there is a line; 0 for none.
    """
    table = Table(title=title)
    for i, column in enumerate(rows[0]):
        table.add_column(column, justify="left" if i < text_columns else "right")
    for i, row in enumerate(rows[1:], 1):
        table.add_row(*row, end_section=i == section)
    return table


def make_markdown(rows: Rows) -> str:
    """Make a table for a page; the first row is the head."""
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a study.

    Attributes:
        rows: The cells of the table; the first row is the head.
        table: The table for a terminal.
        conclusions: The findings in words.
        bars: Panels of the figure: the values of each bar, one for each seed, by panel and bar.
        spread: The length of an error bar.
        curves: A further panel: a log and a metric in it, by name; empty for none.
    """

    rows: Rows
    table: Table
    conclusions: str
    bars: Mapping[str, Mapping[str, Sequence[float]]]
    spread: Callable[[Sequence[float]], float]
    curves: Mapping[str, tuple[Log, str]] = field(default_factory=dict)

    def write(self, out: Path, name: str, console: Console) -> None:
        """Write ``table.md`` and the figure into the folder, and print the table and the conclusions."""
        (out / "table.md").write_text(f"{make_markdown(self.rows)}\n\n{self.conclusions}\n")
        self._draw(out / f"{name}.png")
        console.print(self.table)
        console.print(self.conclusions, highlight=False)
        console.print(f"{out / 'table.md'}, {out / name}.png")

    def _draw(self, path: Path) -> None:
        from matplotlib.figure import Figure

        panels = len(self.bars) + bool(self.curves)
        figure = Figure(figsize=(6 * panels, 4.5), layout="constrained")
        axes = figure.subplots(1, panels, squeeze=False)[0]
        for place, (title, bars) in zip(axes, self.bars.items(), strict=False):
            for i, values in enumerate(bars.values()):
                place.barh(i, mean(values), 0.7, xerr=self.spread(values), alpha=0.6, capsize=3)
                place.plot(values, [i] * len(values), "k.", markersize=4)
            place.set_yticks(range(len(bars)), [f"{name}\n{mean(bars[name]):.3f}" for name in bars])
            place.invert_yaxis()
            place.set(title=f"{title}; a dot is a seed", xlim=(0, 1))
        if self.curves:
            draw_lines(axes[-1], self.curves, "GRPO: right sampled answers")
        figure.savefig(path, dpi=110)
