"""Check database files on disk, for all engines."""

from __future__ import annotations

import os
from collections.abc import Iterable
from stat import S_ISREG

from sql_env.errors import DatabaseError

Identity = tuple[int, int, int, int]
"""Device, inode, size and time of change: they differ if a file has changed or was replaced."""


def identify_file(database: str, suffixes: Iterable[str], remedy: str) -> Identity:
    """Return the identity of a database file, after a check that it can be a complete database.

    Args:
        database: The file's path.
        suffixes: The suffixes of the engine's log files. A log has changes that the database file lacks.
        remedy: The command that writes these changes into the database file.

    Raises:
        DatabaseError: The file is missing, cannot be a database, or has a log that is not empty.
    """
    try:
        info = os.stat(database)
    except (OSError, ValueError) as error:  # ValueError: a NUL or a lone surrogate in the name
        raise DatabaseError(f"there is no database file {database!r}: {error}") from None
    if not S_ISREG(info.st_mode):
        raise DatabaseError(f"{database!r} is not a regular file")
    if not info.st_size:
        raise DatabaseError(f"the database file {database!r} is empty (0 bytes): download or build it again")
    file = os.path.realpath(database) if os.path.islink(database) else database
    for log in (file + suffix for suffix in suffixes):
        if has_content(log):
            raise DatabaseError(
                f"{log!r} has changes that the database lacks: close the program that writes it, "
                f"then run {remedy}"
            )
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


def detect_dialect(database: str) -> str:
    """Return the dialect of a database file, by its first bytes.

    A file that is neither SQLite nor DuckDB, or that cannot be read, is ``duckdb`` if its name ends in
    ``.duckdb``, else ``sqlite``: the engine then says what is wrong with it.

    Example:
        >>> detect_dialect("missing.duckdb"), detect_dialect("missing.db")
        ('duckdb', 'sqlite')
    """
    return _read_dialect(database) or ("duckdb" if database.endswith(".duckdb") else "sqlite")


def explain_dialect(database: str, dialect: str) -> str:
    """Return the end of an error message if a file of another engine was opened; empty if it was not."""
    found = _read_dialect(database)
    return f". It is a file of {found}: use the dialect {found!r}" if found not in ("", dialect) else ""


def _read_dialect(database: str) -> str:
    """Return the dialect that the first bytes of a file tell; empty if they tell none."""
    try:
        if not S_ISREG(os.stat(database).st_mode):  # to open a pipe may never end
            return ""
        with open(database, "rb") as file:
            header = file.read(16)
    except (OSError, ValueError):  # ValueError: a NUL or a lone surrogate in the name
        return ""
    if header == b"SQLite format 3\0":
        return "sqlite"
    return "duckdb" if header[8:12] == b"DUCK" else ""


def has_content(file: str) -> bool:
    """Return True if a path is a regular file of more than 0 bytes; False if it cannot be looked at.

    One call of the system decides, because another process may remove the file at any moment. Each reader of
    a database in WAL mode makes a log and removes it.
    """
    try:
        info = os.stat(file)
    except (OSError, ValueError):
        return False
    return S_ISREG(info.st_mode) and info.st_size > 0


FileState = tuple[int, int, int, int]
"""Inode, size, time of modification and time of change in nanoseconds; zeros for a missing file."""


def read_signature(database: str) -> FileState:
    """Return the state of a file. Each change gives another, even with a restored modification time."""
    try:
        stat = os.stat(database)
    except (OSError, ValueError):
        return (0, 0, 0, 0)
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
