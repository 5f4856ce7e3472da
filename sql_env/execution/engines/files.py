"""Database files as files, whatever the engine."""

from __future__ import annotations

import os
from collections.abc import Iterable
from stat import S_ISREG

from sql_env.errors import DatabaseError

Identity = tuple[int, int, int, int]
"""Device, inode, size and time of change: what tells one state of a file from another."""


def identify(database: str, suffixes: Iterable[str], remedy: str) -> Identity:
    """What tells one state of a database file from another.

    Args:
        database: The file's path.
        suffixes: What the engine calls the logs beside a file, which hold changes that it lacks.
        remedy: The command that brings them into the file.

    Raises:
        DatabaseError: There is no such file, it cannot be a database, or its log is not empty.
    """
    try:
        info = os.stat(database)
    except (OSError, ValueError) as error:  # ValueError: a NUL or a lone surrogate in the name
        raise DatabaseError(f"there is no database file {database!r}: {error}") from None
    if not S_ISREG(info.st_mode):
        raise DatabaseError(f"{database!r} is no file")
    if not info.st_size:
        raise DatabaseError(f"the database file {database!r} is empty (0 bytes): fetch or build it again")
    file = os.path.realpath(database) if os.path.islink(database) else database
    for beside in (file + suffix for suffix in suffixes):
        if os.path.isfile(beside) and os.path.getsize(beside):
            raise DatabaseError(
                f"{beside!r} holds changes that the database lacks: close its writer, then run {remedy}"
            )
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


FileState = tuple[int, int, int, int]
"""Inode, size, time of modification and time of change in nanoseconds; zeros for a missing file."""


def signature(database: str) -> FileState:
    """Return the state of a file. Each change gives another, even with a restored modification time."""
    try:
        stat = os.stat(database)
    except (OSError, ValueError):
        return (0, 0, 0, 0)
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
