"""Fixtures of the tests of the DuckDB engine."""

import duckdb
import pytest

from sql_env import Limits
from sql_env.execution.engines.duckdb.engine import DuckDBEngine

DEFINITIONS = """
CREATE TABLE author (id INTEGER, name VARCHAR);
INSERT INTO author VALUES (1, 'Ann'), (2, 'Bo');
CREATE TABLE item (id INTEGER, version INTEGER, age INTEGER);
INSERT INTO item VALUES (1, 7, 30), (2, 8, 40);
CREATE TABLE drawn (id INTEGER, chance DOUBLE GENERATED ALWAYS AS (random()));
INSERT INTO drawn (id) VALUES (1), (2);
CREATE VIEW lucky AS SELECT random() AS r;
CREATE VIEW luckier AS SELECT r FROM lucky;
CREATE VIEW "x AS SELECT 1; --" AS SELECT random() AS r;
CREATE MACRO roll() AS random();
CREATE MACRO drawing() AS TABLE SELECT roll() AS r;
CREATE VIEW plain (a, b) AS SELECT version, age FROM item;
CREATE VIEW today_is AS SELECT current_date AS d, now() AS n;
CREATE MACRO years(d) AS age(d);
CREATE VIEW settings AS SELECT name, value FROM duckdb_settings();
CREATE VIEW more_settings AS SELECT * FROM settings;
CREATE VIEW sampled AS SELECT count(*) AS n FROM range(1000) USING SAMPLE 10%;
CREATE SCHEMA other;
CREATE MACRO other.pause(x) AS pg_sleep(x);
CREATE MACRO other.pause_more(x, y) AS TABLE SELECT other.pause(x) AS p;
"""


@pytest.fixture
def engine():
    engine = DuckDBEngine(Limits(cpu_seconds=0.3, max_rows=1_000, max_bytes=1_000_000))
    yield engine
    engine.close()


@pytest.fixture
def make_database(tmp_path):
    """A function that makes a DuckDB file from SQL and returns its path."""

    def make(sql, name="made.duckdb"):
        path = tmp_path / name
        with duckdb.connect(str(path)) as connection:
            connection.execute(sql)
        return str(path)

    return make


@pytest.fixture(scope="session")
def defined(tmp_path_factory):
    """A database with views, macros and generated columns, harmless and harmful ones."""
    path = tmp_path_factory.mktemp("defined") / "defined.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(DEFINITIONS)
    return str(path)


@pytest.fixture(scope="session")
def shared_engine():
    """An engine for many tests: what one does must not matter to the next."""
    engine = DuckDBEngine(Limits(cpu_seconds=2, max_rows=10_000, max_bytes=1_000_000))
    yield engine
    engine.close()
