"""An index of the texts of a database: a file on disk for each database, with SQLite's FTS5."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from hashlib import file_digest, sha256
from pathlib import Path
from urllib.parse import quote

import apsw

from sql_env.caching.folder import cache_root
from sql_env.execution.backends import Backend
from sql_env.execution.engines import load_engine
from sql_env.execution.engines.files import FileState, read_signature
from sql_env.execution.executor import Executor
from sql_env.limits import Limits
from sql_env.schema.quoting import quote_identifier
from sql_env.types import ExecutionResult, Query, Status

log = logging.getLogger(__name__)

VERSION = 2
"""The version of the files' layout and contents. A file of another version is built again."""

MAX_CHARACTERS = 100
"""The maximum length of a text. Questions do not ask for longer ones, and they would fill a prompt."""

MAX_TEXTS = 50_000
"""The maximum number of distinct texts of a column: the first ones."""

MAX_ROWS = 1_000_000
"""The number of rows of a table, from its first row, that are searched."""

MAX_TOTAL = 2**28
"""The maximum number of characters of all texts of a database. Columns beyond it are left out."""

MAX_STOPPED = 5
"""The number of columns that may exceed a limit before all later columns are left out."""

COLUMNS_AT_ONCE = 8
"""The number of columns whose texts this process holds at the same time."""

LEFTOVER_SECONDS = 86_400
"""The age at which an unfinished file belongs to a process that was killed."""

MAX_OPEN = 256
"""The maximum number of indexes that a process keeps open."""

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
_STOPPED = (Status.TIMEOUT, Status.TOO_LARGE, Status.UNAVAILABLE)
_WORD = re.compile(r"[^\W_]")

Found = tuple[str, str, str]
"""A table, one of its columns, and a text in this column."""


class ValueIndex:
    """The distinct texts of a database's columns; see `load_value_index`. Thread-safe.

    FTS5's ``unicode61`` splits a text into words without diacritics, and Porter's algorithm reduces them to
    their English stems. A text without words, such as ``#``, is kept in a separate table.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def by_words(self, words: Sequence[str], max_count: int) -> list[Found]:
        """Return texts that have at least one of the words, the best by BM25 first.

        Raises:
            apsw.Error: The file is damaged.
        """
        query = " OR ".join('"' + word.replace('"', '""') + '"' for word in words if _WORD.search(word))
        return self._select(_BY_WORDS, query, max_count) if query else []

    def by_symbol(self, symbols: Sequence[str], max_count: int) -> list[Found]:
        """Return texts without words that are equal to one of the symbols.

        Raises:
            apsw.Error: The file is damaged.
        """
        wanted = [text for text in symbols if not _WORD.search(text)]
        return self._select(_BY_SYMBOL, json.dumps(wanted), max_count) if wanted else []

    def _select(self, sql: str, *bindings: str | int) -> list[Found]:
        with self._lock:
            rows = self._connection.execute(sql, bindings).fetchall()
        return [(str(table), str(column), str(text)) for table, column, text in rows]


def load_value_index(executor: Backend, database: str, dialect: str = "sqlite") -> ValueIndex:
    """Load the index of a database from disk, or build it.

    It is built if there is no file, if the file is damaged, or if the database has changed. The queries run
    like a model's: read-only, under the default limits, in a worker. A column whose query fails is left out,
    and so are columns after `MAX_STOPPED` columns that exceed a limit, or after `MAX_TOTAL` characters.
    If two processes need an index, one builds it and the other waits. If the cache
    (`sql_env.caching.folder.cache_root`) cannot be written, the index stays in memory.

    Raises:
        DatabaseError: The database is missing or invalid, or the dialect has no engine.
    """
    path = os.path.abspath(database)
    # The process id is in the key because an SQLite connection must not be used in a forked process.
    key = (os.getpid(), path, dialect, read_signature(path))
    if key not in _open_indexes:
        while len(_open_indexes) >= MAX_OPEN:
            _open_indexes.pop(next(iter(_open_indexes)), None)  # None: another thread may remove it first
        _open_indexes[key] = ValueIndex(_load(executor, path, dialect))
    return _open_indexes[key]


def rebuild_value_index(executor: Backend, database: str, dialect: str = "sqlite") -> ValueIndex:
    """Build the index of a database again, because a query has found its file damaged."""
    path = os.path.abspath(database)
    log.warning("the value index of %s is damaged and is built again", path)
    with suppress(OSError):
        _locate(path, dialect).unlink(missing_ok=True)
    _open_indexes.clear()
    return load_value_index(executor, path, dialect)


_open_indexes: dict[tuple[int, str, str, FileState], ValueIndex] = {}


def _locate(database: str, dialect: str) -> Path:
    """Return the path of an index. It does not depend on the database's state, so a new index replaces it."""
    name = sha256(f"{dialect}:{os.path.realpath(database)}".encode("utf-8", "replace")).hexdigest()[:32]
    return cache_root() / "values" / f"{name}.sqlite"


def _load(executor: Backend, database: str, dialect: str) -> apsw.Connection:
    file = _locate(database, dialect)
    stamp = json.dumps([VERSION, *read_signature(database)])
    if connection := _open(file, stamp):
        return connection
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one process or thread builds; the others wait, then open it
            if connection := _open(file, stamp):
                return connection
            _remove_leftovers(file)
            return _write(file, stamp, executor, database, dialect)
    except OSError as error:
        log.warning("the value index of %s is kept in memory: %s", database, error)
        connection = apsw.Connection(":memory:")
        _build(connection, stamp, executor, database, dialect)
        return connection


def _open(file: Path, stamp: str) -> apsw.Connection | None:
    """Open a file if it is undamaged, of this version, and built from the present state of the database."""
    if not _is_whole(file):
        return None
    try:
        connection = apsw.Connection(f"file://{quote(str(file))}?mode=ro&immutable=1", _READ_ONLY)
        connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
        [(own_stamp,)] = connection.execute("SELECT stamp FROM about").fetchall()
    except (apsw.Error, ValueError):
        return None
    return connection if own_stamp == stamp else None


def _seal(file: Path) -> None:
    """Add the SHA-256 of a file to its end, behind SQLite's last page. SQLite ignores it."""
    with file.open("r+b") as data:
        digest = file_digest(data, "sha256").digest()
        data.write(digest)


def _is_whole(file: Path) -> bool:
    """Return True if a file has the content that `_seal` has found in it."""
    try:
        with file.open("rb") as data:
            left, digest = os.fstat(data.fileno()).st_size - sha256().digest_size, sha256()
            while left > 0 and (chunk := data.read(min(left, 2**20))):
                digest.update(chunk)
                left -= len(chunk)
            return left == 0 and data.read() == digest.digest()
    except OSError:
        return False


def _remove_leftovers(file: Path) -> None:
    """Remove the unfinished files of killed processes. The caller holds the lock of ``file``."""
    for other in file.parent.glob("*.*-*"):
        with suppress(OSError):
            if other.stem == file.stem or time.time() - other.stat().st_mtime > LEFTOVER_SECONDS:
                other.unlink()


def _write(file: Path, stamp: str, executor: Backend, database: str, dialect: str) -> apsw.Connection:
    """Build a temporary file, then rename it: a reader never sees an incomplete file.

    Raises:
        OSError: The file cannot be written.
    """
    temporary = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
    try:
        with closing(apsw.Connection(str(temporary))) as connection:
            connection.execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").fetchall()
            keep = _build(connection, stamp, executor, database, dialect)
        _seal(temporary)
        if keep:
            temporary.replace(file)
        written = _open(file if keep else temporary, stamp)
        if written is None:
            raise OSError(f"{file} cannot be read after it was written")
        return written
    except (apsw.FullError, apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError) as error:
        raise OSError(f"cannot write {temporary}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _build(connection: apsw.Connection, stamp: str, executor: Backend, database: str, dialect: str) -> bool:
    """Write an index. Return False if a worker failed: the file must not be kept, the next try may work."""
    keep, places = True, 0
    with connection:
        connection.execute(_TABLES)
        for table, column, result in _read_texts(executor, database, dialect):
            places += 1
            connection.execute("INSERT INTO place VALUES (?, ?, ?)", (places, table, column))
            found = [str(text) for (text,) in result.rows]
            words = [(text, places) for text in found if _WORD.search(text)]
            symbols = [(text, places) for text in found if not _WORD.search(text)]
            connection.executemany("INSERT INTO value VALUES (?, ?)", words)
            connection.executemany("INSERT INTO symbol VALUES (?, ?)", symbols)
            keep = keep and result.status is not Status.UNAVAILABLE
            if not result.ok:
                log.warning("values of %s.%s in %s are left out: %s", table, column, database, result.error)
        connection.execute("INSERT INTO about VALUES (?)", (stamp,))
    return keep


def _read_texts(executor: Backend, database: str, dialect: str) -> Iterator[tuple[str, str, ExecutionResult]]:
    """Yield for each column its table's `path`, its name, and a result with one distinct text per row.

    The queries run under the default limits, not the executor's: so all callers get the same texts. The end
    of the whole work depends on counts, not on time, for the same reason.

    Raises:
        DatabaseError: The database is missing or invalid, or the dialect has no engine.
    """
    schema, engine = executor.schema(database, dialect), load_engine(dialect, Limits())
    with ExitStack() as stack:
        runner: Backend = executor
        if executor.limits != Limits():
            workers = min(executor.workers, os.cpu_count() or 1)  # a cluster may have more
            runner = stack.enter_context(Executor(workers=workers))
        room, stopped = MAX_TOTAL, 0
        for table in schema.tables:
            parts = (table.schema_name, table.name)
            path = ".".join(quote_identifier(part, schema.keywords) for part in parts if part)
            queries = [
                engine.distinct_texts.format(
                    table=path,
                    column=quote_identifier(column.name, schema.keywords),
                    max_rows=MAX_ROWS,
                    max_characters=MAX_CHARACTERS,
                    max_texts=MAX_TEXTS,
                )
                for column in table.columns
            ]
            for start in range(0, len(queries), COLUMNS_AT_ONCE):
                part = slice(start, start + COLUMNS_AT_ONCE)
                results = runner.run_many([Query(database, sql, dialect) for sql in queries[part]])
                for column, result in zip(table.columns[part], results, strict=True):
                    yield table.path, column.name, result
                    room -= sum(len(str(text)) for (text,) in result.rows)
                    stopped += result.status in _STOPPED
                    if room < 0 or stopped >= MAX_STOPPED:
                        log.warning(
                            "values of %s after %s.%s are left out: they are too large or take too "
                            "long to read",
                            database,
                            table.path,
                            column.name,
                        )
                        return
