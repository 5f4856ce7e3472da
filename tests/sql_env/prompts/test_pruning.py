"""What is left out of a schema that is too large, and in which order."""

import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql_env.prompts.ddl import format_description_and_values, schema_to_ddl
from sql_env.prompts.pruning import LeftOut, prune_to_fit
from sql_env.prompts.relevance import find_stems, rate_relevance
from sql_env.schema.model import Column, ForeignKey, Schema, Table

NAMES = st.one_of(
    st.sampled_from(["singer", "Singer", "song", "age", "songId", "", "a b"]), st.text(max_size=8)
)
TEXTS = st.lists(NAMES, max_size=4).map(" ".join)
COLUMNS = st.builds(
    Column,
    name=NAMES,
    type=st.sampled_from(["", "INT"]),
    values=st.lists(st.text(max_size=9), max_size=3).map(tuple),
    description=TEXTS,
    matches=st.lists(st.text(max_size=9), max_size=1).map(tuple),
)
KEYS = st.builds(
    ForeignKey, columns=st.tuples(NAMES), table=NAMES, targets=st.one_of(st.just(()), st.tuples(NAMES))
)
TABLES = st.builds(
    Table,
    name=NAMES,
    columns=st.lists(COLUMNS, max_size=5).map(tuple),
    primary_key=st.lists(NAMES, max_size=2).map(tuple),
    foreign_keys=st.lists(KEYS, max_size=2).map(tuple),
    description=TEXTS,
)
SCHEMAS = st.lists(TABLES, max_size=5).map(lambda tables: Schema(tuple(tables)))
BUDGETS = st.integers(0, 1_500)


def size(schema):
    return len(schema_to_ddl(schema, format_description_and_values)) + sum(
        len(table.description) for table in schema.tables
    )


@given(SCHEMAS, TEXTS, BUDGETS)
@pytest.mark.slow
def test_a_budget_is_kept_unless_nothing_is_left(schema, question, most):
    left, out = prune_to_fit(schema, rate_relevance(schema, question), size, most)
    assert size(left) <= most or left.tables == ()
    assert bool(out) == (left != schema)


@given(SCHEMAS, TEXTS, BUDGETS, BUDGETS)
@pytest.mark.slow
def test_what_a_budget_leaves_out_a_smaller_one_does_too(schema, question, one, other):
    ranks = rate_relevance(schema, question)
    small, large = (prune_to_fit(schema, ranks, size, most)[0] for most in sorted((one, other)))
    for table in small.tables:
        assert any(is_part(table, of) for of in large.tables)
    assert len(small.tables) <= len(large.tables)


def is_part(table, of):
    same = (table.name, table.primary_key) == (of.name, of.primary_key)
    return (
        same
        and set(table.foreign_keys) <= set(of.foreign_keys)
        and all(
            any(
                column.name == other.name
                and set(column.values) <= set(other.values)
                and column.description in ("", other.description)
                for other in of.columns
            )
            for column in table.columns
        )
    )


@given(SCHEMAS, TEXTS, BUDGETS, st.integers(0, 2**32))
def test_a_size_that_is_not_monotone_is_kept_too(schema, question, most, salt):
    def noisy(some):
        return (
            size(some) + zlib.crc32(repr((some, salt)).encode("utf-8", "replace")) % 40 if some.tables else 0
        )

    left, _ = prune_to_fit(schema, rate_relevance(schema, question), noisy, most)
    assert noisy(left) <= most


@given(SCHEMAS, TEXTS, BUDGETS)
def test_the_report_adds_up(schema, question, most):
    left, out = prune_to_fit(schema, rate_relevance(schema, question), size, most)
    assert len(left.tables) + len(out.tables) == len(schema.tables)
    shown = sum(len(table.columns) for table in left.tables)
    gone = sum(len(table.columns) for table in schema.tables) - shown - len(out.columns)
    assert gone >= 0
    assert gone == 0 or out.tables
    kept_values = sum(bool(column.values) for table in left.tables for column in table.columns)
    assert kept_values + out.values <= sum(bool(c.values) for t in schema.tables for c in t.columns)


SONGS = Schema(
    (
        Table(
            "singer",
            (Column("id", "INT", (1, 2)), Column("name", "TEXT", ("Joe",), "of the singer")),
            ("id",),
        ),
        Table(
            "song",
            (
                Column("id", "INT", (1, 2)),
                Column("singer_id", "INT", (1,)),
                Column("title", "TEXT", ("Hey",), "how it is called", ("Jude",)),
                Column("length", "INT", (200,), "in seconds"),
            ),
            ("id",),
            (ForeignKey(("singer_id",), "singer", ("id",)),),
        ),
        Table("stadium", (Column("id", "INT", (1,)), Column("seats", "INT", (9,), "how many")), ("id",)),
    )
)
QUESTION = "How long is the song Jude?"


def shown(most):
    left, out = prune_to_fit(SONGS, rate_relevance(SONGS, QUESTION), size, most)
    return {table.name: [column.name for column in table.columns] for table in left.tables}, left, out


def test_values_go_first_then_descriptions_then_columns_and_tables():
    everything = size(SONGS)
    stages = [shown(most) for most in range(everything, -1, -1)]
    assert stages[0][2] == LeftOut()
    seen = [
        (bool(out.values), bool(out.descriptions), bool(out.columns), bool(out.tables)) for *_, out in stages
    ]
    first = [next(i for i, flags in enumerate(seen) if flags[part]) for part in range(4)]
    assert first == sorted(first)
    assert stages[-1][0] == {}


def test_the_least_relevant_goes_first():
    _, left, out = shown(size(SONGS) - 1)
    assert out.values == 1
    assert left.tables[2].columns[1].values == ()  # of a table that the question has nothing to do with
    orders = [frozenset(shown(most)[0]) for most in range(size(SONGS), -1, -1)]
    assert list(dict.fromkeys(orders)) == [
        frozenset({"singer", "song", "stadium"}),
        frozenset({"singer", "song"}),  # its neighbour stays longer
        frozenset({"song"}),
        frozenset(),
    ]


def test_a_table_of_no_use_goes_before_a_column_that_is_asked_for():
    for most in range(size(SONGS)):
        names, *_ = shown(most)
        assert "stadium" not in names or "title" in names["song"]
    bare = Schema(tuple(replace(t, columns=tuple(Column(c.name) for c in t.columns)) for t in SONGS.tables))
    ranks = rate_relevance(bare, "the length of a song")
    left, _ = prune_to_fit(bare, ranks, size, size(bare) - size(Schema(bare.tables[2:])))
    assert [table.name for table in left.tables] == ["singer", "song"]
    assert "length" in [column.name for column in left.tables[1].columns]


def test_keys_and_values_that_the_question_mentions_stay_with_their_table():
    for most in range(size(SONGS)):
        names, left, _ = shown(most)
        assert {"id", "singer_id", "title"} <= set(names.get("song", ["id", "singer_id", "title"]))
        for table in left.tables:
            assert all(column.matches == ("Jude",) for column in table.columns if column.name == "title")
            assert all(key.table in names for key in table.foreign_keys)


def test_descriptions_and_values_make_a_table_relevant():
    tables = (Table("a", (Column("x"),)), Table("b", (Column("y", description="the seats"),)))
    schema = Schema((*tables, Table("c", (Column("z", matches=("Jude",)),))))
    ranks = rate_relevance(schema, "Which seats has Jude?").tables
    assert ranks[0] < ranks[1] < ranks[2]


def test_a_word_that_many_names_have_says_little():
    schema = Schema(
        tuple(Table(name, (Column("id"), Column(f"{name}_name"))) for name in ("song", "singer", "stadium"))
    )
    columns = rate_relevance(schema, "What is the name of the stadium?").columns
    assert columns[2][1] > columns[0][1] > columns[0][0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("singerId", "the IDs of singers"),
        ("song_titles", "Which song has this title?"),
        ("City", "cities"),
        ("calories", "calorie"),
        ("ages", "age"),
        ("dish", "dishes"),
        ("Été", "ete"),
        ("", "Which of these are there?"),
        ("--", ""),
    ],
)
def test_words_of_names_and_questions(name, said):
    assert find_stems(name) == find_stems(said)


def test_other_words_are_other_words():
    assert not find_stems("age gender name") & find_stems("agent general names2 id")


@pytest.mark.slow
def test_a_schema_of_many_tables_is_cut_in_time():
    """Twenty thousand columns, as no benchmark has."""
    columns = tuple(Column(f"c{i}", "INT", (1, 2, 3)) for i in range(200))
    schema = Schema(tuple(replace(SONGS.tables[0], name=f"t{i}", columns=columns) for i in range(100)))
    left, out = prune_to_fit(schema, rate_relevance(schema, "c7 of t9"), size, 2_000)
    assert size(left) <= 2_000
    assert out.tables
    assert "t9" in {table.name for table in left.tables}
