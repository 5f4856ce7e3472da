"""Nothing that a model can write changes a byte, leaves a process, or goes without a status."""

import os

import apsw
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sql_env import Executor, Limits, Query, Status
from sql_env.execution.engines.sqlite.engine import SQLiteEngine

FRAGMENTS = """SELECT|FROM|WHERE|singer|concert|name|age|*|1|'x'|"x"|(|)|,|;|--|/*|*/|=|||count(*)|random()|
DROP TABLE|DELETE FROM|INSERT INTO|VALUES (1)|UPDATE|SET|CREATE TEMP TABLE|CREATE TABLE|AS|ATTACH|'new.db'|
DETACH|VACUUM|INTO|PRAGMA|user_version = 3|journal_mode = WAL|writable_schema = 1|BEGIN|COMMIT|ROLLBACK|
SAVEPOINT s|REINDEX|ANALYZE|ALTER TABLE|RENAME TO y|ADD COLUMN z|CREATE TRIGGER|CREATE VIEW|CREATE INDEX|ON|
EXPLAIN|WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r)|r|ORDER BY|LIMIT 3|zeroblob(900000)|
hex(|LOAD_EXTENSION('x')|sqlite_schema|pragma_table_list|RETURNING *|UNION|CROSS JOIN|\0|é|\\""".replace(
    "\n", ""
).split("|")
sql_text = st.one_of(
    st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(" ".join),
    st.text(max_size=60),
    st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=6), max_size=8).map("".join),
)
patient = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def untouched(concerts, monkeypatch):
    """After the test, the folder (also the working directory) and the process table are as before."""
    monkeypatch.chdir(concerts.parent)
    before = snapshot(concerts)
    yield concerts
    assert snapshot(concerts) == before


def snapshot(database):
    files = {path.name: path.read_bytes() for path in database.parent.iterdir()}
    return files, psutil.Process().children(recursive=True), os.path.exists("/tmp/sql_env_stolen.db")


@pytest.fixture
def executor(untouched, tight):
    with Executor(tight, workers=2) as executor:
        yield executor


def test_every_query_of_the_corpus_ends_as_it_should(executor, untouched, hostile_sql):
    queries = [Query(str(untouched), sql) for sql, _ in hostile_sql.values()]
    results = executor.run_many(queries)
    ends = {name: (result.status, result.error) for name, result in zip(hostile_sql, results, strict=True)}
    assert {name: end for name, end in ends.items() if end[0] != hostile_sql[name][1]} == {}
    assert all(result.error for result in results if not result.ok)
    assert not any(result.rows or result.columns for result in results if not result.ok)


@pytest.mark.slow
def test_after_the_corpus_the_pool_still_works(executor, untouched, hostile_sql):
    executor.run_many([Query(str(untouched), sql) for sql, _ in hostile_sql.values()])
    result = executor.run(
        Query(str(untouched), "SELECT count(*), (SELECT count(*) FROM concert) FROM singer")
    )
    assert result.rows == ((5, 4),)


def test_the_corpus_does_not_leak_into_the_next_query(untouched, tight, hostile_sql):
    probe = "SELECT name, type FROM sqlite_schema UNION ALL SELECT name, id FROM singer WHERE 'A' LIKE 'a'"
    engine = SQLiteEngine(tight)
    clean = engine.run(str(untouched), probe)
    for name, (sql, _) in hostile_sql.items():
        if "minutes" in name or "GLOB" in name:  # only a worker stops these
            continue
        engine.run(str(untouched), sql)
        assert engine.run(str(untouched), probe) == clean, name
    engine.close()


@pytest.mark.slow
def test_the_corpus_ends_the_same_anywhere(untouched, tight, hostile_sql):
    """In one worker, in three, in another order, with other neighbours: the same results."""
    queries = [Query(str(untouched), sql) for sql, _ in hostile_sql.values()]
    with Executor(tight, workers=1) as one, Executor(tight, workers=3) as three:
        first = one.run_many(queries)
        assert three.run_many(queries[::-1])[::-1] == first
        assert [one.run(query) for query in queries[:30]] == first[:30]


@pytest.mark.slow
def test_the_corpus_on_duckdb(library, tight, hostile_sql, monkeypatch):
    monkeypatch.chdir(library.parent)
    before = snapshot(library)
    with Executor(tight) as executor:
        results = executor.run_many([Query(str(library), sql, "duckdb") for sql, _ in hostile_sql.values()])
        assert executor.run(Query(str(library), "SELECT count(*) FROM book", "duckdb")).rows == ((2,),)
    assert all(result.status in Status for result in results)
    assert snapshot(library) == before


@patient
@given(sql=sql_text)
def test_no_sql_changes_anything_or_escapes_a_status(untouched, tight, sql):
    engine = SQLiteEngine(tight)
    before = snapshot(untouched)
    result = engine.run(str(untouched), sql)
    engine.close()
    assert snapshot(untouched) == before
    assert result.status in set(Status) - {Status.UNAVAILABLE}
    assert len(result.rows) <= tight.max_rows
    assert size(result.rows) <= tight.max_bytes
    assert bool(result.error) != result.ok


@settings(patient, max_examples=20)
@given(batch=st.lists(sql_text, max_size=12))
def test_any_sql_ends_the_same_through_workers_and_in_process(executor, untouched, tight, batch):
    engine = SQLiteEngine(tight)
    alone = [engine.run(str(untouched), sql) for sql in batch]
    engine.close()
    assert executor.run_many([Query(str(untouched), sql) for sql in batch]) == alone


@settings(patient, max_examples=60)
@given(
    limits=st.builds(
        Limits,
        max_steps=st.integers(1, 5_000),
        max_rows=st.integers(1, 50),
        max_bytes=st.integers(1, 2_000),
        max_sql_bytes=st.integers(1, 200),
    ),
    rows=st.integers(0, 100),
    width=st.integers(0, 100),
)
def test_every_limit_is_honoured(untouched, limits, rows, width):
    sql = (
        f"WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT {rows}) "
        f"SELECT x, hex(zeroblob({width})) FROM r"
    )
    engine = SQLiteEngine(limits)
    result = engine.run(str(untouched), sql)
    engine.close()
    if len(sql) > limits.max_sql_bytes or rows > limits.max_rows or 2 * width * rows > limits.max_bytes:
        assert result.status in (Status.TOO_LARGE, Status.TIMEOUT)
    if result.ok:
        assert len(result.rows) == rows
        assert size(result.rows) <= limits.max_bytes
        ran, program = steps(untouched, sql)
        assert ran <= limits.max_steps + program  # SQLite looks at its count only where it jumps


def size(rows) -> int:
    return sum(len(value) if isinstance(value, str | bytes) else 1 for row in rows for value in row)


def steps(database, sql) -> tuple[int, int]:
    """The virtual-machine steps of a query, counted one by one, and its instructions."""
    count = 0

    def step() -> bool:
        nonlocal count
        count += 1
        return False

    connection = apsw.Connection(str(database), apsw.SQLITE_OPEN_READONLY)
    statements = connection.cursor()
    connection.set_progress_handler(step, 1)
    statements.execute(sql).fetchall()
    ran = count
    program = len(statements.execute("EXPLAIN " + sql).fetchall())
    connection.close()
    return ran, program


def test_the_corpus_covers_each_verdict(hostile_sql):
    verdicts = {status for _, status in hostile_sql.values()}
    assert verdicts == set(Status) - {Status.UNAVAILABLE}
