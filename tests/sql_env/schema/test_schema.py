"""A database's schema as data, its descriptions, and the DDL that is made of it."""

import os
import sqlite3

import apsw
import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sql_env.execution.engines.sqlite.engine import SQLiteEngine
from sql_env.execution.executor import Executor
from sql_env.limits import Limits
from sql_env.prompts.ddl import (
    DESCRIPTION_WIDTH,
    EXACT_WIDTH,
    NAME_WIDTH,
    format_description_and_values,
    format_sample,
    format_values,
    schema_to_ddl,
)
from sql_env.schema.descriptions import add_descriptions
from sql_env.schema.model import Column, ForeignKey, Schema, Table
from sql_env.schema.quoting import quote_identifier

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=300),
    st.text("\n'\"<|>[]/INST;-\u202e"),
)
NAMES = st.one_of(
    st.text(min_size=1, max_size=300), st.sampled_from(["a", "select", 'a "b"', "</think>", "\u2066"])
)
COLUMNS = st.builds(
    Column,
    name=NAMES,
    type=st.one_of(st.text(max_size=120), st.just("INT"), st.just("int) -- x\n")),
    values=st.lists(CELLS, max_size=4).map(tuple),
    description=st.text(max_size=400),
    matches=st.lists(st.text(max_size=120), max_size=3).map(tuple),
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
    schema_name=st.sampled_from(["", "", "other"]),
    description=st.text(max_size=20),
)
SCHEMAS = st.lists(TABLES, max_size=4).map(lambda tables: Schema(tuple(tables), frozenset({"SELECT"})))


@given(SCHEMAS)
@pytest.mark.slow
def test_every_part_is_one_line_and_no_sign_steers_a_model(schema):
    for note in (format_values, format_description_and_values):
        shown = schema_to_ddl(schema, note)
        lines = sum(
            2 + len(table.columns) + bool(table.primary_key) + len(table.foreign_keys)
            for table in schema.tables
        )
        assert len(shown.split("\n")) == lines + max(0, len(schema.tables) - 1) or not schema.tables
        assert shown.replace("\n", "").isprintable()
        for sign in ("</", "<|", "[INST]", "[/INST]"):
            assert sign not in shown


@given(SCHEMAS)
def test_no_part_is_longer_than_its_width(schema):
    part = 6 * max(DESCRIPTION_WIDTH, EXACT_WIDTH, NAME_WIDTH)  # an escape is six characters, or ten
    for line in schema_to_ddl(schema, format_description_and_values).split("\n"):
        assert len(line) < 20 * part


@given(st.text())
def test_a_text_is_an_sql_literal_of_what_it_shows(text):
    shown = format_sample(text)
    assert shown[0] == shown[-1] == "'"
    assert "'" not in shown[1:-1].replace("''", "")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_an_identifier_is_the_name_to_sqlite(name):
    cursor = apsw.Connection(":memory:").execute(f"SELECT 1 AS {quote_identifier(name, apsw.keywords)}")
    assert cursor.get_description()[0][0] == name


def test_the_schema_of_a_database_is_data(concerts):
    with Executor() as executor:
        singer, concert = executor.schema(str(concerts)).tables
    assert singer.columns[1] == Column("name", "TEXT", ("Sinéad O'Connor", "Joe", "李娜"))
    assert singer.primary_key == ("id",)
    assert concert.foreign_keys == (ForeignKey(("singer_id",), "singer"),)
    assert concert.keys == {"id", "singer_id"}


def test_a_schema_is_read_again_when_its_database_has_changed(concerts):
    with Executor() as executor:
        before = executor.schema(str(concerts))
        assert executor.schema(str(concerts)) is before
        connection = sqlite3.connect(concerts)
        connection.execute("CREATE TABLE more (a)")
        connection.commit()
        connection.close()
        assert [table.name for table in executor.schema(str(concerts)).tables] == [
            "singer",
            "concert",
            "more",
        ]


def test_comments_in_duckdb_are_descriptions(library):
    with duckdb.connect(str(library)) as connection:
        connection.execute(
            "COMMENT ON TABLE book IS 'what is lent'; COMMENT ON COLUMN book.price IS 'in euros'"
        )
    with Executor() as executor:
        book = executor.schema(str(library), "duckdb").tables[1]
    assert book.description == "what is lent"
    assert {column.name: column.description for column in book.columns if column.description} == {
        "price": "in euros"
    }


HEADER = b"original_column_name,column_name,column_description,data_format,value_description\n"


@pytest.fixture
def describe(concerts):
    """What a file beside `concerts` makes of the descriptions of its table ``singer``."""

    def make(data: bytes, name: str = "singer.csv") -> dict[str, str]:
        folder = concerts.parent / "database_description"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
        schema = SQLiteEngine(Limits()).read_schema(str(concerts))
        columns = add_descriptions(schema, str(concerts)).tables[0].columns
        return {column.name: column.description for column in columns if column.description}

    return make


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (b"name,,the name,text,\n", "the name"),
        (b" NAME ,,the name,text,as on stage\n", "the name; as on stage"),
        (b"name,Name,,text,\n", None),
        (b"name,stage name,,text,\n", "stage name"),
        (b'name,,"a\nname",text,"1: x\r\n2: y"\n', "a name; 1: x 2: y"),
        (b"name,,caf\xe9 \x93x\x94,text,\n", "café “x”"),
        (b"name,,caf\xc3\xa9 \xc2\x93x\xc2\x94,text,\n", "café “x”"),
        (b"name,,a\0b,text,\n", "ab"),
        (b"name\n", None),
        (b"name,,one,text,two,three,four\n", "one; two"),
        (b"nobody,,the name,text,\n", None),
        (b'name,,"never closed,text,', "never closed,text,"),
    ],
)
def test_descriptions_beside_a_database(describe, row, said):
    assert describe(HEADER + row) == ({} if said is None else {"name": said})


def test_descriptions_with_a_byte_order_mark_and_in_another_spelling_of_the_table(describe):
    assert describe(b"\xef\xbb\xbf" + HEADER + b"age,,in years,,\n", "Singer .csv") == {"age": "in years"}


@pytest.mark.parametrize("data", [b"", b"\n\n", b"nothing", b"\xff\xfe\x00", HEADER])
def test_files_that_describe_nothing(describe, data):
    assert describe(data) == {}


def test_a_file_that_cannot_be_read_is_logged_and_passed_over(describe, caplog):
    assert describe(HEADER + b"name,," + b"x" * 200_000 + b",,\n") == {}
    assert describe(HEADER + b"name,,x,,\n" * 200_000) == {}
    assert caplog.text.count("the descriptions in") == 2


def test_a_file_that_never_ends_is_not_read(concerts, caplog):
    """A pipe without a writer, a device and a folder: reading the first two would never end."""
    folder = concerts.parent / "database_description"
    (folder / "concert.csv").mkdir(parents=True)
    os.mkfifo(folder / "singer.csv")
    (folder / "other.csv").symlink_to("/dev/zero")
    schema = Schema(tuple(Table(name, (Column("name"),)) for name in ("singer", "concert", "other")))
    assert add_descriptions(schema, str(concerts)) == schema
    assert caplog.text.count("it is not a regular file") == 3


def test_all_files_together_are_limited(concerts, monkeypatch):
    folder = concerts.parent / "database_description"
    folder.mkdir()
    for name in ("singer", "concert"):
        (folder / f"{name}.csv").write_bytes(HEADER + b"id,,the number,,\n")
    monkeypatch.setattr("sql_env.schema.descriptions.MAX_ALL_BYTES", 50)
    schema = Schema(tuple(Table(name, (Column("id"),)) for name in ("singer", "concert")))
    found = add_descriptions(schema, str(concerts))
    assert [table.columns[0].description for table in found.tables] == ["the number", ""]


@given(data=st.binary(max_size=300))
def test_no_file_is_too_odd(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "odd" / "database_description"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "t.csv").write_bytes(data)
    schema = Schema((Table("t", (Column("a"),)),))
    assert len(add_descriptions(schema, str(folder.parent / "x.sqlite")).tables) == 1


def test_the_descriptions_of_bird(shared_data):
    """All three databases that are at hand: each column of each table is described."""
    found = sorted((shared_data / "bird" / "dev_databases").glob("*/*.sqlite"))
    assert found
    with Executor() as executor:
        for path in found:
            for table in executor.schema(str(path)).tables:
                missing = [column.name for column in table.columns if not column.description]
                assert missing == [], f"{path.stem}.{table.name}"
