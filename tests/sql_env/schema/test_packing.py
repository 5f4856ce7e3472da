"""Schemas as bytes, between a worker and the calling process."""

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from sql_env.schema.model import Column, ForeignKey, Schema, Table
from sql_env.schema.packing import pack_schema, unpack_schema

TEXTS = st.text(st.characters(exclude_categories=()), max_size=30)  # lone surrogates, too
TEXT_LISTS = st.lists(TEXTS, max_size=3).map(tuple)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS, st.binary(max_size=20)
)
COLUMNS = st.builds(
    Column,
    name=TEXTS,
    type=TEXTS,
    values=st.lists(VALUES, max_size=4).map(tuple),
    description=TEXTS,
    matches=TEXT_LISTS,
)
TABLES = st.builds(
    Table,
    name=TEXTS,
    columns=st.lists(COLUMNS, max_size=4).map(tuple),
    primary_key=TEXT_LISTS,
    foreign_keys=st.lists(st.builds(ForeignKey, TEXT_LISTS, TEXTS, TEXT_LISTS), max_size=3).map(tuple),
    schema_name=TEXTS,
    description=TEXTS,
)
SCHEMAS = st.builds(
    Schema, tables=st.lists(TABLES, max_size=4).map(tuple), keywords=st.frozensets(TEXTS, max_size=4)
)


@given(SCHEMAS)
@settings(max_examples=50)
def test_a_schema_survives_the_way(schema):
    back = unpack_schema(pack_schema(schema))
    assert back == schema
    assert repr(back) == repr(schema)  # 1 is not True, and 0.0 is not -0.0
    assert back.keywords == schema.keywords
    hash(back.tables)


def test_numbers_without_a_literal_survive():
    values = (math.nan, math.inf, -0.0, 2**70)
    schema = Schema((Table("t", (Column("a", "REAL", values),)),))
    assert repr(unpack_schema(pack_schema(schema))) == repr(schema)


def test_the_cache_of_a_schema_stays_where_it_is():
    schema = Schema(())
    schema.cache["key"] = object()
    assert unpack_schema(pack_schema(schema)).cache == {}
