"""Files that a kill cannot break: JSON lines that grow, and files that are replaced as a whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sql_env.errors import DataError

T = TypeVar("T")


class JsonLinesFile:
    """Rows that are on disk as soon as they are appended.

    A kill can cut off the last line. That line is dropped when the file is opened again.

    Args:
        path: The file; it is made where it is missing.
        check: Returns a row, or raises `DataError` if the file cannot have such a row.

    Raises:
        DataError: The file cannot be read or written, or a line is not a JSON object or such a row.

    Attributes:
        rows: All rows, those of earlier processes first.
    """

    def __init__(self, path: Path, check: Callable[[dict[str, Any]], dict[str, Any]] = dict) -> None:
        self._path = path
        try:
            content = path.read_bytes() if path.exists() else b""
            self.rows = list(parse_lines(content, path, check))
            # Without a buffer: a row that could not be written must not be written again by `close`.
            self._file = path.open("ab", buffering=0)
            self._end = content.rfind(b"\n") + 1
            self._file.truncate(self._end)
        except OSError as error:
            raise DataError(f"cannot write {str(path)!r}: {error}") from None

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row as a whole, and hand it to the operating system at once.

        Raises:
            DataError: The row cannot be written. The file has no part of it.
        """
        line = memoryview(json.dumps(row).encode() + b"\n")
        try:
            written = 0
            while written < len(line):  # a disk that is nearly full takes a part
                written += self._file.write(line[written:])
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._end)
            raise DataError(f"cannot write {str(self._path)!r}: {error}") from None
        self._end += len(line)
        self.rows.append(dict(row))

    def close(self) -> None:
        """Close the file.

        Raises:
            DataError: The rows are not on disk. A network file system may say so only now.
        """
        try:
            self._file.close()
        except OSError as error:
            raise DataError(f"cannot write {str(self._path)!r}: {error}") from None


def parse_lines(content: bytes, path: Path, convert: Callable[[dict[str, Any]], T]) -> Iterator[T]:
    """Convert the objects of complete lines of JSON. A last line without its line break is left out.

    Args:
        content: The content of a file.
        path: Its path, for messages.
        convert: Converts each object; it raises `DataError` for one that it does not take.

    Raises:
        DataError: A line is not such an object. The message names the line.
    """
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise DataError("not a JSON object")
            yield convert(row)
        except DataError as error:
            raise DataError(f"{path}, line {number}: {error}") from None
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: not JSON: {error}") from None


def read_object(path: Path) -> dict[str, Any] | None:
    """Read a file that is one JSON object; None if there is no file.

    Raises:
        DataError: The file cannot be read, or is something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"cannot read {str(path)!r}: {error}") from None
    if not isinstance(found, dict):
        raise DataError(f"{str(path)!r} does not contain a JSON object")
    return found


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
        with suppress(OSError):
            part.unlink()  # it may be what fills the disk
        raise DataError(f"cannot write {str(path)!r}: {error}") from None
