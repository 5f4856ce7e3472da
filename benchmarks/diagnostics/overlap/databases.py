"""Find the databases that a test set shares with a training set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sql_env.errors import DatabaseError
from sql_env.execution.executor import Executor
from sql_env.types import Task

KINDS = ("name", "schema", "content")
"""The ways in which two databases are equal: they have the same name, whatever its case; they have the
same tables and columns, by name; their files are equal byte by byte."""


class DatabaseRef(NamedTuple):
    """A database as a task names it: its short name, its file and its engine."""

    name: str
    path: str
    dialect: str

    @classmethod
    def of_task(cls, task: Task) -> DatabaseRef:
        return cls(task.db_id, task.database, task.dialect)


def find_shared_databases(
    train: Iterable[DatabaseRef], test: Iterable[DatabaseRef]
) -> Mapping[DatabaseRef, tuple[str, ...]]:
    """Return the `KINDS` by which each database of the test set equals one of the training set.

    A file that is missing or is no database is compared by its name only. The content is read only of
    databases whose schema occurs on both sides.
    """
    left, right = list(dict.fromkeys(train)), list(dict.fromkeys(test))
    names = {database.name.lower() for database in left} - {""}
    with Executor() as executor:
        schemas = {database: _hash_schema(executor, database) for database in {*left, *right}}
    known = {schemas[database] for database in left} - {""}
    both = known & {schemas[database] for database in right}
    contents = {_hash_file(database.path) for database in left if schemas[database] in both} - {""}
    found = {}
    for database in right:
        same_content = schemas[database] in both and _hash_file(database.path) in contents
        same = (database.name.lower() in names, schemas[database] in known, same_content)
        found[database] = tuple(kind for kind, equal in zip(KINDS, same, strict=True) if equal)
    return found


def _hash_schema(executor: Executor, database: DatabaseRef) -> str:
    """Return a hash of the tables and columns; empty if they cannot be read or there are none."""
    try:
        tables = executor.schema(database.path, database.dialect).tables
    except DatabaseError:
        return ""
    names = sorted((t.name.lower(), sorted(c.name.lower() for c in t.columns)) for t in tables)
    return hashlib.sha256(repr(names).encode("utf-8", "replace")).hexdigest() if names else ""


def _hash_file(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
