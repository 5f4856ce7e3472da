"""Further arguments of a benchmark's loader, as a command line gives them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sql_env.errors import DataError

_OWN = ("name", "split", "data_dir")


def parameters(texts: Iterable[str] | None) -> dict[str, Any]:
    """Read ``NAME=VALUE`` texts; a value that is JSON is read as such.

    Raises:
        DataError: A text is of another form, or names what has an option of its own.

    Example:
        >>> parameters(["max_tasks=9", "path=a.jsonl"])
        {'max_tasks': 9, 'path': 'a.jsonl'}
    """
    return dict(_parameter(text) for text in texts or ())


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise DataError(f"{text!r} is not of the form NAME=VALUE")
    if name in _OWN:
        raise DataError(f"{name!r} has an option of its own")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value
