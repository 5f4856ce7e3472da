import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.loading.predictions import read_predictions
from benchmarks.metrics.exact_match import ExactMatch, is_exact_match
from benchmarks.metrics.spider_sql import Names
from benchmarks.metrics.spider_sql.names import read_database
from benchmarks.spider import spider
from sql_env import Benchmark, Executor, Task
from sql_env.errors import TaskError

SINGER, CONCERT = {"id", "name", "country", "age"}, {"id", "title", "singer_id", "fee"}
KEYS = {"concert.singer_id": "singer.id", "singer.id": "singer.id"}
NAMES = Names({"singer": frozenset(SINGER), "concert": frozenset(CONCERT)}, KEYS)
JOIN = "singer AS T1 JOIN concert AS T2 ON T1.id = T2.singer_id"


@pytest.mark.parametrize(
    ("prediction", "gold"),
    [
        ("SELECT age , name FROM singer", "select NAME, Age from SINGER;"),
        ("SELECT DISTINCT name FROM singer", "SELECT name FROM singer"),
        ("SELECT count(DISTINCT name) FROM singer", "SELECT count(name) FROM singer"),
        ("SELECT name FROM singer WHERE age = 3", "SELECT name FROM singer WHERE age = 'x'"),
        ("SELECT name FROM singer WHERE age = 3", "SELECT name FROM singer WHERE age = id"),
        (
            "SELECT name FROM singer WHERE age > 3 AND id = 1 OR id = 2",
            "SELECT name FROM singer WHERE id = 4 OR age > 2 AND id = 5",
        ),
        ("SELECT name FROM singer ORDER BY age LIMIT 1", "SELECT name FROM singer ORDER BY age ASC LIMIT 9"),
        (
            f"SELECT T1.name FROM {JOIN}",
            "SELECT b.name FROM concert AS a JOIN singer AS b ON a.fee = b.age",
        ),
        (f"SELECT T1.id FROM {JOIN}", f"SELECT T2.singer_id FROM {JOIN}"),
        (
            f"SELECT count(*) FROM {JOIN} GROUP BY T1.id HAVING count(*) > 1",
            f"SELECT count(*) FROM {JOIN} GROUP BY T2.singer_id HAVING count(*) > 7",
        ),
        (
            f"SELECT T1.id FROM {JOIN} UNION SELECT id FROM singer",
            f"SELECT T2.singer_id FROM {JOIN} UNION SELECT id FROM singer",
        ),
        (
            "SELECT name FROM singer WHERE id IN (SELECT singer_id FROM concert WHERE fee > 1)",
            "SELECT name FROM singer WHERE id IN (SELECT singer_id FROM concert WHERE fee > 2)",
        ),
        ("SELECT count(*) FROM (SELECT id FROM singer WHERE age > 1)",) * 2,
    ],
)  # fmt: skip
def test_what_matches(prediction, gold):
    assert is_exact_match(prediction, gold, NAMES) is True
    assert is_exact_match(gold, prediction, NAMES) is True


@pytest.mark.parametrize(
    ("prediction", "gold"),
    [
        ("SELECT name , name FROM singer", "SELECT name FROM singer"),
        ("SELECT max(age) FROM singer", "SELECT min(age) FROM singer"),
        ("SELECT name FROM singer WHERE age > 3", "SELECT name FROM singer WHERE age >= 3"),
        ("SELECT name FROM singer WHERE age NOT IN (3)", "SELECT name FROM singer WHERE age IN (3)"),
        ("SELECT id FROM singer WHERE age = 1 OR id = 2", "SELECT id FROM singer WHERE age = 1 AND id = 2"),
        ("SELECT name FROM singer ORDER BY age , id", "SELECT name FROM singer ORDER BY id , age"),
        ("SELECT name FROM singer ORDER BY age", "SELECT name FROM singer ORDER BY age DESC"),
        ("SELECT name FROM singer ORDER BY age LIMIT 1", "SELECT name FROM singer ORDER BY age"),
        ("SELECT name FROM singer LIMIT 1", "SELECT name FROM singer"),
        ("SELECT name FROM singer GROUP BY id , age", "SELECT name FROM singer GROUP BY age , id"),
        ("SELECT name FROM singer GROUP BY id HAVING age > 1 AND id > 1",
         "SELECT name FROM singer GROUP BY id HAVING id > 1 AND age > 1"),
        ("SELECT name FROM singer", "SELECT name FROM singer JOIN singer"),
        ("SELECT singer_id FROM concert", "SELECT singer.id FROM singer"),
        (f"SELECT T1.id FROM {JOIN}", "SELECT T2.singer_id FROM concert AS T2"),
        (f"SELECT T1.name FROM {JOIN} AND T1.age IN (1)", f"SELECT T1.name FROM {JOIN}"),
        ("SELECT id FROM singer UNION SELECT id FROM concert",
         "SELECT id FROM concert UNION SELECT id FROM singer"),
        ("SELECT id FROM singer UNION SELECT id FROM concert",
         "SELECT id FROM singer EXCEPT SELECT id FROM concert"),
        ("SELECT count(*) FROM (SELECT id FROM singer WHERE age > 1)",
         "SELECT count(*) FROM (SELECT id FROM singer WHERE age > 2)"),
        ("SELECT name FROM singer WHERE id IN (SELECT DISTINCT singer_id FROM concert)",
         "SELECT name FROM singer WHERE id IN (SELECT singer_id FROM concert)"),
        (f"SELECT name FROM singer WHERE id IN (SELECT T1.id FROM {JOIN})",
         f"SELECT name FROM singer WHERE id IN (SELECT T2.singer_id FROM {JOIN})"),
        ("", "SELECT name FROM singer"),
        ("SELECT name AS n FROM singer", "SELECT name FROM singer"),
    ],
)  # fmt: skip
def test_what_does_not_match(prediction, gold):
    assert is_exact_match(prediction, gold, NAMES) is False


def test_a_gold_outside_the_grammar():
    gold = "SELECT name FROM singer WHERE age IS NULL"
    assert is_exact_match(gold, gold, NAMES) is None


def test_over_a_benchmark(ask):
    first, second = ask("SELECT name FROM singer", "1"), ask("SELECT name AS n FROM singer", "2")
    match = ExactMatch(Benchmark("mine", "all", (first, second)))
    assert match(first, "SELECT singer.name FROM singer") == 1.0
    assert match(first, "nonsense") == 0.0
    assert match(second, second.gold_sql) is None
    with pytest.raises(TaskError, match="'3'"):
        match(ask("SELECT 1", "3"), "SELECT 1")


@pytest.fixture(scope="module")
def spider_dev(shared_data):
    rebuilt = str(shared_data / "spider" / "database_reconstructed")
    return spider(data_dir=str(shared_data / "spider"), database_dir=rebuilt)


@pytest.fixture(scope="module")
def match(spider_dev):
    return ExactMatch(spider_dev)


@pytest.mark.parametrize(
    "file",
    [
        "c3_chatgpt", "codes_sft_1b", "codes_sft_3b", "dail_sql_gpt4", "din_sql_gpt4", "gpt4_fewshot_din",
        "graphix_t5_3b_picard",
    ],
)  # fmt: skip
def test_official_verdicts(file, spider_dev, match, shared_data):
    official = json.loads((shared_data / "official_eval/spider_dev" / f"{file}.json").read_text())["exact"]
    predictions = read_predictions(shared_data / "predictions/spider_dev" / f"{file}.txt", spider_dev)
    ours = [match(task, sql) for task, sql in zip(spider_dev.tasks, predictions, strict=True)]
    assert len(ours) == 1034
    assert ours == official


def test_official_verdicts_without_the_file_of_tables(spider_dev, shared_data):
    """The databases themselves know their names as well."""
    file = shared_data / "predictions/spider_dev/din_sql_gpt4.txt"
    official = json.loads((shared_data / "official_eval/spider_dev/din_sql_gpt4.json").read_text())["exact"]
    with Executor() as executor:
        databases = {task.database for task in spider_dev.tasks}
        names = {database: read_database(executor, database) for database in databases}
    assert official == [
        is_exact_match(sql, task.gold_sql, names[task.database])
        for task, sql in zip(spider_dev.tasks, read_predictions(file, spider_dev), strict=True)
    ]


def test_gold_matches_itself(spider_dev, match):
    assert {match(task, task.gold_sql) for task in spider_dev.tasks} == {1.0}


def test_golds_match_few_others(spider_dev, match):
    """Of each database's golds, each against each: whoever matches is matched, and most do not."""
    databases = Counter(task.db_id for task in spider_dev.tasks)
    for db_id in [name for name, count in databases.items() if count < 50]:
        tasks = [task for task in spider_dev.tasks if task.db_id == db_id]
        table = [[match(one, two.gold_sql) for two in tasks] for one in tasks]
        assert table == [list(row) for row in zip(*table, strict=True)]
        assert all(row[place] == 1.0 for place, row in enumerate(table))
        assert sum(map(sum, table)) < len(tasks) ** 2 / 2


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_values_distinct_and_order_do_not_count(data):
    """A query written in two ways by what the metric ignores."""
    columns = data.draw(st.lists(st.sampled_from(sorted(SINGER)), min_size=1, max_size=4))
    tested = data.draw(st.lists(st.sampled_from(sorted(SINGER)), max_size=4))

    def write():
        conditions = [
            f"{column} = {data.draw(st.integers())}" for column in data.draw(st.permutations(tested))
        ]
        where = " WHERE " + " AND ".join(conditions) if conditions else ""
        distinct = data.draw(st.sampled_from(["", "DISTINCT "]))
        return f"SELECT {distinct}{' , '.join(data.draw(st.permutations(columns)))} FROM singer{where}"

    first, second = write(), write()
    assert is_exact_match(first, second, NAMES) is True
    assert is_exact_match(f"{first} LIMIT 1", second, NAMES) is False
    assert is_exact_match(first.replace("SELECT", "SELECT title ,"), second, NAMES) is False


@settings(deadline=None)
@given(st.text())
def test_any_prediction_has_a_verdict(text):
    assert is_exact_match(text, "SELECT name FROM singer", NAMES) is False
    assert is_exact_match(f"SELECT name FROM singer WHERE {text}", "SELECT age FROM singer", NAMES) is False


def test_duckdb(library):
    task = Task("t", "?", "SELECT name FROM author", str(library), dialect="duckdb")
    match = ExactMatch(Benchmark("mine", "all", (task,)))
    assert match(task, "SELECT author.name FROM author") == 1.0
