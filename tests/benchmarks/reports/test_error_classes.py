"""The classes of errors of a wrong answer, and the features of a query."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.records.item import make_item
from benchmarks.reports.error_classes import CLASSES, classify_errors
from benchmarks.reports.query_features import FEATURE_GROUPS, extract_features, parse_query
from sql_env import Scorer

GOLD = (
    "SELECT T1.name, count(*) FROM singer AS T1 JOIN concert AS T2 ON T1.id = T2.singer_id "
    "WHERE T1.age > 20 GROUP BY T1.name ORDER BY count(*) DESC"
)

WORDS = "SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT UNION AS name age singer ( ) , * = 1 'a' \" count(*)"


@pytest.fixture(scope="module")
def scorer():
    with Scorer({"rewards": ["result"], "response_format": "sql"}, rows=True) as scorer:
        yield scorer


@pytest.fixture
def judge(ask, scorer):
    """Judge a prediction against a gold query."""

    def judge(sql, gold=GOLD):
        return make_item(0, scorer.score([sql], [ask(gold)])[0])

    return judge


@pytest.mark.parametrize(
    ("sql", "primary", "others"),
    [
        ("", "format", ()),
        ("SELECT nothing FROM singer", "execution", ("table", "column")),
        ("DROP TABLE singer", "execution", ()),
        (GOLD.replace("T1.name, count(*)", "T1.age, count(*)"), "column", ()),
        (GOLD.replace("T1.name, count(*)", "T1.name"), "column", ("aggregation",)),
        (GOLD.replace("GROUP BY T1.name", "GROUP BY T2.fee"), "aggregation", ()),
        (GOLD.replace("SELECT T1.name, count(*)", "SELECT T1.name, sum(*)"), "execution", ("aggregation",)),
        (GOLD.replace("> 20", "> 35"), "condition", ()),
        (GOLD.replace("T1.age > 20", "T1.id > 1"), "condition", ()),
        (GOLD.replace("T1.id = T2.singer_id", "T1.id = T2.id"), "join", ()),
        (GOLD.replace("JOIN", "LEFT JOIN"), "join", ()),
        (GOLD.replace(" DESC", ""), "order", ()),
        (GOLD + " LIMIT 1", "order", ()),
        ("SELECT name, 1 FROM singer", "table", ("aggregation", "condition", "order")),
    ],
)
def test_a_query_that_departs_from_the_gold(sql, primary, others, judge):
    found = classify_errors(judge(sql))
    assert found.primary == primary
    assert set(others) <= set(found.all)
    assert list(found.all) == [name for name in CLASSES if name in found.all]


def test_same_rows_are_told_apart_by_order_and_by_number(judge):
    gold = "SELECT country FROM singer WHERE id < 5 ORDER BY id"
    assert (
        classify_errors(judge("SELECT country FROM singer WHERE id < 5 ORDER BY id DESC", gold)).primary
        == "order"
    )
    distinct = classify_errors(judge("SELECT DISTINCT country FROM singer WHERE id < 5 ORDER BY id", gold))
    assert (distinct.primary, distinct.all) == ("duplicates", ("duplicates",))
    other = classify_errors(judge("SELECT country FROM singer WHERE id IN (4, 3, 2, 1) ORDER BY name", gold))
    assert (other.primary, other.all) == ("order", ("condition", "order"))


def test_what_is_right_or_masked_has_no_class(judge):
    right, masked = judge(GOLD), judge("SELECT 1", "SELECT gone")
    assert right.correct
    assert masked.correct is None
    for each in (right, masked):
        assert classify_errors(each).primary == ""
        assert classify_errors(each).all == ()


def test_a_limit_is_a_class_of_its_own(judge):
    timeout = replace(judge("SELECT 1"), status="timeout")
    assert classify_errors(timeout).primary == "limit"
    assert "table" in classify_errors(timeout).all


def test_layout_case_aliases_and_quotes_are_no_difference(judge):
    gold = "SELECT name FROM singer AS T1 WHERE T1.country = 'France'"
    same = 'select  "NAME"\nfrom Singer s where s.Country = "France"'
    wrong = replace(judge(same, gold), correct=False)
    assert classify_errors(wrong).all == ("other",)
    assert classify_errors(replace(wrong, sql=same.replace("France", "france"))).all == ("condition",)


def test_columns_of_one_name_are_told_apart_by_their_tables(judge):
    gold = "SELECT T1.id FROM singer AS T1 JOIN concert AS T2 ON T1.id = T2.singer_id"
    assert classify_errors(judge(gold.replace("SELECT T1.id", "SELECT T2.id"), gold)).all == ("column",)


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS.split()), max_size=25).map(" ".join), st.text(max_size=60))
def test_any_text_has_features_and_a_class(sql, noise):
    from benchmarks.records.item import Item

    for text in (sql, noise, sql + noise):
        found = extract_features(text)
        assert not found or all(found[group] in levels for group, levels in FEATURE_GROUPS.items())
        wrong = Item(0, "t", "db", "sqlite", "", "?", "", GOLD, "", "", text, False, "ok", "", "", 0.0, {})
        assert classify_errors(wrong).all
        assert classify_errors(replace(wrong, sql=GOLD, gold_sql=text)).primary in CLASSES


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT a FROM t", ("no join", "no subquery", "no set operation", "no aggregate", "no order")),
        (
            "SELECT count(*) FROM a, b JOIN c ON b.x = c.x LIMIT 1",
            ("2 joins", "no subquery", "no set operation", "aggregate only", "LIMIT only"),
        ),
        (
            "SELECT a FROM t WHERE b IN (SELECT b FROM u) EXCEPT SELECT a FROM v ORDER BY 1",
            ("no join", "1 subquery", "EXCEPT", "no aggregate", "ORDER BY"),
        ),
        (
            "WITH w AS (SELECT a FROM t UNION SELECT 1) SELECT a FROM w GROUP BY a HAVING count(*) > 1",
            ("no join", "1 subquery", "UNION", "GROUP BY with HAVING", "no order"),
        ),
        (
            "SELECT a, rank() OVER (ORDER BY b) FROM (SELECT * FROM t ORDER BY c LIMIT 3)",
            ("no join", "1 subquery", "no set operation", "no aggregate", "ORDER BY with LIMIT"),
        ),
    ],
)
def test_features(sql, expected):
    assert tuple(extract_features(sql).values()) == expected
    assert set(extract_features(sql)) == set(FEATURE_GROUPS)


def test_what_is_no_query_has_no_features():
    for text in ("", "no sql at all (", "DROP TABLE t", "SELECT 1" + " + 1" * 10_000, "(" * 5_000):
        assert parse_query(text) is None
        assert extract_features(text) == {}


def test_every_gold_of_spider_has_features(shared_data):
    from benchmarks.spider import spider

    for task in spider(data_dir=str(shared_data / "spider")).tasks:
        assert set(extract_features(task.gold_sql)) == set(FEATURE_GROUPS), task.gold_sql
