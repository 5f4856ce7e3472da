"""A run: each workload prepared, measured in turns, and held against its bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks.performance.throughput.machine import machine
from benchmarks.performance.throughput.measurement import Measurement, measure
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workload import Bar, Workload, held
from benchmarks.performance.throughput.workloads import WORKLOADS
from sql_env.errors import DataError


@dataclass(frozen=True, slots=True)
class Measured:
    """A workload with what it was measured at."""

    workload: Workload
    measurement: Measurement

    @property
    def bars(self) -> list[Bar]:
        """Its findings that have a bar."""
        found = (held(finding, self.measurement) for finding in self.workload.findings)
        return [bar for bar in found if bar is not None]

    @property
    def ratios(self) -> dict[str, float]:
        """Its findings that have none."""
        free = (f for f in self.workload.findings if f.least is None and f.most is None)
        return {finding.name: finding.value(self.measurement) for finding in free}


@dataclass(frozen=True, slots=True)
class Run:
    """All that was measured.

    Attributes:
        settings: How.
        measured: The workloads.
        skipped: Why others were not measured, by name.
    """

    settings: Settings
    measured: Sequence[Measured]
    skipped: dict[str, str]

    @property
    def bars(self) -> list[Bar]:
        """Every bar."""
        return [bar for each in self.measured for bar in each.bars]

    def to_dict(self) -> dict[str, Any]:
        """As an object of JSON."""
        chosen = self.settings
        return {
            "machine": machine(),
            "settings": {"repeats": chosen.repeats, "seed": chosen.seed, "scale": chosen.scale},
            "bars": [asdict(bar) for bar in self.bars],
            "ratios": {name: value for each in self.measured for name, value in each.ratios.items()},
            "workloads": {
                each.workload.name: {
                    "about": each.workload.about,
                    "facts": dict(each.workload.facts),
                    "rows": each.measurement.summary(),
                    "repeats": [dict(repeat) for repeat in each.measurement.repeats],
                }
                for each in self.measured
            },
            "skipped": self.skipped,
        }


def run(names: Sequence[str], settings: Settings, console: Console) -> Run:
    """Measure workloads one after another, with progress on ``console``.

    A workload whose data is missing is skipped, and the run says why.
    """
    measured, skipped = [], dict[str, str]()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, refresh_per_second=1) as progress:
        for name in names:
            row = progress.add_task(f"{name}: preparing", total=None)
            try:
                workload = WORKLOADS[name](settings)
            except DataError as error:
                skipped[name] = str(error)
                progress.update(row, visible=False)
                continue
            measured.append(Measured(workload, _measured(workload, settings, progress, row)))
    return Run(settings, measured, skipped)


def _measured(workload: Workload, settings: Settings, progress: Progress, row: TaskID) -> Measurement:
    repeats = workload.repeats or settings.repeats
    progress.update(row, total=repeats * len(workload.contenders), description=workload.name)
    draw = settings.draw(f"{workload.name} in turns")
    return measure(workload.contenders, repeats, draw, lambda name: progress.advance(row))
