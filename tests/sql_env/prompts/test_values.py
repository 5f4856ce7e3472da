"""Values that a question mentions, and the index in which they are found."""

import hashlib
import os
import re
import signal
import sqlite3
import subprocess
import sys

import duckdb
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sql_env import Limits, Query, load_benchmark
from sql_env.caching.folder import cache_root
from sql_env.errors import DatabaseError
from sql_env.execution.executor import Executor
from sql_env.prompts.value_index import MAX_CHARACTERS, MAX_TEXTS, load_value_index
from sql_env.prompts.values import Match, add_matches, find_matches, measure_overlap, normalize
from sql_env.schema.model import Column, Schema, Table


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SQL_ENV_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "values"


@pytest.fixture
def executor():
    with Executor() as made:
        yield made


@pytest.fixture
def make(tmp_path):
    """A database from a script, or one more state of it."""

    def run(script, *rows, name="d.sqlite"):
        with sqlite3.connect(tmp_path / name) as connection:
            connection.executescript(script)
            if rows:
                connection.executemany("INSERT INTO t VALUES (?)", [(row,) for row in rows])
        connection.close()
        return str(tmp_path / name)

    return run


def found(executor, database, text, **settings):
    return {
        (match.table, match.column, match.value)
        for match in find_matches(executor, database, "sqlite", text, **settings)
    }


def test_values_that_a_question_mentions(executor, concerts):
    text = "Which singers from France, Sinead O'Connor or joe, sang in autumn?"
    assert found(executor, str(concerts), text) == {
        ("singer", "country", "France"),
        ("singer", "name", "Joe"),
        ("singer", "name", "Sinéad O'Connor"),
        ("concert", "title", "Autumn"),
    }


def test_the_best_comes_first_and_no_more_than_asked_for(executor, make):
    database = make("CREATE TABLE t (a)", "New York", "New York City Hall", "York", "Newer", "Boston")
    one = find_matches(executor, database, "sqlite", "Who lives in New York?")
    assert [match.value for match in one] == ["New York", "York"]
    assert [match.score for match in one] == [1.0, 1.0]
    assert len(find_matches(executor, database, "sqlite", "Who lives in New York?", max_values=1)) == 1


@pytest.mark.parametrize(
    ("value", "question"),
    [
        ("Singers", "each singer"),
        ("Ångström", "the angstrom unit"),
        ("李娜", "who is 李娜 ?"),
        ("#", "triple bond refers to bond_type = ' # '"),
        ("+", 'label = "+" means carcinogenic'),
        ("a\nb", "a b"),
        ('O\'Neil "The Shark"', "Shaq O'Neil 'The Shark'"),
        ("2014-05-06", "on 2014-05-06"),
    ],
)
def test_a_value_is_found(executor, make, value, question):
    assert found(executor, make("CREATE TABLE t (a)", value, "another one"), question) == {("t", "a", value)}


@pytest.mark.parametrize(
    "question", ["", " ", "'", "''", '"" OR *', "a AND (", "\0", "NEAR(x)", "🦤", "x" * 99_999, "' ' '"]
)
def test_no_question_is_too_odd(executor, concerts, question):
    assert found(executor, str(concerts), question) == set()


@given(st.text(max_size=60), st.text(max_size=60))
def test_overlap_is_a_share_of_the_longest_common_substring(value, text):
    own, spoken = normalize(value), normalize(text)
    longest = max(
        end - start
        for start in range(len(own) + 1)
        for end in range(start, len(own) + 1)
        if own[start:end] in spoken
    )
    assert measure_overlap(value, spoken) == longest / len(own)


@given(st.text())
def test_a_value_overlaps_with_a_text_that_holds_it(value):
    assume(normalize(value).strip())
    assert measure_overlap(value, normalize(f"before {value} after")) == 1.0


def test_a_part_of_a_word_is_not_the_word():
    assert measure_overlap("art", normalize("the party")) < 1.0
    assert measure_overlap("New York City", normalize("Who lives in New York?")) == 10 / 15


def test_columns_know_which_of_their_values_were_found():
    schema = Schema(
        (Table("t", (Column("a", values=("x",)), Column("b")), schema_name="s"), Table("t", (Column("a"),)))
    )
    linked_ = add_matches(
        schema, [Match("s.t", "a", "y", 1.0), Match("s.t", "a", "z", 0.9), Match("u", "a", "v", 1.0)]
    )
    assert [[column.matches for column in table.columns] for table in linked_.tables] == [
        [("y", "z"), ()],
        [()],
    ]
    assert linked_.tables[0].columns[0].values == ("x",)
    assert add_matches(schema, []) is schema


def test_what_is_not_indexed(executor, make):
    database = make(
        "CREATE TABLE t (a INT); CREATE TABLE blobs (b BLOB);"
        "INSERT INTO blobs VALUES (x'6162'), (1234), (NULL), (''); CREATE VIEW v AS SELECT 'seen' AS a",
        "word",
        "long " * MAX_CHARACTERS,
        77,
    )
    assert found(executor, database, "word long ab 1234 77 seen") == {("t", "a", "word")}
    more = make("", *(f"w{i}" for i in range(MAX_TEXTS)))
    assert found(executor, more, "w0 word") == {("t", "a", "w0"), ("t", "a", "word")}
    assert found(executor, more, f"w{MAX_TEXTS - 1}") == set()  # the table's first texts are kept


def test_duckdb(executor, library):
    with duckdb.connect(str(library)) as connection:
        connection.execute("CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE SCHEMA other")
        connection.execute('CREATE TABLE other.book (title mood, "the ""name" VARCHAR)')
        connection.execute("INSERT INTO other.book VALUES ('happy', 'Ann')")
    text = "Is Ann happy about the book Two, at 2.50, lent or true?"
    places = {(m.table, m.column, m.value) for m in find_matches(executor, str(library), "duckdb", text)}
    assert places == {
        ("author", "name", "Ann"),
        ("other.book", 'the "name', "Ann"),
        ("other.book", "title", "happy"),
        ("book", "title", "Two"),
    }


def test_the_index_is_kept_and_used_again(executor, concerts, cache):
    load_value_index(executor, str(concerts))
    [file] = cache.glob("*.sqlite")
    before = file.stat()
    with Executor() as other:
        forget_in_this_process()
        assert found(other, str(concerts), "joe") == {("singer", "name", "Joe")}
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert not list(cache.glob("*.*-*"))  # nothing half-written is left


def forget_in_this_process():
    from sql_env.prompts import value_index as module

    module._open_indexes.clear()


def test_an_index_of_an_older_state_is_built_again(executor, make, cache):
    database = make("CREATE TABLE t (a)", "one")
    assert found(executor, database, "one two") == {("t", "a", "one")}
    make("", "two")
    assert found(executor, database, "one two") == {("t", "a", "one"), ("t", "a", "two")}
    assert len(list(cache.glob("*.sqlite"))) == 1


DAMAGES = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "a page short": lambda data: data[:-4096],
    "longer": lambda data: data + b"\0" * 4096,
    "prose": lambda data: b"Nothing to see here. " * 999,
    "noise inside": lambda data: data[:4096] + bytes(len(data) - 4096),
    "bytes changed in place": lambda data: data.replace(b"Joe", b"Eve"),
    "of another version": lambda data: seal(re.sub(rb"\[2, ", b"[1, ", data[:-32])),
}


def seal(data: bytes) -> bytes:
    return data + hashlib.sha256(data).digest()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_built_again(executor, concerts, cache, damage):
    load_value_index(executor, str(concerts))
    [file] = cache.glob("*.sqlite")
    whole = file.read_bytes()
    file.write_bytes(DAMAGES[damage](whole))
    assert file.read_bytes() != whole
    forget_in_this_process()
    assert found(executor, str(concerts), "joe") == {("singer", "name", "Joe")}
    forget_in_this_process()
    assert found(executor, str(concerts), "joe") == {("singer", "name", "Joe")}
    assert len(file.read_bytes()) == len(whole)


@pytest.mark.parametrize("page", range(1, 12))
def test_no_page_of_noise_breaks_a_search(executor, concerts, cache, page):
    load_value_index(executor, str(concerts))
    [file] = cache.glob("*.sqlite")
    data = bytearray(file.read_bytes())
    data[page * 4096 : page * 4096 + 4096] = os.urandom(len(data[page * 4096 : page * 4096 + 4096]))
    file.write_bytes(data)
    forget_in_this_process()
    assert found(executor, str(concerts), "joe") == {("singer", "name", "Joe")}


@pytest.mark.parametrize("place", [0, 100, 5_000, 9_000, -33, -1])
def test_each_byte_counts(executor, concerts, cache, place):
    load_value_index(executor, str(concerts))
    [file] = cache.glob("*.sqlite")
    whole = file.read_bytes()
    data = bytearray(whole)
    data[place] ^= 1
    file.write_bytes(data)
    forget_in_this_process()
    load_value_index(executor, str(concerts))
    assert file.read_bytes() == whole


KILLED = """
import os, signal, sys
from sql_env.execution.executor import Executor
from sql_env.prompts import value_index
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
value_index._seal = die
with Executor() as executor:
    value_index.load_value_index(executor, sys.argv[1])
"""


@pytest.mark.slow
def test_a_killed_process_leaves_nothing_for_good(executor, concerts, cache):
    done = subprocess.run([sys.executable, "-c", KILLED, str(concerts)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(cache.glob("*.*-*"))) == 1
    assert found(executor, str(concerts), "joe") == {("singer", "name", "Joe")}
    assert not list(cache.glob("*.*-*"))


def test_old_leftovers_of_other_databases_are_removed(executor, concerts, cache):
    cache.mkdir(parents=True)
    old, new = cache / "0123.12-34", cache / "4567.12-34"
    for file in (old, new):
        file.touch()
    os.utime(old, (0, 0))
    load_value_index(executor, str(concerts))
    assert list(cache.glob("*.*-*")) == [new]  # its process may still write it


def test_the_texts_of_a_database_are_limited(executor, concerts, cache, monkeypatch, caplog):
    monkeypatch.setattr("sql_env.prompts.value_index.MAX_TOTAL", 5)
    index = load_value_index(executor, str(concerts))
    assert index.by_words(["joe"], 9) == [("singer", "name", "Joe")]
    assert index.by_words(["france"], 9) == []
    assert "after singer.name are left out" in caplog.text


@pytest.mark.slow
def test_columns_that_cost_too_much_end_the_work(executor, make, caplog):
    costly = ", ".join(f"b{i} AS (hex(zeroblob(20000000)))" for i in range(30))
    database = make(f"CREATE TABLE t (a, {costly}); INSERT INTO t (a) VALUES ('word')")
    before = executor.stats.executed
    assert load_value_index(executor, database).by_words(["word"], 9) == [("t", "a", "word")]
    assert "values of t.b4" in caplog.text
    assert "after t.b4 are left out" in caplog.text
    assert executor.stats.executed - before <= 9


def test_a_cache_that_cannot_be_written(executor, concerts, monkeypatch, tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SQL_ENV_CACHE", str(tmp_path / "file"))
    assert found(executor, str(concerts), "joe") == {("singer", "name", "Joe")}
    assert "kept in memory" in caplog.text


SEARCH = """
import sys
from sql_env.execution.executor import Executor
from sql_env.prompts.values import find_matches
with Executor() as executor:
    print([match.value for match in find_matches(executor, sys.argv[1], "sqlite", "w7 w499")])
"""


@pytest.mark.slow
def test_processes_that_build_at_the_same_time(make, cache):
    database = make("CREATE TABLE t (a)", *(f"w{i}" for i in range(500)))
    command = [sys.executable, "-c", SEARCH, database]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [worker.communicate(timeout=250)[0] for worker in workers] == ["['w499', 'w7']\n"] * 3
    assert len(list(cache.iterdir())) == 2  # the index and its lock


def test_a_fork_does_not_use_its_parents_index(executor, concerts):
    expected = found(executor, str(concerts), "joe")
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, repr(found(executor, str(concerts), "joe")).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 999).decode() == repr(expected)
    os.close(reading)
    os.close(writing)


def test_the_callers_limits_do_not_change_the_index(concerts, cache):
    with Executor(Limits(max_rows=1, max_steps=1)) as tight:
        assert found(tight, str(concerts), "joe") == {("singer", "name", "Joe")}
    assert len(list(cache.glob("*.sqlite"))) == 1


@pytest.mark.slow
def test_a_column_that_costs_too_much_is_left_out(executor, make, caplog):
    """A generated column runs code of the database's own, which a worker does under limits."""
    database = make(
        "CREATE TABLE t (a, b AS (hex(zeroblob(50000000)) || a)); INSERT INTO t (a) VALUES ('word')"
    )
    before = os.stat(database)
    assert load_value_index(executor, database).by_words(["word"], 9) == [("t", "a", "word")]
    assert "values of t.b" in caplog.text
    assert os.stat(database).st_mtime_ns == before.st_mtime_ns


def test_names_of_any_kind(executor, make):
    database = make("""CREATE TABLE "a ""b'{x}" ("select" TEXT, "{table}" TEXT);
        INSERT INTO "a ""b'{x}" VALUES ('one', 'two')""")
    assert found(executor, database, "one two") == {
        ("a \"b'{x}", "select", "one"),
        ("a \"b'{x}", "{table}", "two"),
    }


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb"])
def test_a_database_that_is_missing(executor, dialect, cache):
    with pytest.raises(DatabaseError, match="nowhere"):
        find_matches(executor, "nowhere.sqlite", dialect, "joe")
    assert not list(cache.glob("*.sqlite"))


def test_where_files_go(monkeypatch, tmp_path):
    assert cache_root() == tmp_path / "cache"
    monkeypatch.delenv("SQL_ENV_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg" / "sql-env"


@pytest.mark.parametrize(("name", "least"), [("spider", 0.90), ("bird", 0.98)])
@pytest.mark.slow
def test_text_literals_of_gold_queries_are_found(executor, shared_data, name, least):
    """Of those that the database holds at all; docs/prompts has the figures."""
    import sqlglot

    total = hit = shown = 0
    tasks = load_benchmark(name, data_dir=str(shared_data / name)).tasks[::4]
    for task in tasks:
        values = {
            match.value
            for match in find_matches(executor, task.database, "sqlite", f"{task.evidence}\n{task.question}")
        }
        shown += len(values)
        kinds = (sqlglot.TokenType.STRING, sqlglot.TokenType.IDENTIFIER)
        tokens = sqlglot.tokenize(task.gold_sql, dialect="sqlite")
        for text in {token.text for token in tokens if token.token_type in kinds}:
            if holds(executor, task.database, text):
                total += 1
                hit += text in values
    assert total > 50
    assert hit / total >= least
    assert shown / len(tasks) < 5


def holds(executor, database, text):
    """Whether any text of a column equals this one."""
    schema = executor.schema(database)
    names = {
        name.lower() for table in schema.tables for name in (table.name, *(c.name for c in table.columns))
    }
    if text.lower() in names:
        return False
    quoted = text.replace("'", "''")
    queries = [
        Query(database, f"""SELECT 1 FROM "{table.name}" AS t WHERE t."{column.name}" = '{quoted}' LIMIT 1""")
        for table in schema.tables
        for column in table.columns
        if "INT" not in column.type.upper()
    ]
    return any(result.rows for result in executor.run_many(queries))
