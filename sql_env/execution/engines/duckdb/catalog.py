"""Read what a DuckDB database defines, and what a query uses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb

from sql_env.execution.engines.duckdb import functions

_WORD = re.compile(r"[a-z_]\w*", re.ASCII)
# The full names, because the database can have macros and views of the same names.
_SERIALIZE = "SELECT system.main.json_serialize_sql(?)"
_FUNCTIONS = "SELECT DISTINCT lower(function_name) FROM system.main.duckdb_functions() WHERE function_type {}"
_MACROS = """SELECT lower(function_name), function_type = 'table_macro', macro_definition
FROM system.main.duckdb_functions() WHERE NOT internal AND macro_definition IS NOT NULL"""
_VIEWS = "SELECT lower(view_name), sql FROM system.main.duckdb_views() WHERE {} internal"
_TABLES = "SELECT lower(table_name), sql ILIKE '%GENERATED%' FROM system.main.duckdb_tables()"
_GENERATED = """SELECT lower(table_name), column_default FROM system.main.duckdb_columns()
WHERE NOT internal AND column_default IS NOT NULL"""


def find_words(sql: str) -> set[str]:
    """Return the words of SQL in small letters, also those in texts and comments.

    Each plain name that the SQL contains is one of them: letters, digits and underscores.
    """
    return set(_WORD.findall(sql.lower()))


@dataclass
class Names:
    """The names that a query uses, in small letters. They come from DuckDB's own parser.

    Attributes:
        functions: The functions, also the operators.
        table_functions: The functions in FROM.
        tables: The tables and views.
        shown: The names after SHOW: tables or settings.
        system: The functions that are written with the schema of DuckDB's own functions: ``system.main.now``.
        percentage: A sample in percent has no seed.
    """

    functions: set[str] = field(default_factory=set)
    table_functions: set[str] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    shown: set[str] = field(default_factory=set)
    system: set[str] = field(default_factory=set)
    percentage: bool = False


def parse_names(cursor: duckdb.DuckDBPyConnection, sql: str) -> Names | None:
    """Return the names that a SELECT uses; None if DuckDB cannot tell.

    The names in macros and views are not included. This takes as long as a small query.
    """
    row = cursor.execute(_SERIALIZE, [sql]).fetchone()
    assert row is not None
    try:
        tree = json.loads(row[0])
    except RecursionError:
        return None
    return None if tree["error"] else _collect_names(tree)


def _collect_names(tree: Any) -> Names:
    names, waiting = Names(), [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            if "function_name" in node:
                name = node["function_name"].lower()
                names.functions.add(name)
                if "system" in (str(node.get("catalog")).lower(), str(node.get("schema")).lower()):
                    names.system.add(name)
            if node.get("type") == "TABLE_FUNCTION":
                names.table_functions.add(node["function"]["function_name"].lower())
            if "table_name" in node:
                into = names.shown if node.get("show_type") == "SHOW" else names.tables
                into.add(node["table_name"].lower())
            if node.get("is_percentage") and not node.get("repeatable"):
                names.percentage = True
    return names


@dataclass(frozen=True)
class System:
    """DuckDB's own names in this version that a query may not use.

    Attributes:
        functions: Functions that are allowed nowhere.
        table_functions: Functions that are not allowed in FROM.
        views: Views.
        words: All of them.
    """

    functions: frozenset[str]
    table_functions: frozenset[str]
    views: frozenset[str]
    words: frozenset[str]


def read_system(connection: duckdb.DuckDBPyConnection) -> System:
    """Compare all functions and views of this DuckDB with those that are allowed."""

    def read(sql: str) -> set[str]:
        return {row[0] for row in connection.execute(sql).fetchall()}

    internal = " AND internal"
    calls = read(_FUNCTIONS.format("IN ('scalar', 'aggregate', 'window', 'macro')" + internal))
    allowed = functions.SCALARS | functions.AGGREGATES | functions.MACROS
    refused = {name for name in calls - allowed if not name.startswith(functions.COLLATIONS)}
    tables = read(_FUNCTIONS.format("IN ('table', 'table_macro')" + internal)) - functions.TABLE_FUNCTIONS
    views = read(f"SELECT name FROM ({_VIEWS.format('')}) AS view(name, sql)") - functions.VIEWS
    refused |= tables - allowed
    refused = {name for name in refused if _WORD.fullmatch(name)}  # operators such as + are allowed
    return System(*map(frozenset, (refused, tables, views, refused | tables | views)))


@dataclass(frozen=True)
class Definition:
    """SQL that runs when a query uses a name of the database: a macro, a view or a generated column.

    Attributes:
        name: The macro, the view, or the table of the generated column, in small letters.
        macro: It is a macro.
        text: The SQL as DuckDB shows it.
        selects: What it can be as SELECT statements; a view has one for each ``AS`` in its text.
    """

    name: str
    macro: bool
    text: str
    selects: tuple[str, ...]


def read_definitions(connection: duckdb.DuckDBPyConnection) -> tuple[Definition, ...]:
    """Return the macros, views and generated columns of the database."""
    return tuple(_read_definitions(connection))


def _read_definitions(connection: duckdb.DuckDBPyConnection) -> Iterator[Definition]:
    for name, table, text in connection.execute(_MACROS).fetchall():
        yield Definition(name, True, text, (text if table else f"SELECT {text}",))
    for name, text in connection.execute(_VIEWS.format("NOT")).fetchall():
        starts = (match.end() for match in re.finditer(r" AS ", text))
        yield Definition(name, False, text, tuple(text[start:] for start in starts))
    if any(generated for _, generated in connection.execute(_TABLES).fetchall()):
        for name, text in connection.execute(_GENERATED).fetchall():
            yield Definition(name, False, text, (f"SELECT {text}",))


def read_tables(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Return the names of all tables in small letters."""
    return frozenset(name for name, _ in connection.execute(_TABLES).fetchall())
