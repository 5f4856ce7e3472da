"""A file of JSON lines that grows while a run works, and that a kill cannot break."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from sql_env.errors import DataError


class Journal:
    """Rows that are on disk as soon as they are appended.

    A last line that a kill has cut off is dropped when the file is opened again.

    Args:
        path: The file; made where it is missing.

    Raises:
        DataError: It cannot be read or written, or a line is no JSON object.

    Attributes:
        rows: All rows, those of earlier processes first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            content = path.read_bytes() if path.exists() else b""
            lines = content.split(b"\n")
            self.rows = [self._row(line, n) for n, line in enumerate(lines[:-1], 1)]
            self._file = path.open("ab")
            self._file.truncate(len(content) - len(lines[-1]))
        except OSError as error:
            raise DataError(f"cannot keep {str(path)!r}: {error}") from None

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row, and hand it to the operating system at once.

        Raises:
            DataError: It cannot be written.
        """
        try:
            self._file.write(json.dumps(row).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise DataError(f"cannot write {str(self._path)!r}: {error}") from None
        self.rows.append(dict(row))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _row(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{self._path}, line {number}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise DataError(f"{self._path}, line {number}: not a JSON object")
        return row
