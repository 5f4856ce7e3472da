"""Read a file of predictions and line it up with a benchmark's tasks."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from sql_env.errors import DataError
from sql_env.types import Benchmark

_BIRD = "\t----- bird -----\t"


def find_indices(benchmark: Benchmark) -> list[int]:
    """Each task's place in the benchmark's own file, counted from 0.

    The benchmarks of this library end their ids in it, so that predictions keep their places where
    tasks are left out. Where ids are other, a task's place among the tasks is its place.

    Raises:
        DataError: Tasks are left out, and the ids do not tell the places of the others.
    """
    form = re.compile(re.escape(f"{benchmark.name}-{benchmark.split}-") + "([0-9]+)")
    found = [form.fullmatch(task.id) for task in benchmark.tasks]
    if all(found):
        return [int(match[1]) for match in found if match]
    if benchmark.left_out:
        raise DataError(
            f"predictions cannot be lined up with {benchmark.name!r}: its ids do not tell places, and tasks "
            f"are left out ({'; '.join(benchmark.left_out)}). Mend that, or remove the ids"
        )
    return list(range(len(benchmark.tasks)))


def read_predictions(path: str | Path, benchmark: Benchmark) -> list[str]:
    r"""The prediction for each task of a benchmark; blank where there is none.

    A file whose name ends in ``.json`` is read as BIRD's: an object from a place, counted from 0,
    to ``SQL\t----- bird -----\tdb_id`` or to bare SQL. What is no string is a blank prediction,
    and so is a place that is not there. An array of SQL texts will do as well. Any other file holds
    one SQL a line, which ends at the first tab (a db_id may follow, as in Spider's files), one line
    for each item of the benchmark's file, left out or not. For Spider, the letters ``value``
    become ``1`` wherever they stand in a line, names included: that is how the official evaluator
    (taoyds/test-suite-sql-eval e97acc5) reads the placeholders of models that predict no values.

    Raises:
        DataError: The file cannot be read, or its length is not the benchmark's.
    """
    path, places = Path(path), find_indices(benchmark)
    try:
        content = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() != ".json":
            return _lines(content, places, benchmark, path)
        return _entries(json.loads(content), places, benchmark, path)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"the predictions {str(path)!r} cannot be read: {error}") from None


def _lines(content: str, places: list[int], benchmark: Benchmark, path: Path) -> list[str]:
    lines = content.removesuffix("\n").split("\n")
    _check(len(lines), "lines", places, benchmark, path)
    sql = [lines[place].strip().split("\t")[0].rstrip() for place in places]
    spider = any(task.comparison == "spider" for task in benchmark.tasks)
    return [text.replace("value", "1") for text in sql] if spider else sql


def _entries(content: Any, places: list[int], benchmark: Benchmark, path: Path) -> list[str]:
    if isinstance(content, list):
        _check(len(content), "entries", places, benchmark, path)
        content = {str(place): entry for place, entry in enumerate(content)}
    if not isinstance(content, dict):
        raise DataError(f"the predictions {str(path)!r} are neither a JSON object nor an array")
    if strange := [key for key in content if not key.isdecimal()]:
        raise DataError(f"the predictions {str(path)!r}: keys are places counted from 0, not {strange[0]!r}")
    if content and not any(str(place) in content for place in places):
        raise DataError(
            f"the predictions {str(path)!r} hold none for {benchmark.name!r}, {benchmark.split!r}"
        )
    return [_sql(content.get(str(place))) for place in places]


def _sql(entry: object) -> str:
    return entry.split(_BIRD)[0].strip() if isinstance(entry, str) else ""


def _check(count: int, what: str, places: list[int], benchmark: Benchmark, path: Path) -> None:
    """Too few always shows; too many only where nothing is left out at the file's end."""
    least = max(places, default=-1) + 1
    if count < least or (count > least and not benchmark.left_out):
        some = "at least " if benchmark.left_out else ""
        raise DataError(
            f"the predictions {str(path)!r} have {count} {what}, but {benchmark.name!r}, {benchmark.split!r} "
            f"needs {some}{least}: one for each item of its file, in its order"
        )


def hash_predictions(path: str | Path) -> dict[str, str]:
    """The name and the SHA-256 of a file, to tell later what was scored.

    Raises:
        DataError: The file cannot be read.
    """
    path = Path(path)
    try:
        return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    except OSError as error:
        raise DataError(f"the predictions {str(path)!r} cannot be read: {error}") from None
