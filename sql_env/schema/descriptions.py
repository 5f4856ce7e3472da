"""Descriptions of a database's columns, from files beside the database."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sql_env.schema.model import Column, Schema, Table

log = logging.getLogger(__name__)

FOLDER = "database_description"
"""The folder beside a database. Its file ``<table>.csv`` describes the columns of a table.

The layout is BIRD's (arXiv 2305.03111). The columns of the file are ``original_column_name`` (the name in
the database), ``column_name`` (the name in words), ``column_description``, ``data_format`` (not used) and
``value_description``. Any benchmark can have such a folder.
"""

MAX_FILE_BYTES = 1_000_000
"""A larger file is ignored: it does not describe a table."""

MAX_ALL_BYTES = 30_000_000
"""Files of a database after this number of bytes are ignored."""

_MISREAD = {code: bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}
"""Control characters that stand for quotes and dashes, because an editor took Windows-1252 for Latin-1."""


def add_descriptions(schema: Schema, database: str) -> Schema:
    """Return a schema with the descriptions beside its database, for columns that have none.

    A file that cannot be read is logged and ignored. Bytes that are not UTF-8 are read as Windows-1252;
    bytes that are invalid there, too, are replaced.
    """
    files = _find_files(Path(database).parent / FOLDER)
    if not files:
        return schema
    described, room = {}, MAX_ALL_BYTES
    for table in schema.tables:
        if table.name.lower() in files and room > 0:
            data = _read_file(files[table.name.lower()])
            room -= len(data)
            described[table.name] = _parse_descriptions(data, files[table.name.lower()])

    def find(table: Table, column: Column) -> str:
        return described.get(table.name, {}).get(column.name.strip().lower(), "")

    return schema.map_columns(lambda t, c: replace(c, description=c.description or find(t, c)))


def _find_files(folder: Path) -> dict[str, Path]:
    """Find the files by the name of their table in lower case: BIRD's spelling is not always the same."""
    try:
        return {path.stem.strip().lower(): path for path in sorted(folder.glob("*.csv"))}
    except (OSError, ValueError):  # ValueError: a NUL in the name
        return {}


def _read_file(path: Path) -> bytes:
    """Return the content of a file; empty if it cannot be read, is too large, or is no regular file."""
    try:
        if not path.is_file():  # reading a pipe or a device may never end
            raise OSError("it is not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise OSError(f"more than {MAX_FILE_BYTES:,} bytes")
        return data
    except OSError as error:
        log.warning("the descriptions in %s are ignored: %s", path, error)
        return b""


def _parse_descriptions(data: bytes, path: Path) -> dict[str, str]:
    try:
        rows = list(csv.DictReader(_decode(data).splitlines(keepends=True)))
    except csv.Error as error:
        log.warning("the descriptions in %s are ignored: %s", path, error)
        return {}
    return {_cell(row, "original_column_name").lower(): "; ".join(_describe(row)) for row in rows}


def _decode(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    return text.translate(_MISREAD).replace("\0", "")


def _describe(row: Mapping[str, object]) -> Iterator[str]:
    """Yield the column's description, or its name in words if that adds something; then its values'."""
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
