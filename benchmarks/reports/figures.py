"""``sql-env plot``: figures of runs for papers, as PNG, SVG or PDF."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sql_env.errors import DataError

if TYPE_CHECKING:
    from benchmarks.reports.curves import Curve
    from benchmarks.reports.html.overview import Bar, Block
    from benchmarks.reports.recorded_run import RecordedRun

_WITHOUT_DATE: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}

FORMATS = (".pdf", ".png", ".svg")
"""Kinds of files that are written."""


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
        raise DataError(f"{str(out)!r} must end in one of {', '.join(FORMATS)}")
    if find_spec("matplotlib") is None:
        raise DataError("matplotlib is missing: pip install 'sql-env[bench]'")
    save_figure(read_runs(runs), out)
    typer.echo(str(out))


def save_figure(runs: Sequence[RecordedRun], path: Path) -> None:
    """Draw runs into a file; the same runs give the same file.

    A panel for each that there is something for: execution accuracy by difficulty, with 95 % bootstrap
    intervals; pass@k and vote@k over k, for evaluations with several candidates; each chart of
    `benchmarks.reports.curves.make_curves`, for training runs.

    Raises:
        DataError: There is nothing to draw, or the file cannot be written.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    drawn = make_panels(runs)
    if not drawn:
        raise DataError("there is nothing to draw: no item of these runs counts")
    columns = min(2, len(drawn))
    rows = -(-len(drawn) // columns)
    with mpl.rc_context({"svg.hashsalt": "sql-env", "svg.fonttype": "none", "pdf.fonttype": 42}):
        figure = Figure(figsize=(5.2 * columns, 3.4 * rows), layout="constrained")
        for axes, (title, content) in zip(
            figure.subplots(rows, columns, squeeze=False).flat, drawn, strict=False
        ):
            axes.set_title(title, parse_math=False)
            content(axes)
        for axes in figure.axes[len(drawn) :]:
            axes.remove()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=200, metadata=_WITHOUT_DATE.get(path.suffix.lower()))
        except OSError as error:
            raise DataError(f"cannot write the figure to {str(path)!r}: {error}") from None


def make_panels(runs: Sequence[RecordedRun]) -> list[tuple[str, Any]]:
    """What is drawn: a title for each panel, and what draws it on matplotlib's axes."""
    from benchmarks.reports.curves import make_curves
    from benchmarks.reports.html.overview import group_by_difficulty, make_headline

    evaluations = [run for run in runs if not run.training]
    found: list[tuple[str, Any]] = []
    levels = group_by_difficulty(evaluations)
    if any(row.bars for row in levels.rows):
        found.append(
            ("Execution accuracy by difficulty (items)", lambda axes: _bars(axes, levels, evaluations))
        )
    sizes = group_by_k(make_headline(evaluations))
    if sizes:
        found.append(("Several candidates", lambda axes: _sizes(axes, sizes, evaluations)))
    trained = [(run, make_curves(run.items)) for run in runs if run.training]
    for chart in dict.fromkeys(name for _, charts in trained for name in charts):
        lines = {
            f"{run.name}: {name}" if len(trained) > 1 else name: curve
            for run, charts in trained
            for name, curve in charts[chart].items()
            if curve
        }
        found.append((chart[:1].upper() + chart[1:], lambda axes, lines=lines: _lines(axes, lines)))
    return found


def group_by_k(block: Block) -> dict[tuple[str, int], dict[int, Bar]]:
    """The figures that are called ``<name>@<k>``: by name and run, for each k."""
    found: dict[tuple[str, int], dict[int, Bar]] = {}
    for row in block.rows:
        name, at, k = row.label.partition("@")
        if at and k.isdigit():
            for bar in row.bars:
                found.setdefault((f"{name}@k", bar.run), {})[int(k)] = bar
    return found


def _bars(axes: Any, block: Block, runs: Sequence[RecordedRun]) -> None:
    labels = [f"{row.label}\n({max((bar.value.n for bar in row.bars), default=0)})" for row in block.rows]
    width = 0.8 / len(runs)
    for number, run in enumerate(runs):
        places = [(i, bar) for i, row in enumerate(block.rows) for bar in row.bars if bar.run == number]
        axes.bar(
            [i + (number - (len(runs) - 1) / 2) * width for i, _ in places],
            [100 * bar.value.mean for _, bar in places],
            width,
            yerr=_errors([bar for _, bar in places]),
            error_kw={"elinewidth": 0.9, "capsize": 2},
            label=_label(run.name),
        )
    axes.set_xticks(range(len(labels)), labels, parse_math=False)
    axes.set(ylabel="per cent", ylim=(0, 100))
    _legend(axes)


def _sizes(axes: Any, found: dict[tuple[str, int], dict[int, Bar]], runs: Sequence[RecordedRun]) -> None:
    for (name, number), bars in found.items():
        label = _label(f"{runs[number].name}: {name}" if len(runs) > 1 else name)
        ordered = [bars[k] for k in sorted(bars)]
        means = [100 * bar.value.mean for bar in ordered]
        axes.errorbar(sorted(bars), means, _errors(ordered), marker="o", markersize=3, capsize=2, label=label)
    sizes = sorted({k for bars in found.values() for k in bars})
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(k) for k in sizes])
    axes.set(xlabel="k", ylabel="per cent")
    axes.grid(alpha=0.3)
    _legend(axes)


def _lines(axes: Any, lines: dict[str, Curve]) -> None:
    for name, curve in lines.items():
        axes.plot(
            [step for step, _ in curve], [value for _, value in curve], label=_label(name), linewidth=1.2
        )
    axes.set(xlabel="step")
    axes.grid(alpha=0.3)
    _legend(axes)


def _errors(bars: Sequence[Bar]) -> list[list[float]]:
    low = [100 * (bar.value.mean - bar.value.low) for bar in bars]
    return [low, [100 * (bar.value.high - bar.value.mean) for bar in bars]]


def _label(text: str) -> str:
    """A name as matplotlib shows it as it is: no mathematics, and not hidden for an underscore."""
    return ("\u200b" if text.startswith("_") else "") + text.replace("$", r"\$")


def _legend(axes: Any) -> None:
    axes.legend(fontsize=7, frameon=False, loc="best")
    axes.spines[["top", "right"]].set_visible(False)
