"""Gold results that outlive the process that made them."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from hashlib import blake2b, file_digest
from importlib.metadata import PackageNotFoundError, version
from json import JSONEncoder
from pathlib import Path
from typing import NamedTuple, TypeAlias

import apsw

from sql_env.caching.disk_cache import DiskCache
from sql_env.caching.folder import cache_root
from sql_env.caching.gold_text import decode, encode
from sql_env.comparison.gold import Gold
from sql_env.errors import DatabaseError
from sql_env.execution.engines.files import identify_file
from sql_env.limits import Limits
from sql_env.types import Query, Status

VERSION = 2
"""Of what is stored and of how golds come about. It rises when engines or comparisons make golds anew."""

Asked: TypeAlias = tuple[Query, str]
"""A gold query as it is run, and the name of the comparison that it is for."""

_LASTING = frozenset({Status.OK, Status.ERROR, Status.DENIED})
_LOGS = ("-wal", "-journal", ".wal")  # of whichever engine; beside a database they hold changes to it
_FRESH_NS = 2 * 10**9  # a file that changed so recently may change again and keep its time
_JSON = JSONEncoder(ensure_ascii=False)
_PASSING = re.compile(
    r"current|local|transaction|\b(?:now|today|age)\b|rand|uuid|sample|duckdb_|pragma", re.I
)
"""What a query of DuckDB must not name: its clock, chance, or where the file lies."""


class FileState(NamedTuple):
    """What tells one state of a file from another, across restarts."""

    path: str
    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


@dataclass(frozen=True, slots=True)
class StoreKey:
    """Everything that a gold depends on, as one digest.

    Attributes:
        digest: Of the database's content, the query, the comparison, the limits, and the releases of the
            engine, of the parser that finds the sort keys, and of this library.
        file: The database as it was then: a gold is stored only where it still is.
    """

    digest: bytes
    file: FileState = field(compare=False, repr=False)


class GoldStore:
    """Golds on disk, which processes share and restarts do not lose. Thread-safe, fork-safe.

    It never raises for what is on the disk, and never gives a gold that was not stored under its key; see
    `sql_env.caching.disk_cache.DiskCache`. What passes is not stored: a result that a clock or the memory
    of the machine has decided, and in DuckDB one that names its clock, chance or its own files.

    Args:
        folder: Where; ``golds`` in `sql_env.caching.folder.cache_root` if not told.
        max_bytes: What it takes of the disk at most, 1 MiB or more. The golds that were not used for
            longest go first. One beyond an eighth of it is not stored.

    Raises:
        LimitError: ``max_bytes`` is no such number.

    Example:
        >>> GoldStore("missing").key(Query("missing.sqlite", "SELECT 1"), "strict", Limits()) is None
        True
    """

    def __init__(self, folder: Path | str | None = None, *, max_bytes: int = 256 * 2**20) -> None:
        place = cache_root() / "golds" if folder is None else Path(folder)
        self._disk = DiskCache(place.absolute() / "golds.sqlite", max_bytes)
        self._contents: dict[FileState, bytes] = {}

    def key(self, query: Query, comparison: str, limits: Limits) -> StoreKey | None:
        """The key of one gold; see `keys`."""
        return self.keys([(query, comparison)], limits)[0]

    def keys(self, asked: Sequence[Asked], limits: Limits) -> list[StoreKey | None]:
        """The key of each gold, in the same order; None where nothing can be stored.

        That is where the database is missing, is being written, or has a log beside it that is not empty,
        and where the result would pass. A file is read as a whole when it is new or has changed.
        """
        states = {database: file_state(database) for database in {query.database for query, _ in asked}}
        contents = self._digests({state for state in states.values() if state is not None})
        found: list[StoreKey | None] = []
        for query, comparison in asked:
            state = states[query.database]
            content = contents.get(state) if state is not None else None
            if state is None or content is None or _passes(query):
                found.append(None)
            else:
                found.append(StoreKey(_gold_digest(content, query, comparison, limits), state))
        return found

    def recall(self, keys: Sequence[StoreKey]) -> dict[StoreKey, Gold]:
        """Those of the golds that are stored."""
        bodies = self._disk.recall({key.digest for key in keys})
        try:
            golds = {digest: decode(body) for digest, body in bodies.items()}
        except ValueError as error:
            self._disk.empty(error)
            return {}
        return {key: golds[key.digest] for key in keys if key.digest in golds}

    def remember(self, golds: Mapping[StoreKey, Gold]) -> None:
        """Store golds, except those that may pass and those whose database has changed meanwhile."""
        files = {file: file_state(file.path) == file for file in {key.file for key in golds}}
        lasting = {
            key.digest: encode(gold)
            for key, gold in golds.items()
            if gold.result.status in _LASTING and files[key.file]
        }
        self._disk.remember(lasting)

    def close(self) -> None:
        """Write down what was used, and close the file. It is opened again when need be."""
        self._disk.close()

    def _digests(self, states: Iterable[FileState]) -> dict[FileState, bytes]:
        """The content of each file as a digest, without those that cannot be read or change meanwhile."""
        known = {state: self._contents[state] for state in states if state in self._contents}
        names = {_digest("file", *state): state for state in states if state not in known}
        for name, content in self._disk.recall(names).items():
            known[names[name]] = content
        read = {name: _read(state) for name, state in names.items() if state not in known}
        settled = time.time_ns() - _FRESH_NS
        lasting = {n: c for n, c in read.items() if c is not None and names[n].changed_ns < settled}
        self._disk.remember(lasting)
        known |= {names[name]: content for name, content in read.items() if content is not None}
        self._contents |= {s: c for s, c in known.items() if s.changed_ns < settled}
        return known


def file_state(database: str) -> FileState | None:
    """A database file's state; None where there is none, or where a log holds changes to it."""
    try:
        identify_file(database, _LOGS, "")
        path = os.path.realpath(database)
        info = os.stat(path)
    except (DatabaseError, OSError, ValueError):
        return None
    return FileState(path, info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


def _gold_digest(content: bytes, query: Query, comparison: str, limits: Limits) -> bytes:
    name = Path(query.database).stem if query.dialect == "duckdb" else ""  # in its SQL the catalog's name
    return _digest("gold", content.hex(), query.sql, name, comparison, _conditions(query.dialect, limits))


@lru_cache(maxsize=16)
def _conditions(dialect: str, limits: Limits) -> str:
    """What is the same for many golds, as one digest. Limits that are equal count as such: 10.0 is 10."""
    numbers = [int(value) if value == int(value) else value for value in asdict(limits).values()]
    return _digest(VERSION, dialect, *releases(dialect), *numbers).hex()


def releases(dialect: str) -> tuple[str, ...]:
    """Of all that makes a gold. DuckDB, which takes long to import, need not be imported."""
    sqlite = (apsw.sqlite_lib_version(), apsw.sqlite3_sourceid(), *apsw.compile_options)
    engine = sqlite if dialect == "sqlite" else (version("duckdb"),)
    return (*engine, version("sqlglot"), _own_version())


def _own_version() -> str:
    try:
        return version("sql-env")
    except PackageNotFoundError:  # it is on the path without being installed, as a cluster may ship it
        return ""


def _digest(*parts: str | int | float) -> bytes:
    return blake2b(_JSON.encode(parts).encode("utf-8", "surrogatepass"), digest_size=32).digest()


def _passes(query: Query) -> bool:
    """Whether what a query returns hangs on more than is in its key, or may."""
    if query.dialect == "duckdb":
        return _PASSING.search(query.sql) is not None
    return query.dialect != "sqlite"


def _read(state: FileState) -> bytes | None:
    """The digest of a file that has this state; None where it has not, before or after."""
    try:
        with open(state.path, "rb") as file:
            content = file_digest(file, lambda: blake2b(digest_size=32)).digest()
    except OSError:
        return None
    return content if file_state(state.path) == state else None
