"""Your own questions over your own databases: a file with one question a row, or a folder of such files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.loading.files import build_benchmark, require_text
from benchmarks.loading.rows import SUFFIXES, read_rows
from sql_env.comparison import get_comparison
from sql_env.errors import DataError, SQLEnvError
from sql_env.execution.engines import check_dialect
from sql_env.execution.engines.files import detect_dialect
from sql_env.plugins import suggest
from sql_env.types import Benchmark, Task

REQUIRED = ("question", "sql", "database")
OPTIONAL = ("id", "evidence", "difficulty", "dialect", "comparison", "reasoning")
FIELDS = (*REQUIRED, *OPTIONAL, "split")
"""The fields of a row that have a meaning. Any other field becomes part of `Task.extra`."""

SPLITS = ("train", "dev", "test")
"""The names of splits, beside ``all``."""

_EXAMPLE = (
    '{"question": "How many users are there?", "sql": "SELECT count(*) FROM users", "database": "app.sqlite"}'
)

_ADVICE = "Relative paths under 'database' start at the file's own folder, or at data_dir (--data-dir)."

_CLOSE = 0.85
"""The similarity from which the name of an unknown field is a misspelt known one."""


def jsonl(*, path: str | None = None, split: str = "all", data_dir: str | None = None) -> Benchmark:
    """Load a file of questions, or a folder of such files.

    A row has ``question``, ``sql`` (the gold query) and ``database`` (a path). It may also have ``id``,
    ``evidence``, ``difficulty``, ``reasoning``, ``split``, ``dialect`` (default: that of the database file)
    and ``comparison`` (default: ``strict``). Further fields become `Task.extra`. Tasks without an ``id`` get
    one from their position in the split, counted from 0.

    Args:
        path: A file: JSON lines (``.jsonl`` or any other name), ``.csv`` with a header, or ``.parquet``. Or a
            folder with a file ``train``, ``dev`` or ``test`` for each split, such as ``train.jsonl``.
        split: ``train``, ``dev`` or ``test``: the folder's file of this name, or the rows of the file whose
            field ``split`` has this value. ``all``: all rows.
        data_dir: The folder where relative paths of databases start; the file's own folder where None.

    Raises:
        DataError: The file or the split is missing, a row is malformed, or all databases are missing.
    """
    if not path:
        raise DataError(
            f"jsonl: give the argument path (--param path=FILE), a file with lines such as {_EXAMPLE}"
        )
    if split not in ("all", *SPLITS):
        raise DataError(f"jsonl: there is no split {split!r}.{suggest(split, ['all', *SPLITS])}")
    if data_dir and not os.path.isdir(data_dir):
        raise DataError(f"jsonl: data_dir is {data_dir!r}, which is not a folder")
    rows = _read_folder(path, split) if os.path.isdir(path) else _read_file(path, split)
    folder = data_dir or (path if os.path.isdir(path) else os.path.dirname(path))
    return build_benchmark("jsonl", split, _make_tasks(rows, split, os.path.abspath(folder)), _ADVICE)


def _read_folder(path: str, split: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the rows of a split from the folder's files, each with its place for error messages."""
    files = {name: [Path(path, name + suffix) for suffix in SUFFIXES] for name in SPLITS}
    found = {name: [file for file in places if file.is_file()] for name, places in files.items()}
    chosen = [name for name in SPLITS if found[name] and split in ("all", name)]
    if not chosen:
        wanted = "train" if split == "all" else split
        there = ", ".join(file.name for places in found.values() for file in places) or "no file of a split"
        raise DataError(
            f"jsonl: the folder {path!r} has {there}: add {wanted}.jsonl, {wanted}.csv or {wanted}.parquet"
        )
    for name in chosen:
        if len(found[name]) > 1:
            raise DataError(f"jsonl: {' and '.join(map(str, found[name]))} are files of one split: keep one")
        for where, row in read_rows(found[name][0]):
            if row.get("split") not in (None, "", name):
                raise DataError(f"{where}: its field 'split' is {row['split']!r}, in the file of {name!r}")
            yield where, row


def _read_file(path: str, split: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the rows of a split from one file, each with its place for error messages."""
    chosen = 0
    for where, row in read_rows(Path(path)):
        own = row.get("split")
        if own not in (None, "", *SPLITS):
            raise DataError(f"{where}: 'split' must be one of {', '.join(SPLITS)}, not {own!r}")
        if split in ("all", own):
            chosen += 1
            yield where, row
    if not chosen and split != "all":
        raise DataError(
            f"jsonl: no row of {path!r} has the field 'split' with the value {split!r}. Add it to each "
            "row, or make path a folder with train.jsonl and dev.jsonl, or use the split 'all'"
        )


def _make_tasks(rows: Iterator[tuple[str, Mapping[str, Any]]], split: str, folder: str) -> Iterator[Task]:
    places: dict[str, str] = {}
    positions = count()
    for where, row in rows:
        task = _make_task(row, f"jsonl-{split}-{next(positions):04d}", folder, where)
        if task.id in places:
            raise DataError(f"{where}: the id {task.id!r} is already that of {places[task.id]}")
        places[task.id] = where
        yield task


def _make_task(row: Mapping[str, Any], default_id: str, folder: str, where: str) -> Task:
    given = {key: value for key, value in row.items() if key in FIELDS and value not in (None, "")}
    if isinstance(given.get("id"), int | float) and not isinstance(given["id"], bool):
        given["id"] = str(given["id"])
    for key, value in given.items():
        if not isinstance(value, str):
            raise DataError(f"{where}: {key!r} must be a string, not {value!r}")
    extra = {key: value for key, value in row.items() if key not in FIELDS}
    for key in extra:
        absent = [field for field in FIELDS if field not in row]
        if close := get_close_matches(key, absent, 1, _CLOSE):
            raise DataError(f"{where}: unknown field {key!r}. Did you mean {close[0]!r}? If not, rename it")
    question, sql, path = (require_text(given, key, where=where) for key in REQUIRED)
    database = os.path.join(folder, path)
    defaults = {"id": default_id, "dialect": detect_dialect(database), "comparison": "strict"}
    try:
        task = Task(
            question=question,
            gold_sql=sql,
            database=database,
            db_id=Path(database).stem,
            extra=extra,
            **{**defaults, **{key: given[key] for key in OPTIONAL if key in given}},
        )
        get_comparison(task.comparison)
        check_dialect(task.dialect)
    except SQLEnvError as error:
        raise DataError(f"{where}: {error}") from None
    return task


@lru_cache(maxsize=1024)  # a file repeats its fields in each row
def _find_meant(key: str, absent: tuple[str, ...]) -> str:
    """Return the absent field that an unknown one is a misspelling of; empty if there is none."""
    return next(iter(get_close_matches(key, absent, 1, _CLOSE)), "")
