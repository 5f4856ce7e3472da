"""Read a file of predictions: one SQL query for each task of a benchmark."""

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
    """Return the position of each task in the benchmark's own file, counted from 0.

    The benchmarks of this library end their ids in the position, so that predictions keep their positions
    where tasks are left out. With other ids, the position of a task is its position among the tasks.

    Raises:
        DataError: Tasks are left out, and the ids do not end in positions.
    """
    form = re.compile(re.escape(f"{benchmark.name}-{benchmark.split}-") + "([0-9]+)")
    found = [form.fullmatch(task.id) for task in benchmark.tasks]
    if all(found):
        return [int(match[1]) for match in found if match]
    if benchmark.left_out:
        raise DataError(
            f"predictions cannot be assigned to the tasks of {benchmark.name!r}: the ids do not end in "
            f"positions, and tasks are left out ({'; '.join(benchmark.left_out)}). "
            "Add what is missing, or remove the ids"
        )
    return list(range(len(benchmark.tasks)))


def read_predictions(path: str | Path, benchmark: Benchmark) -> list[str]:
    r"""Read the prediction for each task of a benchmark; blank where there is none.

    A file whose name ends in ``.json`` has the format of BIRD: an object from a position, counted from 0,
    to ``SQL\t----- bird -----\tdb_id`` or to bare SQL. A value that is not a string is a blank prediction,
    and so is a position that is missing. An array of SQL texts is accepted too. Any other file has one SQL
    query a line, which ends at the first tab (a db_id may follow, as in Spider's files), and one line for
    each item of the benchmark's file, even where the item is left out. For Spider, the letters ``value``
    become ``1`` anywhere in a line, names included: that is how the official evaluator
    (taoyds/test-suite-sql-eval e97acc5) reads the placeholders of models that predict no values.

    Raises:
        DataError: The file cannot be read, or it has another length than the benchmark.
    """
    path, places = Path(path), find_indices(benchmark)
    is_json = path.suffix.lower() == ".json"
    try:
        content = path.read_text(encoding="utf-8-sig")
        entries = json.loads(content) if is_json else content.removesuffix("\n").split("\n")
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"the predictions {str(path)!r} cannot be read: {error}") from None
    if isinstance(entries, dict):
        _check_keys(entries, places, benchmark, path)
    elif isinstance(entries, list):
        _check_length(entries, places, benchmark, path)
        entries = {str(place): entry for place, entry in enumerate(entries)}
    else:
        raise DataError(f"the predictions {str(path)!r} are neither a JSON object nor an array")
    texts = [entry if isinstance(entry := entries.get(str(place)), str) else "" for place in places]
    if is_json:
        return [text.split(_BIRD)[0].strip() for text in texts]
    sql = [text.strip().split("\t")[0].rstrip() for text in texts]
    spider = any(task.comparison == "spider" for task in benchmark.tasks)
    return [text.replace("value", "1") for text in sql] if spider else sql


def _check_keys(entries: dict[str, Any], places: list[int], benchmark: Benchmark, path: Path) -> None:
    if wrong := [key for key in entries if not key.isdecimal()]:
        raise DataError(f"the predictions {str(path)!r}: keys are positions from 0 on, not {wrong[0]!r}")
    if entries and not any(str(place) in entries for place in places):
        raise DataError(
            f"the predictions {str(path)!r} have none for {benchmark.name!r}, {benchmark.split!r}"
        )


def _check_length(entries: list[Any], places: list[int], benchmark: Benchmark, path: Path) -> None:
    """Check that there is an entry for each task, and no more, unless tasks at the end may be left out."""
    least = max(places, default=-1) + 1
    if len(entries) < least or (len(entries) > least and not benchmark.left_out):
        kind = "entries" if path.suffix.lower() == ".json" else "lines"
        at_least = "at least " if benchmark.left_out else ""
        raise DataError(
            f"the predictions {str(path)!r} have {len(entries)} {kind}, but {benchmark.name!r}, "
            f"{benchmark.split!r} needs {at_least}{least}: one for each item of its file, in its order"
        )


def hash_predictions(path: str | Path) -> dict[str, str]:
    """Return the name and the SHA-256 of a file, which identify the predictions of a run.

    Raises:
        OSError: The file cannot be read.
    """
    return {"file": Path(path).name, "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()}
