"""Two questions about birds, over a database that is made on first use."""

import sqlite3
import tempfile
from pathlib import Path

from sql_env import Benchmark, Task


def birds(*, split: str = "test", data_dir: str | None = None) -> Benchmark:
    """Load the questions; the database is written to ``data_dir``, or to a temporary folder."""
    database = Path(data_dir or tempfile.mkdtemp()) / "birds.sqlite"
    if not database.exists():
        connection = sqlite3.connect(database)
        connection.executescript("CREATE TABLE bird (name TEXT); INSERT INTO bird VALUES ('wren'), ('kite');")
        connection.close()
    gold = {"How many birds are there?": "SELECT COUNT(name) FROM bird", "Which?": "SELECT name FROM bird"}
    tasks = (
        Task(f"birds-{n}", question, sql, str(database), "birds")
        for n, (question, sql) in enumerate(gold.items())
    )
    return Benchmark("birds", split, tuple(tasks))
