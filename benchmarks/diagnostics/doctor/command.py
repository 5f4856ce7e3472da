"""``sql-env doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def doctor(
    run: Annotated[Path, typer.Argument(help="A run's folder, or its items.jsonl.")],
    out: Annotated[Path | None, typer.Option(help="File for a JSON line of each finding.")] = None,
    strict: Annotated[bool, typer.Option(help="End with 1 where anything is found.")] = False,
) -> None:
    """Look for what ails an evaluation, or the rollouts of a training run."""
    from benchmarks.diagnostics.doctor.diagnose import diagnose, slim
    from benchmarks.diagnostics.doctor.run import FEW
    from benchmarks.records.finding import write_findings
    from benchmarks.records.item import read_items

    items = [slim(item) for item in read_items(run)]
    findings = diagnose(items)
    if out is not None:
        write_findings(out, findings)
    console = Console(highlight=False, soft_wrap=True)
    steps = len({item.step for item in items} - {None})
    course = f" in {steps} steps of training" if steps else ""
    console.print(f"{len(items)} answers to {len({item.task_id for item in items})} tasks{course}")
    for finding in findings:
        console.print(f"\n{finding.code}: {finding.evidence}", markup=False)
        console.print(f"  {finding.advice}", markup=False)
    if not findings:
        few = len(items) < FEW
        console.print(f"nothing found: {FEW} answers are needed to say more" if few else "nothing found")
    raise typer.Exit(int(strict and bool(findings)))
