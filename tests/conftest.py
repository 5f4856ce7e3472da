"""What several test files share."""

import json
import os
import sqlite3
from pathlib import Path

import duckdb
import pytest
from hypothesis import settings

from sql_env import Limits, Status, Task

settings.register_profile("untimed", deadline=None)  # a clock says more about the machine
settings.load_profile("untimed")

CONCERTS = """
CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT, age INTEGER);
CREATE TABLE concert (id INTEGER PRIMARY KEY, title TEXT, singer_id INTEGER REFERENCES singer, fee REAL);
INSERT INTO singer VALUES (1, 'Sinéad O''Connor', 'Ireland', 30), (2, 'Joe', 'France', 41),
    (3, '李娜', 'China', 30), (4, 'Ann', 'France', NULL), (5, 'Zoë', 'China', 55);
INSERT INTO concert VALUES (1, 'Spring', 1, 0.1), (2, 'Summer', 1, 0.2), (3, 'Autumn', 2, 0.3),
    (4, 'Winter', 5, NULL);
"""

LIBRARY = """
CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR, born DATE);
CREATE TABLE book (title VARCHAR, author_id INTEGER REFERENCES author (id), price DECIMAL(6, 2),
    rating DOUBLE, tags VARCHAR[], lent BOOLEAN, cover BLOB);
INSERT INTO author VALUES (1, 'Ann', '1950-02-03'), (2, 'Bo', NULL);
INSERT INTO book VALUES ('One', 1, 10.00, 'nan', ['a', 'b'], true, '\\xAA'::BLOB),
    ('Two', 2, 2.50, 4.5, NULL, false, NULL);
"""


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real Spider and BIRD data, which are not part of this project."""
    place = Path(os.environ.get("SQL_ENV_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (place / "spider" / "dev.json").exists():
        pytest.skip(f"no real benchmark data at {place}: set SQL_ENV_TEST_DATA to its folder")
    return place


@pytest.fixture(scope="session")
def make_concerts():
    """Write a small SQLite database: singers (one without an age, two of one age) and concerts."""

    def make(path: Path) -> Path:
        connection = sqlite3.connect(path)
        connection.executescript(CONCERTS)
        connection.close()
        return path

    return make


@pytest.fixture
def concerts(tmp_path, make_concerts) -> Path:
    return make_concerts(tmp_path / "concerts.sqlite")


@pytest.fixture
def ask(concerts):
    """Make a task over `concerts` from its gold SQL."""

    def make(gold_sql: str, id: str = "t", **fields: str) -> Task:
        return Task(id, "Which?", gold_sql, str(concerts), "concerts", **fields)

    return make


@pytest.fixture(scope="session")
def hostile_sql() -> dict[str, tuple[str, Status]]:
    """SQL that models write by accident or in malice: name -> (SQL on `concerts`, its status in SQLite).

    The statuses are those under the limits of `tight`.
    """
    rows = json.loads((Path(__file__).parent / "hostile_sql.json").read_text())
    return {
        row["name"]: (
            row.get("sql", "".join(text * count for text, count in row.get("pieces", ()))),
            Status(row["status"]),
        )
        for row in rows
    }


@pytest.fixture(scope="session")
def tight() -> Limits:
    """Limits that stop a hostile query at once."""
    return Limits(
        max_steps=1_000_000,
        cpu_seconds=0.4,
        wall_seconds=30.0,
        max_rows=1_000,
        max_bytes=1_000_000,
        memory_bytes=32 * 2**20,
        max_sql_bytes=20_000,
    )


@pytest.fixture
def library(tmp_path) -> Path:
    """A small DuckDB database with a value of each kind."""
    path = tmp_path / "library.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(LIBRARY)
    return path
