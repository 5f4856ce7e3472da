"""SynSQL-2.5M (Li et al. 2025, arXiv 2503.02240): synthetic questions with chains of thought."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from benchmarks.loading.files import Databases, Folders, Source, assemble, further, text
from sql_env.errors import DataError
from sql_env.types import Benchmark, Task

SOURCE = Source(
    name="synsql",
    origin="SynSQL-2.5M (seeklhy/SynSQL-2.5M on Hugging Face or ModelScope; unpack databases.zip)",
    layout="data.json and databases/<db_id>/<db_id>.sqlite",
    variable="SQL_ENV_SYNSQL_DIR",
)

_AFTER_SPACE = re.compile(r"[^ \t\r\n]")
_CHUNK = 2**20
_LONGEST = 2**26  # characters of one item; beyond it the file is malformed, and need not fill the memory


def synsql(
    *,
    split: str = "train",
    data_dir: str | None = None,
    max_tasks: int | None = None,
    database_dir: Folders = (),
) -> Benchmark:
    """Load SynSQL-2.5M, or the beginning of it.

    ``data.json`` has 9 GB, so it is read piece by piece, and no further than is asked. A task's id
    ends in its place in the file, counted from 0.

    Args:
        split: ``train``, the only one.
        data_dir: SynSQL's folder; else the environment variable SQL_ENV_SYNSQL_DIR says it.
        max_tasks: How many items are read from the file; all where None.
        database_dir: Further folders of databases, for those that SynSQL's own does not have.

    Raises:
        DataError: The folder, a file or all databases are missing, or the file is malformed.
    """
    SOURCE.choose(split, ["train"])
    if max_tasks is not None and not (isinstance(max_tasks, int) and max_tasks >= 1):
        raise DataError(f"max_tasks must be a whole number and at least 1, not {max_tasks!r}")
    folder = SOURCE.folder(data_dir)
    path = SOURCE.file(folder, ["data.json"])
    databases = Databases([folder / "databases", *further(database_dir)])
    return assemble(SOURCE.name, split, islice(_tasks(split, path, databases), max_tasks), SOURCE.advice)


def _tasks(split: str, path: Path, databases: Databases) -> Iterator[Task]:
    for place, row in enumerate(stream(path)):
        yield _task(f"synsql-{split}-{place:07d}", row, databases, f"{path}, item {place}")


def _task(task_id: str, row: Mapping[str, Any], databases: Databases, where: str) -> Task:
    db_id = text(row, "db_id", where=where)
    return Task(
        id=task_id,
        question=text(row, "question", where=where),
        gold_sql=text(row, "sql", where=where),
        database=databases(db_id),
        db_id=db_id,
        evidence=str(row.get("external_knowledge") or ""),
        difficulty=str(row.get("sql_complexity") or ""),
        reasoning=str(row.get("cot") or ""),
    )


def stream(path: Path, chunk: int = _CHUNK) -> Iterator[Mapping[str, Any]]:
    """The objects of a file that is one JSON array, one at a time.

    Args:
        path: The file.
        chunk: Characters that are read at once.

    Raises:
        DataError: It is no such file.
    """
    place = 0
    try:
        with path.open(encoding="utf-8") as file:
            scanner = _Scanner(file, chunk)
            scanner.take("[")
            while True:
                row = scanner.value()
                if not isinstance(row, dict):
                    raise ValueError("it is no object")
                yield row
                if scanner.take(",]") == "]":
                    return
                place += 1
    except (ValueError, RecursionError) as error:
        raise DataError(f"{str(path)!r} is no JSON array of objects, from item {place} on: {error}") from None


class _Scanner:
    """Reads JSON from a file of which only a piece is in memory."""

    def __init__(self, file: TextIO, chunk: int) -> None:
        self._file, self._chunk = file, chunk
        self._text, self._at = "", 0
        self._decode = json.JSONDecoder().raw_decode

    def take(self, wanted: str) -> str:
        """Step over one of the characters that are wanted, and the white space about it."""
        self._skip()
        found = self._text[self._at : self._at + 1]
        if not found or found not in wanted:
            raise ValueError(f"{found or 'the end of the file'!r} stands where one of {wanted!r} should")
        self._at += 1
        return found

    def value(self) -> object:
        """The next value."""
        self._skip()
        while True:
            try:
                value, self._at = self._decode(self._text, self._at)
            except json.JSONDecodeError:
                if len(self._text) - self._at > _LONGEST or not self._more():
                    raise
            else:
                return value

    def _skip(self) -> None:
        while (at := _AFTER_SPACE.search(self._text, self._at)) is None and self._more():
            pass
        self._at = at.start() if at else len(self._text)

    def _more(self) -> bool:
        piece = self._file.read(self._chunk)
        self._text, self._at = self._text[self._at :] + piece, 0
        return bool(piece)
