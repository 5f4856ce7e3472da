"""The curve of step budgets, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.performance.steps.report import Study
from benchmarks.performance.steps.rule import FLOORS
from sql_env.errors import DataError


def save(found: Study, path: Path) -> None:
    """Draw how often each correct answer could have gone on over what the hostile mix costs.

    The same study gives the same file.

    Raises:
        DataError: The file cannot be written, or its ending is none of a figure's.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "sql-env", "svg.fonttype": "none"}):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        _draw(figure.subplots(), found)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else {})
        except (OSError, ValueError) as error:
            raise DataError(f"cannot write the figure to {str(path)!r}: {error}") from None


def _draw(axes: Any, found: Study) -> None:
    def line(points: Any, **style: Any) -> None:
        axes.plot([p.mix_seconds for p in points], [p.margin for p in points], markersize=3, **style)

    line(found.absolute, marker="o", color="black", label="one budget for all")
    for floor in FLOORS:
        points = [p for p in found.relative if p.rule.floor == floor]
        line(points, marker=".", linewidth=1, label=f"max({floor:,}, factor x gold)")
    axes.axhline(1, color="grey", linewidth=0.8)
    axes.axhline(found.margin, color="grey", linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(xlabel="hostile mix, CPU seconds", ylabel="budget over steps, the least of all correct answers")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
