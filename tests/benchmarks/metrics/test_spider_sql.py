import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.metrics.spider_sql import (
    Catalog,
    Column,
    Condition,
    Conditions,
    Item,
    Names,
    Query,
    Term,
    parse,
)
from benchmarks.metrics.spider_sql.cursor import split_words
from benchmarks.metrics.spider_sql.names import read_database, read_tables_json
from benchmarks.metrics.spider_sql.parser import MAX_DEPTH
from benchmarks.spider import spider
from sql_env import Executor, Task
from sql_env.errors import DatabaseError, DataError

SINGER, CONCERT = {"id", "name", "country", "age"}, {"id", "title", "singer_id", "fee"}
KEYS = {"concert.singer_id": "singer.id", "singer.id": "singer.id"}
NAMES = Names({"singer": frozenset(SINGER), "concert": frozenset(CONCERT)}, KEYS)


def item(name, aggregate="", distinct=False):
    return Item(Term(Column(name, distinct=distinct)), aggregate)


def condition(name, operator, value, upper=None, negated=False):
    return Condition(Term(Column(name)), operator, negated, value, upper)


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT  Name\n,age", ["select", "name", ",", "age"]),
        ("count(*)", ["count", "(", "*", ")"]),
        ("a >= 1 b>=2 c <> 3 d != 4", ["a", ">=", "1", "b", ">", "=2", "c", "<", ">", "3", "d", "!=", "4"]),
        ("a=b a+b a-b a/b a*b", ["a=b", "a+b", "a-b", "a/b", "a", "*", "b"]),
        ("x = 'It is' AND y = \"Z\"", ["x", "=", '"It is"', "and", "y", "=", '"Z"']),
        ("x='A'", ["x=__val_1__"]),
        ("x = 'It''s'", ["x", "=", "__val_1____val_3__"]),
        ("x = 'It", []),
        ("t.* 1.5 1,000 a,b t.", ["t.", "*", "1.5", "1,000", "a", ",", "b", "t", "."]),
        ("1; -- done", ["1", ";", "--", "done"]),
        ("`a` [b] a%2", ["`", "a", "`", "[", "b", "]", "a", "%", "2"]),
    ],
)
def test_words(sql, found):
    assert split_words(sql) == found


def test_every_part_of_a_query():
    sql = """SELECT DISTINCT T1.name , COUNT(DISTINCT T2.title) , max(age - fee) FROM singer AS T1
        JOIN concert AS T2 ON T1.id = T2.singer_id AND fee > 3
        WHERE country != 'X' OR age NOT BETWEEN 1 AND (SELECT avg(age) FROM singer)
        GROUP BY T1.name , age HAVING count(*) >= 2 AND sum(fee) < 9
        ORDER BY count(*) DESC , age LIMIT 3;"""
    count = Column("*", "count")
    assert parse(sql, NAMES) == Query(
        items=(
            item("singer.name"),
            item("concert.title", "count", distinct=True),
            Item(Term(Column("singer.age"), "-", Column("concert.fee")), "max"),
        ),
        distinct=True,
        tables=("singer", "concert"),
        joined=Conditions(
            (condition("singer.id", "=", Column("concert.singer_id")), condition("concert.fee", ">", 3.0)),
            ("and",),
        ),
        where=Conditions(
            (
                condition("singer.country", "!=", '"X"'),
                condition(
                    "singer.age",
                    "between",
                    1.0,
                    Query((item("singer.age", "avg"),), tables=("singer",)),
                    negated=True,
                ),
            ),
            ("or",),
        ),
        group_by=(Column("singer.name"), Column("singer.age")),
        having=Conditions(
            (
                Condition(Term(count), ">=", False, 2.0),
                Condition(Term(Column("concert.fee", "sum")), "<", False, 9.0),
            ),
            ("and",),
        ),
        order_by=(Term(count), Term(Column("singer.age"))),
        direction="desc",
        limit=True,
    )


def test_queries_beside_and_inside_each_other():
    one, two = "SELECT name FROM singer", "SELECT title FROM concert"
    names, titles = parse(one, NAMES), parse(two, NAMES)
    both = parse(f"({one}) UNION {two}", NAMES)
    assert (both.items, both.operation, both.other) == (names.items, "union", titles)
    assert parse(f"SELECT count(*) FROM ({one})", NAMES).tables == (names,)
    [unit] = parse(f"{two} WHERE title NOT IN ({one})", NAMES).where.units
    assert unit == condition("concert.title", "in", names, negated=True)


@pytest.mark.parametrize(
    ("sql", "like"),
    [
        ("SELECT name FROM singer LIMIT 1 OFFSET 3", "SELECT name FROM singer LIMIT 1"),
        ("SELECT name FROM singer; SELECT 1", "SELECT name FROM singer"),
        ("SELECT name age FROM singer", "SELECT name , age FROM singer"),
        ("SELECT name FROM singer concert", "SELECT name FROM singer JOIN concert"),
        ("SELECT name FROM singer ORDER BY age COLLATE x DESC", "SELECT name FROM singer ORDER BY age"),
        ("SELECT name FROM singer ORDER BY age DESC , id ASC", "SELECT name FROM singer ORDER BY age , id"),
        ("SELECT name FROM singer WHERE id = age OR age = 3", "SELECT name FROM singer WHERE id = age"),
        (
            "SELECT T1.id FROM singer AS T1 JOIN singer AS T2 ON T1.id = T2.id LEFT JOIN concert",
            "SELECT T1.id FROM singer AS T1 JOIN singer AS T2 ON T1.id = T2.id JOIN concert",
        ),
        ("SELECT name FROM singer WHERE", "SELECT name FROM singer"),
    ],
)
def test_quirks(sql, like):
    assert parse(sql, NAMES) == parse(like, NAMES) is not None


def test_an_alias_means_the_last_of_its_tables_everywhere():
    both = parse("SELECT T1.id FROM singer AS T1 UNION SELECT T1.id FROM concert AS T1", NAMES)
    assert both.items == both.other.items == (item("concert.id"),)
    assert (both.tables, both.other.tables) == (("singer",), ("concert",))


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "SELECT",
        "SELECT 1",
        "SELECT name",
        "SELECT nam FROM singer",
        "SELECT name FROM singers",
        "SELECT name AS n FROM singer",
        "SELECT s.name FROM singer s",
        "SELECT concert.name FROM concert",
        "SELECT a.name FROM singer AS",
        "SELECT concert.name FROM singer AS concert",
        "SELECT name FROM singer , concert",
        "SELECT name FROM singer LEFT JOIN concert ON singer.id = concert.singer_id",
        "SELECT name FROM (SELECT name FROM singer) AS s",
        "SELECT name FROM singer WHERE age",
        "SELECT name FROM singer WHERE age=3",
        "SELECT name FROM singer WHERE age >=3",
        "SELECT name FROM singer WHERE age <> 3",
        "SELECT name FROM singer WHERE age IS NULL",
        "SELECT name FROM singer WHERE NOT age = 3",
        "SELECT name FROM singer WHERE (age = 3)",
        "SELECT name FROM singer WHERE age = 3 name = 4",
        "SELECT name FROM singer WHERE age = (id)",
        "SELECT name FROM singer WHERE age = max(id)",
        "SELECT name FROM singer WHERE country IN ('a', 'b')",
        "SELECT name FROM singer WHERE country = 'It''s'",
        "SELECT name FROM singer WHERE country = 'open",
        "SELECT name FROM singer WHERE EXISTS (SELECT id FROM concert)",
        "SELECT name FROM singer GROUP name",
        "SELECT name FROM singer LIMIT",
        "SELECT name FROM singer UNION ALL SELECT title FROM concert",
        "SELECT CASE WHEN age > 3 THEN 1 END FROM singer",
        "SELECT count(*) - 1 FROM singer",
        "SELECT count(singer.*) FROM singer",
        "SELECT singer.name.x FROM singer",
        "WITH s AS (SELECT name FROM singer) SELECT name FROM s",
        "DELETE FROM singer",
    ],
)
def test_what_is_outside_the_grammar(sql):
    assert parse(sql, NAMES) is None


WORDS = (
    "select from where group by order having limit union intersect except join on as and or not in like is "
    "between exists = > < != >= ( ) , ; * + - distinct count max avg asc desc singer concert name age "
    "singer.id t.fee t 1 2.5 'x' \"y\" ' value . -- %"
)
soup = st.lists(st.sampled_from(WORDS.split()), max_size=60).map(" ".join)
queries = st.tuples(st.just("SELECT name FROM singer "), soup).map("".join)


@settings(deadline=None, max_examples=300)
@given(st.text() | soup | queries)
def test_any_text_parses_or_does_not(sql):
    query = parse(sql, NAMES)
    assert query is None or (hash(query) == hash(parse(sql, NAMES)) and query == parse(sql, NAMES))


def nested(depth):
    return "SELECT id FROM singer WHERE id IN (" * (depth - 1) + "SELECT id FROM singer" + ")" * (depth - 1)


def test_depth_is_bounded():
    assert parse(nested(MAX_DEPTH), NAMES) is not None
    assert parse(nested(MAX_DEPTH + 1), NAMES) is None
    assert parse(" UNION ".join(["SELECT id FROM singer"] * (MAX_DEPTH + 1)), NAMES) is None


@pytest.mark.parametrize(
    "piece",
    ["(", "SELECT id FROM (", "SELECT id UNION ", "FROM ", "'", "' ", ". ", ".", ")", "` ", ",", "AS a "],
)
def test_hostile_length(piece):
    """A quarter of a million characters each: what took the square of the time would not end."""
    many = piece * (250_000 // len(piece))
    for sql in (many, f"SELECT id FROM singer {many}"):
        query = parse(sql, NAMES)
        assert query is None or query.tables == ("singer",)


@pytest.mark.parametrize(
    ("start", "piece", "count"),
    [
        ("SELECT id FROM singer", " JOIN concert ON singer.id = concert.id", lambda q: len(q.joined.units)),
        ("SELECT id FROM singer WHERE id = 1", " AND id = 1", lambda q: len(q.where.connectives)),
        ("SELECT id FROM singer ORDER BY id", " , id", lambda q: len(q.order_by) - 1),
        ("SELECT id FROM singer GROUP BY id", " , id", lambda q: len(q.group_by) - 1),
    ],
)
def test_long_queries(start, piece, count):
    assert count(parse(start + piece * 20_000, NAMES)) == 20_000


def test_a_column_with_a_dot_in_its_name_is_out_of_reach():
    names = Names({"t": frozenset({"a.b", "c"})}, {})
    assert parse("SELECT t.c FROM t", names) is not None
    assert parse("SELECT t.a.b FROM t", names) is None
    assert parse("SELECT a.b FROM t", names) is None


def test_names_of_a_database(concerts):
    with Executor() as executor:
        assert read_database(executor, str(concerts)) == NAMES
        with pytest.raises(DatabaseError):
            read_database(executor, str(concerts) + ".gone")


ENTRY = {
    "db_id": "d",
    "table_names_original": ["A", "B"],
    "column_names_original": [[-1, "*"], [0, "Id"], [0, "x"], [1, "Id"], [1, "y"], [1, "z"]],
    "foreign_keys": [[3, 1], [5, 4], [4, 2], [3, 2]],
}


def lay_out(folder: Path, make, tables, name="tables.json") -> Task:
    place = folder / "database" / "d"
    place.mkdir(parents=True)
    (folder / name).write_text(json.dumps(tables))
    return Task("t", "?", "SELECT 1", str(make(place / "d.sqlite")), "d")


@pytest.mark.parametrize("name", ["tables.json", "test_tables.json"])
def test_names_come_from_the_file_of_tables(tmp_path, make_concerts, name):
    """Keys join the first group that has one of the two; a column in two groups is in the later one."""
    names = Catalog()(lay_out(tmp_path, make_concerts, [ENTRY], name))
    assert names.tables == {"a": {"id", "x"}, "b": {"id", "y", "z"}}
    assert names.keys == {"a.id": "a.id", "b.id": "a.id", "a.x": "a.x", "b.y": "a.x", "b.z": "a.x"}


def test_names_of_a_database_that_the_file_does_not_know(tmp_path, make_concerts):
    assert Catalog()(lay_out(tmp_path, make_concerts, [ENTRY | {"db_id": "other"}])) == NAMES


@pytest.mark.parametrize(
    "tables",
    [{}, [3], [{}], [ENTRY | {"foreign_keys": [[1, 99]]}], [ENTRY | {"column_names_original": [[7, "a"]]}]],
)
def test_a_malformed_file_of_tables(tmp_path, make_concerts, tables):
    with pytest.raises(DataError, match=r"tables\.json"):
        Catalog()(lay_out(tmp_path, make_concerts, tables))


def test_names_on_real_databases(shared_data):
    """The two sources agree but for three databases, whose file has other foreign keys."""
    spider_dir = shared_data / "spider"
    written = read_tables_json(spider_dir / "tables.json")
    paths = list((spider_dir / "database").glob("*/*.sqlite"))
    with Executor() as executor:
        own = {path.stem: read_database(executor, str(path)) for path in paths}
    assert len(own) == 163
    internal = {"sqlite_sequence"}
    for db_id, names in own.items():
        assert (
            names.tables.items()
            == {
                table: columns for table, columns in written[db_id].tables.items() if table not in internal
            }.items()
        )
    assert sum(names.keys != written[db_id].keys for db_id, names in own.items()) == 3


class Carried:
    """The parse that an item of dev.json carries, in our nouns."""

    operators = ("not", "between", "=", ">", "<", ">=", "<=", "!=", "in", "like", "is", "exists")
    aggregates = ("", "max", "min", "count", "sum", "avg")
    arithmetic = ("", "-", "+", "*", "/")

    def __init__(self, entry):
        self.tables = [table.lower() for table in entry["table_names_original"]]
        self.columns = [
            "*" if table < 0 else f"{self.tables[table]}.{name}".lower()
            for table, name in entry["column_names_original"]
        ]

    def query(self, sql):
        if sql is None:
            return None
        [operation] = [name for name in ("union", "intersect", "except") if sql[name]] or [""]
        return Query(
            items=tuple(Item(self.term(term), self.aggregates[a]) for a, term in sql["select"][1]),
            distinct=sql["select"][0],
            tables=tuple(
                self.query(of) if isinstance(of, dict) else self.tables[of]
                for _, of in sql["from"]["table_units"]
            ),
            joined=self.conditions(sql["from"]["conds"]),
            where=self.conditions(sql["where"]),
            group_by=tuple(map(self.column, sql["groupBy"])),
            having=self.conditions(sql["having"]),
            order_by=tuple(map(self.term, sql["orderBy"][1])) if sql["orderBy"] else (),
            direction=sql["orderBy"][0] if sql["orderBy"] else "",
            limit=sql["limit"] is not None,
            operation=operation,
            other=self.query(sql[operation]) if operation else None,
        )

    def column(self, unit):
        return Column(self.columns[unit[1]], self.aggregates[unit[0]], unit[2])

    def term(self, unit):
        operator, left, right = unit
        return Term(self.column(left), self.arithmetic[operator], self.column(right) if right else None)

    def conditions(self, units):
        return Conditions(tuple(map(self.condition, units[::2])), tuple(units[1::2]))

    def condition(self, unit):
        negated, operator, term, *values = unit
        return Condition(self.term(term), self.operators[operator], negated, *map(self.value, values))

    def value(self, value):
        if isinstance(value, dict):
            return self.query(value)
        return self.column(value) if isinstance(value, list) else value


def test_the_parse_that_spider_carries(shared_data):
    """All 1,034 of them, word by word."""
    folder = shared_data / "spider"
    entries = {entry["db_id"]: entry for entry in json.loads((folder / "tables.json").read_text())}
    names = read_tables_json(folder / "tables.json")
    rows = json.loads((folder / "dev.json").read_text())
    assert len(rows) == 1034
    different = [
        place
        for place, row in enumerate(rows)
        if parse(row["query"], names[row["db_id"]]) != Carried(entries[row["db_id"]]).query(row["sql"])
    ]
    assert different == []


def test_which_golds_are_outside_the_grammar(shared_data):
    """One: the training query that names a table which there is not."""
    folder, more = str(shared_data / "spider"), str(shared_data / "spider_dk" / "database")
    files = (
        "spider/train_spider_min.json",
        "spider_dk/Spider-DK.json",
        "spider_syn/dev.json",
        "spider_realistic/spider_realistic_508.json",
    )
    outside = [
        task.id
        for file in files
        for task in spider(data_dir=folder, database_dir=more, questions=str(shared_data / file)).tasks
        if not task.difficulty
    ]
    assert outside == ["spider-train_spider_min-3153"]
