"""Overlap of a training set with a test set: what is shared is found, and memory does not grow."""

import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.diagnostics.overlap.compare import MIN_SIMILARITY, NEAR_SIMILARITY, compare_tasks
from benchmarks.diagnostics.overlap.questions import QuestionIndex, make_ngrams, normalise_question
from benchmarks.diagnostics.overlap.skeletons import make_skeleton, normalise_sql
from sql_env import Task, load_benchmark

COMMAND = Path(sys.executable).with_name("sql-env")
TEXTS = st.text(st.sampled_from("ab cé?"), max_size=12) | st.text(max_size=12)


def task(id, question, sql, db_id="d", database="missing.sqlite"):
    return Task(id, question, sql, database, db_id)


TEST = [
    task("t0", "How many singers are there?", "SELECT count(*) FROM singer", "concerts"),
    task("t1", "Which singer is the oldest?", "SELECT name FROM singer ORDER BY age DESC LIMIT 1", "other"),
]


def test_what_is_shared():
    train = [
        task("a", "how many singers are THERE", "select  COUNT(*) from Singer;", "Concerts"),
        task("b", "How many singers were there?", "SELECT COUNT(*) FROM dish", "food"),
        task("c", "Something else altogether", "SELECT T1.x FROM y AS T1 ORDER BY z DESC LIMIT 3", "food"),
    ]
    first, second = compare_tasks(train, TEST).items
    assert (first.database, first.same_question, first.near_question) == (("name",), 1, 2)
    assert (first.same_sql, first.same_sql_and_name, first.same_skeleton, first.near_duplicates) == (
        1,
        0,
        2,
        2,
    )
    assert [neighbour.task_id for neighbour in first.nearest] == ["a", "b"]
    assert first.nearest[0].similarity == 1.0
    assert NEAR_SIMILARITY < first.nearest[1].similarity < 1
    assert (second.database, second.near_question, second.same_sql, second.same_skeleton) == ((), 0, 0, 1)
    assert second.near_duplicates == 0
    assert list(compare_tasks(train, TEST).counts.values()) == [1, 0, 0, 1, 1, 1, 0, 2, 1]
    assert compare_tasks(train, TEST, workers=2) == compare_tasks(iter(train), TEST)


def test_nothing_is_shared():
    found = compare_tasks([task("a", "東京の人口は？", "WITH x AS (SELECT 1) SELECT * FROM x", "town")], TEST)
    assert not any(found.counts.values())
    assert [item.nearest for item in found.items] == [(), ()]
    assert not any(compare_tasks([], TEST).counts.values())


def test_all_is_shared():
    found = compare_tasks(TEST, TEST, top=1)
    assert set(found.counts.values()) == {0, 2}  # the database is missing, so it is shared by name alone
    assert [item.nearest[0].task_id for item in found.items] == ["t0", "t1"]


def test_databases(tmp_path, make_concerts):
    ours = make_concerts(tmp_path / "ours.sqlite")
    (tmp_path / "copy.sqlite").write_bytes(ours.read_bytes())
    import sqlite3

    with sqlite3.connect(make_concerts(tmp_path / "changed.sqlite")) as connection:
        connection.execute("DELETE FROM concert")
    connection.close()
    with sqlite3.connect(tmp_path / "wider.sqlite") as connection:
        connection.execute("CREATE TABLE singer (id, name)")
    connection.close()
    kinds = {}
    for name, db_id in (("copy", "x"), ("changed", "x"), ("wider", "X"), ("ours", "OURS")):
        train = [task("a", "?", "SELECT 1", db_id, str(tmp_path / f"{name}.sqlite"))]
        test = [task("b", "?", "SELECT 1", "ours", str(ours))]
        kinds[name] = compare_tasks(train, test).items[0].database
    assert kinds == {
        "copy": ("schema", "content"), "changed": ("schema",), "wider": (),
        "ours": ("name", "schema", "content"),
    }  # fmt: skip


@given(st.lists(TEXTS, min_size=1, max_size=6), TEXTS, st.floats(0.05, 1))
def test_likeness_is_the_jaccard_similarity(questions, asked, least):
    questions, asked = [normalise_question(each) for each in questions], normalise_question(asked)
    expected = {}
    for place, question in enumerate(questions):
        left, right = make_ngrams(question), make_ngrams(asked)
        similarity = len(left & right) / len(left | right)
        if similarity >= least:
            expected[place] = similarity
    assert dict(QuestionIndex(questions).similar_to(asked, least)) == expected


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.builds(task, TEXTS, TEXTS, TEXTS, TEXTS), max_size=6),
    st.lists(st.builds(task, TEXTS, TEXTS, TEXTS, TEXTS), max_size=4),
)
def test_any_tasks_can_be_compared_in_any_order(train, test):
    found = compare_tasks(train, test)
    for item, other in zip(found.items, compare_tasks(train[::-1], test).items, strict=True):
        assert replace(item, nearest=()) == replace(other, nearest=())
        assert [n.similarity for n in item.nearest] == [n.similarity for n in other.nearest]
        assert item.same_question <= item.near_question <= len(train)
        assert item.same_sql_and_name <= item.same_sql
        assert item.same_sql <= item.same_skeleton
        assert item.near_duplicates <= min(item.near_question, item.same_skeleton)


@pytest.mark.parametrize(
    "sqls",
    [
        ("SELECT a FROM t WHERE b = 'x'", "select  c from u where d='y'",
         "SELECT k.a AS x FROM t AS k WHERE b = 3"),
        ("SELECT count(*) FROM t AS T1 JOIN u AS T2 ON T1.a = T2.b",
         "SELECT COUNT(*) FROM x JOIN y ON x.q = y.r"),
        ("SELECT a FROM (SELECT b FROM t LIMIT 5) AS k", "SELECT x FROM (SELECT y FROM z LIMIT 1)"),
    ],
)  # fmt: skip
def test_one_skeleton(sqls):
    assert len({make_skeleton(sql) for sql in sqls}) == 1


def test_skeletons_that_differ():
    sqls = ["SELECT a FROM t", "SELECT DISTINCT a FROM t", "SELECT a, b FROM t", "SELECT * FROM t",
            "SELECT a FROM t ORDER BY b", "SELECT a FROM t ORDER BY b DESC", "SELECT max(a) FROM t",
            "SELECT a FROM t WHERE b > 1", "SELECT a FROM t WHERE b < 1", "SELECT a FROM t, u"]  # fmt: skip
    assert len({make_skeleton(sql) for sql in sqls}) == len(sqls)


def test_exact_keeps_what_is_quoted():
    assert normalise_sql('SELECT "A  b"\n FROM T;') == 'select "A  b" from t'
    assert normalise_sql("SELECT 'X'") != normalise_sql("SELECT 'x'")
    assert make_skeleton("no ( sql") == normalise_sql("no ( sql")


@pytest.mark.parametrize("near", [0, MIN_SIMILARITY / 2, 1.1])
def test_a_threshold_out_of_range(near):
    with pytest.raises(ValueError, match="near must be from"):
        compare_tasks([], TEST, near=near)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_training_set():
    def peak(count):
        train = (
            task(str(n), f"How many singers of {n} are there?", f"SELECT c{n} FROM t{n}")
            for n in range(count)
        )
        tracemalloc.start()
        compare_tasks(train, TEST)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    compare_tasks([], TEST)  # imports
    assert peak(20_000) < 2 * peak(4_000)  # both are more than a batch


@pytest.mark.slow
def test_the_command(tmp_path):
    out = tmp_path / "new" / "overlap.jsonl"
    ask = [COMMAND, "overlap", "--train", "demo", "--test", "demo", "--test-split", "dev", "--out", str(out)]
    done = subprocess.run([*ask, "--train-split", "test"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "200 test tasks beside 400 training tasks" in done.stdout
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(lines) == 200
    assert {line["database"][2] for line in lines} == {"content"}
    assert not any(line["same_sql_and_name"] for line in lines)
    done = subprocess.run([*ask, "--train-param", "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "NAME=VALUE" in done.stderr


@pytest.mark.slow
def test_the_demo_s_promise_holds():
    """No SQL of a held-out split occurs in training on the same database."""
    test = load_benchmark("demo", "test").tasks
    found = compare_tasks((task for task in test[1:]), test[:1] + test[1:], top=0)
    assert found.items[1].same_sql_and_name >= 1  # a test set beside itself
    train = load_benchmark("demo", "train").tasks
    assert compare_tasks(train[:2000], test).counts["SQL, the same on a database of that name"] == 0


@pytest.mark.slow
def test_spider_dev_has_databases_of_its_own(shared_data):
    folder, more = str(shared_data / "spider"), str(shared_data / "spider" / "database_reconstructed")
    train = load_benchmark("spider", "train", folder).tasks
    dev = load_benchmark("spider", "dev", folder, database_dir=more).tasks
    counts = compare_tasks(train, dev, top=1).counts
    assert [counts[f"database, by {kind}"] for kind in ("name", "schema", "content")] == [0, 0, 0]
    assert counts["question, the same"] == 6
    assert counts["SQL, the same"] == 8
