"""Nothing outlives a query: after each function that is allowed, the instance is as before."""

import os
import random
import sys

import duckdb
import pytest

from sql_env import Limits, Status
from sql_env.execution.engines.duckdb import functions
from sql_env.execution.engines.duckdb.engine import DuckDBEngine

VALUES = {
    "VARCHAR": ("'a'", "'é😀'", "''"),
    "BLOB": (r"'\xC3'::BLOB", "''::BLOB", "NULL::BLOB"),
    "BOOLEAN": ("true", "false", "NULL::BOOLEAN"),
    "DATE": ("DATE '2024-02-29'", "'infinity'::DATE", "NULL::DATE"),
    "TIMESTAMP": ("TIMESTAMP '2024-02-29 01:02:03'", "'-infinity'::TIMESTAMP", "NULL::TIMESTAMP"),
    "JSON": ("'{\"a\": 1}'::JSON", "'[]'::JSON", "NULL::JSON"),
    "LAMBDA": ("lambda x: x",) * 3,
}
GROUPS = {
    "scalar": functions.SCALARS | {"collate_de", "icu_collate_de"},
    "aggregate": functions.AGGREGATES,
    "window": functions.AGGREGATES,
    "macro": functions.MACROS,
    "table": functions.TABLE_FUNCTIONS,
}
OUTSIDE = [
    "duckdb_external_resources()",
    "duckdb_external_resource_types()",
    "duckdb_settings()",
    "duckdb_variables()",
    "duckdb_prepared_statements()",
    "duckdb_temporary_files()",
    "duckdb_logs()",
    "duckdb_connection_count()",
    "duckdb_tables()",
    "duckdb_views()",
    "duckdb_sequences()",
    "duckdb_types() SELECT type_name",
    "duckdb_functions() SELECT count(*)",
    "duckdb_schemas() SELECT schema_name",
    "duckdb_databases() SELECT database_name, path",
]
"""What a query could leave on the instance; queries themselves may not read most of it."""

INSIDE = [
    "SELECT random(), now(), uuid(), age(DATE '2000-01-01')",
    "SELECT * FROM duckdb_columns()",
    "SELECT * FROM duckdb_tables()",
    "SELECT * FROM pg_class",
    "SELECT * FROM information_schema.tables",
    "SHOW ALL TABLES",
    "SELECT range FROM range(100) USING SAMPLE 3",
    "SELECT id, name FROM author",
    "SELECT * FROM lucky, today_is, plain",
    "SELECT list_sum([1, 2]), 'b' COLLATE de, TIMESTAMPTZ '2025-01-01', strftime(now(), '%c')",
]


def make_argument(kind, style):
    """An argument of a type as SQL: an ordinary one, an odd one, or NULL."""
    if kind in VALUES:
        return VALUES[kind][style]
    if kind and kind.endswith("[]"):
        return ("[1, 2]", "['é']", "NULL")[style]
    if kind and kind.startswith("MAP"):
        return ("MAP {'a': 1}", "MAP {}", "NULL")[style]
    return ("1", "-3", "NULL")[style]


def make_calls():
    """Calls of each allowed function with each list of types, and reads of each allowed view, shuffled."""
    with duckdb.connect() as connection:
        signatures = connection.execute(
            """SELECT DISTINCT lower(function_name), function_type, parameter_types, varargs
            FROM duckdb_functions() ORDER BY ALL"""
        ).fetchall()
    calls = [f"FROM {schema}{view}" for view in functions.VIEWS for schema in ("", "information_schema.")]
    for name, kind, types, varargs in signatures:
        for style in range(3) if name in GROUPS.get(kind, ()) else ():
            arguments = [make_argument(each, style) for each in types]
            arguments += [make_argument(varargs, style)] * 2 if varargs else []
            call = f'"{name}"({", ".join(arguments)})'
            if kind == "table":
                calls.append(f"SELECT * FROM {call}")
            elif kind in ("scalar", "macro"):
                calls.append(f"SELECT {call}")
            else:
                over = " OVER (ORDER BY range)" if kind == "window" or style else ""
                calls.append(f"SELECT {call}{over} FROM range(5)")
    calls = sorted(set(calls))
    random.Random(10).shuffle(calls)
    return calls


def probe(engine, database):
    inside = [engine.run(database, sql) for sql in INSIDE]
    assert all(result.ok for result in inside), inside
    with engine._open[database][1].cursor() as cursor:
        outside = [cursor.execute(f"FROM {sql}").fetchall() for sql in OUTSIDE]
    return inside, outside


def check(database, calls, every):
    """Run calls in two engines, forwards and backwards: equal results, and equal answers to all probes."""
    engine = DuckDBEngine(Limits(cpu_seconds=5, max_bytes=1_000_000))
    before = probe(engine, database)
    paths = (sys.prefix, os.path.expanduser("~"), os.path.dirname(database))
    first = {}
    for at, sql in enumerate(calls):
        first[sql] = engine.run(database, sql)
        assert first[sql].status in (Status.OK, Status.ERROR), (sql, first[sql])
        assert not any(path in str(first[sql]) for path in paths), (sql, first[sql])
        if at % every == 0:
            assert probe(engine, database) == before, f"after {sql}, or up to {every} queries before it"
    assert probe(engine, database) == before
    engine.close()
    engine = DuckDBEngine(Limits(cpu_seconds=5, max_bytes=1_000_000))
    other = {sql: engine.run(database, sql) for sql in reversed(calls)}
    engine.close()
    assert {sql: (first[sql], other[sql]) for sql in calls if first[sql] != other[sql]} == {}


def test_nothing_outlives_some_queries(defined):
    check(defined, make_calls()[::250], 30)


@pytest.mark.slow
def test_nothing_outlives_a_query(defined):
    check(defined, make_calls(), 150)
