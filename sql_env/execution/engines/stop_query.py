"""Verdicts on a query that do not come from the engine's library."""

from __future__ import annotations

from sql_env.types import Status


class StopQuery(Exception):
    """End a query with a status. Engines raise and catch it; it never leaves an engine."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status


def check_sql_text(sql: str, max_bytes: float) -> None:
    """Refuse SQL that is too long or that the engines would read in different ways.

    Raises:
        StopQuery: The SQL is refused.
    """
    try:
        size = len(sql.encode())
    except UnicodeEncodeError:
        raise StopQuery(Status.ERROR, "the SQL has a lone surrogate") from None
    if size > max_bytes:
        raise StopQuery(Status.TOO_LARGE, f"the SQL has more than {max_bytes} bytes")
    if "\0" in sql:
        raise StopQuery(Status.ERROR, "the SQL has a NUL character")
