"""Queries that once masked themselves, leaked, left traces, or took more memory than the limits allow."""

from __future__ import annotations

from collections.abc import Iterator

_P1, _P2, _P5 = 11400714785074694791, 14029467366897019727, 2870177450012600261
"""Constants of the hash of tuples in CPython, which is xxHash."""

_WORD = 2**64
_MODULUS = 2**61 - 1
"""The hash of an integer is its remainder."""


def make_flood(pairs: int) -> str:
    """Return a query of ``pairs`` squared distinct rows of four integers with equal hashes.

    Python's hash of a tuple takes one integer after another. The first two bring it from its start to a fixed
    state, and the last two bring it from there to another.
    """
    first, state = _collide(_P5, pairs)
    second, _ = _collide(state, pairs)
    lists = (", ".join(f"({x}, {y})" for x, y in found) for found in (first, second))
    return "SELECT * FROM (VALUES {}) AS a, (VALUES {}) AS b".format(*lists)


def _collide(start: int, pairs: int) -> tuple[list[tuple[int, int]], int]:
    """Return pairs of integers that bring a hash from its start to one state, and this state."""
    target = _add(_add(start, 1), 1)
    found = [(1, 1)]
    lane = 1
    while len(found) < pairs:
        lane += 1
        wanted = target * pow(_P1, -1, _WORD) % _WORD
        wanted = (wanted >> 31 | wanted << 33) % _WORD
        last = (wanted - _add(start, lane)) * pow(_P2, -1, _WORD) % _WORD
        last -= _WORD if last >= _WORD // 2 else 0
        if 1 < last < _MODULUS or -_MODULUS < last < -2:
            found.append((lane, last))
    return found, target


def _add(state: int, lane: int) -> int:
    state = (state + lane * _P2) % _WORD
    return (state << 31 | state >> 33) % _WORD * _P1 % _WORD


_SHARED = "WITH q(x) AS MATERIALIZED (SELECT {value}) SELECT x{more} FROM q"
_NAMES = 'WITH t("{name}") AS (SELECT 1) SELECT *{more} FROM t'
_RESOURCE = "SELECT * FROM register_external_resource"

KNOWN: dict[str, tuple[str, ...]] = {
    "sqlite": (
        "SELECT randomblob(9e999)",
        "SELECT randomblob(-9e999)",
        "SELECT * FROM pragma_table_info(x'ff')",
        "SELECT * FROM pragma_table_info(char(55296))",
        "EXPLAIN SELECT * FROM json_each('[1]')",
    ),
    "duckdb": (
        "SELECT CAST('é' AS BIT)",
        "SELECT unhex('é😀')",
        "SELECT from_binary('é😀')",
        "SELECT strptime('é😀', '%é')",
        "SELECT CAST('\\xC3'::BLOB AS UUID)",
        "SELECT * FROM parquet_schema([])",
        "SELECT (variant_bytes_to_variant('a'))['']",
        "SELECT * FROM query/*x*/('SELECT 42')",
        "SELECT * FROM query --a\n ('SELECT 42')",
        "SELECT * FROM query/*x*/('SELECT pg_'||'sleep(70)')",
        "SELECT * FROM query/*x*/('SELECT ran'||'dom() AS r')",
        "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT pg_'||'sleep(1)'))",
        "SELECT * FROM destroy_external_resource('query', 'SELECT pg_'||'sleep(1)')",
        f"{_RESOURCE}_type('m', kind := 'compute', create_function := 'range', status_function := 'range', "
        "destroy_function := 'range')",
        f"{_RESOURCE}('m', 'note', map{{'secret': 'left by query 1'}})",
        "SELECT * FROM duckdb_external_resources()",
        "SELECT count(*) FROM duckdb_external_resources()",
        "SELECT current_connection_id()",
        "SELECT current_transaction_id()",
        "SELECT * FROM duckdb_memory()",
        "SELECT * FROM pragma_database_size()",
        "SELECT uuidv7()",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM duckdb_databases()",
        "SELECT * FROM duckdb_settings()",
        "SELECT name FROM author USING SAMPLE 10%",
    ),
}
"""Cheap queries by engine."""


def list_dear() -> Iterator[tuple[str, str]]:
    """Yield the engine and the text of known queries that take much time or memory."""
    for value, count in (
        ("zeroblob(33000000)", 20),
        ("zeroblob(33000000)", 120),
        ("hex(zeroblob(16000000))", 60),
        ("zeroblob(1000000)", 1900),
        ("hex(zeroblob(490000))", 1900),
    ):
        yield "sqlite", _SHARED.format(value=value, more=", x" * (count - 1))
    yield "sqlite", "SELECT json_extract('{}', hex(zeroblob(16000000))||1)"
    yield "sqlite", "SELECT json_extract('{}', hex(zeroblob(490000))||1)"
    yield "sqlite", _NAMES.format(name="x" * 45_000, more=", *" * 900)
    yield "sqlite", make_flood(300)
    yield "duckdb", "SELECT s FROM (SELECT repeat('x', 10000000) s) CROSS JOIN range(100)"
    yield "duckdb", f"SELECT s{', s' * 39} FROM (SELECT repeat('x', 30000000) s)"
    yield "duckdb", "SELECT damerau_levenshtein(repeat('a', 40000), repeat('b', 40000))"
    yield "duckdb", "SELECT length(printf('%2000000000d', 1))"
    yield "duckdb", "SELECT length(repeat('x', 4000000000))"
    yield "duckdb", f"SELECT length(regexp_replace(repeat('a', 30000000), 'a', '{'b' * 100}', 'g'))"
    yield "duckdb", _NAMES.format(name="x" * 45_000, more=", *" * 900)
    yield "duckdb", "SELECT error(repeat('x', 10000000))"
    yield "duckdb", make_flood(300)
