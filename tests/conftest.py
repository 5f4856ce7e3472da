"""What several test files share."""

import os
import sqlite3
from pathlib import Path

import pytest

from sql_env import Task

CONCERTS = """
CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT, age INTEGER);
CREATE TABLE concert (id INTEGER PRIMARY KEY, title TEXT, singer_id INTEGER REFERENCES singer, fee REAL);
INSERT INTO singer VALUES (1, 'Sinéad O''Connor', 'Ireland', 30), (2, 'Joe', 'France', 41),
    (3, '李娜', 'China', 30), (4, 'Ann', 'France', NULL), (5, 'Zoë', 'China', 55);
INSERT INTO concert VALUES (1, 'Spring', 1, 0.1), (2, 'Summer', 1, 0.2), (3, 'Autumn', 2, 0.3),
    (4, 'Winter', 5, NULL);
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
