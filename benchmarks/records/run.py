"""A run's folder: what was asked, what was said, and what came of it.

``config.json`` holds everything that determines the result, ``environment.json`` what it was made with,
``predictions.jsonl`` the completions and ``items.jsonl`` what was judged, a line each as they come;
``schemas.json`` and ``summary.json`` are written at the end.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.records.item import ITEMS
from benchmarks.records.journal import Journal
from sql_env.errors import DataError

log = logging.getLogger(__name__)

CONFIG, ENVIRONMENT, PREDICTIONS = "config.json", "environment.json", "predictions.jsonl"
SCHEMAS, SUMMARY = "schemas.json", "summary.json"


class Run:
    """One run's folder, open for work. Usable as a context manager.

    A folder that holds the same configuration is gone on with: nothing in it is lost, and nothing that
    it holds has to be done again. One process at a time has it.

    Args:
        folder: The folder; made where it is missing.
        config: Everything that determines the result, in JSON.
        environment: Versions and the like, in JSON. Where a run is gone on with in another one, what
            differs is added under ``resumed_with``.

    Raises:
        DataError: The folder holds a run of another configuration or is no run's, another process has
            it, or it cannot be written.

    Attributes:
        predictions: The completions.
        items: The judged answers.
    """

    predictions: Journal
    items: Journal

    def __init__(self, folder: Path, config: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder, os.O_RDONLY)
        except OSError as error:
            raise DataError(f"cannot write a run into {str(folder)!r}: {error}") from None
        with ExitStack() as opened:
            opened.callback(os.close, self._lock)
            self._claim()
            self._same(config)
            self._environment(environment)
            self.predictions = opened.enter_context(Journal(folder / PREDICTIONS))
            self.items = opened.enter_context(Journal(folder / ITEMS))
            self._opened = opened.pop_all()

    def finish(self, summary: Mapping[str, Any], schemas: Mapping[str, str]) -> None:
        """Write ``summary.json`` and ``schemas.json`` (the name of each database, and its DDL).

        Raises:
            DataError: They cannot be written.
        """
        self._write(SCHEMAS, schemas)
        self._write(SUMMARY, summary)

    def close(self) -> None:
        """Let go of the folder."""
        self._opened.close()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _claim(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataError(f"{str(self._folder)!r} is in use by another process: {error}") from None

    def _same(self, config: Mapping[str, Any]) -> None:
        wanted = json.loads(json.dumps(config))
        there = self._read(CONFIG)
        if there is None:
            for path in sorted(self._folder.iterdir()):
                if path.name != f"{CONFIG}.part":
                    said = f"has {path.name}, but no {CONFIG}: give a new or an empty folder as --out"
                    raise DataError(f"{str(self._folder)!r} {said}")
            self._write(CONFIG, wanted)
        elif there != wanted:
            lines = "; ".join(differences(there, wanted))
            raise DataError(
                f"{str(self._folder / CONFIG)!r} is another run's, or none of a run ({lines}): "
                "give another --out"
            )

    def _environment(self, environment: Mapping[str, Any]) -> None:
        ours = json.loads(json.dumps(environment))
        there = self._read(ENVIRONMENT)
        if there is None:
            self._write(ENVIRONMENT, ours)
            return
        resumed = there.pop("resumed_with", [])
        last = {**there, **{name: value for each in resumed for name, value in each.items()}}
        changed = {name: ours.get(name) for name in {*last, *ours} if last.get(name) != ours.get(name)}
        if changed:
            log.warning("going on in another environment: %s", "; ".join(differences(last, ours)))
            self._write(ENVIRONMENT, {**there, "resumed_with": [*resumed, dict(sorted(changed.items()))]})

    def _read(self, name: str) -> Any:
        path = self._folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"cannot read {str(path)!r}: {error}") from None

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        """Replace a file as a whole, so that a kill leaves the old one or the new one."""
        path, part = self._folder / name, self._folder / f"{name}.part"
        try:
            part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            part.replace(path)
        except OSError as error:
            raise DataError(f"cannot write {str(path)!r}: {error}") from None


def differences(there: Mapping[str, Any], here: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """What two objects of JSON differ in, a line each.

    Example:
        >>> list(differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}, "d": None}))
        ['a.c: 2 there, 3 here', 'd: not there, null here']
    """
    for name in dict.fromkeys([*there, *here]):
        ours, theirs = here.get(name), there.get(name)
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            yield from differences(theirs, ours, f"{path}{name}.")
        elif name not in there or name not in here or ours != theirs:
            left = f"{json.dumps(theirs)} there" if name in there else "not there"
            right = f"{json.dumps(ours)} here" if name in here else "not here"
            yield f"{path}{name}: {left}, {right}"
