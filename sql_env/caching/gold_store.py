"""Gold results on disk, for other processes and later runs."""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

import apsw

from sql_env.caching.folder import cache_root
from sql_env.caching.gold_cache import GoldKey
from sql_env.caching.gold_codec import decode_gold, encode_gold
from sql_env.comparison import Gold
from sql_env.errors import LimitError
from sql_env.execution.engines.files import has_content
from sql_env.limits import Limits
from sql_env.types import Query, Status

log = logging.getLogger(__name__)
_T = TypeVar("_T")

VERSION = 4
"""The version of the file format and of the rules by which gold results are computed."""

_LASTING = frozenset({Status.OK, Status.ERROR, Status.DENIED})  # no clock and no memory size decides these
_LOGS = ("-wal", "-journal", ".wal")  # files beside a database that hold changes to it
_FRESH_NS = 2 * 10**9  # a file that changed so recently may change again within one tick of its clock
_PAGE = 4096
_SPLIT_PAGES = 16  # that an INSERT may add beside the pages of its values
_BUSY_MS = 5_000
_USED_PAGES = "SELECT page_count - freelist_count FROM pragma_page_count, pragma_freelist_count"
_SCHEMA = "CREATE TABLE gold (id INTEGER PRIMARY KEY, key BLOB UNIQUE, checksum BLOB, body BLOB)"
# SQLite's own locks do not survive a fork. So a fork waits until no thread uses a store.
_lock = threading.RLock()
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)

_NONDETERMINISTIC = re.compile(
    r"current|local|transaction|\b(?:now|today|age)\b|rand|uuid|sample|duckdb_|pragma", re.I
)
"""Words of a DuckDB query whose result may depend on its clock, on chance, or on the place of its file."""


class GoldStore:
    """Gold results on disk. Threads, forks and processes may share the folder.

    A defect of the disk or of the file never raises: it is logged, and the gold queries run. A checksum
    detects damage, not malice: a user who can write the file can write results. The key of a result holds the
    state of the database file, the query, the comparison, the limits, and the releases of the engine, of the
    SQL parser and of this library. A result that depends on a clock or on the machine's memory is not stored.

    Args:
        folder: The folder; ``golds`` in `sql_env.caching.folder.cache_root` if None.
        max_bytes: The largest size of the file, at least 1 MiB. The oldest results are deleted first. A
            result of more than an eighth of it is not stored.

    Raises:
        LimitError: ``max_bytes`` is not an integer of at least 1 MiB.
    """

    def __init__(self, folder: Path | str | None = None, *, max_bytes: int = 256 * 2**20) -> None:
        if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 2**20:
            raise LimitError(f"the gold store needs max_bytes of 1 MiB or more, not {max_bytes!r}")
        self.file = (cache_root() / "golds" if folder is None else Path(folder)).absolute() / "golds.sqlite"
        self.max_bytes = max_bytes
        self._used = self._warned = False

    def get_many(self, keys: Sequence[GoldKey], limits: Limits) -> dict[GoldKey, Gold]:
        """Return the stored results among ``keys``."""
        digests = {digest: key for key in keys if (digest := _digest(key, limits)) is not None}
        return self._use(lambda connection: _read(connection, digests)) or {} if digests else {}

    def put_many(self, golds: Mapping[GoldKey, Gold], limits: Limits) -> None:
        """Store results, except those that may change although their key does not."""
        bodies = {
            digest: body
            for key, gold in golds.items()
            if gold.result.status in _LASTING
            and (digest := _digest(key, limits)) is not None
            and len(body := encode_gold(gold)) <= self.max_bytes // 8
        }
        if bodies:
            self._use(lambda connection: _write(connection, bodies, self.max_bytes // _PAGE))

    def _use(self, action: Callable[[apsw.Connection], _T]) -> _T | None:
        """Call a function with an open file; None if the file cannot be used."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with _lock:
                # A signal handler that scores may have interrupted this thread in here: the interrupted use
                # cannot end before the handler, so the handler does without the store.
                if self._used:
                    return None
                self._used = True
                try:
                    with self._open() as connection:
                        return action(connection)
                finally:
                    self._used = False
        except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, ValueError) as error:
            self._warn("is damaged and is deleted", error)
            self._reset()
        except (apsw.Error, OSError) as error:
            self._warn("cannot be used", error)
        return None

    @contextmanager
    def _open(self) -> Iterator[apsw.Connection]:
        """Open the file. No connection is kept: a fork must not use the connection of its parent.

        Nothing rolls back after an error: closing does it. After some errors SQLite has rolled back by
        itself, and a second rollback would fail with an error that looks like damage.
        """
        connection = apsw.Connection(str(self.file))
        try:
            connection.set_busy_timeout(_BUSY_MS)
            connection.execute(
                f"PRAGMA page_size = {_PAGE}; PRAGMA synchronous = OFF; PRAGMA cell_size_check = ON; "
                f"PRAGMA max_page_count = {self.max_bytes // _PAGE}"
            ).fetchall()
            if not (schema := _schema(connection)) and not connection.readonly("main"):
                connection.execute("BEGIN IMMEDIATE")
                if not (schema := _schema(connection)):  # another process may have been faster
                    connection.execute(_SCHEMA)
                    schema = [_SCHEMA]
                connection.execute("COMMIT")
            if schema != [_SCHEMA]:
                raise ValueError("it has other tables")
            yield connection
        finally:
            connection.close(True)

    def _reset(self) -> None:
        """Delete the file. A process that has it open continues with the deleted file, without harm."""
        for file in (self.file, self.file.with_name(self.file.name + "-journal")):
            with suppress(OSError):
                file.unlink()

    def _warn(self, problem: str, error: Exception) -> None:
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        log.log(level, "the gold store %s %s: %s", self.file, problem, error or type(error).__name__)


def _schema(connection: apsw.Connection) -> list[str]:
    rows = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    return [str(sql) for (sql,) in rows]


def _read(connection: apsw.Connection, digests: Mapping[bytes, GoldKey]) -> dict[GoldKey, Gold]:
    found = {}
    for digest, key in digests.items():
        row = connection.execute("SELECT checksum, body FROM gold WHERE key = ?", (digest,)).fetchone()
        if row is None:
            continue
        checksum, body = row
        if not isinstance(body, bytes) or checksum != _checksum(digest, body):
            raise ValueError("a checksum is wrong")
        found[key] = decode_gold(body)
    return found


def _write(connection: apsw.Connection, bodies: Mapping[bytes, bytes], max_pages: int) -> None:
    """Write all results or none. If the disk is full, none is written, and none is deleted."""
    connection.execute("BEGIN IMMEDIATE")
    for digest, body in bodies.items():
        _make_room(connection, len(body) // (_PAGE - 4) + _SPLIT_PAGES, max_pages)
        row = digest, _checksum(digest, body), body
        connection.execute("INSERT OR REPLACE INTO gold (key, checksum, body) VALUES (?, ?, ?)", row)
    connection.execute("COMMIT")


def _make_room(connection: apsw.Connection, pages: int, max_pages: int) -> None:
    """Delete the oldest results, an eighth at a time, until so many pages of the file are free."""
    while connection.execute(_USED_PAGES).get + pages > max_pages:
        some = "SELECT id FROM gold ORDER BY id LIMIT 1 + (SELECT count(*) FROM gold) / 8"
        connection.execute(f"DELETE FROM gold WHERE id IN ({some})")
        if not connection.changes():
            return


def _checksum(digest: bytes, body: bytes) -> bytes:
    """Detect a damaged body, and a body under the key of another."""
    return blake2b(body, key=digest, digest_size=16).digest()


def _digest(key: GoldKey, limits: Limits) -> bytes | None:
    """The key of a result on disk; None if the result must not be stored."""
    query = key.query
    if not any(key.file) or _depends_on_more(query) or time.time_ns() - key.file[-1] < _FRESH_NS:
        return None
    path = os.path.realpath(query.database)
    if any(has_content(path + end) for end in _LOGS):
        return None
    parts = [path, *key.file, query.sql, key.comparison, _conditions(query.dialect, limits)]
    return blake2b(json.dumps(parts).encode(), digest_size=32).digest()


def _depends_on_more(query: Query) -> bool:
    """Return True if the result may depend on more than the key."""
    if query.dialect == "duckdb":
        return _NONDETERMINISTIC.search(query.sql) is not None
    return query.dialect != "sqlite"


@lru_cache(maxsize=16)
def _conditions(dialect: str, limits: Limits) -> str:
    """The releases and limits that a result depends on. Equal limits are the same: 10.0 is 10."""
    sqlite = (apsw.sqlite_lib_version(), apsw.sqlite3_sourceid(), *apsw.compile_options)
    engine = sqlite if dialect == "sqlite" else (version("duckdb"),)
    numbers = [int(value) if value == int(value) else value for value in asdict(limits).values()]
    return json.dumps([VERSION, dialect, *engine, version("sqlglot"), _own_version(), *numbers])


def _own_version() -> str:
    try:
        return version("sql-env")
    except PackageNotFoundError:  # the library is on the path but not installed, as a cluster may ship it
        return ""
