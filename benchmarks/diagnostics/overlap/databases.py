"""Which databases are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sql_env.errors import DatabaseError
from sql_env.execution.executor import Executor

KINDS = ("name", "schema", "content")
"""How two databases are the same: they are called alike, whatever the case; they have the same tables and
columns, by name; their files are the same byte by byte."""


@dataclass(frozen=True, slots=True)
class Place:
    """A database as tasks name it.

    Attributes:
        name: Its short name.
        path: Its file.
        dialect: Its engine.
    """

    name: str
    path: str
    dialect: str


def shared_databases(train: Iterable[Place], test: Iterable[Place]) -> Mapping[Place, tuple[str, ...]]:
    """In which of `KINDS` each database of the test set is one of the training set.

    A file that is missing or no database is compared by its name alone. Contents are read only of
    databases whose schemas occur on both sides.
    """
    theirs, ours = list(dict.fromkeys(train)), list(dict.fromkeys(test))
    names = {place.name.lower() for place in theirs} - {""}
    with Executor() as executor:
        schemas = {place: _schema(executor, place) for place in {*theirs, *ours}}
    known = {schemas[place] for place in theirs} - {""}
    both = known & {schemas[place] for place in ours}
    contents = {_content(place.path) for place in theirs if schemas[place] in both} - {""}
    return {
        place: tuple(
            kind
            for kind, found in zip(
                KINDS,
                (
                    place.name.lower() in names,
                    schemas[place] in known,
                    schemas[place] in both and _content(place.path) in contents,
                ),
                strict=True,
            )
            if found
        )
        for place in ours
    }


def _schema(executor: Executor, place: Place) -> str:
    """A hash of the tables and their columns; empty where they cannot be read, or there are none."""
    try:
        tables = executor.schema(place.path, place.dialect).tables
    except DatabaseError:
        return ""
    names = sorted((t.name.lower(), sorted(c.name.lower() for c in t.columns)) for t in tables)
    return hashlib.sha256(repr(names).encode("utf-8", "replace")).hexdigest() if names else ""


def _content(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
