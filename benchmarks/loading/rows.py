"""Read rows of JSON values from a file of JSON lines, CSV or Parquet."""

from __future__ import annotations

import csv
import glob
import json
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

from sql_env.errors import DataError

Rows: TypeAlias = Iterator[tuple[str, Mapping[str, Any]]]

_PARQUET = "SELECT to_json(COLUMNS(*)) FROM read_parquet(?)"
"""Each value as JSON, under the name of its column."""


def read_rows(path: Path) -> Rows:
    """Yield each row of a file as ``(place, row)``. The place is for error messages.

    The suffix decides. A ``.csv`` file has a header, and all its values are strings. A ``.parquet`` file has
    dates as strings and NaN as None. Any other file has a JSON object a line. Blank lines are skipped.

    Raises:
        DataError: The file cannot be read, or a row is malformed.
    """
    reader = _READERS.get(path.suffix.lower(), _read_json_lines)
    try:
        yield from reader(path)
    except (OSError, ValueError) as error:
        raise DataError(f"the file {str(path)!r} cannot be read: {error}") from None


def _read_json_lines(path: Path) -> Rows:
    content = path.read_text(encoding="utf-8-sig")
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{where} is not JSON: {error}") from None
            if not isinstance(row, dict):
                raise DataError(f'{where} is not a JSON object such as {{"question": "...", ...}}')
            yield where, row


def _read_csv(path: Path) -> Rows:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, [])
            if repeated := [name for name in header if header.count(name) > 1]:
                raise DataError(f"{path}, line 1: the header names {repeated[0]!r} twice")
            for cells in reader:
                where = f"{path}, line {reader.line_num}"
                if cells and len(cells) != len(header):
                    raise DataError(f"{where}: {len(cells)} cells, but the header has {len(header)}")
                if cells:
                    yield where, dict(zip(header, cells, strict=True))
        except csv.Error as error:
            raise DataError(f"{path}, line {reader.line_num}: {error}") from None


def _read_parquet(path: Path) -> Rows:
    import duckdb

    path.open("rb").close()  # the error of a missing file is that of the other formats
    with duckdb.connect() as connection:
        try:
            rows = connection.execute(_PARQUET, [glob.escape(str(path))])
            names = [name for name, *_ in rows.description or ()]
            for number in count(1):
                if (cells := rows.fetchone()) is None:
                    return
                yield f"{path}, row {number}", dict(zip(names, map(_decode_cell, cells), strict=True))
        except duckdb.Error as error:
            raise DataError(f"the file {str(path)!r} cannot be read as Parquet: {error}") from None


def _decode_cell(text: str | None) -> Any:
    """Decode JSON. A NaN becomes None: pandas writes a missing number so."""
    return text and json.loads(text, parse_constant=lambda word: None if word == "NaN" else float(word))


_READERS: Mapping[str, Callable[[Path], Rows]] = {".csv": _read_csv, ".parquet": _read_parquet}

SUFFIXES = (".jsonl", *_READERS)
"""The suffixes of files with rows."""
