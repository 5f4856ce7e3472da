"""Attack this library: ``python -m benchmarks.hostile --help``."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from benchmarks.hostile.campaign import shorten
from benchmarks.hostile.databases import ENGINES
from benchmarks.hostile.faults import inject
from benchmarks.hostile.hunt import Report
from benchmarks.hostile.hunt import hunt as run_hunt
from benchmarks.performance.harness import JsonFile, Seed, describe_machine, exit_on_error, write_json
from sql_env.display.terminal import make_console

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__, no_args_is_help=True)

Examples = Annotated[int, typer.Option(min=0, help="Number of findings to print for each rule.")]


@app.command()
def hunt(
    count: Annotated[
        int, typer.Option(min=1, help="Number of completions, of all engines together.")
    ] = 200_000,
    seed: Seed = 0,
    workers: Annotated[str, typer.Option(help="Number of worker processes of each pass.")] = "1,2,16",
    engines: Annotated[str, typer.Option(help="Engines, separated by commas.")] = ",".join(ENGINES),
    dear: Annotated[
        int | None,
        typer.Option(min=0, help="Number of generated queries that need much memory; 0 for no memory stage."),
    ] = None,
    examples: Examples = 10,
    out: JsonFile = None,
) -> None:
    """Score hostile completions over healthy tasks. Exit with code 1 if a rule is broken."""
    console = make_console(highlight=False, soft_wrap=True)
    with exit_on_error("psutil"):
        report = run_hunt(
            count,
            seed,
            _parse_workers(workers),
            _parse_engines(engines),
            dear=dear,
            progress=lambda line: console.print(line, markup=False),
        )
        _finish(console, report, examples)
        write_json(out, {"seed": seed, "machine": describe_machine(), **report.to_dict()})
    raise typer.Exit(bool(report.missed))


@app.command()
def faults(
    count: Annotated[
        int, typer.Option(min=1, help="Number of right answers, of all engines together.")
    ] = 3_000,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(min=1, help="Number of worker processes.")] = 2,
    engines: Annotated[str, typer.Option(help="Engines, separated by commas.")] = ",".join(ENGINES),
    examples: Examples = 10,
    out: JsonFile = None,
) -> None:
    """Kill workers and move files under right answers. Exit with code 1 if one is judged wrong."""
    console = make_console(highlight=False, soft_wrap=True)
    with exit_on_error("psutil"):
        report = inject(count, seed, workers, _parse_engines(engines))
        _finish(console, report, examples)
        write_json(out, {"seed": seed, "machine": describe_machine(), **report.to_dict()})
    raise typer.Exit(bool(report.missed))


def _finish(console: Console, report: Report, examples: int) -> None:
    for stage, figures in report.figures.items():
        console.print(f"{stage}: {figures}", markup=False)
    for rule in dict.fromkeys(finding.rule for finding in report.findings):
        found = sorted(
            (each for each in report.findings if each.rule == rule), key=lambda each: len(each.sql)
        )
        # The shortest query of each kind first: most reasons begin alike if the cause is the same.
        kinds = {finding.detail[:70]: finding for finding in reversed(found)}
        chosen = dict.fromkeys([*list(kinds.values())[::-1], *found])
        for finding in map(shorten, list(chosen)[:examples]):
            console.print(f"{rule}, {finding.engine}: {finding.sql!r}\n    {finding.detail!r}", markup=False)
    for line in report.missed or ["all bars are kept"]:
        console.print(f"missed: {line}" if report.missed else line, markup=False)


def _parse_workers(text: str) -> list[int]:
    sizes = [int(part) if part.strip().isdecimal() else 0 for part in text.split(",")]
    if min(sizes) < 1:
        raise typer.BadParameter(f"--workers must be numbers such as 1,2,16, not {text!r}")
    return sizes


def _parse_engines(text: str) -> list[str]:
    engines = [part.strip() for part in text.split(",")]
    if unknown := sorted(set(engines) - set(ENGINES)):
        raise typer.BadParameter(f"--engines must be among {', '.join(ENGINES)}, not {unknown}")
    return engines


if __name__ == "__main__":
    app()
