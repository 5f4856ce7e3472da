"""Further arguments of a plug-in on a command line."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

from sql_env.errors import DataError

LOADER = ("name", "split", "data_dir")
"""Arguments of a benchmark's loader that have options of their own."""


def parse_parameters(texts: Iterable[str] | None, reserved: Collection[str] = LOADER) -> dict[str, Any]:
    """Parse ``NAME=VALUE`` texts. A value that is JSON is decoded.

    Args:
        texts: The texts.
        reserved: Names that have options of their own, and are refused here.

    Raises:
        DataError: A text has another form, or a name is reserved.

    Example:
        >>> parse_parameters(["max_tasks=9", "path=a.jsonl"])
        {'max_tasks': 9, 'path': 'a.jsonl'}
    """
    found: dict[str, Any] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise DataError(f"{text!r} is not of the form NAME=VALUE")
        if name in reserved:
            raise DataError(f"{name!r} has an option of its own")
        try:
            found[name] = json.loads(value)
        except (ValueError, RecursionError):
            found[name] = value
    return found
