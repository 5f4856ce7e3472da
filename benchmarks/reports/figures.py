"""``sql-env plot``: draw figures of runs for papers, as PNG, SVG or PDF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sql_env.errors import DataError
from sql_env.plugins import require

if TYPE_CHECKING:
    from benchmarks.reports.curves import Curve
    from benchmarks.reports.html.overview import Bar, Block
    from benchmarks.reports.recorded_run import RecordedRun

_WITHOUT_DATE: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}

FORMATS = (".pdf", ".png", ".svg")
"""The file types that can be written."""


def plot(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Folders of evaluations, or output folders of trainers."),
    ],
    out: Annotated[Path, typer.Option(help="The file to write: .png, .svg or .pdf.")] = Path("figure.svg"),
) -> None:
    """Draw accuracy by difficulty, pass@k and vote@k, and the curves of training runs."""
    from benchmarks.reports.recorded_run import read_runs

    if out.suffix.lower() not in FORMATS:
        raise DataError(f"cannot write {str(out)!r}: the name must end in one of {', '.join(FORMATS)}")
    require("bench", "matplotlib", purpose="a figure")
    save_figure(read_runs(runs), out)
    typer.echo(str(out))


def save_figure(runs: Sequence[RecordedRun], path: Path) -> None:
    """Draw runs into a file; the same runs give the same file.

    There is a panel for execution accuracy by difficulty, with 95 % intervals; a panel for pass@k
    and vote@k over k, if evaluations have several candidates; and one for each chart of
    `benchmarks.reports.curves.make_curves`, if there are training runs.

    Raises:
        DataError: There is nothing to draw, or the file cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = make_panels(runs)
    if not panels:
        raise DataError("there is nothing to draw: these runs have no items except masked ones")
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    with mpl.rc_context({"svg.hashsalt": "sql-env", "svg.fonttype": "none", "pdf.fonttype": 42}):
        figure = Figure(figsize=(5.2 * columns, 3.4 * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).flat
        for panel, (title, draw) in zip(axes, panels, strict=False):
            panel.set_title(title, parse_math=False)
            draw(panel)
            panel.legend(fontsize=7, frameon=False, loc="best")
            panel.spines[["top", "right"]].set_visible(False)
        for unused in figure.axes[len(panels) :]:
            unused.remove()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=200, metadata=_WITHOUT_DATE.get(path.suffix.lower()))
        except OSError as error:
            raise DataError(f"cannot write the figure to {str(path)!r}: {error}") from None


def make_panels(runs: Sequence[RecordedRun]) -> list[tuple[str, Any]]:
    """Return the title of each panel, and a function that draws it on matplotlib's axes."""
    from benchmarks.reports.curves import make_curves
    from benchmarks.reports.html.overview import group_by_difficulty, make_headline

    evaluations = [run for run in runs if not run.training]
    found: list[tuple[str, Any]] = []
    levels = group_by_difficulty(evaluations)
    if any(row.bars for row in levels.rows):
        title = "Execution accuracy by difficulty (items)"
        found.append((title, lambda axes: _draw_bars(axes, levels, evaluations)))
    by_k = group_by_k(make_headline(evaluations))
    if by_k:
        found.append(("Several candidates", lambda axes: _draw_by_k(axes, by_k, evaluations)))
    trained = [(run, make_curves(run.items)) for run in runs if run.training]
    for chart in dict.fromkeys(name for _, charts in trained for name in charts):
        curves = {
            f"{run.name}: {name}" if len(trained) > 1 else name: curve
            for run, charts in trained
            for name, curve in charts[chart].items()
            if curve
        }
        found.append((chart[:1].upper() + chart[1:], lambda axes, curves=curves: _draw_curves(axes, curves)))
    return found


def group_by_k(block: Block) -> dict[tuple[str, int], dict[int, Bar]]:
    """Group the figures that are named ``<name>@<k>`` by name and run, then by k."""
    found: dict[tuple[str, int], dict[int, Bar]] = {}
    for row in block.rows:
        name, at, k = row.label.partition("@")
        if at and k.isdigit():
            for bar in row.bars:
                found.setdefault((f"{name}@k", bar.run), {})[int(k)] = bar
    return found


def _draw_bars(axes: Any, block: Block, runs: Sequence[RecordedRun]) -> None:
    labels = [f"{row.label}\n({max((bar.value.n for bar in row.bars), default=0)})" for row in block.rows]
    width = 0.8 / len(runs)
    for number, run in enumerate(runs):
        places = [(i, bar) for i, row in enumerate(block.rows) for bar in row.bars if bar.run == number]
        axes.bar(
            [i + (number - (len(runs) - 1) / 2) * width for i, _ in places],
            [100 * bar.value.mean for _, bar in places],
            width,
            yerr=_error_bars([bar for _, bar in places]),
            error_kw={"elinewidth": 0.9, "capsize": 2},
            label=_escape_label(run.name),
        )
    axes.set_xticks(range(len(labels)), labels, parse_math=False)
    axes.set(ylabel="per cent", ylim=(0, 100))


def _draw_by_k(axes: Any, found: dict[tuple[str, int], dict[int, Bar]], runs: Sequence[RecordedRun]) -> None:
    for (name, number), bars in found.items():
        label = _escape_label(f"{runs[number].name}: {name}" if len(runs) > 1 else name)
        ordered = [bars[k] for k in sorted(bars)]
        means = [100 * bar.value.mean for bar in ordered]
        axes.errorbar(
            sorted(bars), means, _error_bars(ordered), marker="o", markersize=3, capsize=2, label=label
        )
    ks = sorted({k for bars in found.values() for k in bars})
    axes.set_xscale("log", base=2)
    axes.set_xticks(ks, [str(k) for k in ks])
    axes.set(xlabel="k", ylabel="per cent")
    axes.grid(alpha=0.3)


def _draw_curves(axes: Any, curves: dict[str, Curve]) -> None:
    for name, curve in curves.items():
        steps, values = zip(*curve, strict=True)
        axes.plot(steps, values, label=_escape_label(name), linewidth=1.2)
    axes.set(xlabel="step")
    axes.grid(alpha=0.3)


def _error_bars(bars: Sequence[Bar]) -> list[list[float]]:
    low = [100 * (bar.value.mean - bar.value.low) for bar in bars]
    return [low, [100 * (bar.value.high - bar.value.mean) for bar in bars]]


def _escape_label(text: str) -> str:
    """Escape a name, because matplotlib reads ``$`` as mathematics and hides names that begin with ``_``."""
    return ("\u200b" if text.startswith("_") else "") + text.replace("$", r"\$")
