"""The frame of a study: arms x seeds. Each result is kept as soon as it is there, so a killed run resumes."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from sql_env.errors import DataError
from trainers.arguments import make_option, run_command
from trainers.demo.stages import silence_libraries
from trainers.hardware import count_idle_cores, use_threads
from trainers.logs.record import StageTimes, describe_machine
from trainers.studies.report import Record, Report

LOGGED = ("step", "loss", "reward", "sql/correct", "entropy", "round", "kept")
"""The metrics of a trainer's log that a record keeps."""


@dataclass
class StudyArguments:
    """What every study takes beside its own arguments ``out`` and ``seeds``, and its settings."""

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
        threads = args.threads or count_idle_cores()
        use_threads(threads)
        self.machine = describe_machine(threads, "trl")

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


def run_study(study: type[Experiment], arguments: type, settings: type, argv: list[str] | None) -> None:
    """Run the experiment that the command line describes, then write and print its report."""
    silence_libraries()
    from rich.console import Console

    from trainers.logs.progress import Display

    def run(args: Any, chosen: Any) -> None:
        with Display(Console()) as display:
            experiment = study(args, chosen, display)
            records = {seed: experiment.run_seed(seed) for seed in map(int, args.seeds.split(","))}
        experiment.make_report(records).write(Path(args.out), study.name, display.console)

    run_command(run, arguments, settings, argv=argv)
