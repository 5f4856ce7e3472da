"""Bytes kept on disk by key: bounded, checked when they are read, and shared by processes."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import apsw

from sql_env.caching.cache_file import PAGE, Damaged, checksum, live, reset, select, settle
from sql_env.errors import LimitError

log = logging.getLogger(__name__)

LAZY = 1024
"""How many uses are noted before they are written down without anything else to write."""

_OVERHEAD = 8 * PAGE  # what a new entry can take beside its own bytes: pages split on the way
_LEAST_USED = "DELETE FROM entry WHERE id IN (SELECT id FROM entry ORDER BY used, id LIMIT ?)"
_T = TypeVar("_T")


_DAMAGE = (Damaged, apsw.CorruptError, apsw.NotADBError, apsw.SQLError, apsw.FormatError, UnicodeError)


class DiskCache:
    """The most recently used entries, in one SQLite file. Safe among threads, forks and processes.

    It holds what can be made again, so nothing about the file raises. A file that is damaged or of
    another layout is emptied; one that cannot be written is read, and one that cannot be read is done
    without. The first of these is logged as a warning. Each entry carries a checksum, against damage and
    not against malice: who can write the file can write entries.

    SQLite's rollback journal is used, not its write-ahead log, which shares memory between processes and
    so needs them on one machine: a user's cache is often a folder on the network. Nothing waits for the
    disk (``synchronous = OFF``): a killed process leaves a journal that the next one rolls back; after a
    loss of power the file may be damaged.

    Args:
        file: Where it is kept. The folder need not exist.
        max_bytes: The size of the file at most, 1 MiB or more. An entry beyond an eighth of it is not kept.

    Raises:
        LimitError: ``max_bytes`` is no such number.
    """

    def __init__(self, file: Path, max_bytes: int) -> None:
        if isinstance(max_bytes, bool) or not isinstance(max_bytes, int) or max_bytes < 2**20:
            raise LimitError(f"a cache on disk takes at least {2**20} bytes (1 MiB), not {max_bytes!r}")
        self.file = file
        self.max_bytes = max_bytes
        self._state: tuple[int, int] | None = None  # of the open file: device and inode
        self._warned = self._emptied = self._read_only = self._off = False
        self._forget()
        _caches.add(self)

    def recall(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Those of the keys that are known, with their bytes."""
        wanted = list(keys)
        found = self._run(lambda connection: select(connection, wanted)) or {} if wanted else {}
        self._touched.update(dict.fromkeys(found))
        if len(self._touched) > LAZY:
            self.remember({})
        return found

    def remember(self, entries: Mapping[bytes, bytes]) -> None:
        """Keep entries, in one transaction, in place of those that were not used for longest."""
        kept = {key: body for key, body in entries.items() if len(body) <= self.max_bytes // 8}
        if kept or self._touched:
            self._run(lambda connection: self._write(connection, kept), writing=True)

    def empty(self, why: object) -> None:
        """Start anew, because what was recalled turned out to make no sense."""

        def damaged(_connection: apsw.Connection) -> None:
            if not self._emptied:
                raise Damaged(str(why))

        self._run(damaged, writing=True)

    def close(self) -> None:
        """Write down what was used, and close the file. It is opened again when need be."""
        self.remember({})
        with self._lock:
            self._disconnect()

    def _forget(self) -> None:
        """Start without a connection. A fork does; its parent's lock was held, so nothing was going on."""
        self._lock = threading.RLock()
        self._connection: apsw.Connection | None = None
        self._touched: dict[bytes, None] = {}

    def _run(self, work: Callable[[apsw.Connection], _T], writing: bool = False) -> _T | None:
        """Do some work with the file; None where that is impossible."""
        with self._lock:
            if self._off or (writing and self._read_only):
                return None
            try:
                return self._attempt(work)
            except (apsw.Error, OSError, MemoryError, *_DAMAGE) as error:
                if writing:
                    self._read_only = True
                    self._touched.clear()
                    self._warn("is not written any more", error)
                else:
                    self._off = True
                    self._warn("is done without", error)
                return None

    def _attempt(self, work: Callable[[apsw.Connection], _T]) -> _T:
        try:
            return work(self._opened())
        except (apsw.ReadOnlyError, *_DAMAGE) as error:
            ours = not isinstance(error, apsw.ReadOnlyError) or self._writable()  # else its header says so
            if self._emptied or not ours:
                raise
            self._emptied = True
            self._warn("is damaged or of another version and starts anew", error)
            self._disconnect()
            reset(self.file)
        return work(self._opened())

    def _opened(self) -> apsw.Connection:
        """The connection to the file that is there now; somebody may have removed the one before."""
        if self._connection is not None and self._state != _identity(self.file):
            self._disconnect()
        if self._connection is None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = apsw.Connection(str(self.file))
            settle(self._connection, self.max_bytes)
            self._state = _identity(self.file)
        return self._connection

    def _writable(self) -> bool:
        return os.access(self.file, os.W_OK) and os.access(self.file.parent, os.W_OK)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(True)

    def _write(self, connection: apsw.Connection, entries: Mapping[bytes, bytes]) -> None:
        touched, self._touched = self._touched, {}
        with connection:
            now = connection.execute("SELECT coalesce(max(used), 0) + 1 FROM entry").get
            connection.executemany("UPDATE entry SET used = ? WHERE key = ?", [(now, key) for key in touched])
            room = 0
            for key, body in entries.items():
                if room < (cost := len(body) + _OVERHEAD):
                    room = self._make_room(connection, cost)
                connection.execute(
                    "INSERT OR REPLACE INTO entry (key, used, sum, body) VALUES (?, ?, ?, ?)",
                    (key, now, checksum(key, body), body),
                )
                room -= cost

    def _make_room(self, connection: apsw.Connection, wanted: int) -> int:
        """The bytes that are free, at least as many as wanted."""
        while (room := self.max_bytes - live(connection)) < wanted:
            wanted = max(wanted, self.max_bytes // 8)
            count = connection.execute("SELECT count(*) FROM entry").get
            connection.execute(_LEAST_USED, (1 + count // 16,))
            if not connection.changes():
                raise Damaged("it has no entries, and no room")
        return room

    def _warn(self, what: str, error: BaseException) -> None:
        level = logging.DEBUG if self._warned else logging.WARNING
        self._warned = True
        log.log(level, "the cache %s %s: %s", self.file, what, error or type(error).__name__)


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        info = os.stat(file)
    except OSError:
        return None
    return info.st_dev, info.st_ino


_caches: weakref.WeakSet[DiskCache] = weakref.WeakSet()
_forking = threading.local()


def _before_fork() -> None:
    """Wait until no thread is in a transaction, so that the child has none to end on its own."""
    _forking.caches = list(_caches)
    for cache in _forking.caches:
        cache._lock.acquire()


def _after_fork_in_parent() -> None:
    for cache in _forking.caches:
        cache._lock.release()


def _after_fork_in_child() -> None:
    for cache in list(_caches):
        cache._forget()


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)
