"""Database files as files, whatever the engine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from stat import S_ISREG

from sql_env.errors import DatabaseError

Identity = tuple[int, int, int, int]
"""Device, inode, size and time of change: what tells one state of a file from another."""


def identify(database: str) -> Identity:
    """What tells one state of a database file from another.

    Raises:
        DatabaseError: There is no such file, or it cannot be a database.
    """
    try:
        info = os.stat(database)
    except (OSError, ValueError) as error:  # ValueError: a NUL or a lone surrogate in the name
        raise DatabaseError(f"there is no database file {database!r}: {error}") from None
    if not S_ISREG(info.st_mode):
        raise DatabaseError(f"{database!r} is no file")
    if not info.st_size:
        raise DatabaseError(f"the database file {database!r} is empty (0 bytes): fetch or build it again")
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


def refuse_unfinished(database: str, suffixes: Iterable[str], remedy: str) -> None:
    """Refuse a database whose last changes are still in a log beside it: reading would miss them.

    Raises:
        DatabaseError: There is such a log, and it is not empty.
    """
    for beside in (database + suffix for suffix in suffixes):
        if os.path.isfile(beside) and os.path.getsize(beside):
            raise DatabaseError(
                f"{beside!r} holds changes that the database lacks: close its writer, then run {remedy}"
            )
