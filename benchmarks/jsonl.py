"""Questions of your own over databases of your own: one JSON object a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.loading.files import assemble, text
from sql_env.comparison import get_comparison
from sql_env.errors import DataError, SQLEnvError
from sql_env.execution.engines import check_dialect
from sql_env.plugins import suggest
from sql_env.types import Benchmark, Task

FIELDS = (
    "question", "sql", "database", "id", "evidence", "difficulty", "dialect", "comparison", "reasoning",
)  # fmt: skip
"""What a line may say; it must say the first three."""

_EXAMPLE = (
    '{"question": "How many users are there?", "sql": "SELECT count(*) FROM users", "database": "app.sqlite"}'
)

_ADVICE = "Relative paths under 'database' count from the file's own folder, or from data_dir (--data-dir)."


def jsonl(*, path: str | None = None, split: str = "all", data_dir: str | None = None) -> Benchmark:
    """Load a file of questions.

    A line is a JSON object with ``question``, ``sql`` (the gold query) and ``database`` (a path),
    and may have ``id``, ``evidence``, ``difficulty``, ``reasoning``, ``dialect`` (``sqlite`` unless
    the database's name ends in ``.duckdb``) and ``comparison`` (``strict`` unless it says another).
    Blank lines are skipped. Tasks without an ``id`` get one from their place, counted from 0.

    Args:
        path: The file.
        split: ``all``, the only one.
        data_dir: The folder from which relative paths of databases count; the file's own where None.

    Raises:
        DataError: The file is missing, a line is malformed, or all databases are missing.
    """
    if not path:
        raise DataError(
            f"jsonl: give the argument path (--param path=FILE), a file with lines such as {_EXAMPLE}"
        )
    if split != "all":
        raise DataError(f"jsonl: there is no split {split!r}: a file is one split, 'all'")
    if data_dir and not os.path.isdir(data_dir):
        raise DataError(f"jsonl: data_dir is {data_dir!r}, which is no folder")
    folder = data_dir or os.path.dirname(path)
    return assemble("jsonl", split, _tasks(path, os.path.abspath(folder)), _ADVICE)


def _tasks(path: str, folder: str) -> Iterator[Task]:
    try:
        content = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"jsonl: the argument path is {path!r}, which cannot be read: {error}") from None
    lines = [(number, line) for number, line in enumerate(content.split("\n"), 1) if line.strip()]
    seen: dict[str, int] = {}
    for place, (number, line) in enumerate(lines):
        where = f"{path}, line {number}"
        task = _task(_row(line, where), f"jsonl-all-{place:04d}", folder, where)
        if task.id in seen:
            raise DataError(f"{where}: the id {task.id!r} is already that of line {seen[task.id]}")
        seen[task.id] = number
        yield task


def _row(line: str, where: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is no JSON: {error}") from None
    if not isinstance(row, dict):
        raise DataError(f"{where} is no JSON object, such as {_EXAMPLE}")
    for key, value in row.items():
        if key not in FIELDS:
            raise DataError(f"{where}: unknown field {key!r}.{suggest(key, list(FIELDS))}")
        if not isinstance(value, str):
            raise DataError(f"{where}: {key!r} must be a string, not {value!r}")
    return row


def _task(row: Mapping[str, str], task_id: str, folder: str, where: str) -> Task:
    database = os.path.join(folder, text(row, "database", where=where))
    task = Task(
        id=row.get("id") or task_id,
        question=text(row, "question", where=where),
        gold_sql=text(row, "sql", where=where),
        database=database,
        db_id=Path(database).stem,
        dialect=row.get("dialect") or ("duckdb" if database.endswith(".duckdb") else "sqlite"),
        evidence=row.get("evidence", ""),
        difficulty=row.get("difficulty", ""),
        comparison=row.get("comparison") or "strict",
        reasoning=row.get("reasoning", ""),
    )
    try:
        get_comparison(task.comparison)
        check_dialect(task.dialect)
    except SQLEnvError as error:
        raise DataError(f"{where}: {error}") from None
    return task
