"""The SQL functions that replace SQLite's own give the same results."""

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql_env import Limits, Status
from sql_env.execution.engines.sqlite.engine import SQLiteEngine
from sql_env.execution.engines.sqlite.functions import QueryFunctions

MAX_BYTES = 64
GROW = "SELECT length(replace(hex(zeroblob(300000)), '0', '00'))"

ours, native = apsw.Connection(":memory:"), apsw.Connection(":memory:")
QueryFunctions(MAX_BYTES).register(ours, native=False)
native.limit(apsw.SQLITE_LIMIT_LENGTH, MAX_BYTES)

text = st.text("ab\0é\U0001f600", max_size=8)
values = st.one_of(
    text,
    text.map(str.encode),
    st.integers(-9, 9),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.sampled_from([None, "", b"", "1", "1.0", "a" * 60]),
)


def call(connection, sql, arguments):
    try:
        return connection.execute(sql, arguments).fetchall()
    except apsw.TooBigError:
        return "too big"


@given(values, values)
def test_instr(haystack, needle):
    sql = "SELECT instr(?1, ?2), typeof(instr(?1, ?2))"
    assert call(ours, sql, (haystack, needle)) == call(native, sql, (haystack, needle))


@given(values, values, values)
def test_replace(whole, old, new):
    sql = "SELECT CAST(replace(?1, ?2, ?3) AS BLOB), typeof(replace(?1, ?2, ?3))"
    assert call(ours, sql, (whole, old, new)) == call(native, sql, (whole, old, new))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM singer WHERE instr(name, 'a') > 0",
        "SELECT replace(name, 'a', 'b'), instr('abc', 'c') FROM singer ORDER BY replace(name, 'e', 'o')",
        "SELECT id FROM singer WHERE name LIKE replace('%a%', 'a', 'e')",
    ],
)
def test_the_number_of_steps_is_that_of_sqlite(concerts, sql):
    engine = SQLiteEngine(Limits())
    result, steps = engine.measure(str(concerts), sql)
    plain = apsw.Connection(str(concerts), apsw.SQLITE_OPEN_READONLY)
    counts = []
    plain.trace_v2(
        apsw.SQLITE_TRACE_PROFILE,
        lambda each: counts.append(each["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]),
    )
    assert tuple(plain.execute(sql).fetchall()) == result.rows
    assert counts == [steps]


def test_a_search_of_a_megabyte_takes_a_few_steps_and_no_time(concerts):
    """SQLite's own functions would need seconds for each of these calls."""
    engine = SQLiteEngine(Limits())
    long = "hex(zeroblob(500000))"
    for sql in (
        f"SELECT sum(instr({long}, hex(zeroblob(200000)) || id)) FROM singer",
        f"SELECT sum(length(replace({long}, hex(zeroblob(200000)) || id, 'x'))) FROM singer",
    ):
        assert engine.run(str(concerts), sql).ok
    engine.close()


def test_views_and_generated_columns_can_call_them(tmp_path):
    path = tmp_path / "views.sqlite"
    connection = apsw.Connection(str(path))
    connection.execute(
        "CREATE TABLE t(a, b AS (replace(a, 'x', 'y')), c AS (instr(a, 'x')) STORED);"
        "CREATE INDEX i ON t(replace(a, 'x', 'z')); INSERT INTO t(a) VALUES ('axx'), ('b');"
        "CREATE VIEW v AS SELECT b, c, instr(b, 'y') AS d, random() IS NULL AS e FROM t"
    )
    connection.close()
    engine = SQLiteEngine(Limits())
    result = engine.run(str(path), "SELECT * FROM v")
    assert result.rows == (("ayy", 2, 2, 0), ("b", 0, 0, 0)), result.error
    assert engine.run(str(path), "SELECT a FROM t WHERE replace(a, 'x', 'z') = 'azz'").rows == (("axx",),)
    engine.close()


def test_text_that_is_not_utf_8(tmp_path):
    path = tmp_path / "latin.sqlite"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE t(a); INSERT INTO t VALUES (CAST(x'ff6162' AS TEXT))")
    connection.close()
    engine = SQLiteEngine(Limits())
    assert engine.run(str(path), "SELECT instr(a, 'b'), replace(a, 'a', 'c') FROM t").rows == ((3, "cb"),)
    engine.close()


@pytest.mark.parametrize(
    ("limits", "sql", "status"),
    [
        (Limits(), "SELECT length(zeroblob(1048576))", Status.OK),
        (Limits(), "SELECT length(zeroblob(1048577))", Status.TOO_LARGE),
        (Limits(), "SELECT length(randomblob(1048577))", Status.TOO_LARGE),
        (Limits(), GROW, Status.TOO_LARGE),
        (
            Limits(max_value_bytes=2**23),
            GROW,
            Status.OK,
        ),
        (Limits(), "SELECT 'a' LIKE hex(zeroblob(500))", Status.OK),
        (Limits(), "SELECT 'a' LIKE hex(zeroblob(501))", Status.ERROR),
    ],
)
def test_limits_of_one_value_and_one_pattern(concerts, limits, sql, status):
    engine = SQLiteEngine(limits)
    assert engine.run(str(concerts), sql).status is status
    engine.close()


@pytest.mark.parametrize(
    ("columns", "size", "status"),
    [
        (64, 400_000, Status.OK),
        (128, 600_000, Status.TOO_LARGE),
        (1_900, 1_000_000, Status.TOO_LARGE),
        (1_900, 10_000, Status.OK),
    ],
)
def test_a_wide_row_has_shorter_values(concerts, columns, size, status):
    """Otherwise one row would take gigabytes: SQLite shares the value, but each copy is a new one."""
    sql = f"WITH q(x) AS MATERIALIZED (SELECT zeroblob({size})) SELECT {', '.join('x' * columns)} FROM q"
    engine = SQLiteEngine(Limits())
    result = engine.run(str(concerts), sql)
    assert (result.status, engine.out_of_memory) == (status, False)
    assert engine.run(str(concerts), "SELECT length(zeroblob(1000000))").ok  # the limit is back
    engine.close()
