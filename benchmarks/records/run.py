"""The folder of a run: its settings, its completions and its results.

``config.json`` has everything that determines the result. ``environment.json`` has versions and the like.
``predictions.jsonl`` has the completions and ``items.jsonl`` the judged answers, a line each, written as they
come. ``schemas.json`` and ``summary.json`` are written at the end.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import apsw

from benchmarks.records.fields import (
    check_fields,
    check_number,
    check_text,
    check_whole,
    list_of,
    mapping_of,
    optional,
)
from benchmarks.records.item import ITEMS, Item
from benchmarks.records.json_lines import JsonLinesFile, read_object, write_json
from sql_env.errors import DataError

log = logging.getLogger(__name__)

CONFIG, ENVIRONMENT, PREDICTIONS = "config.json", "environment.json", "predictions.jsonl"
SCHEMAS, SUMMARY = "schemas.json", "summary.json"
PACKAGES = ("sql-env", "duckdb", "sqlglot", "torch", "transformers", "vllm")


class RunFolder:
    """The folder of one run, open for writing.

    A run whose folder has the same configuration is resumed: nothing in the folder is lost, and nothing
    that it has is done again. A lock keeps other processes out of the folder.

    Args:
        folder: The folder; it is made where it is missing.
        config: Everything that determines the result, in JSON.
        environment: Versions and the like, in JSON. Where a run is resumed in another environment, the
            differences are added under ``resumed_with``.

    Raises:
        DataError: The folder belongs to a run with another configuration or to something else, another
            process uses it, or it cannot be written.

    Attributes:
        predictions: The completions.
        items: The judged answers.
    """

    predictions: JsonLinesFile
    items: JsonLinesFile

    def __init__(self, folder: Path, config: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
        self._folder = folder
        with ExitStack() as opened:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                lock = os.open(folder, os.O_RDONLY)
                opened.callback(os.close, lock)
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DataError(f"{str(folder)!r} is in use by another process") from None
            except OSError as error:
                raise DataError(f"cannot write a run into {str(folder)!r}: {error}") from None
            self._check_config(json.loads(json.dumps(config)))
            self._record_environment(json.loads(json.dumps(environment)))
            self.predictions = JsonLinesFile(folder / PREDICTIONS, check_prediction)
            opened.enter_context(closing(self.predictions))
            self.items = JsonLinesFile(folder / ITEMS, _check_item)
            opened.enter_context(closing(self.items))
            self._opened = opened.pop_all()

    def finish(self, summary: Mapping[str, Any], schemas: Mapping[str, str]) -> None:
        """Write ``summary.json`` and ``schemas.json`` (the name of each database, and its DDL).

        Raises:
            DataError: They cannot be written.
        """
        write_json(self._folder / SCHEMAS, schemas)
        write_json(self._folder / SUMMARY, summary)

    def close(self) -> None:
        """Close the files and release the lock."""
        self._opened.close()

    def _check_config(self, config: Any) -> None:
        """Write the configuration into an empty folder; compare it with the configuration of another."""
        recorded = read_object(self._folder / CONFIG)
        if recorded is None:
            others = sorted({path.name for path in self._folder.iterdir()} - {f"{CONFIG}.part"})
            if others:
                raise DataError(
                    f"{str(self._folder)!r} has {others[0]}, but no {CONFIG}: "
                    "give a new or an empty folder as --out"
                )
            write_json(self._folder / CONFIG, config)
        elif recorded != config:
            lines = "; ".join(list_differences(recorded, config))
            raise DataError(
                f"{str(self._folder / CONFIG)!r} belongs to another run ({lines}): give another --out"
            )

    def _record_environment(self, environment: Any) -> None:
        recorded = read_object(self._folder / ENVIRONMENT)
        if recorded is None:
            write_json(self._folder / ENVIRONMENT, environment)
            return
        resumed = _check_differences(recorded.pop("resumed_with", []), f"{ENVIRONMENT}: resumed_with")
        last = {**recorded, **{name: value for each in resumed for name, value in each.items()}}
        names = sorted(name for name in {*last, *environment} if last.get(name) != environment.get(name))
        if names:
            log.warning("resumed in another environment: %s", "; ".join(list_differences(last, environment)))
            resumed = [*resumed, {name: environment.get(name) for name in names}]
            write_json(self._folder / ENVIRONMENT, {**recorded, "resumed_with": resumed})


def _check_item(row: dict[str, Any]) -> dict[str, Any]:
    Item.from_dict(row)
    return row


def check_prediction(row: dict[str, Any]) -> dict[str, Any]:
    """Check a line of ``predictions.jsonl``.

    Raises:
        DataError: A field is missing, wrong or unknown.
    """
    return check_fields(row, "", _PREDICTION, _OF_PREDICTION)


_PREDICTION = {"task_id": check_text, "decoding": check_text, "completions": list_of(check_text)}
_USAGE = {
    "prompt_tokens": optional(check_whole),
    "completion_tokens": optional(check_whole),
    "seconds": check_number,
}
_OF_PREDICTION = {
    "dropped_gold_tables": list_of(check_text),
    "usage": lambda value, name: check_fields(value, name, _USAGE),
}
_check_differences = list_of(mapping_of(lambda value, name: value))


def list_differences(recorded: Mapping[str, Any], given: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield a line for each key in which two JSON objects differ.

    Example:
        >>> list(list_differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": None}))
        ['a.c: 2 there, 3 here', 'd: not there, null here']
    """
    for name in dict.fromkeys([*recorded, *given]):
        there, here = recorded.get(name), given.get(name)
        if isinstance(there, Mapping) and isinstance(here, Mapping):
            yield from list_differences(there, here, f"{path}{name}.")
        elif name not in recorded or name not in given or there != here:
            left = f"{json.dumps(there)} there" if name in recorded else "not there"
            right = f"{json.dumps(here)} here" if name in given else "not here"
            yield f"{path}{name}: {left}, {right}"


def describe_environment() -> dict[str, Any]:
    """Return the platform and the versions of the packages that can change a result.

    Nothing in it identifies a machine.
    """
    found = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "sqlite": apsw.sqlite_lib_version(),
    }
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
