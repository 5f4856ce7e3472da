"""The SQLite engine in-process: what is read, what is refused, and what never leaks."""

import os
import shutil
import sqlite3
import tracemalloc

import apsw
import pytest

from sql_env import Executor, Limits, Query, Status
from sql_env.errors import DatabaseError
from sql_env.execution.engines import load_engine
from sql_env.execution.engines.sqlite.engine import MAX_OPEN_CONNECTIONS, SQLiteEngine
from sql_env.prompts.ddl import schema_to_ddl


@pytest.fixture
def engine():
    engine = SQLiteEngine(Limits(max_steps=1_000_000))
    yield engine
    engine.close()


@pytest.fixture
def make(tmp_path):
    def make(script, name="made.sqlite"):
        path = tmp_path / name
        connection = apsw.Connection(str(path))
        connection.execute(script).fetchall()
        connection.close()
        return str(path)

    return make


def test_rows_columns_and_types(engine, concerts):
    result = engine.run(str(concerts), "SELECT name, name, age, 0.5, x'00ff', NULL FROM singer WHERE id = 1")
    assert result.status is Status.OK
    assert result.columns == ("name", "name", "age", "0.5", "x'00ff'", "NULL")
    assert result.rows == (("Sinéad O'Connor", "Sinéad O'Connor", 30, 0.5, b"\x00\xff", None),)
    assert result.error == ""


def test_an_empty_result_has_columns(engine, concerts):
    result = engine.run(str(concerts), "SELECT id, name FROM singer WHERE 0")
    assert (result.status, result.columns, result.rows) == (Status.OK, ("id", "name"), ())


def test_a_write_is_denied_by_name(engine, concerts):
    result = engine.run(str(concerts), "DELETE FROM singer")
    assert (result.status, result.error) == (Status.DENIED, "only reading is allowed: DELETE singer")


def test_a_time_out_names_the_budget(engine, concerts):
    sql = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r"
    result = engine.run(str(concerts), sql)
    assert (result.status, result.error) == (Status.TIMEOUT, "more than 1000000 steps")


def test_the_step_budget_is_exact_and_does_not_carry_over(concerts):
    count = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT {}) SELECT max(x) FROM r"
    engine = SQLiteEngine(Limits(max_steps=20_000))
    ends = [engine.run(str(concerts), count.format(n)).status for n in (1_000, 100_000) * 5]
    assert ends == [Status.OK, Status.TIMEOUT] * 5


@pytest.mark.parametrize(
    "name", ["a b.sqlite", "q?mode=rw.sqlite", "h#a%20sh.sqlite", "é李.sqlite", "a&b=c;d.sqlite"]
)
def test_odd_paths(engine, concerts, tmp_path, name):
    path = tmp_path / name
    shutil.copy(concerts, path)
    assert engine.run(str(path), "SELECT count(*) FROM singer").rows == ((5,),)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({"concerts.sqlite", name})


@pytest.mark.parametrize(
    "sql", ["SELECT count(*) FROM singer", "SELECT count(*), date('now') > '' FROM singer"]
)
def test_a_symbolic_link(engine, concerts, tmp_path, sql):
    """Of the file, or of a folder on the way to it; whether or not the query asks for the time."""
    (tmp_path / "file.sqlite").symlink_to(concerts)
    (tmp_path / "folder").symlink_to(tmp_path)
    for path in (tmp_path / "file.sqlite", tmp_path / "folder" / concerts.name):
        assert engine.run(str(path), sql).rows[0][0] == 5


def test_a_path_relative_to_the_working_directory(engine, concerts, monkeypatch):
    monkeypatch.chdir(concerts.parent)
    assert engine.run(concerts.name, "SELECT count(*) FROM singer").rows == ((5,),)


def broken_databases(folder, good):
    data = good.read_bytes()
    (folder / "empty.sqlite").write_bytes(b"")
    (folder / "truncated.sqlite").write_bytes(data[:5_000])
    (folder / "garbled.sqlite").write_bytes(data[:100] + os.urandom(len(data) - 100))
    (folder / "prose.sqlite").write_text("These are not the rows that you are looking for.\n" * 200)
    (folder / "folder.sqlite").mkdir()
    names = ["missing", "empty", "truncated", "garbled", "prose", "folder"]
    return [str(folder / f"{name}.sqlite") for name in names] + [
        "",
        "nul\0.sqlite",
        "\ud800.sqlite",
        "/dev/zero",
    ]


def test_a_broken_database_is_never_the_querys_fault(engine, concerts, tmp_path):
    for path in broken_databases(tmp_path, concerts):
        result = engine.run(path, "SELECT * FROM concert, singer")
        assert result.status is Status.UNAVAILABLE, path
        assert result.error


def test_a_broken_database_has_no_schema(concerts, tmp_path):
    for path in broken_databases(tmp_path, concerts):
        if "truncated" in path:  # the schema itself can still be read
            continue
        with pytest.raises(DatabaseError):
            SQLiteEngine(Limits()).read_schema(path)


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_changes_that_are_not_in_the_file_yet(engine, concerts, suffix):
    beside = concerts.with_name(concerts.name + suffix)
    beside.write_bytes(b"something")
    result = engine.run(str(concerts), "SELECT 1")
    assert result.status is Status.UNAVAILABLE
    assert "wal_checkpoint" in result.error
    beside.write_bytes(b"")
    assert engine.run(str(concerts), "SELECT 1").ok


def test_a_log_that_appears_while_the_connection_is_warm(engine, concerts):
    assert engine.run(str(concerts), "SELECT 1").ok
    concerts.with_name(concerts.name + "-wal").write_bytes(b"something")
    assert engine.run(str(concerts), "SELECT 1").status is Status.UNAVAILABLE


def test_nulls_are_not_free(concerts):
    """A result is held in memory by who asked, where a NULL takes a place too."""
    many = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 5000) SELECT {} FROM r"
    engine = SQLiteEngine(Limits(max_bytes=1_000_000))
    assert engine.run(str(concerts), many.format(", ".join(["NULL"] * 50))).status is Status.TOO_LARGE
    assert engine.run(str(concerts), many.format("NULL")).ok


def test_a_database_that_changes_is_opened_again(engine, concerts):
    assert engine.run(str(concerts), "SELECT count(*) FROM singer").rows == ((5,),)
    with sqlite3.connect(concerts) as writer:
        writer.execute("INSERT INTO singer VALUES (6, 'New', 'Chile', 1)")
    writer.close()
    assert engine.run(str(concerts), "SELECT count(*) FROM singer").rows == ((6,),)
    concerts.unlink()
    assert engine.run(str(concerts), "SELECT count(*) FROM singer").status is Status.UNAVAILABLE


def test_more_databases_than_warm_connections(engine, concerts, tmp_path):
    paths = [tmp_path / f"{i}.sqlite" for i in range(MAX_OPEN_CONNECTIONS + 5)]
    for path in paths:
        shutil.copy(concerts, path)
    for path in paths * 2:
        assert engine.run(str(path), "SELECT count(*) FROM singer").rows == ((5,),)
    assert len(os.listdir("/proc/self/fd")) < MAX_OPEN_CONNECTIONS + 100


def test_invalid_utf8_is_dropped_as_the_official_evaluator_does(engine, make):
    path = make(
        "CREATE TABLE t (a TEXT, b); INSERT INTO t VALUES (CAST(x'6166ff6f' AS TEXT), x'ff'), ('é', 2.5)"
    )
    for tail in ("", ";", " ; -- done", " -- done\n"):
        result = engine.run(path, f"SELECT a, b, a AS a FROM t ORDER BY b{tail}")
        assert result.rows == (("é", 2.5, "é"), ("afo", b"\xff", "afo")), tail
        assert result.columns == ("a", "b", "a")
    assert (
        schema_to_ddl(SQLiteEngine(Limits()).read_schema(path)).splitlines()[1]
        == "  a TEXT, -- values: 'afo', 'é'"
    )


@pytest.mark.slow
def test_invalid_utf8_does_not_lift_a_limit(make):
    path = make("CREATE TABLE t (a TEXT); INSERT INTO t VALUES (CAST(x'ff' AS TEXT))")
    endless = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT a FROM t, r"
    assert SQLiteEngine(Limits(max_rows=10)).run(path, endless).status in (Status.TOO_LARGE, Status.TIMEOUT)


def test_names_that_are_not_utf8(engine, tmp_path, make):
    path = make("CREATE TABLE t (ab, ok); INSERT INTO t VALUES (1, 2)")
    with open(path, "r+b") as file:
        data = file.read()
        file.seek(data.index(b"(ab, ok)") + 1)
        file.write(b"\xff")
    assert engine.run(path, "SELECT ok FROM t").rows == ((2,),)
    assert engine.run(path, "SELECT * FROM t").status is Status.ERROR
    assert "ok" in schema_to_ddl(engine.read_schema(path))


def test_full_text_and_rtree_tables_can_be_read(engine, make):
    path = make(
        "CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES ('one two'), ('three');"
        "CREATE VIRTUAL TABLE g USING fts4(body); INSERT INTO g VALUES ('one two'), ('three');"
        "CREATE VIRTUAL TABLE r USING rtree(id, a, b); INSERT INTO r VALUES (1, 2, 3)"
    )
    assert engine.run(path, "SELECT body FROM f WHERE f MATCH 'two'").rows == (("one two",),)
    assert engine.run(path, "SELECT body FROM g WHERE g MATCH 'two'").rows == (("one two",),)
    assert engine.run(path, "SELECT id FROM r WHERE a < 5").rows == ((1,),)
    assert engine.run(path, "INSERT INTO f(f) VALUES ('optimize')").status is Status.DENIED
    assert engine.run(path, "SELECT optimize(g) FROM g").status in (Status.DENIED, Status.ERROR)
    assert len(engine.read_schema(path).tables) == 3


def test_chance_and_the_clock_stand_still(engine, concerts):
    for sql in (
        "SELECT random(), hex(randomblob(20)), randomblob(NULL), randomblob('x')",
        "SELECT name FROM singer ORDER BY random()",
        "SELECT datetime('now'), CURRENT_TIMESTAMP, julianday('now'), strftime('%s', 'now')",
    ):
        assert engine.run(str(concerts), sql) == engine.run(str(concerts), sql)
    drawn = engine.run(str(concerts), "SELECT random() FROM singer, concert").rows
    assert len(set(drawn)) == 20
    assert engine.run(str(concerts), "SELECT datetime('now'), date()").rows == (
        ("2025-01-01 00:00:00", "2025-01-01"),
    )


def test_memory_verdicts_owe_nothing_to_what_ran_before(concerts, tmp_path, make):
    filler = make(
        "CREATE TABLE t AS WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 3000) "
        "SELECT hex(zeroblob(300)) AS a FROM r"
    )
    sql = "SELECT length(group_concat(hex(zeroblob(100000)))) FROM singer a, singer b LIMIT 1"

    def run(executor, query, database=concerts):
        return executor.run(Query(str(database), query))

    limits = Limits(
        memory_bytes=9 * 2**20, max_value_bytes=8 * 2**20
    )  # of a process, so that tests which ran in this one would count
    with Executor(limits) as unused, Executor(limits) as used:
        fresh = run(unused, sql)
        for i in range(6):
            shutil.copy(filler, tmp_path / f"{i}.sqlite")
            assert run(used, "SELECT count(a || a) FROM t", tmp_path / f"{i}.sqlite").ok
        assert run(used, sql) == fresh
        assert fresh.ok
        more = run(used, sql.replace("FROM", "FROM concert, singer z,"))
    assert more.status is Status.TOO_LARGE


def test_rows_that_grow_are_not_held_together(concerts):
    """Small rows and then huge ones: what is held is never much more than a result may be."""
    rows = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 400) "
    sql = f"{rows} SELECT CASE WHEN x < 100 THEN 1 ELSE zeroblob(1000000) END FROM r"
    limits = Limits(max_bytes=2_000_000)
    SQLiteEngine(limits).run(str(concerts), "SELECT 1")
    tracemalloc.start()
    try:
        assert SQLiteEngine(limits).run(str(concerts), sql).status is Status.TOO_LARGE
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 3 * limits.max_bytes


def test_schema(engine, make):
    path = make(
        """CREATE TABLE "odd ""name" ("a b" TEXT, 'select' int, plain, PRIMARY KEY ("a b", plain))
            WITHOUT ROWID;
        CREATE TABLE b (id INTEGER PRIMARY KEY, ref TEXT REFERENCES "odd ""name", twice AS (id * 2),
            FOREIGN KEY (ref, id) REFERENCES c (x, y));
        INSERT INTO b (id, ref) VALUES (3, NULL), (1, 'it''s'),
            (2, 'line' || char(10) || printf('%.60c', 'x'));
        CREATE VIEW v AS SELECT * FROM b; CREATE INDEX i ON b (ref); CREATE TABLE empty (x BLOB)"""
    )
    assert schema_to_ddl(engine.read_schema(path)) == (
        'CREATE TABLE "odd ""name" (\n  "a b" TEXT,\n  "select" INT,\n  plain,\n'
        '  PRIMARY KEY ("a b", plain)\n);\n\n'
        "CREATE TABLE b (\n  id INTEGER, -- values: 1, 2, 3\n"
        f"  ref TEXT, -- values: 'it''s', 'line {'x' * 35}...'\n"
        "  twice, -- values: 2, 4, 6\n  PRIMARY KEY (id),\n"
        '  FOREIGN KEY (ref) REFERENCES "odd ""name",\n  FOREIGN KEY (ref, id) REFERENCES c (x, y)\n);\n\n'
        "CREATE TABLE empty (\n  x BLOB\n);"
    )


def test_a_type_that_is_no_type_is_left_out_of_the_schema(engine, make):
    path = make('CREATE TABLE t (a [int\n, b text /*], c VARCHAR(20), d "it\'s", e DECIMAL(10, 2))')
    schema = schema_to_ddl(engine.read_schema(str(path)))
    assert [line.split(" --")[0].strip(" ,") for line in schema.split("\n")[1:-1]] == [
        "a",
        "c VARCHAR(20)",
        "d",
        "e DECIMAL(10, 2)",
    ]


def test_an_unknown_dialect():
    with pytest.raises(DatabaseError, match="'oracle'; known: duckdb, sqlite"):
        load_engine("oracle", Limits())


def test_real_gold_queries_run(shared_data):
    import json

    engine = SQLiteEngine(Limits())
    for task in json.loads((shared_data / "spider" / "dev.json").read_text()):
        path = shared_data / "spider" / "database" / task["db_id"] / f"{task['db_id']}.sqlite"
        if path.exists():
            result = engine.run(str(path), task["query"])
            assert result.ok, (task["query"], result.error)
    engine.close()
