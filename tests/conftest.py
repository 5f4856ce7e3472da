"""What several test files share."""

import json
import os
import sqlite3
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from hypothesis import settings

from sql_env import Limits, Status, Task

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test wants what it has, and looking takes a minute

settings.register_profile("untimed", deadline=None)  # a clock says more about the machine
settings.register_profile("repeatable", deadline=None, derandomize=True)  # CI: the commit alone decides
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


@pytest.fixture(scope="session")
def memorised(tmp_path_factory):
    """A tiny model that has learnt eight questions by heart, and what it answers to them.

    Its namespace holds ``folder`` of the model, ``questions``, a file for the benchmark ``jsonl``, and
    what greedy decoding gives: ``completions`` and ``correct``, the last but one wrong, the last malformed.
    """
    from sql_env import Scorer, load_benchmark, respond
    from trainers.dataset import Prompter
    from trainers.demo import tiny

    place = tmp_path_factory.mktemp("memorised")
    tasks = load_benchmark("demo", "test").tasks[:8]
    with Scorer("sql-r1") as scorer:
        prompts = [str(Prompter(scorer, "compact")(task)) for task in tasks]
        form = scorer.rubric.form
    answers = [respond(task.gold_sql, "By heart.", form) for task in tasks[:6]]
    answers += [respond("SELECT 1", "No idea.", form), "I do not know."]
    words = tiny.train_tokenizer(prompts + answers, form, 800)
    words.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    model = tiny.make_model(words, width=64)
    learn(model, words, prompts, answers)
    model.generation_config.do_sample = True  # a server samples where the model's own configuration does
    model.save_pretrained(place / "model")
    words.save_pretrained(place / "model")
    rows = [{"question": t.question, "sql": t.gold_sql, "database": t.database} for t in tasks]
    (place / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return SimpleNamespace(
        folder=place / "model",
        questions=place / "q.jsonl",
        tasks=tasks,
        completions=answers,
        correct=[True] * 6 + [False] * 2,
    )


def learn(model, tokenizer, prompts, answers):
    """Train until greedy decoding gives the answers."""
    import torch

    from trainers.generation.sampling import generate_completions

    ids = [
        tokenizer(p + a)["input_ids"] + [tokenizer.eos_token_id]
        for p, a in zip(prompts, answers, strict=True)
    ]
    batch = tokenizer.pad({"input_ids": ids}, padding_side="left", return_tensors="pt")
    asked = [len(tokenizer(prompt)["input_ids"]) for prompt in prompts]
    labels = batch["input_ids"].clone()
    for row, (tokens, length) in enumerate(zip(ids, asked, strict=True)):
        labels[row, : labels.shape[1] - len(tokens) + length] = -100
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(20):
        for _ in range(20):
            loss = model(**batch, labels=labels).loss
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if [
            said for [said] in generate_completions(model, tokenizer, prompts, max_new_tokens=150)
        ] == answers:
            return
    raise AssertionError(f"the model has not learnt its answers: loss {loss.item():.3f}")
