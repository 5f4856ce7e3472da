"""An index of the texts that a database holds, kept on disk: SQLite's FTS5, one file for each database."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import apsw

from sql_env.caching.folder import cache_root
from sql_env.execution.backends import Backend
from sql_env.execution.engines.files import FileState, signature
from sql_env.prompts.texts import read_texts
from sql_env.types import Status

log = logging.getLogger(__name__)

VERSION = 1
"""Of the files' layout and contents. A file of another version is built again."""

KNOWN = 256
"""Indexes that a process keeps open, at most."""

_READ_ONLY = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
_TABLES = """
CREATE TABLE about (stamp TEXT);
CREATE TABLE place (id INTEGER PRIMARY KEY, "table" TEXT, "column" TEXT);
CREATE VIRTUAL TABLE value USING fts5 (
    text, place UNINDEXED, tokenize = 'porter unicode61 remove_diacritics 2'
);
CREATE TABLE symbol (text TEXT, place INTEGER);
"""
_BY_WORDS = """SELECT p."table", p."column", v.text FROM value AS v JOIN place AS p ON p.id = v.place
WHERE v.value MATCH ? ORDER BY v.rank, v.rowid LIMIT ?"""
_BY_SYMBOL = """SELECT p."table", p."column", s.text FROM symbol AS s JOIN place AS p ON p.id = s.place
WHERE s.text IN (SELECT value FROM json_each(?)) ORDER BY s.rowid LIMIT ?"""
_WORD = re.compile(r"[^\W_]")

Found = tuple[str, str, str]
"""A table, a column of it, and a text that it holds."""


class ValueIndex:
    """The distinct texts of a database's columns; see `load_value_index`. Thread-safe.

    A text is split into words as FTS5's ``unicode61`` does, without diacritics, and words are reduced
    to their stems (Porter's, for English). A text that has no word, such as ``#``, is kept apart.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def by_words(self, words: Sequence[str], most: int) -> list[Found]:
        """Texts that have at least one of the words, the best by BM25 first.

        Raises:
            apsw.Error: The file is damaged.
        """
        query = " OR ".join('"' + word.replace('"', '""') + '"' for word in words if _WORD.search(word))
        return self._select(_BY_WORDS, query, most) if query else []

    def by_symbol(self, symbols: Sequence[str], most: int) -> list[Found]:
        """Texts without any word that are among these.

        Raises:
            apsw.Error: The file is damaged.
        """
        wanted = [text for text in symbols if not _WORD.search(text)]
        return self._select(_BY_SYMBOL, json.dumps(wanted), most) if wanted else []

    def _select(self, sql: str, *bindings: str | int) -> list[Found]:
        with self._lock:
            rows = self._connection.execute(sql, bindings).fetchall()
        return [(str(table), str(column), str(text)) for table, column, text in rows]


def load_value_index(executor: Backend, database: str, dialect: str = "sqlite") -> ValueIndex:
    """The index of a database: the one on disk, where it is whole and the database has not changed since.

    Otherwise it is built, by queries that run as a model's do: read-only, under the default limits, in
    a worker; a column whose query fails is left out. Of two processes one builds and the other waits.
    Where the cache (`sql_env.caching.folder.cache_root`) cannot be written the index is kept in memory.

    Raises:
        DatabaseError: The database is missing or is none, or the dialect has no engine.
    """
    path = os.path.abspath(database)
    key = (os.getpid(), path, dialect, signature(path))  # a fork must not use its parent's connections
    if key not in _known:
        while len(_known) >= KNOWN:
            _known.pop(next(iter(_known)), None)
        _known[key] = ValueIndex(_load(executor, path, dialect))
    return _known[key]


def rebuilt(executor: Backend, database: str, dialect: str = "sqlite") -> ValueIndex:
    """The index of a database, built anew, because the one on disk has turned out to be damaged."""
    path = os.path.abspath(database)
    log.warning("the index of the values of %s is damaged: it is built again", path)
    with suppress(OSError):
        _file(path, dialect).unlink(missing_ok=True)
    _known.clear()
    return load_value_index(executor, path, dialect)


_known: dict[tuple[int, str, str, FileState], ValueIndex] = {}


def _file(database: str, dialect: str) -> Path:
    """One file for each database, so that a new state of it takes the place of the old."""
    name = sha256(f"{dialect}:{os.path.realpath(database)}".encode("utf-8", "replace")).hexdigest()[:32]
    return cache_root() / "values" / f"{name}.sqlite"


def _load(executor: Backend, database: str, dialect: str) -> apsw.Connection:
    file = _file(database, dialect)
    stamp = json.dumps([VERSION, *signature(database)])
    if whole := _opened(file, stamp):
        return whole
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _locked(file.with_suffix(".lock")):
            return _opened(file, stamp) or _written(file, stamp, executor, database, dialect)
    except OSError as error:
        log.warning("the index of the values of %s is kept in memory: %s", database, error)
        connection = apsw.Connection(":memory:")
        _build(connection, stamp, executor, database, dialect)
        return connection


def _opened(file: Path, stamp: str) -> apsw.Connection | None:
    """The file, where it is whole, of this version, and of the database's present state."""
    try:
        connection = apsw.Connection(f"file://{quote(str(file))}?mode=ro&immutable=1", _READ_ONLY)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        [(size, own)] = connection.execute(
            "SELECT p.page_count * s.page_size, a.stamp "
            "FROM pragma_page_count AS p, pragma_page_size AS s, about AS a"
        ).fetchall()
    except (apsw.Error, ValueError):
        return None
    return connection if own == stamp and file.stat().st_size == size else None


def _written(file: Path, stamp: str, executor: Backend, database: str, dialect: str) -> apsw.Connection:
    """Build beside the file, then move there in one step.

    Raises:
        OSError: It cannot be written.
    """
    fresh = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    try:
        connection = apsw.Connection(str(fresh))
        try:
            connection.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").fetchall()
            lasting = _build(connection, stamp, executor, database, dialect)
        finally:
            connection.close()
        if lasting:
            fresh.replace(file)
            fresh = file
        if (made := _opened(fresh, stamp)) is None:
            raise OSError(f"{fresh} is not what was written")
        return made
    except (apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError) as error:
        raise OSError(f"cannot write {fresh}: {error}") from error
    finally:
        if fresh != file:
            fresh.unlink(missing_ok=True)


def _build(connection: apsw.Connection, stamp: str, executor: Backend, database: str, dialect: str) -> bool:
    """Write an index; whether it may be kept, because no worker failed, which may pass."""
    lasting, places = True, 0
    with connection:
        connection.execute(_TABLES)
        for table, column, result in read_texts(executor, database, dialect):
            places += 1
            connection.execute("INSERT INTO place VALUES (?, ?, ?)", (places, table, column))
            found = [str(text) for (text,) in result.rows]
            words = [(text, places) for text in found if _WORD.search(text)]
            symbols = [(text, places) for text in found if not _WORD.search(text)]
            connection.executemany("INSERT INTO value VALUES (?, ?)", words)
            connection.executemany("INSERT INTO symbol VALUES (?, ?)", symbols)
            lasting = lasting and result.status is not Status.UNAVAILABLE
            if not result.ok:
                log.warning("values of %s.%s in %s are left out: %s", table, column, database, result.error)
        connection.execute("INSERT INTO about VALUES (?)", (stamp,))
    return lasting


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file: one process or thread builds, the others wait and find its work."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
