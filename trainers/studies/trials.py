"""Arms by seeds: an experiment whose parts are kept as they come, so that it goes on after a kill."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sql_env.errors import DataError

Record = dict[str, Any]

STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantiles of Student's t for 1, 2, ... degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Trials:
    """A folder of records, ``<out>/<seed>/<arm>/record.json``.

    Attributes:
        out: The folder.
        settings: What all records share. A record of other settings is not mixed in.
        machine: Where the trials run; goes into the records, and may differ between them.
    """

    out: Path
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]

    def folder(self, seed: int, arm: str) -> Path:
        """Where a trial keeps what it has made."""
        return self.out / str(seed) / arm

    def record(self, seed: int, arm: str, run: Callable[[], Record]) -> Record:
        """The record of a trial: as it lies there, or of a run now.

        Raises:
            DataError: It was made with other settings.
        """
        path = self.folder(seed, arm) / "record.json"
        if path.exists():
            return self._read(path)
        wall, cpu = time.perf_counter(), time.process_time()
        found = {"arm": arm, "seed": seed, **run(), "settings": dict(self.settings)}
        found["machine"] = dict(self.machine)
        found["seconds"] = round(time.perf_counter() - wall, 1)
        found["cpu_seconds"] = round(time.process_time() - cpu, 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")  # half a record is never seen
        part.write_text(json.dumps(found, indent=2) + "\n")
        part.replace(path)
        return found

    def _read(self, path: Path) -> Record:
        record: Record = json.loads(path.read_text())
        made = record["settings"]
        if other := [name for name in self.settings if made.get(name) != self.settings[name]]:
            raise DataError(f"{path} was made with other settings ({', '.join(other)}): give another --out")
        return record


def margin(values: Sequence[float]) -> float:
    """Half the width of a mean's 95 % interval by Student's t, over the values of 2 to 10 seeds.

    Example:
        >>> round(margin([0.5, 0.6, 0.7]), 3)
        0.248
    """
    if not 2 <= len(values) <= len(STUDENT) + 1:
        raise ValueError(f"an interval is of 2 to {len(STUDENT) + 1} values, not of {len(values)}")
    return STUDENT[len(values) - 2] * statistics.stdev(values) / len(values) ** 0.5
