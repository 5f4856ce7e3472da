"""Files of JSON lines that grow while a run works, and that a kill cannot break."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from sql_env.errors import DataError


class JsonLinesFile:
    """Rows that are on disk as soon as they are appended. Usable as a context manager.

    A kill can cut off the last line. That line is dropped when the file is opened again.

    Args:
        path: The file; it is made where it is missing.

    Raises:
        DataError: The file cannot be read or written, or a line is not a JSON object.

    Attributes:
        rows: All rows, those of earlier processes first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            content = path.read_bytes() if path.exists() else b""
            self.rows = list(parse_lines(content, path))
            self._file = path.open("ab")
            self._file.truncate(content.rfind(b"\n") + 1)
        except OSError as error:
            raise DataError(f"cannot write {str(path)!r}: {error}") from None

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row, and hand it to the operating system at once.

        Raises:
            DataError: The row cannot be written.
        """
        try:
            self._file.write(json.dumps(row).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise DataError(f"cannot write {str(self._path)!r}: {error}") from None
        self.rows.append(dict(row))

    def __enter__(self) -> JsonLinesFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def parse_lines(content: bytes, path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of complete lines of JSON. A last line without its line break is left out.

    Raises:
        DataError: A line is not a JSON object.
    """
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number}: not a JSON object")
        yield row
