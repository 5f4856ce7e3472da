"""SQL functions that replace SQLite's own: `random` with a seed, `instr` and `replace` in linear time.

SQLite's own `instr` and `replace` take time proportional to the product of the lengths of two texts: seconds
for one step of a query. Python's search takes time proportional to their sum. The results are the same.
"""

from __future__ import annotations

from random import Random

import apsw

from sql_env.types import Value


class QueryFunctions:
    """The functions of the running query.

    Args:
        max_bytes: The largest value that a function returns.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._random: Random | None = None
        self._native = apsw.Connection(":memory:")  # SQLite's own functions, for rare types of arguments
        self._native.limit(apsw.SQLITE_LIMIT_LENGTH, max_bytes)

    def start_query(self) -> None:
        """Give the next query the first random numbers again."""
        self._random = None

    def register(self, connection: apsw.Connection, native: bool) -> None:
        """Make the functions available to queries, and to views of the database.

        Args:
            connection: A connection to a database.
            native: True to keep SQLite's `instr` and `replace`, which can read text that is not UTF-8.
        """
        flags = apsw.SQLITE_INNOCUOUS
        connection.create_scalar_function("random", self._random_int, 0, flags=flags)
        connection.create_scalar_function("randomblob", self._random_blob, 1, flags=flags)
        if not native:
            # Deterministic, like SQLite's own. Otherwise queries would take other numbers of steps.
            connection.create_scalar_function("instr", self._instr, 2, deterministic=True, flags=flags)
            connection.create_scalar_function("replace", self._replace, 3, deterministic=True, flags=flags)

    def _generator(self) -> Random:
        if self._random is None:
            self._random = Random(0)
        return self._random

    def _random_int(self, *_none: Value) -> int:
        return self._generator().getrandbits(64) - 2**63

    def _random_blob(self, *sizes: Value) -> bytes:
        (size,) = sizes
        count = max(1.0, size) if isinstance(size, int | float) else 1
        if count > self._max_bytes:
            raise apsw.TooBigError("string or blob too big")
        return self._generator().randbytes(int(count))

    def _instr(self, *values: Value) -> Value:
        text, part = values
        if isinstance(text, str) and isinstance(part, str):
            return text.find(part) + 1
        if isinstance(text, bytes) and isinstance(part, bytes):
            return text.find(part) + 1
        return self._call_native("SELECT instr(?, ?)", values)

    def _replace(self, *values: Value) -> Value:
        text, old, new = values
        if not (isinstance(text, str) and isinstance(old, str) and isinstance(new, str)):
            return self._call_native("SELECT replace(?, ?, ?)", values)
        if old[:1] in ("", "\0"):  # SQLite reads the old text up to a NUL
            return text
        growth = len(new.encode()) - len(old.encode())
        if growth > 0 and len(text.encode()) + growth * text.count(old) > self._max_bytes:
            raise apsw.TooBigError("string or blob too big")
        return text.replace(old, new)

    def _call_native(self, sql: str, values: tuple[Value, ...]) -> Value:
        [(result,)] = self._native.execute(sql, values).fetchall()
        return result
