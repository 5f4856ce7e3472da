"""A study of step limits as tables and as a figure."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from benchmarks.performance.steps.rules import FACTORS, FLOORS
from sql_env.errors import DataError


def make_tables(study: dict[str, Any]) -> list[Table | str]:
    """Return the tables and lines that the command prints."""
    files = Table("", "answers", "correct", "most steps, correct", "most steps, wrong", title="steps")
    for row in study["files"]:
        dearest = (row["dearest_correct"], row["dearest_wrong"])
        steps = ("beyond the ceiling" if number == inf else f"{number:,.0f}" for number in dearest)
        name = f"{row['benchmark']} {row['file'] or 'gold queries'}"
        files.add_row(name, str(row["answers"]), str(row["correct"]), *steps)
    headings = (
        Column("limit", no_wrap=True),
        "correct lost",
        "golds lost",
        "wrong stopped",
        "margin",
        "mix: steps",
        "mix: CPU s",
    )
    absolute = Table(*headings, title="one limit for all")
    for o in study["absolute"]:
        counts = (len(o["lost"]), len(o["golds_lost"]), o["wrong_stopped"])
        figures = (f"{o['margin']:.2f}", f"{o['mix_steps']:.2e}", f"{o['mix_cpu_seconds']:.1f}")
        absolute.add_row(o["rule"], *map(str, counts), *figures)
    title = "correct lost | margin | mix: CPU s"
    relative = Table(Column("floor", no_wrap=True), *(f"{factor} x gold" for factor in FACTORS), title=title)
    for floor in FLOORS:
        outcomes = [o for o in study["relative"] if o["floor"] == floor]
        cells = (f"{len(o['lost'])} | {o['margin']:.2f} | {o['mix_cpu_seconds']:.1f}" for o in outcomes)
        relative.add_row(f"{floor:,}", *cells)
    lines = []
    for kind, best in study["cheapest"].items():
        found = f"{best['rule']}, {best['mix_cpu_seconds']:.1f} s of CPU" if best else "none"
        lines.append(
            f"cheapest {kind} rule that loses nothing and leaves {study['margin']:g} times the steps: {found}"
        )
    return [files, absolute, relative, *lines]


def save_figure(study: dict[str, Any], path: Path) -> None:
    """Draw the margin over the CPU time of the hostile mix. The same study gives the same file.

    Raises:
        DataError: The file cannot be written, or has an unknown ending.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    curves = {"one limit for all": study["absolute"]}
    for floor in FLOORS:
        outcomes = [outcome for outcome in study["relative"] if outcome["floor"] == floor]
        curves[f"max({floor:,}, factor x gold)"] = outcomes
    with mpl.rc_context({"svg.hashsalt": "sql-env", "svg.fonttype": "none"}):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.subplots()
        for label, outcomes in curves.items():
            seconds, margins = ([o[key] for o in outcomes] for key in ("mix_cpu_seconds", "margin"))
            axes.plot(seconds, margins, marker=".", linewidth=1, label=label)
        axes.axhline(1, color="grey", linewidth=0.8)
        axes.axhline(study["margin"], color="grey", linewidth=0.8, linestyle=":")
        axes.set(xscale="log", yscale="log", xlabel="hostile mix, CPU seconds")
        axes.set_ylabel("step limit over steps, the least of all correct answers")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, frameon=False)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else {})
        except (OSError, ValueError) as error:
            raise DataError(f"cannot write the figure to {str(path)!r}: {error}") from None
