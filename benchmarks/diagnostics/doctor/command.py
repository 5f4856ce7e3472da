"""``sql-env doctor``."""

from pathlib import Path
from typing import Annotated

import typer

from sql_env.display.terminal import make_console


def doctor(
    run: Annotated[Path, typer.Argument(help="The folder of an evaluation or of a trainer.")],
    out: Annotated[Path | None, typer.Option(help="Write one JSON line for each finding here.")] = None,
    strict: Annotated[bool, typer.Option(help="Exit with 1 if there is any finding.")] = False,
) -> None:
    """Diagnose an evaluation, or the rollouts of a training run."""
    from benchmarks.diagnostics.doctor.diagnosis import diagnose, drop_rows
    from benchmarks.diagnostics.doctor.run_items import MIN_ANSWERS
    from benchmarks.records.finding import write_findings
    from benchmarks.records.item import find_items, read_items

    items = [drop_rows(item) for item in read_items(find_items(run))]
    findings = diagnose(items)
    if out is not None:
        write_findings(out, findings)
    console = make_console(highlight=False, soft_wrap=True)
    steps = len({item.step for item in items} - {None})
    course = f" in {steps} steps of training" if steps else ""
    console.print(f"{len(items)} answers to {len({item.task_id for item in items})} tasks{course}")
    for finding in findings:
        console.print(f"\n{finding.code}: {finding.evidence}", markup=False)
        console.print(f"  {finding.advice}", markup=False)
    if not findings:
        few = len(items) < MIN_ANSWERS
        console.print("nothing found" + f": at least {MIN_ANSWERS} answers are needed" * few)
    raise typer.Exit(int(strict and bool(findings)))
