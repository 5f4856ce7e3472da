"""What a query may use is decided by names that DuckDB's parser finds, not by its text."""

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sql_env import Limits, Status
from sql_env.execution.engines.duckdb import catalog, functions
from sql_env.execution.engines.duckdb.engine import DuckDBEngine

RESOURCE = """SELECT * FROM register_external_resource_type('m', kind := 'compute',
    create_function := 'range', status_function := 'range', destroy_function := 'range')"""
REFUSED = [
    "SELECT * FROM query/*x*/('SELECT pg_' || 'sleep(70)')",
    "SELECT * FROM query --a\n ('SELECT 42')",
    "SELECT * FROM \"QUERY\" ('SELECT 42')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT pg_' || 'sleep(1)'))",
    "SELECT * FROM destroy_external_resource('query', 'SELECT pg_' || 'sleep(1)')",
    RESOURCE,
    "SELECT * FROM duckdb_external_resources()",
    "SELECT * FROM query_table('author')",
    "FROM histogram('duckdb_set' || 'tings', name)",
    "SELECT (1).pg_sleep()",
    "SELECT [sleep_ms(1) FOR x IN [1]]",
    "SELECT 1 LIMIT (SELECT current_query_id())",
    "SELECT current_connection_id(), current_transaction_id(), txid_current()",
    "SELECT current_query()",
    "SELECT uuidv7()",
    "SELECT nextval('s')",
    "SELECT write_log('x')",
    "SELECT current_setting('secret_directory')",
    "SELECT getvariable('x')",
    "SELECT version()",
    "SELECT * FROM duckdb_memory()",
    "SELECT * FROM pragma_database_size()",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_databases()",
    "SELECT * FROM duckdb_settings()",
    "FROM duckdb_databases",
    'FROM "pg_settings"',
    "FROM 'pragma_database_list'",
    "FROM pg_catalog.pg_settings",
    "FROM system.main.duckdb_logs",
    "SHOW secret_directory",
    "FROM (SHOW extension_directory)",
    "SHOW threads",
    "SELECT * FROM parquet_schema([])",
    "SELECT (variant_bytes_to_variant('a'))['']",
    "SELECT count(*) FROM range(1000) USING SAMPLE 10%",
    "SELECT count(*) FROM range(1000) TABLESAMPLE system(20 percent)",
    "SELECT count(*) FROM (SELECT * FROM range(1000) TABLESAMPLE bernoulli(20%)) USING SAMPLE 3",
    "SELECT system.now()",
    "SELECT system.main.current_date()",
    "SELECT SYSTEM . age(DATE '2000-01-01')",
]
ALLOWED = [
    "SELECT query FROM (VALUES (1)) AS t(query)",
    "SELECT query.id FROM author AS query",
    "WITH version AS (SELECT 1 AS stats) SELECT stats AS checkpoint FROM version",
    "SELECT 1 WHERE 'pg_sleep(1)' <> 'x' -- current_setting('x')",
    "SHOW author",
    "SHOW TABLES",
    "DESCRIBE author",
    "SUMMARIZE author",
    "SELECT list_aggregate([1, 2], 's' || 'um')",
    "SELECT count(*) FROM range(1000) TABLESAMPLE bernoulli(20%) REPEATABLE (3)",
    "SELECT table_name FROM information_schema.tables ORDER BY 1",
    "SELECT name, sql FROM sqlite_master",
    "SELECT 'a' COLLATE de, 'b' COLLATE nocase",
    "PIVOT author ON id IN (1, 2) USING count(*)",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_refused(shared_engine, defined, sql):
    result = shared_engine.run(defined, sql)
    assert result.status is Status.DENIED, result
    assert "allowed" in result.error or "REPEATABLE" in result.error or "clock" in result.error


@pytest.mark.parametrize("sql", ALLOWED)
def test_allowed(shared_engine, defined, sql):
    result = shared_engine.run(defined, sql)
    assert result.ok, result.error


gap = st.lists(st.sampled_from([" ", "\t", "\n", "/**/", "/* ) */", "--x\n", "\u00a0", "\r\n"]), max_size=4)
DOORS = ["query", "json_execute_serialized_sql", "query_table", "sleep_ms", "current_setting", "pg_sleep"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(DOORS),
    upper=st.lists(st.booleans(), min_size=30, max_size=30),
    quotes=st.sampled_from(["{}", '"{}"', "main.{}", 'system."main" . {}', "system . main /*x*/. {}"]),
    before=gap,
    after=gap,
    frame=st.sampled_from(
        [
            "SELECT{0}",
            "SELECT * FROM{0}",
            "SELECT 1 WHERE 1 ={0}",
            "WITH a AS (SELECT{0}) FROM a",
            "VALUES ({0})",
        ]
    ),
)
def test_no_spelling_of_a_call_hides_it(shared_engine, defined, name, upper, quotes, before, after, frame):
    spelled = "".join(c.upper() if up else c for c, up in zip(name, upper, strict=False))
    call = f" {''.join(before)}{quotes.format(spelled)}{''.join(after)}('1')"
    result = shared_engine.run(defined, frame.format(call))
    assert result.status in (Status.DENIED, Status.ERROR), result
    if result.status is Status.ERROR:  # not by the function: DuckDB cannot parse it
        assert "Parser Error" in result.error


def run_anew(database, queries):
    """The results of queries in a new engine."""
    engine = DuckDBEngine(Limits())
    results = [engine.run(database, sql) for sql in queries]
    engine.close()
    return results


@pytest.mark.parametrize(
    "sql",
    [
        "FROM settings",
        "FROM more_settings",
        "SELECT count(*) FROM MORE_settings",
        "FROM sampled",
        "SELECT other.pause(1)",
        'SELECT other . "PAUSE" /* */ (1)',
        "FROM other.pause_more(1, 2)",
    ],
)
def test_definitions_of_the_database_hide_nothing(shared_engine, defined, sql):
    assert shared_engine.run(defined, sql).status is Status.DENIED


def test_a_definition_with_a_harmless_column_is_allowed(shared_engine, defined):
    assert shared_engine.run(defined, "SELECT a FROM plain").rows == ((7,), (8,))


CHANCE = [
    "SELECT random(), uuid(), gen_random_uuid(), uuidv4()",
    "SELECT roll(), roll()",
    "FROM drawing()",
    "SELECT * FROM drawn",
    "SELECT count(*) FROM drawn WHERE chance < 0.5",
    "FROM lucky",
    "SELECT r FROM luckier",
    'FROM "x AS SELECT 1; --"',
    "SELECT range FROM range(1000) USING SAMPLE 5",
    "SELECT range FROM range(1000) ORDER BY random() LIMIT 3",
]


def test_chance_is_the_same_each_time(defined):
    first = run_anew(defined, CHANCE)
    assert all(result.ok for result in first), first
    assert run_anew(defined, CHANCE[::-1]) == first[::-1]
    assert run_anew(defined, [sql for sql in CHANCE for _ in range(2)])[1::2] == first


def test_a_name_without_ascii_letters(make_database):
    database = make_database(
        """CREATE VIEW "日本" AS SELECT random() AS r; CREATE VIEW "1" AS FROM duckdb_settings();
        CREATE VIEW "two words" AS SELECT random() AS r"""
    )
    queries = ['FROM "日本"', 'SELECT r FROM "two words"', "SELECT 1 AS one"]
    first = run_anew(database, queries)
    assert all(result.ok for result in first), first
    assert run_anew(database, queries[::-1]) == first[::-1]
    assert run_anew(database, ['FROM "1"'])[0].status is Status.DENIED


def test_functions_of_the_database_with_names_of_the_engine(engine, make_database):
    """The engine calls DuckDB's own functions, not macros of the database."""
    database = make_database(
        """CREATE MACRO json_serialize_sql(x) AS '{"error": false, "statements": []}';
        CREATE MACRO setseed(x) AS 1; CREATE MACRO duckdb_functions() AS TABLE SELECT 1 AS function_name;
        CREATE VIEW duckdb_views AS SELECT 1 AS a; CREATE MACRO now() AS 5;
        CREATE MACRO "+"(a, b) AS random()"""
    )
    assert engine.run(database, "SELECT pg_sleep(1)").status is Status.DENIED
    assert engine.run(database, "SELECT now()").rows == ((5,),)
    engine.close()
    (first,), (second,) = run_anew(database, ["SELECT 1 + 1"]), run_anew(database, ["SELECT 1 + 1"])
    assert (first.ok, second) == (True, first)


CLOCKS = {
    "now()": "2025-01-01 00:00:00+00",
    "current_timestamp": "2025-01-01 00:00:00+00",
    "get_current_timestamp()": "2025-01-01 00:00:00+00",
    "transaction_timestamp()": "2025-01-01 00:00:00+00",
    "today()": "2025-01-01",
    "current_date": "2025-01-01",
    "current_date()": "2025-01-01",
    "current_time": "00:00:00+00",
    "get_current_time()": "00:00:00+00",
    "localtime": "00:00:00",
    "current_localtime()": "00:00:00",
    "localtimestamp": "2025-01-01 00:00:00",
    "current_localtimestamp()": "2025-01-01 00:00:00",
    "ago(INTERVAL 1 DAY)": "2024-12-31 00:00:00+00",
    "age(DATE '2000-01-01')": "25 years",
    "main . \"AGE\" /**/ (TIMESTAMP '2000-01-01')": "25 years",
    "years(DATE '2000-01-01')": "25 years",
    "age(TIMESTAMP '2001-01-01', TIMESTAMP '2000-01-01')": "1 year",
    "(SELECT d FROM today_is)": "2025-01-01",
    "(SELECT n FROM today_is)": "2025-01-01 00:00:00+00",
    "TIMESTAMPTZ '2020-01-02'": "2020-01-02 00:00:00+00",
}


@pytest.mark.parametrize("sql", CLOCKS)
def test_the_clock_stands_still(shared_engine, defined, sql):
    result = shared_engine.run(defined, f"SELECT {sql}")
    assert result.rows == ((CLOCKS[sql],),), result.error


def test_a_column_called_age_needs_no_clock(shared_engine, defined):
    sql = 'SELECT t.age, max(age), "age" FROM item AS t WHERE age > 30 GROUP BY age ORDER BY age'
    assert shared_engine.run(defined, sql).rows == ((40, 40, 40),)


def test_no_file_is_read_by_its_path(engine, library, tmp_path):
    (tmp_path / "text.csv").write_text("a,b")
    for place in (
        library,
        library.name,
        "~/x.csv",
        tmp_path / "text.csv",
        tmp_path / "other.DB",
        "s3://x/y.csv",
    ):
        result = engine.run(str(library), f"FROM '{place}'")
        assert result.status is Status.DENIED, result
        assert str(tmp_path) not in result.error.replace(str(place), "")


def test_an_unknown_function_is_refused(library, monkeypatch):
    monkeypatch.setattr(functions, "SCALARS", functions.SCALARS - {"upper"})
    engine = DuckDBEngine(Limits())
    assert engine.run(str(library), "SELECT lower('A')").rows == (("a",),)
    result = engine.run(str(library), "SELECT UPPER('a')")
    assert (result.status, result.error) == (Status.DENIED, "the function upper is not allowed")
    engine.close()


def test_allowed_macros_of_duckdb_use_what_is_allowed():
    with duckdb.connect() as connection:
        refused = catalog.read_system(connection).words - functions.AGGREGATES
        macros = connection.execute(
            "SELECT function_name, macro_definition FROM duckdb_functions() WHERE macro_definition <> ''"
        ).fetchall()
    words = {(name, word) for name, text in macros for word in catalog.find_words(text)}
    found = {(name, word) for name, word in words if name in functions.MACROS}
    # The names of types are the same everywhere. The numbers of the types, which duckdb_types tells, are not.
    assert {entry for entry in found if entry[1] in refused} == {("format_type", "duckdb_types")}
    assert {name for name, word in found if word in functions.CLOCK_WORDS} == {"ago"}
