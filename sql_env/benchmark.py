"""Load a benchmark by name."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Collection, Iterable
from typing import Any

from sql_env import plugins
from sql_env.errors import DataError, PluginError
from sql_env.types import Benchmark

log = logging.getLogger(__name__)

RESERVED = ("name", "split", "data_dir")
"""Arguments of a benchmark's loader that have options of their own on a command line."""


def load_benchmark(
    name: str, split: str | None = None, data_dir: str | None = None, **params: Any
) -> Benchmark:
    """Load one split of an installed benchmark.

    Args:
        name: The name of an entry point of ``sql_env.benchmarks``, or ``package.module:loader``.
        split: The split; None for the benchmark's default.
        data_dir: The folder of the benchmark's files, if it needs one.
        params: Further arguments of the loader, such as ``path`` of ``jsonl``.

    Raises:
        PluginError: No benchmark has this name, or its loader does not take these arguments.
        DataError: Its data is missing or has no task.
    """
    loader = plugins.load_typed(plugins.BENCHMARKS, name)
    arguments = {"split": split, "data_dir": data_dir, **params}
    given = {key: value for key, value in arguments.items() if value is not None}
    try:
        inspect.signature(loader).bind(**given)
    except TypeError as error:
        raise PluginError(f"benchmark {name!r}: {error}; it takes {inspect.signature(loader)}") from None
    benchmark = loader(**given)
    if not isinstance(benchmark, Benchmark):
        raise PluginError(f"benchmark {name!r} returned a {type(benchmark).__name__}, not a Benchmark")
    if not benchmark.tasks:
        raise DataError(f"benchmark {name!r}, split {benchmark.split!r}, has no task; {benchmark.left_out}")
    for line in benchmark.left_out:
        log.warning("%s: %s", name, line)
    return benchmark


def parse_parameters(texts: Iterable[str] | None, reserved: Collection[str] = RESERVED) -> dict[str, Any]:
    """Parse further arguments of a plug-in on a command line: ``NAME=VALUE`` texts.

    A value that is JSON is decoded.

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
