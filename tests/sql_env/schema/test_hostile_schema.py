"""Files whose schema is code of their author: generated columns, stacked views, endless texts and names."""

import os
import sqlite3

import duckdb
import gymnasium
import pytest

from sql_env import Limits, Query, Task
from sql_env.errors import DatabaseError
from sql_env.execution.engines.sqlite.engine import SQLiteEngine
from sql_env.execution.executor import Executor
from sql_env.parser import FORMATS
from sql_env.prompts.prompt import build_prompt
from sql_env.prompts.template import TEMPLATES
from sql_env.prompts.value_index import load_value_index
from sql_env.schema.model import MAX_SAMPLE

ROWS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
ENDLESS = "instr(hex(zeroblob(200000)), hex(zeroblob(100000)) || 'b' || a)"  # a second for each row


@pytest.fixture
def make(tmp_path):
    """Write a table ``t`` with a column ``a`` of 1,000 numbers and generated columns."""

    def write(*generated: str, name: str = "hostile.sqlite", more: str = "") -> str:
        path = tmp_path / name
        connection = sqlite3.connect(path)
        connection.executescript(f"CREATE TABLE t (a); {ROWS} INSERT INTO t SELECT i FROM n; {more}")
        for place, expression in enumerate(generated):  # so no row is computed here
            connection.execute(f"ALTER TABLE t ADD COLUMN b{place} AS ({expression}) VIRTUAL")
        connection.commit()
        connection.close()
        return str(path)

    return write


@pytest.fixture(scope="module")
def tight_executor():
    with Executor(Limits(cpu_seconds=0.2, memory_bytes=64 * 2**20, max_bytes=2**20)) as executor:
        yield executor


def values(executor, path, dialect="sqlite"):
    [table] = executor.schema(path, dialect).tables
    return {column.name: column.values for column in table.columns}


def test_this_process_does_not_open_the_database(make, monkeypatch, tight_executor):
    def refuse(*_):
        raise AssertionError("the calling process reads the database")

    monkeypatch.setattr(SQLiteEngine, "read_schema", refuse)
    monkeypatch.setattr(SQLiteEngine, "__init__", refuse)
    monkeypatch.setattr("apsw.Connection", refuse)
    assert values(tight_executor, make("a + 1")) == {"a": (1, 2, 3), "b0": (2, 3, 4)}


def test_a_generated_column_without_end(make, tight_executor):
    path = make(ENDLESS)
    before = tight_executor.stats.killed
    for _ in range(2):  # a failure is not kept
        with pytest.raises(DatabaseError, match=r"reading the schema of .*hostile.* ended with timeout"):
            tight_executor.schema(path)
    assert tight_executor.stats.killed == before + 2
    assert tight_executor.run(Query(path, "SELECT count(*) FROM t")).rows == ((1000,),)


def test_a_mended_file_is_read(make, tight_executor):
    path = make(ENDLESS)
    with pytest.raises(DatabaseError, match="timeout"):
        tight_executor.schema(path)
    os.unlink(path)
    assert values(tight_executor, make()) == {"a": (1, 2, 3)}


def test_a_column_of_huge_values_has_no_samples(make, tight_executor):
    huge = "hex(zeroblob(100000000))"
    assert values(tight_executor, make(huge, "a + 1")) == {"a": (1, 2, 3), "b0": (), "b1": (2, 3, 4)}


def test_samples_are_cut_and_stay_distinct(make):
    with Executor() as executor:
        found = values(executor, make("hex(zeroblob(500000)) || a", "char(a, 0, 8364, a)"))
    assert [len(text) for text in found["b0"]] == [MAX_SAMPLE] * 3
    assert found["b1"] == tuple(f"{chr(n)}\0€{chr(n)}" for n in (1, 2, 3))


def test_the_samples_of_all_columns_together_are_limited(make, tight_executor):
    found = values(tight_executor, make(*["hex(zeroblob(45000)) || a"] * 10))
    whole = [name for name, texts in found.items() if texts]
    assert whole == ["a", "b0"]  # half of max_bytes: one column of three texts


def test_stacked_views_cost_nothing(make, tight_executor):
    views = "".join(
        f"CREATE VIEW v{i} AS SELECT * FROM {source} UNION ALL SELECT * FROM {source};"
        for i, source in enumerate(["t", *(f"v{i}" for i in range(24))])
    )
    assert values(tight_executor, make(more=views)) == {"a": (1, 2, 3)}


def test_the_tables_of_a_virtual_table_are_not_shown(make, tight_executor):
    path = make(more="CREATE VIRTUAL TABLE f USING fts5(x); CREATE TABLE f_mine (a);")
    names = [table.name for table in tight_executor.schema(path).tables]
    assert names == ["t", "f", "f_mine"]


def test_steps_are_limited_over_all_columns(make):
    slow = " + ".join(["a"] * 900)
    with Executor(Limits(max_steps=5_000_000)) as executor:
        assert values(executor, make(slow))["b0"] == (900, 1800, 2700)
        same = f"CASE WHEN {slow} > 0 THEN 1 END"  # the search for distinct values reads all rows
        with pytest.raises(DatabaseError, match="takes more than 5000000 steps"):
            executor.schema(make(*[same] * 10, name="slow.sqlite"))


def test_a_schema_that_is_too_large(make, tmp_path):
    columns = ", ".join(f"{'long' * 20}{i}" for i in range(100))
    path = make(more=f"CREATE TABLE u ({columns});")
    with (
        Executor(Limits(max_bytes=10_000)) as executor,
        pytest.raises(DatabaseError, match=r"too_large \(more than 10000 bytes\)"),
    ):
        executor.schema(path)


@pytest.mark.slow
def test_memory_is_limited(make):
    path = make("length(hex(zeroblob(3000000)))")
    with Executor() as executor:
        assert values(executor, path)["b0"] == (6_000_000,)
    with (
        Executor(Limits(memory_bytes=4 * 2**20)) as executor,
        pytest.raises(DatabaseError, match="reading the schema of"),
    ):
        executor.schema(path)


@pytest.mark.parametrize("kind", ["VARCHAR", "BIGINT"])
def test_a_generated_column_in_duckdb(tmp_path, tight_executor, kind):
    path = str(tmp_path / "hostile.duckdb")
    text = {"VARCHAR": "repeat('x', 300000) || a", "BIGINT": "a * 2"}[kind]
    with duckdb.connect(path) as connection:
        connection.execute(f"CREATE TABLE t (a INTEGER, b {kind} AS ({text}))")
        connection.execute("INSERT INTO t SELECT range FROM range(5)")
    found = values(tight_executor, path, "duckdb")
    assert found["b"] == {"VARCHAR": ("x" * MAX_SAMPLE,), "BIGINT": (0, 2, 4)}[kind]


@pytest.mark.slow
@pytest.mark.parametrize("template", TEMPLATES)
def test_no_prompt_reads_the_database_without_limits(make, tight_executor, template):
    task = Task("t", "Which?", "SELECT 1", make(ENDLESS))
    with pytest.raises(DatabaseError, match="timeout"):
        build_prompt(task, tight_executor, FORMATS["sql"], template)
    with pytest.raises(DatabaseError, match="timeout"):
        load_value_index(tight_executor, task.database)


@pytest.mark.slow
def test_an_environment_says_which_database_it_cannot_read(make, tmp_path):
    path = make(ENDLESS)
    (tmp_path / "tasks.jsonl").write_text(f'{{"question": "q", "sql": "SELECT 1", "database": "{path}"}}')
    arguments = {"path": str(tmp_path / "tasks.jsonl"), "limits": {"cpu_seconds": 0.2}}
    with gymnasium.make("SQLEnv-jsonl-v0", **arguments) as env, pytest.raises(DatabaseError, match=path):
        env.reset(seed=1)


def test_the_schema_does_not_depend_on_the_executor(make):
    path = make("a + 1")
    with Executor() as one, Executor(workers=2) as two:
        assert one.schema(path) is two.schema(path)
