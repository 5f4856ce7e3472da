"""The DuckDB engine in-process: what is read, what is refused, and what never leaks."""

import duckdb
import pytest

from sql_env import Limits, Status
from sql_env.errors import DatabaseError
from sql_env.execution.engines.duckdb.engine import DuckDBEngine
from sql_env.prompts.ddl import schema_to_ddl


@pytest.fixture
def engine():
    engine = DuckDBEngine(Limits(cpu_seconds=0.3, max_rows=1_000, max_bytes=1_000_000))
    yield engine
    engine.close()


def test_values_become_plain_ones(engine, library):
    result = engine.run(
        str(library), "SELECT * FROM book JOIN author ON id = author_id ORDER BY title; -- all"
    )
    assert result.status is Status.OK, result.error
    assert result.columns == (
        *("title", "author_id", "price", "rating", "tags", "lent", "cover"),
        *("id", "name", "born"),
    )
    assert result.rows == (
        ("One", 1, 10, None, "[a, b]", 1, b"\xaa", 1, "Ann", "1950-02-03"),
        ("Two", 2, 2.5, 4.5, None, 0, None, 2, "Bo", None),
    )


def test_every_type_has_a_plain_value(engine, library):
    sql = """SELECT 1::HUGEINT << 100, 'inf'::DOUBLE, 2.50::DECIMAL(4, 2), NULL,
        TIMESTAMP '2020-01-02 03:04:05', TIMESTAMPTZ '2020-01-02 03:04:05+00' IS NULL, TIME '01:02:03',
        INTERVAL 1 DAY, {'a': 1.5}, MAP {'k': 1}, UUID '00000000-0000-0000-0000-000000000001',
        '101'::BIT, DATE '9999-12-31', 'infinity'::DATE"""
    result = engine.run(str(library), sql)
    assert result.rows[0][:5] == (2**100, float("inf"), 2.5, None, "2020-01-02 03:04:05")
    assert all(value is None or type(value) in (int, float, str, bytes) for value in result.rows[0])


def test_order_survives_the_change_of_types(engine, library):
    sql = "SELECT [n] FROM range(500) r(n) ORDER BY n DESC"
    assert [row[0] for row in engine.run(str(library), sql).rows] == [f"[{n}]" for n in reversed(range(500))]


@pytest.mark.parametrize(
    ("sql", "status"),
    [
        ("DROP TABLE book", Status.DENIED),
        ("INSERT INTO author VALUES (9, 'x', NULL)", Status.DENIED),
        ("WITH x AS (INSERT INTO author VALUES (9, 'x', NULL) RETURNING id) SELECT * FROM x", Status.DENIED),
        ("CREATE TEMP TABLE book (a INTEGER)", Status.DENIED),
        ("CREATE TEMP MACRO count(x) AS 5", Status.DENIED),
        ("ATTACH 'stolen.duckdb' AS s", Status.DENIED),
        ("COPY book TO 'stolen.csv'", Status.DENIED),
        ("EXPORT DATABASE 'stolen'", Status.DENIED),
        ("SET enable_external_access = true", Status.DENIED),
        ("SET threads = 8", Status.DENIED),
        ("PRAGMA database_list", Status.DENIED),
        ("INSTALL json", Status.DENIED),
        ("LOAD json", Status.DENIED),
        ("CALL pragma_version()", Status.DENIED),
        ("BEGIN", Status.DENIED),
        ("CHECKPOINT", Status.DENIED),
        ("PREPARE q AS SELECT 1", Status.DENIED),
        ("SELECT 1; SELECT 2", Status.DENIED),
        ("SELECT * FROM read_csv('/etc/passwd')", Status.DENIED),
        ("SELECT * FROM read_text('/etc/passwd')", Status.DENIED),
        ("SELECT * FROM read_blob('*')", Status.DENIED),
        ("SELECT * FROM glob('/etc/*')", Status.DENIED),
        ("SELECT * FROM '/etc/passwd'", Status.ERROR),
        ("SELECT * FROM engine", Status.ERROR),  # a Python variable
        ("SELECT getenv('HOME')", Status.ERROR),
        ("SELECT pg_sleep(70)", Status.DENIED),  # no CPU time would ever stop it
        ("SELECT sleep_ms(70000)", Status.DENIED),
        ("SELECT * FROM query('SELECT ran' || 'dom()')", Status.DENIED),
        ("SELECT * FROM \"query\" /**/ ('SELECT 1')", Status.DENIED),
        ("SELECT current_query_id()", Status.DENIED),
        ("SELECT 1 AS query", Status.OK),
        ("", Status.ERROR),
        ("-- nothing", Status.ERROR),
        ("SELECT", Status.ERROR),
        ("SELECT 'a\0b'", Status.ERROR),
        ("SELECT '\ud800'", Status.ERROR),
        ("SELECT error('no')", Status.ERROR),
        # DuckDB cuts these error texts inside a character.
        ("SELECT CAST('é' AS BIT)", Status.ERROR),
        ("SELECT unhex('é😀')", Status.ERROR),
        ("SELECT from_binary('é😀')", Status.ERROR),
        ("SELECT strptime('é😀', '%é')", Status.ERROR),
        ("SELECT CAST('\\xC3'::BLOB AS UUID)", Status.ERROR),
        # DuckDB raises an I/O error for both, though no file is read.
        ("SELECT * FROM parquet_schema([])", Status.DENIED),
        ("SELECT (variant_bytes_to_variant('a'))['']", Status.DENIED),
        ("SELECT count(*) FROM range(100000) a, range(100000) b, range(100000) c", Status.TIMEOUT),
        (
            "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r",
            Status.TIMEOUT,
        ),
        ("SELECT * FROM range(1000000000)", Status.TOO_LARGE),
        ("SELECT repeat('x', 10000) FROM range(900)", Status.TOO_LARGE),
        ("SELECT repeat('x', 2000000)", Status.TOO_LARGE),
        ("SELECT '" + "x" * 200_000 + "'", Status.TOO_LARGE),
        ("SELECT 1 -- done", Status.OK),
        ("FROM author", Status.OK),
        ("SHOW TABLES", Status.OK),
    ],
)
def test_verdicts(engine, library, sql, status):
    before = library.read_bytes(), sorted(library.parent.iterdir())
    result = engine.run(str(library), sql)
    assert result.status is status, result.error
    assert bool(result.error) != result.ok
    assert engine.run(str(library), "SELECT count(*) FROM book").rows == ((2,),)
    assert (library.read_bytes(), sorted(library.parent.iterdir())) == before


def test_too_much_memory(library):
    engine = DuckDBEngine(Limits(memory_bytes=50_000_000))
    result = engine.run(str(library), "SELECT len(list(range)) FROM range(100000000)")
    assert result.status is Status.TOO_LARGE
    assert engine.run(str(library), "SELECT 1").ok
    assert [path.name for path in library.parent.iterdir()] == [library.name]  # nothing was spilled
    engine.close()


def test_internal_errors_tell_no_paths(engine, library):
    result = engine.run(str(library), "SELECT reservoir_quantile(1, NULL::DOUBLE[], 3)")
    assert result.status is Status.ERROR
    assert "INTERNAL" in result.error
    assert "/" not in result.error
    assert engine.run(str(library), "SELECT count(*) FROM book").rows == ((2,),)


def test_faults_of_the_machine_are_left_to_the_worker(engine, library, monkeypatch):
    where = "sql_env.execution.engines.duckdb.engine.fetch_rows"
    for error in (duckdb.IOException(f"cannot read {library}: Input/output error"), ZeroDivisionError("odd")):

        def fail(*_, error=error):
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(where, fail)
            with pytest.raises(type(error)) as raised:
                engine.run(str(library), "SELECT 1")
            assert str(library.parent) not in str(raised.value)
        assert engine.run(str(library), "SELECT count(*) FROM book").rows == ((2,),)


def test_two_connections_of_a_process(engine, library):
    assert engine.run(str(library), "SELECT 1").ok
    assert len(engine.read_schema(str(library)).tables) == 2
    other = DuckDBEngine(Limits())
    assert other.run(str(library), "SELECT TIMESTAMPTZ '2020-01-01'").rows == (("2020-01-01 00:00:00+00",),)
    assert other.run(str(library), "SELECT current_setting('TimeZone')").status is Status.DENIED
    other.close()


def test_chance_stands_still(engine, library):
    for sql in (
        "SELECT random(), uuid()::VARCHAR",
        "SELECT range FROM range(100) USING SAMPLE 3",
        "SELECT uuid()",
    ):
        assert engine.run(str(library), sql) == engine.run(str(library), sql)
        assert engine.run(str(library), sql).ok


def test_settings_of_one_query_do_not_reach_the_next(engine, library):
    assert engine.run(str(library), "SELECT setseed(0.7)").ok
    first = engine.run(str(library), "SELECT random()")
    assert engine.run(str(library), "SELECT setseed(0.2)").ok
    assert engine.run(str(library), "SELECT random()") == first


def test_broken_databases(engine, library, concerts, tmp_path):
    (tmp_path / "empty.duckdb").write_bytes(b"")
    (tmp_path / "prose.duckdb").write_text("Nothing to see here. " * 1000)
    (tmp_path / "truncated.duckdb").write_bytes(library.read_bytes()[:9_000])
    (tmp_path / "folder.duckdb").mkdir()
    for name in ("missing", "empty", "prose", "truncated", "folder"):
        path = str(tmp_path / f"{name}.duckdb")
        assert engine.run(path, "SELECT * FROM book").status is Status.UNAVAILABLE, name
        with pytest.raises(DatabaseError):
            engine.read_schema(path)
    assert engine.run(str(concerts), "SELECT 1").status is Status.UNAVAILABLE  # SQLite


def test_a_log_beside_the_database(engine, library):
    library.with_name(library.name + ".wal").write_bytes(b"x")
    result = engine.run(str(library), "SELECT 1")
    assert (result.status, "CHECKPOINT" in result.error) == (Status.UNAVAILABLE, True)


def test_a_database_that_changes_is_opened_again(engine, library):
    assert engine.run(str(library), "SELECT count(*) FROM author").rows == ((2,),)
    engine.close()  # DuckDB locks its files
    with duckdb.connect(str(library)) as writer:
        writer.execute("INSERT INTO author VALUES (3, 'Cy', NULL)")
    assert engine.run(str(library), "SELECT count(*) FROM author").rows == ((3,),)


def test_schema(engine, library):
    assert schema_to_ddl(engine.read_schema(str(library))) == (
        "CREATE TABLE author (\n"
        "  id INTEGER, -- values: 1, 2\n"
        "  name VARCHAR, -- values: 'Ann', 'Bo'\n"
        "  born DATE, -- values: '1950-02-03'\n"
        "  PRIMARY KEY (id)\n);\n\n"
        "CREATE TABLE book (\n"
        "  title VARCHAR, -- values: 'One', 'Two'\n"
        "  author_id INTEGER, -- values: 1, 2\n"
        "  price DECIMAL(6,2), -- values: '10.00', '2.50'\n"
        "  rating DOUBLE, -- values: nan, 4.5\n"
        "  tags VARCHAR[], -- values: '[a, b]'\n"
        "  lent BOOLEAN, -- values: 'true', 'false'\n"
        "  cover BLOB,\n"
        "  FOREIGN KEY (author_id) REFERENCES author (id)\n);"
    )
