"""The study as tables and as a figure."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from benchmarks.performance.steps.rules import FLOORS
from sql_env.errors import DataError


def make_tables(study: dict[str, Any]) -> list[Table | str]:
    """Return the tables and lines that the command prints."""
    files = Table("", "answers", "correct", "most steps, correct", "most steps, wrong", title="steps")
    for row in study["files"]:
        steps = (
            "beyond the ceiling" if number == inf else f"{number:,.0f}"
            for number in (row["dearest_correct"], row["dearest_wrong"])
        )
        name = f"{row['benchmark']} {row['file'] or 'gold queries'}"
        files.add_row(name, str(row["answers"]), str(row["correct"]), *steps)
    tables: list[Table | str] = [files]
    for kind, best in study["cheapest"].items():
        cap = f", at most {study['relative'][0]['cap']:,}" if kind == "relative" else ""
        table = Table(
            Column("limit", no_wrap=True),
            "correct lost",
            "golds lost",
            "wrong stopped",
            "margin",
            "mix: CPU s",
            title=f"{kind} limits{cap}",
        )
        for o in study[kind]:
            table.add_row(
                o["rule"],
                str(len(o["lost"])),
                str(len(o["golds_lost"])),
                str(o["wrong_stopped"]),
                f"{o['margin']:,.2f}",
                f"{o['mix_cpu_seconds']:.1f}",
            )
        found = f"{best['rule']}{cap}, {best['mix_cpu_seconds']:.1f} s of CPU" if best else "none"
        tables += [
            table,
            f"cheapest {kind} limit that loses nothing and leaves {study['margin']:g} times the steps: "
            f"{found}",
        ]
    return tables


def save_figure(study: dict[str, Any], path: Path) -> None:
    """Draw the margin over the CPU time of the hostile mix. The same study gives the same file.

    Raises:
        DataError: The file cannot be written, or has an unknown ending.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    curves = {"one limit for all": study["absolute"]} | {
        f"max({floor:,}, factor x gold)": [o for o in study["relative"] if o["floor"] == floor]
        for floor in FLOORS
    }
    with mpl.rc_context({"svg.hashsalt": "sql-env", "svg.fonttype": "none"}):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.subplots()
        for label, outcomes in curves.items():
            seconds, margins = [o["mix_cpu_seconds"] for o in outcomes], [o["margin"] for o in outcomes]
            axes.plot(seconds, margins, marker=".", linewidth=1, label=label)
        axes.axhline(1, color="grey", linewidth=0.8)
        axes.axhline(study["margin"], color="grey", linewidth=0.8, linestyle=":")
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="hostile mix, CPU seconds",
            ylabel="limit over steps, least of all correct answers",
        )
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, frameon=False)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else {})
        except (OSError, ValueError) as error:
            raise DataError(f"cannot write the figure to {str(path)!r}: {error}") from None
