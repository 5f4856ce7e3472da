"""Result equality: what each semantics counts, and the laws that all keep."""

import itertools
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql_env import Scorer
from sql_env.comparison import COMPARISONS, Gold, Order, get_comparison, make_gold
from sql_env.comparison.ordering import parse_order
from sql_env.comparison.spider import remove_distinct
from sql_env.errors import ComparisonError
from sql_env.types import ExecutionResult, Status

NAMES = sorted(COMPARISONS)

values = (
    st.none()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, 1.0, 1.5, -2.0, 1e300, float("inf")])
    | st.sampled_from(["", "1", "a", "B", "é", "None"])
    | st.sampled_from([b"", b"a", b"\xff"])
)


def table(rows, columns=None):
    width = columns if columns is not None else (len(rows[0]) if rows else 1)
    return ExecutionResult(Status.OK, tuple(f"c{i}" for i in range(width)), tuple(map(tuple, rows)))


@st.composite
def tables(draw, max_rows=6):
    width = draw(st.integers(1, 3))
    rows = draw(st.lists(st.tuples(*[values] * width), max_size=max_rows))
    return table(rows, width)


def equal(name, ours, theirs, ordered=False):
    return get_comparison(name).is_equal(ours, make_gold(theirs, Order() if ordered else None))


@pytest.mark.parametrize("name", NAMES)
@given(tables(), st.booleans())
def test_reflexive(name, one, ordered):
    assert equal(name, one, one, ordered)


@pytest.mark.parametrize("name", NAMES)
@given(tables(), tables(), st.booleans())
def test_symmetric(name, one, other, ordered):
    assert equal(name, one, other, ordered) == equal(name, other, one, ordered)


@pytest.mark.parametrize("name", NAMES)
@given(tables(), st.randoms(use_true_random=False))
def test_blind_to_row_order_where_gold_does_not_order(name, one, random):
    rows = list(one.rows)
    random.shuffle(rows)
    assert equal(name, table(rows, len(one.columns)), one)


@given(tables(), st.randoms(use_true_random=False))
def test_spider_is_blind_to_column_order(one, random):
    order = list(range(len(one.columns)))
    random.shuffle(order)
    shuffled = table([[row[i] for i in order] for row in one.rows], len(order))
    assert equal("spider", shuffled, one)
    assert equal("spider", shuffled, one, ordered=True)


@given(tables(), tables())
def test_strict_equality_implies_birds(one, other):
    """Where no tolerance is at work: these values are either equal or far apart."""
    if equal("strict", one, other, ordered=True) or equal("strict", one, other):
        assert equal("bird", one, other)


@given(tables(max_rows=4), tables(max_rows=4))
def test_spider_agrees_with_trying_every_permutation(one, other):
    width = len(one.columns)
    expected = (not one.rows and not other.rows) or (
        len(one.rows) == len(other.rows)
        and width == len(other.columns)
        and any(
            sorted(([row[i] for i in order] for row in one.rows), key=canonical)
            == sorted(([*row] for row in other.rows), key=canonical)
            for order in itertools.permutations(range(width))
        )
    )
    if equal("spider", one, other):
        assert expected
    elif expected:  # only the official filter may stand in between: an int beside an equal float
        assert any(isinstance(v, float) for row in (*one.rows, *other.rows) for v in row)


def canonical(row):
    return [
        (
            str(type(v)) if not isinstance(v, int | float) else "n",
            float(v) if isinstance(v, int | float) else str(v),
        )
        for v in row
    ]


WORLDS = {
    # (ours, gold, ordered): the semantics under which they are equal
    "duplicates": (([(1,), (1,)], [(1,)], False), {"bird"}),
    "a missing row": (([(1,)], [(1,), (2,)], False), set()),
    "reversed rows, gold ordered": (([(2,), (1,)], [(1,), (2,)], True), {"bird"}),
    "columns swapped": (([(1, "a")], [("a", 1)], False), {"spider", "sql-r1"}),
    "an extra column": (([(1, 2)], [(1,)], False), set()),
    "scrambled pairs": (([(1, "b"), (2, "a")], [(1, "a"), (2, "b")], False), set()),
    "number and text": (([(1,)], [("1",)], False), set()),
    "text and blob": (([("a",)], [(b"a",)], False), set()),
    "null and zero": (([(None,)], [(0,)], False), set()),
    "null and null": (([(None,)], [(None,)], False), set(NAMES)),
    "null and empty text": (([(None,)], [("",)], False), set()),
    "int and equal float": (([(1,)], [(1.0,)], False), set(NAMES)),
    "a float sum in another order": (([(0.1 + 0.2 + 0.3,)], [(0.3 + 0.2 + 0.1,)], False), {"strict"}),
    "telephone numbers as doubles": (([(5551234567.0,)], [(5551234568.0,)], False), set()),
    "an id and another as a double": (([(5551234567,)], [(5551234568.0,)], False), set()),
    "a whole number and its noise": (([(6e9,)], [(6e9 + 1e-6,)], False), {"strict"}),
    "floats a cent apart": (([(1.01,)], [(1.0,)], False), set()),
    "case of text": (([("A",)], [("a",)], False), set()),
    "one constant a row": (([(1,), (1,), (1,)], [(1,)], False), {"bird"}),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("case", WORLDS)
def test_what_each_semantics_counts(case, name):
    (ours, theirs, ordered), accepting = WORLDS[case]
    assert equal(name, table(ours), table(theirs), ordered) == (name in accepting)


def test_empty_results_are_equal_only_if_equally_wide_under_strict():
    wide, narrow = table([], 2), table([], 1)
    assert not equal("strict", wide, narrow)
    assert all(equal(name, wide, narrow) for name in NAMES if name != "strict")


def test_rows_that_tie_may_change_places_and_others_may_not():
    rows = [("a", 1), ("b", 1), ("c", 2)]
    known = make_gold(table(rows), Order(keys=(1,)))
    assert known.blocks == (2, 1)
    strict = get_comparison("strict").is_equal
    assert strict(table([("b", 1), ("a", 1), ("c", 2)]), known)
    assert not strict(table([("c", 2), ("a", 1), ("b", 1)]), known)


def test_hidden_sort_keys_come_from_the_probe():
    result, probed = table([("a",), ("b",), ("c",)]), table([("b", 1), ("a", 1), ("c", 2)])
    known = make_gold(result, Order(keys=(-1,), probe="..."), probed)
    assert known.blocks == (2, 1)
    assert get_comparison("strict").is_equal(result, known)


@pytest.mark.parametrize(
    "probed",
    [table([("a", 1), ("z", 1)]), ExecutionResult(Status.ERROR, error="no such column"), None],
)
def test_a_probe_that_does_not_show_golds_rows_leaves_every_row_in_its_place(probed):
    known = make_gold(table([("a",), ("b",)]), Order(keys=(-1,), probe="..."), probed)
    assert known == Gold(table([("a",), ("b",)]), (1, 1))


@pytest.mark.parametrize(
    ("sql", "order"),
    [
        ("SELECT a FROM t", None),
        ("SELECT a FROM (SELECT a FROM t ORDER BY b)", None),
        ("SELECT a, ROW_NUMBER() OVER (ORDER BY b) FROM t", None),
        ("SELECT a FROM t WHERE b = 'order by'", None),
        ("SELECT a, b FROM t ORDER BY b DESC", Order((1,))),
        ("SELECT a, b FROM t ORDER BY 2, 1", Order((1, 0))),
        ("SELECT a AS x FROM t UNION SELECT b FROM t ORDER BY x", Order((0,))),
        ("SELECT g, COUNT(*) FROM t GROUP BY g ORDER BY COUNT(*)", Order((1,))),
        ("SELECT a FROM t ORDER BY b", Order((-1,), "SELECT a, b AS _key0 FROM t ORDER BY b")),
        ("SELECT * FROM t ORDER BY b", Order((-1,), "SELECT *, b AS _key0 FROM t ORDER BY b")),
        ("SELECT DISTINCT a FROM t ORDER BY b", Order()),
        ("SELECT a FORM t ORDER BY b )(", Order()),
        ("SELECT a FROM t ORDER BY a; -- by name", Order((0,))),
        ("SELECT a FROM t ORDER BY a;;", Order((0,))),
        ("SELECT a, b FROM t ORDER BY (2), 1 COLLATE NOCASE", Order((1, 0), collations=("", "ascii_lower"))),
        ("SELECT a AS b, b AS a FROM t ORDER BY a", Order((1,))),
        (
            "SELECT *, a AS b FROM t ORDER BY b",
            Order((-1,), "SELECT *, a AS b, a AS _key0 FROM t ORDER BY b"),
        ),
        ("", None),
        ("ELSE 1 ORDER BY 1", Order()),
        ("SELECT a FROM t ORDER BY a COLLATE NOCASE", Order((0,), collations=("ascii_lower",))),
        ("SELECT a, b FROM t ORDER BY a, b COLLATE rtrim", Order((0, 1), collations=("", "rtrim"))),
        ("SELECT a COLLATE NOCASE AS x FROM t ORDER BY x", Order((0,), collations=("ascii_lower",))),
        ("SELECT a COLLATE NOCASE FROM t ORDER BY 1 DESC", Order((0,), collations=("ascii_lower",))),
        ("SELECT a FROM t ORDER BY a COLLATE BINARY", Order((0,))),
        ("SELECT (a) AS x FROM t ORDER BY x", Order((0,))),
        (
            "SELECT a FROM t ORDER BY b COLLATE NOCASE, a",
            Order((-1, 0), "SELECT a, b AS _key0 FROM t ORDER BY b COLLATE NOCASE, a", ("ascii_lower", "")),
        ),
        ("SELECT " + "(" * 10_000 + "1" + ")" * 10_000 + " ORDER BY 1", Order()),
    ],
)
def test_only_the_outermost_order_by_orders(sql, order):
    assert parse_order(sql, "sqlite") == order


@pytest.mark.parametrize(
    ("sql", "order"),
    [
        ("(SELECT a FROM t ORDER BY b)", Order((-1,), "SELECT a, b AS _key0 FROM t ORDER BY b")),
        ("((SELECT a FROM t ORDER BY a DESC))", Order((0,))),
        ("(FROM t ORDER BY a) LIMIT 3", Order()),
        ("(SELECT a FROM t ORDER BY a) LIMIT 3", Order((0,))),
        ("(SELECT a FROM t ORDER BY b) LIMIT 3", Order()),
        ("(SELECT a FROM t ORDER BY b) ORDER BY a", Order((0,))),
        ("WITH u AS (SELECT 1 AS a) (SELECT a FROM u ORDER BY a)", Order((0,))),
        ("(SELECT a FROM t ORDER BY a) UNION ALL (SELECT 2)", None),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a)", None),
        ("SELECT a FROM t ORDER BY a COLLATE NOCASE", Order((0,), collations=("lower",))),
        ("SELECT a FROM t ORDER BY a COLLATE de", Order((0,))),
    ],
)
def test_an_order_in_brackets_around_the_whole_query_orders(sql, order):
    assert parse_order(sql, "duckdb") == order


@pytest.mark.parametrize(
    ("collation", "rows", "blocks"),
    [
        ("ascii_lower", [("a",), ("A",), ("b",), (None,), (None,)], (2, 1, 2)),
        ("ascii_lower", [("é",), ("É",)], (1, 1)),
        ("ascii_lower", [("\ud800a",), ("\ud800A",)], (2,)),
        ("lower", [("é",), ("É",)], (2,)),
        ("rtrim", [("a",), ("a  ",), ("a\t",)], (2, 1)),
        ("ascii_lower", [(1,), (b"a",), (b"A",)], (1, 1, 1)),
    ],
)
def test_texts_that_tie_under_a_collation(collation, rows, blocks):
    assert make_gold(table(rows), Order((0,), collations=(collation,))).blocks == blocks


def test_rows_that_tie_under_nocase_may_change_places(ask):
    gold = "WITH t(v) AS (VALUES ('a'), ('A'), ('b')) SELECT v FROM t ORDER BY v COLLATE NOCASE"
    swapped = "SELECT * FROM (VALUES ('A'), ('a'), ('b'))"
    with Scorer({"rewards": ["result"], "response_format": "sql"}) as scorer:
        task = ask(gold, comparison="strict")
        scores = scorer.score([swapped, "SELECT * FROM (VALUES ('b'), ('a'), ('A'))"], [task] * 2)
    assert [score.rollout.correct for score in scores] == [True, False]


@pytest.mark.parametrize(
    ("sql", "run"),
    [
        ("SELECT DISTINCT a FROM t", "SELECT  a FROM t"),
        ("SELECT count(distinct a) FROM t", "SELECT count( a) FROM t"),
        ("SELECT 'a distinct b', \"distinct\" FROM t", "SELECT 'a distinct b', \"distinct\" FROM t"),
        ("SELECT 'it''s distinct' FROM t", "SELECT 'it''s distinct' FROM t"),
        ("SELECT distinctive FROM t -- distinct", "SELECT distinctive FROM t -- distinct"),
        ("SELECT a FROM t WHERE a > = 1 AND b ! = 2", "SELECT a FROM t WHERE a >= 1 AND b != 2"),
        ("SELECT year ( curdate() ) - 1", "SELECT 2020- 1"),
    ],
)
def test_what_spider_runs_in_place_of_a_query(sql, run):
    assert remove_distinct(sql) == run


@pytest.mark.parametrize("piece", ["'", '"', "[", "`", "/*", "/**", "--", "distinct ", "''", "(", "\n"])
def test_megabytes_of_one_piece_do_not_hang_the_rewriting(piece):
    remove_distinct("SELECT " + piece * 300_000)


def test_many_identical_columns_do_not_blow_up_the_search():
    rows = [(1,) * 12, (1,) * 11 + (2,)]
    assert equal("spider", table(rows), table([row[::-1] for row in rows]))
    hard = [tuple((i * j) % 7 for j in range(12)) for i in range(30)]
    assert equal("spider", table(hard), table([row[::-1] for row in hard]))


def test_a_search_over_many_rows_ends_as_soon_as_one_over_few():
    """Eight columns in any order, and a pair that fits none: a budget of assignments alone takes minutes."""
    ours, theirs = (
        [
            (
                *(int(i % 8 == c) for c in range(8)),
                i // 8 % 2,
                (i // 8 // 2 if i // 8 % 8 < free else i // 8) % 2,
            )
            for i in range(20_000)
        ]
        for free in (8, 4)
    )
    began = time.process_time()
    assert not equal("spider", table(ours), table(theirs))
    assert time.process_time() - began < 20


def make_rings(*sizes):
    """One row for each edge of some rings, with a 1 in the columns of its two nodes."""
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    edges = [
        {start + i, start + (i + 1) % size}
        for start, size in zip(starts, sizes, strict=True)
        for i in range(size)
    ]
    return [tuple(int(node in edge) for node in range(sum(sizes))) for edge in edges]


def test_columns_that_only_a_search_can_tell_apart():
    """Each row looks like any other one, and so does each column."""
    rows = make_rings(60)
    order = random.Random(0).sample(range(60), 60)
    shuffled = [tuple(row[place] for place in order) for row in rows[::-1]]
    assert equal("spider", table(shuffled), table(rows))
    assert not equal("spider", table(make_rings(30, 30)), table(rows))


def test_an_unknown_comparison_is_named_with_the_known_ones():
    with pytest.raises(ComparisonError, match=r"Did you mean 'strict'\?"):
        get_comparison("stric")
