"""The demo benchmark: its size, its soundness, its splits, its cache, and its wrong labels."""

from __future__ import annotations

import json
import multiprocessing
import random
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.demo import data_folder, demo
from benchmarks.demo.domains import DOMAINS
from benchmarks.demo.examples import HELD_OUT, SPLIT_NAMES, draw_examples, normalise
from benchmarks.demo.queries import proof
from benchmarks.demo.queries.query import Condition, Select
from benchmarks.demo.shapes import LEVELS
from benchmarks.demo.tables import database
from benchmarks.demo.tables.table import Kind
from benchmarks.demo.wrong_labels import LABEL_ERRORS, make_wrong_queries, mislabel
from benchmarks.loading.predictions import read_predictions
from sql_env.errors import DataError
from sql_env.types import Benchmark, Task

Splits = dict[str, tuple[Task, ...]]
Connections = dict[str, sqlite3.Connection]


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder in which seed 0 has been generated."""
    path = tmp_path_factory.mktemp("demo-cache")
    data_folder.prepare_data_folder(str(path), seed=0)
    return path


@pytest.fixture(scope="session")
def splits(root: Path) -> Splits:
    return {split: demo(split=split, data_dir=str(root)).tasks for split in SPLIT_NAMES}


@pytest.fixture(scope="session")
def tasks(splits: Splits) -> list[Task]:
    return [task for split in SPLIT_NAMES for task in splits[split]]


@pytest.fixture
def connections(root: Path) -> Iterator[Connections]:
    folder = data_folder.prepare_data_folder(str(root), seed=0)
    opened = {d.name: sqlite3.connect(f"file:{folder / d.name}.sqlite?mode=ro", uri=True) for d in DOMAINS}
    yield opened
    for connection in opened.values():
        connection.close()


def run(connection: sqlite3.Connection, sql: str) -> list[tuple[object, ...]]:
    return connection.execute(sql).fetchall()


def test_sizes(splits: Splits, tasks: list[Task]) -> None:
    assert len({t.db_id for t in tasks}) == len(DOMAINS) >= 8
    assert len({name for shapes in LEVELS.values() for name in shapes}) >= 25
    assert {t.difficulty for t in tasks} == set(LEVELS)
    assert len(tasks) >= 6000
    assert {split: len(splits[split]) for split in HELD_OUT} == HELD_OUT


def test_every_shape_asks_in_three_ways(root: Path) -> None:
    domain = next(d for d in DOMAINS if d.name == "company")
    data = database.draw_rows(domain, random.Random(f"0/{domain.name}"))
    drawn = draw_examples(
        domain, data, data_folder.prepare_data_folder(str(root), seed=0) / f"{domain.name}.sqlite", seed=0
    )
    assert {e.shape for e in drawn} == {name for shapes in LEVELS.values() for name in shapes}
    assert all(len(set(e.sketch.questions)) >= 3 for e in drawn)


def test_every_split_has_every_database_and_level(splits: Splits) -> None:
    for members in splits.values():
        assert {t.db_id for t in members} == {d.name for d in DOMAINS}
        assert min(Counter(t.difficulty for t in members).values()) > len(members) / 10


def test_fields(tasks: list[Task]) -> None:
    for task in tasks:
        assert (task.dialect, task.comparison) == ("sqlite", "strict")
        assert Path(task.database).is_absolute()
        assert task.question[0].isupper()
        assert task.question[-1] in ".?"
        assert 3 <= len(task.reasoning.split()) <= 32
        assert "  " not in task.question + task.reasoning + task.gold_sql


def test_ids_are_unique_and_say_the_split(splits: Splits, tasks: list[Task]) -> None:
    assert len({t.id for t in tasks}) == len(tasks)
    assert [t.id for t in splits["test"][:2]] == ["demo-test-0000", "demo-test-0001"]


def test_no_query_is_in_two_splits_and_no_question_has_two_queries(tasks: list[Task]) -> None:
    assert len({(t.db_id, normalise(t.gold_sql)) for t in tasks}) == len(tasks)
    assert len({(t.db_id, normalise(t.question)) for t in tasks}) == len(tasks)


def test_constants_appear_in_the_question(tasks: list[Task]) -> None:
    for task in tasks:
        for word in ("> ", "< ", "BETWEEN "):
            _, found, rest = task.gold_sql.partition(word)
            constant = rest.split(" ")[0].strip("'")
            if found and constant.replace(".", "").replace("-", "").isdigit():
                assert constant in task.question, task


def test_gold_queries_answer(tasks: list[Task], connections: Connections) -> None:
    for task in tasks:
        rows = run(connections[task.db_id], task.gold_sql)
        assert any(cell is not None for row in rows for cell in row), task


def test_gold_queries_are_fast(tasks: list[Task], connections: Connections) -> None:
    for task in tasks[::10]:
        connection = connections[task.db_id]
        laps = []
        for _ in range(3):
            start = time.process_time()
            run(connection, task.gold_sql)
            laps.append(time.process_time() - start)
        assert min(laps) < 0.02, task


@pytest.mark.slow
def test_results_do_not_depend_on_the_order_of_the_scan(tasks: list[Task], root: Path) -> None:
    for domain in DOMAINS:
        with proof.open_for_proof(
            data_folder.prepare_data_folder(str(root), seed=0) / f"{domain.name}.sqlite"
        ) as on:
            for task in (t for t in tasks if t.db_id == domain.name):
                forward, backward = run(on.forward, task.gold_sql), run(on.backward, task.gold_sql)
                assert proof.are_equal_bags(forward, backward), task
                if " LIMIT " in task.gold_sql.rpartition(")")[2]:
                    assert forward == backward, task


def test_every_limit_is_ordered(tasks: list[Task]) -> None:
    for task in tasks:
        assert task.gold_sql.count(" LIMIT ") <= task.gold_sql.count(" ORDER BY ")


def test_databases_are_sound_and_awkward(connections: Connections) -> None:
    for domain in DOMAINS:
        connection = connections[domain.name]
        assert run(connection, "PRAGMA foreign_key_check") == []
        assert run(connection, "PRAGMA integrity_check") == [("ok",)]
        cells = [c for t in domain.tables for row in run(connection, f"SELECT * FROM {t.name}") for c in row]
        text = "".join(c for c in cells if isinstance(c, str))
        assert None in cells
        assert "'" in text
        assert not text.isascii()
        assert sum(len(t.columns) for t in domain.tables) <= 25
    everything = " ".join("\n".join(c.iterdump()) for c in connections.values())
    assert all(mark in everything for mark in ('"', "''", "ß", "Ł", "é", "李"))


def test_databases_vary() -> None:
    links = [link for domain in DOMAINS for link in domain.links]
    columns = [c for domain in DOMAINS for t in domain.tables for c in t.columns]
    assert any(link.child is link.parent for link in links)
    assert any(c.kind is Kind.REF and c.nulls for c in columns)
    assert {c.kind for c in columns} == set(Kind)
    assert any(len(t.key) > 1 for domain in DOMAINS for t in domain.tables)
    assert len({frozenset(t.name for t in domain.tables) for domain in DOMAINS}) == len(DOMAINS)


@pytest.mark.slow
def test_the_same_seed_makes_the_same_bytes(root: Path, tmp_path: Path) -> None:
    first = data_folder.prepare_data_folder(str(root), seed=0)
    again = tmp_path / "again"
    again.mkdir()
    data_folder.generate(again, seed=0)
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {
        p.name: p.read_bytes() for p in first.iterdir()
    }


def test_a_second_load_is_fast(root: Path) -> None:
    laps = []
    for _ in range(3):
        start = time.process_time()
        demo(split="test", data_dir=str(root))
        laps.append(time.process_time() - start)
    assert min(laps) < 0.2


def test_an_unknown_split_is_named(root: Path) -> None:
    with pytest.raises(DataError, match=r"'tets'.*train, dev, test"):
        demo(split="tets", data_dir=str(root))


def test_an_unwritable_cache_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="SQL_ENV_CACHE"):
        demo(data_dir=str(tmp_path / "file"))


def test_the_environment_names_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQL_ENV_CACHE", str(tmp_path))
    assert data_folder.find_cache_root(None) == tmp_path
    assert data_folder.find_cache_root("/elsewhere") == Path("/elsewhere")


def stub(target: Path, seed: int) -> None:
    """A generator that takes no time and leaves a mark for each of its runs."""
    time.sleep(0.05)
    with (target.parent.parent / "runs").open("a") as runs:
        runs.write("x")
    (target / "test.jsonl").write_text("")
    (target / data_folder.MANIFEST).write_text(
        json.dumps({"test.jsonl": data_folder._hash(target / "test.jsonl")})
    )


@pytest.mark.parametrize("damage", ["test.jsonl", data_folder.MANIFEST])
def test_damage_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    monkeypatch.setattr(data_folder, "generate", stub)
    target = data_folder.prepare_data_folder(str(tmp_path), seed=0)
    (target / damage).write_text("garbage")
    assert not data_folder.is_intact(target)
    assert data_folder.prepare_data_folder(str(tmp_path), seed=0) == target
    assert data_folder.is_intact(target)
    assert (tmp_path / "runs").read_text() == "xx"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".demo.lock", target.name, "runs"]


def first_use(root: str) -> bool:
    data_folder.generate = stub
    return data_folder.is_intact(data_folder.prepare_data_folder(root, seed=0))


def test_concurrent_first_use_generates_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert all(pool.map(first_use, [str(tmp_path)] * 4))
    assert (tmp_path / "runs").read_text() == "x"


@pytest.mark.slow
def test_mislabelled_queries_run_and_differ(splits: Splits, connections: Connections) -> None:
    rng = random.Random(0)
    sample = splits["train"][::4]
    mislabelled = [(task, mislabel(task, rng)) for task in sample]
    wrong = [(task, bad) for task, bad in mislabelled if bad is not None]
    assert len(wrong) > 0.9 * len(sample)
    for task, bad in wrong:
        connection = connections[task.db_id]
        gold, result = run(connection, task.gold_sql), run(connection, bad.gold_sql)
        assert gold != result
        assert (bad.id, bad.question, bad.reasoning) == (task.id, task.question, task.reasoning)


def test_mislabelling_is_seeded_and_mostly_the_same_error(splits: Splits) -> None:
    sample = splits["train"][:200]
    runs = [[mislabel(task, random.Random(f"{seed}{task.id}")) for task in sample] for seed in (0, 0, 1)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert sum(a == b for a, b in zip(runs[0], runs[2], strict=True)) > 0.6 * len(sample)


def test_every_label_error_applies(splits: Splits) -> None:
    idle = [
        h.name for h in LABEL_ERRORS if not any(re.search(h.pattern, t.gold_sql) for t in splits["train"])
    ]
    assert idle == []


def test_confusions_start_with_the_strongest() -> None:
    first, *_ = make_wrong_queries("SELECT name FROM doctor ORDER BY salary DESC LIMIT 1")
    assert first == "SELECT name FROM doctor ORDER BY salary ASC LIMIT 1"


def test_a_select_says_its_sql_its_reasoning_and_its_weaker_forms() -> None:
    adults = Condition("age > 17", "age")
    select = Select(("name",), "guest", where=(adults,), order="age", descending=True, limit=2)
    assert select.sql == "SELECT name FROM guest WHERE age > 17 ORDER BY age DESC LIMIT 2"
    assert select.reasoning == ("Use guest. Keep rows by age; sort by age descending; take 2. Return name.")
    assert [weaker.sql for weaker in select.weaken()] == [
        "SELECT name FROM guest ORDER BY age DESC LIMIT 2",
        "SELECT name FROM guest WHERE age > 17 ORDER BY age ASC LIMIT 2",
        "SELECT name FROM guest WHERE age > 17 ORDER BY age DESC",
    ]
    assert select.make_boundary().sql == "SELECT age FROM guest WHERE age > 17 ORDER BY age DESC LIMIT 3"


def test_ties_at_the_limit_are_found() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (3), (2), (2), (1), (NULL)")
        top = Select(("x",), "t", order="x", descending=True, limit=1)
        assert not proof.has_tie(connection, top)
        assert proof.has_tie(connection, Select(("x",), "t", order="x", descending=True, limit=2))
        assert proof.has_tie(connection, Select(("x",), "t", order="x", limit=1))


def test_a_file_of_predictions_has_one_line_for_each_task(splits: Splits, tmp_path: Path) -> None:
    benchmark = Benchmark("demo", "test", tuple(splits["test"]))
    path = tmp_path / "said.txt"
    path.write_text("".join(f"{task.gold_sql}\n" for task in benchmark.tasks))
    assert read_predictions(path, benchmark) == [task.gold_sql for task in benchmark.tasks]
