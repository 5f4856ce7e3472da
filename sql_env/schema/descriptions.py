"""What a database's columns mean, from the files that lie beside it."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sql_env.schema.model import Schema

log = logging.getLogger(__name__)

FOLDER = "database_description"
"""The folder beside a database, in which ``<table>.csv`` describes the columns of each table.

The layout is BIRD's (arXiv 2305.03111). Its header names ``original_column_name``, the column in the
database; ``column_name``, its name in words; ``column_description``; ``data_format``, which is not
used; and ``value_description``. Any benchmark may bring such a folder.
"""

MOST_BYTES = 1_000_000
"""A file that is larger describes no table, and is left alone."""

_MISREAD = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}
"""Control characters as which a careless editor has saved the quotes and dashes of Windows."""


def add_descriptions(schema: Schema, database: str) -> Schema:
    """A schema with the descriptions that lie beside its database, where it has none of its own.

    A file that cannot be read is logged and passed over. Bytes that are not UTF-8 are read as
    Windows-1252, and what no encoding explains is replaced.
    """
    files = _files(Path(database).parent / FOLDER)
    if not files:
        return schema
    tables = []
    for table in schema.tables:
        known = _columns(files[table.name.lower()]) if table.name.lower() in files else {}
        columns = (
            replace(column, description=column.description or known.get(column.name.strip().lower(), ""))
            for column in table.columns
        )
        tables.append(replace(table, columns=tuple(columns)))
    return replace(schema, tables=tuple(tables))


def _files(folder: Path) -> dict[str, Path]:
    """The folder's files by the lower-case name of their table, which BIRD does not always spell alike."""
    try:
        return {path.stem.strip().lower(): path for path in sorted(folder.glob("*.csv"))}
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return {}


def _columns(path: Path) -> dict[str, str]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise OSError(f"more than {MOST_BYTES:,} bytes")
        rows = list(csv.DictReader(_text(path.read_bytes()).splitlines(keepends=True)))
    except (OSError, csv.Error) as error:
        log.warning("the descriptions in %s are left out: %s", path, error)
        return {}
    return {_cell(row, "original_column_name").lower(): "; ".join(_words(row)) for row in rows}


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    return text.translate(_MISREAD).replace("\0", "")


def _words(row: Mapping[str, object]) -> Iterator[str]:
    """The column's description, else its name in words where that says more; and that of its values."""
    name, column = _cell(row, "column_name"), _cell(row, "original_column_name")
    meaning = _cell(row, "column_description")
    if meaning or _letters(name) != _letters(column):
        yield meaning or name
    if about_values := _cell(row, "value_description"):
        yield about_values


def _cell(row: Mapping[str, object], key: str) -> str:
    value = row.get(key)
    return " ".join(value.split()) if isinstance(value, str) else ""


def _letters(name: str) -> str:
    return re.sub(r"\W|_", "", name).lower()
