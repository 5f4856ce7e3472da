"""SynSQL-2.5M (Li et al. 2025, arXiv 2503.02240): synthetic questions with chains of thought."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.loading.files import (
    Folders,
    Source,
    Split,
    build_benchmark,
    make_database_finder,
    make_tasks,
)
from sql_env.errors import DataError
from sql_env.types import Benchmark

SOURCE = Source(
    name="synsql",
    origin="SynSQL-2.5M (seeklhy/SynSQL-2.5M on Hugging Face or ModelScope; unpack databases.zip)",
    layout="data.json and databases/<db_id>/<db_id>.sqlite",
    variable="SQL_ENV_SYNSQL_DIR",
)

_SPLITS = {"train": Split((("data.json",),), "databases")}

_KEYS = {
    "question": ("question",),
    "gold_sql": ("sql",),
    "evidence": ("external_knowledge",),
    "difficulty": ("sql_complexity",),
    "reasoning": ("cot",),
}

_SEPARATOR = re.compile(r"[ \t\r\n]*([^ \t\r\n])[ \t\r\n]*")
_CHUNK = 2**20
_LONGEST = 2**26  # characters of one item; a longer one is malformed, and must not fill the memory


def synsql(
    *,
    split: str = "train",
    data_dir: str | None = None,
    max_tasks: int | None = None,
    database_dir: Folders = (),
) -> Benchmark:
    """Load SynSQL-2.5M, or the beginning of it.

    ``data.json`` has 9 GB. It is read in pieces, and no further than ``max_tasks``. The id of a task
    ends in its position in the file, counted from 0.

    Args:
        split: ``train``, the only one.
        data_dir: SynSQL's folder. Default: the environment variable SQL_ENV_SYNSQL_DIR.
        max_tasks: Number of items that are read from the file; all where None.
        database_dir: Further folders with databases that SynSQL's folder does not have.

    Raises:
        DataError: The folder, a file or all databases are missing, or the file is malformed.
    """
    chosen, folder = SOURCE.choose_split(split, _SPLITS), SOURCE.find_folder(data_dir)
    if max_tasks is not None and not (isinstance(max_tasks, int) and max_tasks >= 1):
        raise DataError(f"max_tasks must be a whole number and at least 1, not {max_tasks!r}")
    path = SOURCE.find_file(folder, chosen.files[0])
    find_database = make_database_finder([folder / chosen.databases], database_dir)
    tasks = make_tasks(f"synsql-{split}", [(path, stream(path))], find_database, _KEYS, digits=7)
    return build_benchmark(SOURCE.name, split, islice(tasks, max_tasks), SOURCE.advice)


def stream(path: Path, chunk: int = _CHUNK) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a file that is one JSON array, one at a time.

    Args:
        path: The file.
        chunk: Number of characters that are read at once.

    Raises:
        DataError: The file is not such an array.
    """
    decode = json.JSONDecoder().raw_decode
    text, at, place, expected = "", 0, 0, "["
    try:
        with path.open(encoding="utf-8") as file:
            while True:
                separator = _SEPARATOR.match(text, at)
                if separator and separator[1] not in expected:
                    raise ValueError(f"found {separator[1]!r}, expected one of {expected!r}")
                if separator and separator[1] == "]":
                    return
                try:
                    row, end = decode(text, separator.end() if separator else len(text))
                except json.JSONDecodeError:  # the buffer may end inside the item: read more, and try again
                    piece = file.read(chunk)
                    if not piece or len(text) - at > _LONGEST:
                        raise
                    text, at = text[at:] + piece, 0
                    continue
                if not isinstance(row, dict):
                    raise ValueError("the item is not an object")
                yield row
                at, place, expected = end, place + 1, ",]"
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{str(path)!r} is not a JSON array of objects, from item {place} on: {error}"
        ) from None
