"""Files that a kill cannot break: JSON lines that grow, and files that are replaced as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sql_env.errors import DataError


class JsonLinesFile:
    """Rows that are on disk as soon as they are appended.

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

    def close(self) -> None:
        """Close the file."""
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


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file as a whole; see `replace_file`."""
    replace_file(path, [json.dumps(content, indent=2), "\n"])


def replace_file(path: Path, content: Iterable[str]) -> None:
    """Write a file as a whole: after a kill, the file is the old one or the new one.

    Args:
        path: The file. Its folder is made where it is missing.
        content: The parts of its text.

    Raises:
        DataError: The file cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as file:
            file.writelines(content)
        part.replace(path)
    except OSError as error:
        raise DataError(f"cannot write {str(path)!r}: {error}") from None
