"""Fetch the rows of a DuckDB query as plain values, within the limits of a result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from marshal import dumps
from sys import getsizeof

import duckdb

from sql_env.execution.engines.stop_query import StopQuery
from sql_env.limits import Limits
from sql_env.types import Row, Status, Value

_PLAIN_TYPES = (
    frozenset({"FLOAT", "DOUBLE", "BOOLEAN", "VARCHAR", "BLOB", "INTEGER", "UINTEGER"})
    | {sign + size + "INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG", "HUGE")}
    | {"NUMBER", "STRING", "BINARY", "bool"}  # the names in DuckDB 1
)

_KEPT = (str, int, bytes)


def fetch_rows(cursor: duckdb.DuckDBPyConnection, columns: Sequence[str], limits: Limits) -> tuple[Row, ...]:
    """Return all rows of the query that ran last, with the values of `to_value`.

    Rows come one by one, so that no more than one row beyond ``max_bytes`` is held.

    Args:
        cursor: The connection of the query.
        columns: The names of the columns. They count as bytes of the result.
        limits: ``max_bytes`` and ``max_rows``.

    Raises:
        StopQuery: There are too many rows or bytes.
    """
    rows: list[Row] = []
    fetch, max_rows = cursor.fetchone, limits.max_rows
    room = limits.max_bytes - sum(map(len, columns))
    while room >= 0 and (values := fetch()) is not None:
        row = tuple(map(to_value, values))
        rows.append(row)
        if len(rows) > max_rows:
            raise StopQuery(Status.TOO_LARGE, f"more than {max_rows} rows")
        if sum(map(getsizeof, row)) > 4 * room + 80 * len(
            row
        ):  # surely too large: 1 byte in UTF-8 takes 4 at most
            room = -1
        else:
            room -= 8 * len(row) + len(dumps(row, 2))  # dumps copies the row
    if room < 0:
        raise StopQuery(Status.TOO_LARGE, f"more than {limits.max_bytes} bytes")
    return tuple(rows)


def needs_text(kind: str) -> bool:
    """Return if values of a type come as DuckDB's own text: dates, lists and other rich types."""
    return kind not in _PLAIN_TYPES and not kind.startswith("DECIMAL")


def cast_to_text(sql: str, kinds: Sequence[str]) -> str:
    """Rewrite a query so that rich types come as text.

    Args:
        sql: One SELECT statement.
        kinds: The types of its columns.
    """
    text = sql.encode()
    ends = [at for at, kind in duckdb.tokenize(sql) if kind == duckdb.token_type.operator and text[at] == 59]
    body = text[: ends[0] if ends else len(text)].decode()  # 59 is a semicolon
    values = (f"CAST(#{i} AS VARCHAR)" if needs_text(kind) else f"#{i}" for i, kind in enumerate(kinds, 1))
    return f"SELECT {', '.join(values)} FROM ({body}\n)"


def to_value(value: object) -> Value:
    """Return a value of DuckDB as a plain one."""
    if isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, _KEPT):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value  # as in SQLite, which has no NaN
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return bytes(value) if isinstance(value, bytearray | memoryview) else str(value)
