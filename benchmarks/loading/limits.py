"""The limits of evaluation, and limits on a command line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields
from typing import Any

from sql_env.benchmark import parse_parameters
from sql_env.errors import LimitError
from sql_env.limits import Limits
from sql_env.plugins import suggest


def make_evaluation_limits(**given: float) -> Limits:
    """Return the limits of evaluation: those of training, except that every query may take ``max_steps``.

    Training stops a query that takes many times the steps of its gold query, because many hostile queries
    come in a batch. An evaluation must not lose a right answer, so ``min_steps`` is ``max_steps`` unless it
    is given.

    Args:
        **given: Fields of `sql_env.limits.Limits` that replace the defaults.

    Raises:
        LimitError: A field is unknown, or its value is no limit.

    Example:
        >>> limits = make_evaluation_limits()
        >>> limits.step_limit(300) == limits.max_steps
        True
    """
    names = [field.name for field in fields(Limits)]
    for name in given:
        if name not in names:
            raise LimitError(f"no limit has the name {name!r}.{suggest(name, names)}")
    limits = Limits(**given)  # type: ignore[arg-type]
    return limits if "min_steps" in given else Limits(**{**given, "min_steps": limits.max_steps})  # type: ignore[arg-type]


def parse_limits(texts: Iterable[str] | None) -> Limits:
    """Parse the limits of an evaluation on a command line.

    Args:
        texts: Each is ``NAME=VALUE`` or a JSON object. A later one replaces an earlier one.

    Raises:
        LimitError: A field is unknown, or its value is no limit.
        DataError: A text has another form.

    Example:
        >>> limits = parse_limits(['{"max_rows": 10}', "cpu_seconds=2.5"])
        >>> limits.max_rows, limits.cpu_seconds
        (10, 2.5)
    """
    return make_evaluation_limits(**read_limit_values(texts))


def read_limit_values(texts: Iterable[str] | None) -> dict[str, Any]:
    """Return the limits that are given on a command line by name, unchecked; see `parse_limits`.

    Raises:
        DataError: A text is neither ``NAME=VALUE`` nor a JSON object.
    """
    given: dict[str, Any] = {}
    for text in texts or ():
        found = None
        with suppress(ValueError, RecursionError):
            found = json.loads(text)
        given |= found if isinstance(found, dict) else parse_parameters([text], reserved=())
    return given
