"""Further arguments of a plug-in, as a command line gives them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

from sql_env.errors import DataError

LOADER = ("name", "split", "data_dir")
"""Arguments of a benchmark's loader that have options of their own."""


def parameters(texts: Iterable[str] | None, options: Collection[str] = LOADER) -> dict[str, Any]:
    """Read ``NAME=VALUE`` texts; a value that is JSON is read as such.

    Args:
        texts: The texts.
        options: Names that have an option of their own, and cannot be given so.

    Raises:
        DataError: A text is of another form, or names what has an option of its own.

    Example:
        >>> parameters(["max_tasks=9", "path=a.jsonl"])
        {'max_tasks': 9, 'path': 'a.jsonl'}
    """
    return dict(_parameter(text, options) for text in texts or ())


def _parameter(text: str, options: Collection[str]) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise DataError(f"{text!r} is not of the form NAME=VALUE")
    if name in options:
        raise DataError(f"{name!r} has an option of its own")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value
