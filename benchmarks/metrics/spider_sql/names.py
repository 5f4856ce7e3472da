"""Find the names of a database: tables, their columns, and which columns are the same key."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from benchmarks.loading.files import read_objects
from sql_env.errors import DataError
from sql_env.execution.executor import Executor
from sql_env.types import Task

_FILES = ("tables.json", "test_tables.json")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one database, in lower case.

    Attributes:
        tables: Each table and its columns.
        keys: The first column of its group for each column ``table.column`` of a foreign key. A pair of
            columns joins the first group that has one of them.
    """

    tables: Mapping[str, frozenset[str]]
    keys: Mapping[str, str]


class Catalog:
    """Finds the names of a task's database. It reads each file and each database once.

    They come from Spider's ``tables.json`` (or ``test_tables.json``) in the folder above the folder of
    databases; if the database is not in that file, they come from the database itself.
    """

    def __init__(self) -> None:
        self._read_file = cache(read_tables_json)
        self._read_database = cache(partial(read_database, Executor()))  # its worker ends with the catalog

    def __call__(self, task: Task) -> Names:
        """Return the names of a task's database.

        Raises:
            DataError: A ``tables.json`` is malformed.
            DatabaseError: The database is in no file, and it cannot be read.
        """
        for folder in Path(task.database).parents[2:3]:
            for path in filter(Path.is_file, (folder / name for name in _FILES)):
                if (names := self._read_file(path).get(task.db_id)) is not None:
                    return names
        return self._read_database(task.database, task.dialect)


def read_tables_json(path: Path) -> dict[str, Names]:
    """Read the names of each database from a file in the format of Spider's ``tables.json``.

    Raises:
        DataError: The file is missing or malformed.
    """
    try:
        return {
            entry["db_id"]: _make_names(
                entry["table_names_original"], entry["column_names_original"], entry["foreign_keys"]
            )
            for entry in read_objects(path)
        }
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{str(path)!r} does not have the format of Spider's tables.json: {type(error).__name__}: {error}"
        ) from None


def read_database(executor: Executor, database: str, dialect: str = "sqlite") -> Names:
    """Read the names of a database from its own schema.

    Raises:
        DatabaseError: The database cannot be read.
    """
    tables = executor.schema(database, dialect).tables
    columns = [(place, column.name) for place, table in enumerate(tables) for column in table.columns]
    places = {f"{tables[table].name}.{name}".lower(): place for place, (table, name) in enumerate(columns)}
    primary = {table.name.lower(): table.primary_key for table in tables}
    pairs = (
        (f"{table.name}.{column}".lower(), f"{key.table}.{target}".lower())
        for table in tables
        for key in table.foreign_keys
        for column, target in zip(
            key.columns, key.targets or primary.get(key.table.lower(), ()), strict=False
        )
    )
    keys = [(places[left], places[right]) for left, right in pairs if left in places and right in places]
    return _make_names([table.name for table in tables], columns, keys)


def _make_names(tables: Sequence[str], columns: Sequence[Any], keys: Iterable[Sequence[int]]) -> Names:
    """Make names from lists that refer to each other by place; a column is (table's place or -1, name)."""
    found: dict[str, set[str]] = {table.lower(): set() for table in tables}
    ids = []
    for table, name in columns:
        ids.append("*" if table < 0 else f"{tables[table]}.{name}".lower())
        if table >= 0:
            found[tables[table].lower()].add(name.lower())
    groups: list[set[int]] = []
    for pair in keys:
        group = next((group for group in groups if not group.isdisjoint(pair)), None)
        if group is None:
            groups.append(set(pair))
        else:
            group.update(pair)
    first = {ids[place]: ids[min(group)] for group in groups for place in group}
    return Names({table: frozenset(names) for table, names in found.items()}, first)
