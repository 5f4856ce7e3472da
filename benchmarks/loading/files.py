"""Find a benchmark's files and databases on disk, and say how to mend it where they are missing."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from sql_env.errors import DataError
from sql_env.plugins import suggest
from sql_env.types import Benchmark, Task

Folders: TypeAlias = str | Sequence[str]
"""One folder, or several."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a benchmark comes from, and how the library is told where it lies.

    Attributes:
        name: The benchmark's name.
        origin: Who published it, and where to download it.
        layout: What the downloaded folder holds.
        variable: The environment variable that names that folder.
    """

    name: str
    origin: str
    layout: str
    variable: str

    @property
    def advice(self) -> str:
        """How to mend a missing file, to end an error message with."""
        return (
            f"Download {self.origin} and point data_dir (--data-dir) or the environment variable "
            f"{self.variable} to the folder that holds {self.layout}."
        )

    def folder(self, data_dir: str | None) -> Path:
        """The benchmark's folder: the argument, else what the environment variable says.

        Raises:
            DataError: Neither names a folder.
        """
        given = data_dir or os.environ.get(self.variable)
        if not given:
            raise DataError(f"{self.name}: nothing says where its data is. {self.advice}")
        if not Path(given).is_dir():
            asked = "data_dir" if data_dir else self.variable
            raise DataError(f"{self.name}: {asked} is {given!r}, which is no folder. {self.advice}")
        return Path(os.path.abspath(given))

    def file(self, folder: Path, patterns: Iterable[str]) -> Path:
        """The first file under a folder that fits one of the patterns, tried in order.

        Raises:
            DataError: None does.
        """
        patterns = tuple(patterns)
        for pattern in patterns:
            if found := sorted(path for path in folder.glob(pattern) if path.is_file()):
                return found[0]
        raise DataError(f"{self.name}: {str(folder)!r} holds no {' or '.join(patterns)}. {self.advice}")

    def choose(self, split: str, splits: Iterable[str]) -> str:
        """The split, if it is one of those that there are.

        Raises:
            DataError: It is not.
        """
        known = list(splits)
        if split not in known:
            raise DataError(f"{self.name}: there is no split {split!r}.{suggest(split, known)}")
        return split


def assemble(
    name: str, split: str, tasks: Iterable[Task], advice: str, left_out: Sequence[str] = ()
) -> Benchmark:
    """Put a split together from those of its tasks whose database is there.

    Raises:
        DataError: None is; ``advice`` says how to mend it.
    """
    kept, missing, place = _by_database(tasks)
    lines = (*left_out, *(_missing(db_id, missing[db_id], place[db_id]) for db_id in missing))
    if not kept:
        looked = f"; looked for {next(iter(place.values()))!r}" if place else ": there is none at all"
        raise DataError(f"{name}: no task of {split!r} has its database{looked}. {advice}")
    return Benchmark(name, split, tuple(kept), lines)


def _by_database(tasks: Iterable[Task]) -> tuple[list[Task], Counter[str], dict[str, str]]:
    kept, missing, place, there = [], Counter[str](), dict[str, str](), dict[str, bool]()
    for task in tasks:
        if task.database not in there:
            there[task.database] = os.path.isfile(task.database)
        if there[task.database]:
            kept.append(task)
        else:
            missing[task.db_id] += 1
            place[task.db_id] = task.database
    return kept, missing, place


def _missing(db_id: str, count: int, place: str) -> str:
    return f"{db_id}: {count} task{'s' * (count != 1)}, no database at {place}"


class Databases:
    """Finds ``<folder>/<db_id>/<db_id>.sqlite``, in the first of several folders that has it."""

    def __init__(self, folders: Iterable[str | Path]) -> None:
        paths = [os.path.abspath(folder) for folder in folders]
        self._folders = list(filter(os.path.isdir, paths)) or paths
        self._known: dict[str, str] = {}

    def __call__(self, db_id: str) -> str:
        """The database's path; where no folder has it, where it should have been."""
        if db_id not in self._known:
            paths = [os.path.join(folder, db_id, f"{db_id}.sqlite") for folder in self._folders]
            self._known[db_id] = next(filter(os.path.isfile, paths), paths[0])
        return self._known[db_id]


def further(database_dir: Folders) -> list[str]:
    """The folders that a ``database_dir`` argument names.

    Raises:
        DataError: One of them is no folder.
    """
    folders = [database_dir] if isinstance(database_dir, str) else list(database_dir)
    for folder in folders:
        if not os.path.isdir(folder):
            raise DataError(f"database_dir names {folder!r}, which is no folder")
    return folders


def rows(path: Path) -> list[Mapping[str, Any]]:
    """The objects of a file that is one JSON array.

    Raises:
        DataError: It is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{str(path)!r} cannot be read as JSON: {error}") from None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise DataError(f"{str(path)!r} is not a JSON array of objects")
    return found


def text(row: Mapping[str, Any], *keys: str, where: str) -> str:
    """The first of these fields that an object has; it must be a string that is not blank.

    Raises:
        DataError: It has none of them, or no such string.
    """
    value = next((row[key] for key in keys if key in row), None)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: {' or '.join(keys)!r} must be a string that is not empty, not {value!r}")
    return value
