"""The functions of each engine, as the engine itself lists them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import apsw
import duckdb


@dataclass(frozen=True, slots=True)
class Function:
    """One overload of a function.

    Attributes:
        name: The name; an operator has other characters than letters.
        kind: ``scalar``, ``aggregate``, ``window``, ``table`` or ``pragma``.
        types: The types of its arguments; ``ANY`` where the engine names none.
    """

    name: str
    kind: str
    types: tuple[str, ...]


@cache
def list_functions(engine: str) -> tuple[Function, ...]:
    """Return all overloads of an engine's functions, in a fixed order."""
    return tuple(_list_sqlite() if engine == "sqlite" else _list_duckdb())


def _list_sqlite() -> list[Function]:
    kinds = {"s": "scalar", "a": "aggregate", "w": "window"}
    with apsw.Connection(":memory:") as connection:
        listed = connection.execute(
            "SELECT DISTINCT name, type, narg FROM pragma_function_list ORDER BY 1, 2, 3"
        )
        found = [
            Function(name, kinds[kind], ("ANY",) * count)
            for name, kind, narg in listed
            for count in ((narg,) if narg >= 0 else (0, 1, 2, 3))
        ]
        pragmas = connection.execute("SELECT name FROM pragma_pragma_list ORDER BY 1")
        found += [Function(f"pragma_{name}", "table", ("ANY",)) for (name,) in pragmas]
        modules = connection.execute("SELECT name FROM pragma_module_list ORDER BY 1")
        found += [Function(name, "table", ("ANY", "ANY")) for (name,) in modules]
    found += [
        Function(name, "table", ("ANY", "ANY")) for name in ("json_each", "json_tree", "fts5vocab", "carray")
    ]
    return found


def _list_duckdb() -> list[Function]:
    with duckdb.connect(":memory:") as connection:
        listed = connection.execute(
            "SELECT DISTINCT function_name, function_type, parameter_types, varargs, len(parameters) "
            "FROM duckdb_functions() ORDER BY ALL"
        ).fetchall()
    kinds = {"macro": "scalar", "table_macro": "table"}
    found = []
    for name, kind, types, more, count in listed:
        known = tuple((types or [])[:count]) + ("ANY",) * (count - len(types or []))
        filled = tuple(each or "ANY" for each in known)
        found.append(Function(name, kinds.get(kind, kind), filled))
        if more:
            found.append(Function(name, kinds.get(kind, kind), (*filled, more, more)))
    return found
