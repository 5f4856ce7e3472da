"""Small databases of both engines, and healthy tasks over them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from random import Random

import apsw
import duckdb

from sql_env import Task
from sql_env.comparison import COMPARISONS

ENGINES = ("sqlite", "duckdb")

_SQLITE = """
CREATE TABLE author (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT COLLATE NOCASE, born REAL,
    photo BLOB, loud TEXT AS (upper(name)) VIRTUAL, initial TEXT AS (substr(name, 1, 1)) STORED);
CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT, author_id INTEGER REFERENCES author, price REAL,
    pages INTEGER, body TEXT, cover BLOB, facts TEXT, half INTEGER AS (pages / 2) VIRTUAL);
CREATE INDEX book_price ON book (price, title);
CREATE VIEW priced AS SELECT b.title, b.price, a.name FROM book b JOIN author a ON a.id = b.author_id;
CREATE VIEW "odd name" AS SELECT country AS "a b", count(*) AS "c""d" FROM author GROUP BY country;
CREATE VIRTUAL TABLE search USING fts5(title, body);
CREATE VIRTUAL TABLE box USING rtree(id, low, high);
"""

_DUCKDB = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TABLE author (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, country VARCHAR, born DOUBLE, photo BLOB,
    loud VARCHAR AS (upper(name)), since DATE, feels mood);
CREATE TABLE book (id INTEGER PRIMARY KEY, title VARCHAR, author_id INTEGER REFERENCES author (id),
    price DECIMAL(8, 2), pages BIGINT, body VARCHAR, cover BLOB, facts JSON, half BIGINT AS (pages // 2),
    tags VARCHAR[], place STRUCT(x INTEGER, y VARCHAR), notes MAP(VARCHAR, INTEGER), sold TIMESTAMP);
CREATE VIEW priced AS SELECT b.title, b.price, a.name FROM book b JOIN author a ON a.id = b.author_id;
CREATE VIEW "odd name" AS SELECT country AS "a b", count(*) AS "c""d" FROM author GROUP BY country;
CREATE MACRO double(x) AS x * 2;
CREATE MACRO cheap(most) AS TABLE SELECT title FROM book WHERE price < most;
"""

_GOLDS = (
    "SELECT count(*) FROM author",
    "SELECT name, country FROM author WHERE born > 1950",
    "SELECT country, count(*) FROM author GROUP BY country",
    "SELECT a.name, b.title FROM author a JOIN book b ON a.id = b.author_id WHERE b.pages > 100",
    "SELECT title FROM book ORDER BY pages DESC, id LIMIT 5",
    "SELECT min(price), max(price) FROM book WHERE pages < 400",
    "SELECT title, price FROM priced WHERE price > 10",
    "SELECT loud FROM author WHERE id < 10",
    "SELECT id, cover FROM book WHERE id < 4",
    "SELECT body FROM book WHERE id = 7",
    "SELECT DISTINCT country FROM author WHERE name LIKE '%o%'",
    "SELECT b.id, (SELECT count(*) FROM book c WHERE c.pages > b.pages) FROM book b WHERE b.half > 150",
)

_NAMES = ("Zoë", "李娜", "O'Neill", "Ann", "joe", "Åsa", "e\u0301va", "😀", 'a"b', "Bo\nbo", "")
_COUNTRIES = ("France", "FRANCE", "中国", "Côte d'Ivoire", None, "Chile")


def make_databases(folder: Path, seed: int) -> dict[str, Path]:
    """Write a database for each engine, and return their paths by engine.

    Both have the same rows: unicode, NULL, NaN-free numbers, blobs, JSON and texts of up to 20 KB. There are
    views, generated columns, and virtual tables (SQLite) or macros, nested types and an enum (DuckDB).
    """
    authors, books = list(_authors(Random(seed))), list(_books(Random(seed)))
    paths = {"sqlite": folder / "shelf.sqlite", "duckdb": folder / "shelf.duckdb"}
    with apsw.Connection(str(paths["sqlite"])) as connection:
        connection.execute(_SQLITE)
        connection.executemany("INSERT INTO author VALUES (?, ?, ?, ?, ?)", authors)
        connection.executemany("INSERT INTO book VALUES (?, ?, ?, ?, ?, ?, ?, ?)", books)
        connection.execute(
            "INSERT INTO search SELECT title, body FROM book; INSERT INTO box VALUES (1, 0, 9)"
        )
    connection.close()
    with duckdb.connect(str(paths["duckdb"])) as other:
        other.execute(_DUCKDB + "BEGIN;")
        other.executemany("INSERT INTO author VALUES (?, ?, ?, ?, ?, '2001-02-03', 'glad')", authors)
        other.executemany(
            "INSERT INTO book VALUES (?, ?, ?, ?, ?, ?, ?, ?, ['a', NULL], {'x': 1, 'y': 'é'}, MAP {'k': 1}, "
            "'2020-01-02 03:04:05')",
            books,
        )
        other.commit()
    return paths


def make_tasks(engine: str, database: Path) -> list[Task]:
    """Return tasks whose gold queries succeed. Each gold query occurs under two comparisons."""
    comparisons = cycle(sorted(COMPARISONS))
    return [
        Task(f"{engine}-{n}", "?", gold, str(database), "shelf", engine, comparison=next(comparisons))
        for n, gold in enumerate((*_GOLDS, *_GOLDS[1:]))
    ]


def make_right_answer(task: Task, number: int) -> str:
    """Return a query with the gold's result and a text of its own, so that it runs."""
    if number % 2 and "ORDER BY" not in task.gold_sql:
        return f"SELECT * FROM ({task.gold_sql}) AS q{number}"
    return f"{task.gold_sql} -- {number}"


def _authors(random: Random) -> Iterator[tuple[object, ...]]:
    for n in range(1, 31):
        name = f"{random.choice(_NAMES)}{n}"
        yield n, name, random.choice(_COUNTRIES), random.randint(1900, 1999) + 0.5, random.randbytes(n)


def _books(random: Random) -> Iterator[tuple[object, ...]]:
    for n in range(1, 121):
        title, body = (
            f"{random.choice(_NAMES)} {n}",
            random.choice(("x", "añ", "長い")) * random.randint(0, 9),
        )
        body *= 1000 if n % 20 == 7 else 1
        facts = f'{{"n": {n}, "l": [1, null, "é"]}}'
        price, pages = random.randint(0, 4000) / 100, random.choice((None, *range(10, 900)))
        yield n, title, random.randint(1, 30), price, pages, body, random.randbytes(9), facts
