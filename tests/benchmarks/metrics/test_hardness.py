import pytest

from benchmarks.metrics.hardness import LEVELS, classify_hardness
from benchmarks.metrics.spider_sql import Names, parse

COLUMNS = frozenset({"a", "b", "c"})
NAMES = Names({"t": COLUMNS, "u": COLUMNS}, {})


@pytest.mark.parametrize(
    ("sql", "level"),
    [
        ("SELECT a FROM t", "easy"),
        ("SELECT a FROM t WHERE b = 1", "easy"),
        ("SELECT a FROM t ORDER BY b", "easy"),
        ("SELECT count(a) FROM t GROUP BY b", "easy"),
        ("SELECT a FROM t WHERE b LIKE 'x'", "medium"),
        ("SELECT a FROM t ORDER BY b LIMIT 1", "medium"),
        ("SELECT a , b FROM t", "medium"),
        ("SELECT count(a) , max(b) FROM t", "medium"),
        ("SELECT count(a) , max(b) FROM t WHERE a = 1 AND b = 2", "hard"),
        ("SELECT t.a FROM t JOIN u ON t.a = u.a", "easy"),
        ("SELECT t.a FROM t JOIN u ON t.a = u.a WHERE t.b = 1", "medium"),
        ("SELECT a FROM t WHERE b = 1 AND c = 2", "medium"),
        ("SELECT a FROM t WHERE b = 1 OR c = 2", "medium"),
        ("SELECT a FROM t WHERE b = 1 OR b = 2 OR c = 3", "hard"),
        ("SELECT t.a FROM t JOIN u ON t.a = u.a WHERE t.b = 1 ORDER BY t.b", "hard"),
        ("SELECT t.a FROM t JOIN u ON t.a = u.a WHERE t.b = 1 ORDER BY t.b LIMIT 1", "extra"),
        ("SELECT a FROM t WHERE b > (SELECT avg(b) FROM t)", "hard"),
        ("SELECT a FROM t WHERE b BETWEEN 1 AND (SELECT avg(b) FROM t)", "hard"),
        ("SELECT a FROM t UNION SELECT a FROM u", "hard"),
        ("SELECT a , b FROM t UNION SELECT a , b FROM u", "extra"),
        ("SELECT a FROM t WHERE b IN (SELECT b FROM u) UNION SELECT a FROM u", "extra"),
        ("SELECT count(*) FROM (SELECT a FROM t WHERE b = 1 AND c = 2)", "easy"),
        ("SELECT a FROM t WHERE b = (SELECT b FROM u WHERE a = 1 AND b = 2 ORDER BY c LIMIT 1)", "hard"),
    ],
)  # fmt: skip
def test_classes(sql, level):
    assert classify_hardness(parse(sql, NAMES)) == level
    assert level in LEVELS


@pytest.mark.parametrize(
    ("sql", "level"),
    [
        ("SELECT a FROM t WHERE b NOT LIKE 'x'", "medium"),
        ("SELECT a FROM t GROUP BY b HAVING count(a) = 1 AND max(c) = 2", "easy"),
        ("SELECT a FROM t GROUP BY b HAVING count(a) = 1 AND max(c) = 2 OR c NOT IN (1)", "medium"),
        ("SELECT count(a) FROM t GROUP BY b HAVING count(a) = 1 AND max(c) = 2", "medium"),
        ("SELECT count(a) FROM t WHERE b NOT IN (1)", "medium"),
        ("SELECT count(a) FROM t ORDER BY count(a)", "medium"),
        ("SELECT count(a) FROM t ORDER BY b - max(c)", "medium"),
        ("SELECT max(count(a)) FROM t", "easy"),
    ],
)
def test_what_counts_as_an_aggregate(sql, level):
    """Those of SELECT from outside, those of ORDER BY from inside, negations, connectives of HAVING."""
    assert classify_hardness(parse(sql, NAMES)) == level
