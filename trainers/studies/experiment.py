"""The frame of a study: an experiment and its report.

An experiment is arms x seeds. Each result is kept as soon as it is there, so a killed run resumes.
A report is a table, a figure and conclusions.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from statistics import mean, stdev
from typing import Any, ClassVar

from rich.console import Console
from rich.table import Table

from sql_env.display.terminal import make_console
from sql_env.errors import DataError
from trainers.arguments import make_option, run_command
from trainers.demo.stages import silence_libraries
from trainers.logs.curves import Log, draw_bars, draw_lines
from trainers.logs.record import StageTimes, set_up_machine

Record = dict[str, Any]
Rows = Sequence[Sequence[str]]

FIGURES = ("greedy", "mean@1", "pass@8", "vote@8")
"""The figures of a model on held-out questions."""

STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantiles of Student's t for 1, 2, ... degrees of freedom."""

LOGGED = ("step", "loss", "reward", "sql/correct", "entropy", "round", "kept")
"""The metrics of a trainer's log that a record keeps."""


def compute_margin(values: Sequence[float]) -> float:
    """Return half the width of a mean's 95 % interval by Student's t, over the values of 2 to 10 seeds.

    Example:
        >>> round(compute_margin([0.5, 0.6, 0.7]), 3)
        0.248
    """
    if not 2 <= len(values) <= len(STUDENT) + 1:
        raise ValueError(f"an interval needs 2 to {len(STUDENT) + 1} values, not {len(values)}")
    return STUDENT[len(values) - 2] * stdev(values) / len(values) ** 0.5


def compute_spread(values: Sequence[float]) -> float:
    """Return the standard deviation of a sample; 0 for one value."""
    return stdev(values) if len(values) > 1 else 0.0


def format_mean(
    values: Sequence[float], spread: Callable[[Sequence[float]], float] = compute_spread, sign: str = ""
) -> str:
    """Format the mean ± spread of the values; only the mean for one value.

    Example:
        >>> format_mean([0.6, 0.7, 0.8])
        '0.700 ± 0.100'
    """
    middle = f"{mean(values):{sign}.3f}"
    return f"{middle} ± {spread(values):.3f}" if len(values) > 1 else middle


def get_values(records: Mapping[int, Mapping[str, Any]], *keys: str) -> list[float]:
    """Return one value for each seed; ``keys``, of which the first is the arm, lead to it."""
    return [float(reduce(getitem, keys, arms)) for arms in records.values()]


def subtract(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return the differences, seed by seed."""
    return [round(value - other, 6) for value, other in zip(values, others, strict=True)]


def make_table(values: str, rows: Rows, text_columns: int = 1, section: int = 0) -> Table:
    """Make a table of held-out execution accuracy for a terminal.

    Args:
        values: What the values are, for the title.
        rows: The cells; the first row is the head.
        text_columns: Columns of text, at the left. The others have numbers.
        section: The row below the head after which there is a line; 0 for none.
    """
    table = Table(title=f"held-out execution accuracy, {values}")
    for i, column in enumerate(rows[0]):
        table.add_column(column, justify="left" if i < text_columns else "right")
    for i, row in enumerate(rows[1:], 1):
        table.add_row(*row, end_section=i == section)
    return table


def make_markdown(rows: Rows) -> str:
    """Make a table for a page; the first row is the head."""
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a study.

    Attributes:
        rows: The cells of the table; the first row is the head.
        table: The table for a terminal.
        conclusions: The findings in words.
        bars: Panels of the figure: the values of each bar, one for each seed, by panel and bar.
        spread: The length of an error bar.
        curves: A further panel: a log and a metric in it, by name; empty for none.
    """

    rows: Rows
    table: Table
    conclusions: str
    bars: Mapping[str, Mapping[str, Sequence[float]]]
    spread: Callable[[Sequence[float]], float]
    curves: Mapping[str, tuple[Log, str]] = field(default_factory=dict)

    def write(self, out: Path, name: str, console: Console) -> None:
        """Write ``table.md`` and the figure into the folder, and print the table and the conclusions."""
        (out / "table.md").write_text(f"{make_markdown(self.rows)}\n\n{self.conclusions}\n")
        self._draw(out / f"{name}.png")
        console.print(self.table)
        console.print(self.conclusions, highlight=False)
        console.print(f"{out / 'table.md'}, {out / name}.png")

    def _draw(self, path: Path) -> None:
        from matplotlib.figure import Figure

        panels = len(self.bars) + bool(self.curves)
        figure = Figure(figsize=(6 * panels, 4.5), layout="constrained")
        axes = figure.subplots(1, panels, squeeze=False)[0]
        for place, (title, bars) in zip(axes, self.bars.items(), strict=False):
            draw_bars(place, bars, f"{title}; a dot is a seed", self.spread)
        if self.curves:
            draw_lines(axes[-1], self.curves, "GRPO: right sampled answers")
        figure.savefig(path, dpi=110)


@dataclass
class StudyArguments:
    """The arguments that all studies share. Each adds ``out`` and ``seeds``, and its settings."""

    threads: int = make_option(0, "Threads of torch; 0 for the number of idle cores.")
    data_dir: str | None = make_option(None, "Folder of the benchmark; the user's cache if not given.")


class Experiment(ABC):
    """Arms x seeds. The record of an arm is ``<out>/<seed>/<arm>/record.json``.

    Args:
        args: The folder, the seeds, the threads and more.
        settings: A dataclass; all of it goes into the records.
        display: `trainers.logs.progress.Display`.

    Attributes:
        arms: The arms in the order in which they run.
        name: The name of the figure.
    """

    arms: Sequence[str]
    name: ClassVar[str]

    def __init__(self, args: Any, settings: Any, display: Any) -> None:
        self.args, self.settings, self.display = args, settings, display
        self.machine = set_up_machine(args.threads, "trl")

    @abstractmethod
    def load(self, seed: int, stack: ExitStack) -> Any:
        """Load the data of a seed. Only called if an arm has no record; ``stack`` closes what it opens."""

    @abstractmethod
    def run_arm(self, loaded: Any, seed: int, arm: str, earlier: Mapping[str, Record]) -> Record:
        """Train and measure one arm, and save its model.

        Args:
            loaded: The result of `load`.
            seed: The seed.
            arm: The arm.
            earlier: The records of this seed's arms that ran before.

        Returns:
            The arm's part of the record; the trainer's log is under ``log``.
        """

    @abstractmethod
    def make_report(self, records: Mapping[int, Mapping[str, Record]]) -> Report:
        """Make the report from the records, by seed and arm."""

    def list_settings(self, arm: str) -> set[str]:
        """Return the names of the settings that the result of an arm depends on."""
        return set(asdict(self.settings))

    def get_folder(self, seed: int, arm: str) -> Path:
        """Return the folder of an arm's record and model."""
        return Path(self.args.out, str(seed), arm)

    def run_seed(self, seed: int) -> dict[str, Record]:
        """Run every arm of a seed that has no record, and return the records of all arms."""
        records: dict[str, Record] = {}
        with ExitStack() as stack:
            load = cache(lambda: self.load(seed, stack))
            for arm in self.arms:
                path = self.get_folder(seed, arm) / "record.json"
                if not path.exists():
                    times = StageTimes()
                    with times.time_stage("all"):
                        found = self.run_arm(load(), seed, arm, records)
                    spent = {"seconds": times.seconds["all"], "cpu_seconds": times.cpu_seconds["all"]}
                    self._write(path, {"arm": arm, "seed": seed, **spent, **found})
                records[arm] = self._read(path, arm)
        return records

    def _write(self, path: Path, record: Record) -> None:
        log = [{name: row[name] for name in LOGGED if name in row} for row in record["log"]]
        record |= {"log": log, "settings": asdict(self.settings), "machine": self.machine}
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")  # a kill never leaves half a record
        part.write_text(json.dumps(record, indent=2) + "\n")
        part.replace(path)

    def _read(self, path: Path, arm: str) -> Record:
        record: Record = json.loads(path.read_text())
        now, used = asdict(self.settings), self.list_settings(arm)
        if other := [name for name in now if name in used and record["settings"].get(name) != now[name]]:
            raise DataError(f"{path} was made with other settings ({', '.join(other)}): give another --out")
        return record


def run_study(study: type[Experiment], arguments: type, settings: type) -> None:
    """Run the experiment that the command line describes, then write and print its report."""
    silence_libraries()
    from trainers.logs.progress import Display

    def run(args: Any, chosen: Any) -> None:
        with Display(make_console()) as display:
            experiment = study(args, chosen, display)
            records = {seed: experiment.run_seed(seed) for seed in map(int, args.seeds.split(","))}
        experiment.make_report(records).write(Path(args.out), study.name, display.console)

    run_command(run, arguments, settings)
