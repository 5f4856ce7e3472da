"""Your own questions over your own databases: a file with one JSON object a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks.loading.files import build_benchmark, require_text
from sql_env.comparison import get_comparison
from sql_env.errors import DataError, SQLEnvError
from sql_env.execution.engines import check_dialect
from sql_env.plugins import suggest
from sql_env.types import Benchmark, Task

FIELDS = (
    "question", "sql", "database", "id", "evidence", "difficulty", "dialect", "comparison", "reasoning",
)  # fmt: skip
"""The fields of a line. The first three are required."""

_EXAMPLE = (
    '{"question": "How many users are there?", "sql": "SELECT count(*) FROM users", "database": "app.sqlite"}'
)

_ADVICE = "Relative paths under 'database' start at the file's own folder, or at data_dir (--data-dir)."


def jsonl(*, path: str | None = None, split: str = "all", data_dir: str | None = None) -> Benchmark:
    """Load a file of questions.

    A line is a JSON object with ``question``, ``sql`` (the gold query) and ``database`` (a path). It
    may also have ``id``, ``evidence``, ``difficulty``, ``reasoning``, ``dialect`` (default: ``duckdb``
    where the name of the database ends in ``.duckdb``, else ``sqlite``) and ``comparison`` (default:
    ``strict``). Blank lines are skipped. Tasks without an ``id`` get one from their position, counted
    from 0.

    Args:
        path: The file.
        split: ``all``, the only one.
        data_dir: The folder where relative paths of databases start; the file's own folder where None.

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
        raise DataError(f"jsonl: data_dir is {data_dir!r}, which is not a folder")
    try:
        content = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(f"jsonl: the argument path is {path!r}, which cannot be read: {error}") from None
    tasks = _parse_tasks(content, path, os.path.abspath(data_dir or os.path.dirname(path)))
    return build_benchmark("jsonl", split, tasks, _ADVICE)


def _parse_tasks(content: str, path: str, folder: str) -> Iterator[Task]:
    lines: dict[str, int] = {}
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            where = f"{path}, line {number}"
            task = _parse_task(line, f"jsonl-all-{len(lines):04d}", folder, where)
            if task.id in lines:
                raise DataError(f"{where}: line {lines[task.id]} already has the id {task.id!r}")
            lines[task.id] = number
            yield task


def _parse_task(line: str, default_id: str, folder: str, where: str) -> Task:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise DataError(f"{where} is not a JSON object such as {_EXAMPLE}")
    for key, value in row.items():
        if key not in FIELDS:
            raise DataError(f"{where}: unknown field {key!r}.{suggest(key, list(FIELDS))}")
        if not isinstance(value, str):
            raise DataError(f"{where}: {key!r} must be a string, not {value!r}")
    question, sql, path = (require_text(row, key, where=where) for key in FIELDS[:3])
    database = os.path.join(folder, path)
    defaults = {
        "id": default_id,
        "dialect": "duckdb" if database.endswith(".duckdb") else "sqlite",
        "comparison": "strict",
    }
    task = Task(
        question=question,
        gold_sql=sql,
        database=database,
        db_id=Path(database).stem,
        **{**defaults, **{key: row[key] for key in FIELDS[3:] if row.get(key)}},
    )
    try:
        get_comparison(task.comparison)
        check_dialect(task.dialect)
    except SQLEnvError as error:
        raise DataError(f"{where}: {error}") from None
    return task
