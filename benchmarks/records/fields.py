"""Checks of values from JSON files. A check returns its value, or raises an error that names it."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from sql_env.errors import DataError

MAX_NUMBER = 1e100
"""Numbers must be below it, so that sums of squares of them are finite."""

Check: TypeAlias = Callable[[Any, str], Any]
"""Returns a value, given the value from JSON and its name, such as ``result.rows[3]``."""


def check_text(value: Any, name: str) -> str:
    """Check that a value is a string.

    Raises:
        DataError: It is not. All checks raise this error.
    """
    if not isinstance(value, str):
        raise _wrong(value, name, "a string")
    return value


def check_flag(value: Any, name: str) -> bool:
    """Check that a value is true or false."""
    if not isinstance(value, bool):
        raise _wrong(value, name, "true or false")
    return value


def check_whole(value: Any, name: str) -> int:
    """Check that a value is an integer that JSON can represent in every language."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > 2**53:
        raise _wrong(value, name, "a whole number")
    return value


def check_number(value: Any, name: str) -> float:
    """Check that a value is a finite number below `MAX_NUMBER`."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < MAX_NUMBER:
        raise _wrong(value, name, f"a finite number below {MAX_NUMBER:g}")
    return value


def optional(check: Check) -> Check:
    """Make a check that also accepts null."""
    return lambda value, name: None if value is None else check(value, name)


def list_of(check: Check) -> Check:
    """Make a check of each value of a list."""

    def check_list(value: Any, name: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong(value, name, "a list")
        return [check(each, f"{name}[{place}]") for place, each in enumerate(value)]

    return check_list


def mapping_of(check: Check) -> Check:
    """Make a check of each value of an object."""

    def check_mapping(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _wrong(value, name, "an object")
        return {key: check(each, f"{name}.{key[:60]}") for key, each in value.items()}

    return check_mapping


def check_fields(
    row: Any, name: str, required: Mapping[str, Check], more: Mapping[str, Check] | None = None
) -> dict[str, Any]:
    """Check the fields of an object, and return their values.

    Args:
        row: The value from JSON.
        name: Its name; empty for a whole line.
        required: The check of each field that must be there.
        more: The check of each field that may be missing.

    Raises:
        DataError: It is not an object, a field is missing, wrong or unknown.
    """
    checks = {**required, **(more or {})}
    if not isinstance(row, dict):
        raise _wrong(row, name, "an object")
    missing = [key for key in required if key not in row]
    unknown = [key for key in row if key not in checks]
    if missing or unknown:
        problem = f"{missing[0]!r} is missing" if missing else f"{unknown[0][:60]!r} is unknown"
        where = f" of {name!r}" if name else ""
        raise DataError(f"the fields{where} must be {', '.join(checks)}: {problem}")
    prefix = f"{name}." if name else ""
    return {key: checks[key](value, prefix + key) for key, value in row.items()}


def _wrong(value: Any, name: str, expected: str) -> DataError:
    return DataError(f"{name!r} must be {expected}, not {reprlib.repr(value)}")
