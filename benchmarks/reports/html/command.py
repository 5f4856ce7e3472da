"""``sql-env report``."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Folders of evaluations, or output folders of trainers."),
    ],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
) -> None:
    """Write a report of runs: one HTML file that needs no network."""
    from benchmarks.reports.html.page import write_report
    from benchmarks.reports.recorded_run import read_runs

    write_report(read_runs(runs), out)
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
