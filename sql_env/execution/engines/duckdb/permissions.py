"""Decide on a DuckDB query before it runs: may it run, and does it need a fixed seed or clock?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from functools import cache

import duckdb

from sql_env.execution.engines.duckdb.catalog import (
    Definition,
    Names,
    System,
    find_words,
    parse_names,
    read_definitions,
    read_tables,
)
from sql_env.execution.engines.duckdb.functions import (
    CHANCE,
    CLOCK_MACROS,
    CLOCK_WORDS,
    TABLE_FUNCTIONS,
    VIEWS,
)
from sql_env.execution.engines.stop_query import StopQuery
from sql_env.types import Status

ONLY_DATABASE = "only the database can be read, no other file"

_PARSE = "parse"
_SEED = "seed"
_CATALOG = "catalog"
_SET_SEED = "SELECT system.main.setseed(0)"
# DuckDB reads the columns of views when they are first used, and the catalog tells which ones. So read all.
_READ_VIEWS = "SELECT count(*) FROM system.main.duckdb_columns()"
_CATALOG_WORDS = VIEWS | {name for name in TABLE_FUNCTIONS if "_" in name} | {"show"}
# DuckDB reads the file of its own database also by its path.
_FILE_WORDS = frozenset({"db", "ddb", "duckdb"})
_FILES = tuple(f".{word}" for word in _FILE_WORDS)
# A column called age is frequent. One of these characters follows it, but never a call of age().
_AGE = re.compile(r"age\b(?<!\wage)(?!\"?[ \t\r\n]*(?:[\w,;.)=<>!+%|\]]|\Z))")


class Permissions:
    """The functions and tables that queries on one database may use.

    A cheap test comes first: does the text contain a word that needs something? A name that a query uses
    stands in its text: no allowed function takes a name as a text, except ``pragma_table_info`` and
    ``pragma_show``, which only list columns. A word can need that DuckDB's parser tells if it names a
    function or a view, or only a column. It can also need a fixed seed, a fixed clock, or a complete catalog.

    Args:
        connection: The open database. It is read now, in about 20 ms.
        system: DuckDB's own names that are refused.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, system: System) -> None:
        definitions = read_definitions(connection)
        macros = {entry.name for entry in definitions if entry.macro}
        self._system = system
        self._tables = read_tables(connection) | {entry.name for entry in definitions if not entry.macro}
        self._refused: set[tuple[bool, str]] = set()
        needs = _needs_of_words(system)
        hidden = {word for word, name in CLOCK_WORDS.items() if name in macros}
        # Most databases define nothing that matters: they share one dictionary.
        self._needs = {word: needs[word] for word in needs if word not in hidden} if hidden else needs
        self._always: frozenset[str] = frozenset()
        while self._add_all(connection, definitions):
            pass  # until nothing changes: a definition can use a later one

    def prepare(self, cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
        """Set the seed and the clock for a query, if it needs them.

        Args:
            cursor: The connection on which this query will run, and no other query.
            sql: One SELECT statement.

        Raises:
            StopQuery: The query is refused.
        """
        words = self._needs.keys() & find_words(sql)
        if not words and not self._always:
            return
        needs = self._find_needs(words, sql) | self._always
        if _PARSE in needs and (reason := self._refuse(parse_names(cursor, sql))):
            raise StopQuery(Status.DENIED, reason)
        if _CATALOG in needs:
            cursor.execute(_READ_VIEWS).fetchall()
        if _SEED in needs:
            cursor.execute(_SET_SEED).fetchall()
        if clock := needs & CLOCK_MACROS.keys():
            cursor.execute("; ".join(CLOCK_MACROS[name] for name in sorted(clock)))

    def _find_needs(self, words: Set[str], sql: str) -> set[str]:
        """Return what SQL with these words needs."""
        text = sql.lower()
        if "age" in words and self._needs.get("age") == frozenset({"age"}) and not _AGE.search(text):
            words -= {"age"}
        needs = {need for word in words for need in self._needs.get(word, ())}
        # A sample in percent is not seeded. A function of the schema system is not hidden by a macro.
        if _SEED in needs and ("%" in text or "percent" in text) and "sample" in text:
            needs.add(_PARSE)
        if needs & CLOCK_MACROS.keys() and "system" in text:
            needs.add(_PARSE)
        return needs

    def _refuse(self, names: Names | None) -> str:
        """Return why SQL that uses these names is refused; empty if it is allowed."""
        if names is None:
            return "the query cannot be checked for functions that are not allowed"
        bad = names.functions & self._system.functions | names.table_functions & self._system.table_functions
        if bad := bad | {name for name in names.functions if (True, name) in self._refused}:
            return f"the function {min(bad)} is not allowed"
        if any(name.endswith(_FILES) for name in names.tables - self._tables):
            return ONLY_DATABASE
        bad = names.tables & self._system.views
        if bad := bad | {name for name in names.tables if (False, name) in self._refused}:
            return f"the table or view {min(bad)} is not allowed"
        if bad := names.shown - self._tables:
            return f"SHOW {min(bad)} is not allowed: only tables are shown"
        if names.percentage:
            return "a sample in percent has other rows each time: add REPEATABLE (1)"
        if bad := names.system & CLOCK_MACROS.keys():
            return f"the clock is fixed: write {min(bad)} without a schema"
        return ""

    def _add_all(self, connection: duckdb.DuckDBPyConnection, definitions: Iterable[Definition]) -> bool:
        changes = [self._add(connection, entry) for entry in definitions]
        return any(changes)

    def _add(self, connection: duckdb.DuckDBPyConnection, entry: Definition) -> bool:
        """Give the name of a definition all needs of its text. Return if it had not all of them yet."""
        needs = self._find_needs(find_words(entry.text), entry.text)
        if _PARSE in needs:
            needs.discard(_PARSE)
            parsed = [names for select in entry.selects if (names := parse_names(connection, select))]
            if not parsed or any(map(self._refuse, parsed)):
                needs.add(_PARSE)
                self._refused.add((entry.macro, entry.name))
        words = find_words(entry.name)
        if not words and not needs <= self._always:
            self._always |= needs
            return True
        missing = {word for word in words if not needs <= self._needs.get(word, frozenset())}
        if missing:
            self._needs = self._needs | {word: self._needs.get(word, frozenset()) | needs for word in missing}
        return bool(missing)


@cache
def _needs_of_words(system: System) -> dict[str, frozenset[str]]:
    """Return what each word needs in a database without macros and views."""
    groups: dict[str, frozenset[str]] = {
        _PARSE: system.words | _FILE_WORDS | {"show"},
        _SEED: CHANCE,
        _CATALOG: _CATALOG_WORDS,
    }
    for word, name in CLOCK_WORDS.items():
        groups[name] = groups.get(name, frozenset()) | {word}
    words = {word for group in groups.values() for word in group}
    return {word: frozenset(need for need in groups if word in groups[need]) for word in words}
