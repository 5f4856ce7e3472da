"""Find the files and databases of a benchmark on disk, and make tasks of them."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

from sql_env.errors import DataError
from sql_env.plugins import suggest
from sql_env.types import Benchmark, Task

Folders: TypeAlias = str | Sequence[str]
"""One folder, or several."""


@dataclass(frozen=True, slots=True)
class Split:
    """The files of a split, and the folder of its databases.

    Attributes:
        files: The possible paths of each file of questions.
        databases: The name of the folder.
    """

    files: tuple[tuple[str, ...], ...]
    databases: str


@dataclass(frozen=True, slots=True)
class Source:
    """The origin of a benchmark, and its place on disk.

    Attributes:
        name: The name of the benchmark.
        origin: The publication, and the address of the download.
        layout: The content of the folder after the download.
        variable: The environment variable that names the folder.
    """

    name: str
    origin: str
    layout: str
    variable: str

    @property
    def advice(self) -> str:
        """The end of an error message: how to get the missing files."""
        return (
            f"Download {self.origin} and set data_dir (--data-dir) or the environment variable "
            f"{self.variable} to the folder with {self.layout}."
        )

    def find_folder(self, data_dir: str | None) -> Path:
        """Return the folder that the argument names, or else the environment variable.

        Raises:
            DataError: Neither names a folder.
        """
        given = data_dir or os.environ.get(self.variable)
        if not given:
            raise DataError(f"{self.name}: no folder with its data is given. {self.advice}")
        if not Path(given).is_dir():
            raise DataError(
                f"{self.name}: {'data_dir' if data_dir else self.variable} is {given!r}, "
                f"which is not a folder. {self.advice}"
            )
        return Path(os.path.abspath(given))

    def find_file(self, folder: Path, patterns: Sequence[str]) -> Path:
        """Return the first file below a folder that matches one of the patterns, tried in order.

        Raises:
            DataError: No file matches.
        """
        for pattern in patterns:
            if found := sorted(path for path in folder.glob(pattern) if path.is_file()):
                return found[0]
        raise DataError(f"{self.name}: {str(folder)!r} has no {' or '.join(patterns)}. {self.advice}")

    def choose_split(self, split: str, splits: Mapping[str, Split]) -> Split:
        """Return a split by name.

        Raises:
            DataError: There is no such split.
        """
        if split not in splits:
            raise DataError(f"{self.name}: there is no split {split!r}.{suggest(split, list(splits))}")
        return splits[split]


def make_tasks(
    prefix: str,
    files: Iterable[tuple[Path, Iterable[Mapping[str, Any]]]],
    find_database: Callable[[str], str],
    keys: Mapping[str, Sequence[str]],
    *,
    digits: int = 4,
    comparison: str = "strict",
) -> Iterator[Task]:
    """Make a task of each JSON object of a benchmark's files.

    Args:
        prefix: The beginning of the ids. An id ends in the position of the object, counted from 0
            over all files.
        files: The path of each file, for error messages, and its objects.
        find_database: Returns the path of a database; see `make_database_finder`.
        keys: For a field of `sql_env.types.Task`, the keys that the object may have it under.
        digits: Minimum number of digits of the position.
        comparison: The comparison of the tasks.

    Raises:
        DataError: An object has no question, no gold query or no db_id.
    """
    positions = count()
    for path, rows in files:
        for place, row in enumerate(rows):
            where = f"{path}, item {place}"
            required: dict[str, Any] = {
                name: require_text(row, *keys[name], where=where) for name in ("question", "gold_sql")
            }
            optional: dict[str, Any] = {
                name: str(row.get(keys[name][0]) or "") for name in keys if name not in required
            }
            db_id = require_text(row, "db_id", where=where)
            yield Task(
                id=f"{prefix}-{next(positions):0{digits}d}",
                database=find_database(db_id),
                db_id=db_id,
                comparison=comparison,
                **required,
                **optional,
            )


def build_benchmark(
    name: str, split: str, tasks: Iterable[Task], advice: str, left_out: Sequence[str] = ()
) -> Benchmark:
    """Build a split from those of its tasks whose database exists.

    Raises:
        DataError: No database exists; the message ends with ``advice``.
    """
    kept, missing, exists = [], Counter[tuple[str, str]](), cache(os.path.isfile)
    for task in tasks:
        if exists(task.database):
            kept.append(task)
        else:
            missing[task.db_id, task.database] += 1
    if not kept:
        looked = (
            "".join(f"; looked for {path!r}" for _, path in list(missing)[:1]) or ": it has no tasks at all"
        )
        raise DataError(f"{name}: no task of {split!r} has its database{looked}. {advice}")
    lines = [
        f"{db_id}: {n} task{'s' * (n != 1)}, no database at {path}" for (db_id, path), n in missing.items()
    ]
    return Benchmark(name, split, tuple(kept), (*left_out, *lines))


def make_database_finder(folders: Iterable[Path], database_dir: Folders) -> Callable[[str], str]:
    """Return a function from a db_id to the path ``<folder>/<db_id>/<db_id>.sqlite``.

    The first folder that has the database is taken. Where none has it, the path is the one in the first
    folder.

    Args:
        folders: The benchmark's own folders. Some of them may be missing.
        database_dir: Further folders.

    Raises:
        DataError: A further folder is missing. The function raises it for a db_id that is no folder's name.
    """
    further = [database_dir] if isinstance(database_dir, str) else database_dir
    for folder in further:
        if not os.path.isdir(folder):
            raise DataError(f"database_dir names {folder!r}, which is not a folder")
    paths = list(map(os.path.abspath, [*map(str, folders), *further]))
    existing = list(filter(os.path.isdir, paths)) or paths

    @cache
    def find(db_id: str) -> str:
        if os.path.basename(db_id) != db_id or db_id in (os.curdir, os.pardir):
            raise DataError(f"the db_id {db_id!r} is no name of a folder: correct it in the file of tasks")
        files = [os.path.join(folder, db_id, f"{db_id}.sqlite") for folder in existing]
        return next(filter(os.path.isfile, files), files[0])

    return find


def read_objects(path: Path) -> list[Mapping[str, Any]]:
    """Read a file that is one JSON array of objects.

    Raises:
        DataError: The file is not such an array.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{str(path)!r} cannot be read as JSON: {error}") from None
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise DataError(f"{str(path)!r} is not a JSON array of objects")
    return found


def require_text(row: Mapping[str, Any], *keys: str, where: str) -> str:
    """Return the first of these fields that an object has.

    Raises:
        DataError: The object has none of them, or the value is not a string or is blank.
    """
    value = next((row[key] for key in keys if key in row), None)
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: {' or '.join(keys)!r} must be a string that is not empty, not {value!r}")
    return value
