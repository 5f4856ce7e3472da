"""Ending a query before or while it runs, the same way in every engine."""

from __future__ import annotations

from sql_env.types import Status


class Stop(Exception):
    """Ends a query with ``status``. It never leaves an engine."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status


def check_text(sql: str, max_bytes: float) -> None:
    """Refuse SQL that is too long, or that engines disagree about.

    Raises:
        Stop: The SQL is refused.
    """
    try:
        size = len(sql.encode())
    except UnicodeEncodeError:
        raise Stop(Status.ERROR, "the SQL holds a lone surrogate") from None
    if size > max_bytes:
        raise Stop(Status.TOO_LARGE, f"the SQL has more than {max_bytes} bytes")
    if "\0" in sql:
        raise Stop(Status.ERROR, "the SQL holds a NUL character")
