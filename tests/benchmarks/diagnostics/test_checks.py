"""Checks of gold queries: what is unsound is found, by its name, and what is sound is left alone."""

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.diagnostics.checks.checker import UNDECIDED, check_tasks, load_checks
from benchmarks.diagnostics.checks.gold_case import format_rows
from benchmarks.diagnostics.checks.rewrites.copies import ROW_ORDERS, make_shuffled_copies
from benchmarks.diagnostics.checks.rewrites.variants import TIES, make_variants
from benchmarks.diagnostics.checks.rules.storage import find_bare_columns
from benchmarks.diagnostics.checks.runner import run_gold_cases
from sql_env import ExecutionResult, Executor, Limits, Query, Status, Task, load_benchmark
from sql_env.benchmark import parse_parameters
from sql_env.errors import DatabaseError, DataError

COMMAND = Path(sys.executable).with_name("sql-env")
PAGE = Path(__file__).parents[3] / "docs" / "checks.md"

UNSOUND = {
    "SELECT gone FROM singer": {"fails"},
    "DELETE FROM singer": {"fails"},
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r": {"slow"},
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 30000) SELECT max(n) FROM r":
        {"slow"},
    "SELECT name FROM singer WHERE age > 100": {"empty"},
    "SELECT max(age) FROM singer WHERE age > 100": {"only-null"},
    "SELECT name FROM singer WHERE age IS NOT NULL ORDER BY age LIMIT 1": {"tie-at-limit"},
    "SELECT country FROM singer GROUP BY country ORDER BY count(*) DESC LIMIT 1": {"tie-at-limit"},
    "SELECT title FROM concert WHERE singer_id = (SELECT id FROM singer WHERE age > 0 ORDER BY age LIMIT 1)":
        {"tie-at-limit"},
    "SELECT name FROM singer LIMIT 2": {"limit-without-order"},
    "SELECT name FROM singer ORDER BY age LIMIT 1": {"null-order"},
    "SELECT count(*) FROM singer WHERE date('now') > '2024-05-05'": {"clock"},
    "SELECT CURRENT_DATE": {"clock"},
    "SELECT strftime('%Y')": {"clock"},
    "SELECT name FROM singer ORDER BY random()": {"random"},
    "SELECT hex(randomblob(4))": {"random"},
    "SELECT country, name FROM singer GROUP BY country": {"bare-column"},
    "SELECT max(age) + count(*), title FROM singer, concert": {"bare-column"},
    "SELECT group_concat(name) FROM singer": {"concat-order"},
    "SELECT json_group_array(name) FROM singer": {"concat-order"},
    "SELECT name, row_number() OVER () FROM singer": {"row-order"},
    "SELECT name FROM singer WHERE age = (SELECT age FROM singer WHERE age > 0)": {"row-order"},
    "SELECT sum(age) / count(*) FROM singer": {"integer-division"},
}  # fmt: skip
"""Golds on `concerts`, compared under ``strict``, and all that is found in each."""

SOUND = (
    "SELECT name FROM singer",
    "SELECT name, age FROM singer WHERE age > 0 ORDER BY age DESC LIMIT 1",
    "SELECT name FROM singer WHERE age = 30 ORDER BY name LIMIT 1",
    "SELECT age FROM singer WHERE age IS NOT NULL ORDER BY age LIMIT 1",  # the tied rows are alike
    "SELECT name FROM singer ORDER BY country",
    "SELECT name FROM singer WHERE age IS NULL",
    "SELECT country, count(*), avg(age) FROM singer GROUP BY country",
    "SELECT name, max(age) FROM singer",  # SQLite takes the bare column from the row of the maximum
    "SELECT strftime('%Y', '2020-02-02')",
    "SELECT name FROM singer WHERE name <> 'now'",
    "SELECT count(*) FROM singer WHERE date('now') > '1950-05-05'",
    "SELECT group_concat(name, ',' ORDER BY name) FROM singer",
    "SELECT age / 2 * 2 FROM singer WHERE age = 30",
    "SELECT sum(fee) FROM concert",
    "SELECT name, row_number() OVER (ORDER BY name) FROM singer",
    "WITH t AS (SELECT * FROM singer ORDER BY age LIMIT 3) SELECT count(*) FROM t",
    "SELECT name FROM singer UNION SELECT title FROM concert ORDER BY 1 LIMIT 3",
)

LIMITS = Limits(max_steps=2_000_000)


def codes(tasks, **options):
    found = check_tasks(tasks, limits=LIMITS, **options)
    return [{f.code for f in found.findings if f.task_id == task.id} for task in tasks]


def test_what_is_unsound_is_found(ask):
    tasks = [ask(sql, id=str(place)) for place, sql in enumerate(UNSOUND)]
    assert dict(zip(UNSOUND, codes(tasks), strict=True)) == UNSOUND


def test_what_is_sound_is_left_alone(ask):
    tasks = [ask(sql, id=str(place)) for place, sql in enumerate(SOUND)]
    assert dict(zip(SOUND, codes(tasks), strict=True)) == {sql: set() for sql in SOUND}


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT name FROM singer WHERE age > 0 ORDER BY age", {"spider": {"tie-in-order"}}),
        ("SELECT name FROM singer WHERE id IN (SELECT id FROM singer ORDER BY id)",
         {"spider": {"tie-in-order"}}),
        ("SELECT name FROM singer ORDER BY age", {"spider": {"null-order", "tie-in-order"},
                                                  "strict": {"null-order"}}),
        ("SELECT sum(x) FROM (SELECT fee * 1e15 AS x FROM concert UNION ALL SELECT fee FROM concert)", {}),
        ("SELECT DISTINCT country FROM singer ORDER BY country", {}),
        # the LIMIT keeps all rows that tie, so only their order is open
        ("SELECT name FROM singer WHERE age > 0 ORDER BY age LIMIT 100", {"spider": {"tie-in-order"}}),
    ],
)  # fmt: skip
def test_the_comparison_decides_what_matters(sql, found, ask):
    for semantics in ("bird", "spider", "strict"):
        assert codes([ask(sql, comparison=semantics)]) == [found.get(semantics, set())]
        assert codes([ask(sql)], comparison=semantics) == [found.get(semantics, set())]


def test_rounding(tmp_path):
    """A running product of floats: unlike sums, SQLite does not compensate it."""
    path = tmp_path / "d.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x REAL)")
        connection.executemany("INSERT INTO t VALUES (?)", [(1 + n / 7,) for n in range(20)])
    connection.close()
    product = """WITH RECURSIVE n AS (SELECT x, row_number() OVER () AS i FROM t), p(i, y) AS
    (SELECT 0, 1.0 UNION ALL SELECT n.i, y * x FROM p JOIN n ON n.i = p.i + 1) SELECT max(y) FROM p"""
    for semantics, expected in (("bird", {"rounding"}), ("strict", set())):
        assert codes([Task("t", "?", product, str(path), comparison=semantics)]) == [expected]


def test_what_a_finding_says(ask):
    gone, tie = check_tasks(
        [
            ask("SELECT gone FROM singer", id="a"),
            ask("SELECT name FROM singer WHERE age = 30 ORDER BY age LIMIT 1"),
        ]
    ).findings
    assert (gone.task_id, gone.code, gone.evidence) == ("a", "fails", "error: no such column: gone")
    assert tie.evidence == ("with ties broken in another way, (\"Sinéad O'Connor\",) becomes ('李娜',)")
    assert "judged wrong" in tie.advice


def test_the_share_of_the_step_limit(ask):
    [found] = check_tasks([ask(next(sql for sql in UNSOUND if "30000" in sql))], limits=LIMITS).findings
    [case] = run_gold_cases([ask(next(sql for sql in UNSOUND if "30000" in sql))], limits=LIMITS)
    assert found.evidence == f"{case.steps:,} steps, {case.steps / 2_000_000:.0%} of the limit"


def test_what_cannot_be_tried_is_said(ask, library):
    duck = Task("d", "?", "SELECT title FROM book ORDER BY price LIMIT 1", str(library), dialect="duckdb")
    assert codes([duck]) == [{UNDECIDED}]
    assert codes([ask("SELECT name FROM singer")], largest=0) == [{UNDECIDED}]
    assert codes([ask("SELECT name FROM singer INDEXED BY sqlite_autoindex_singer_1")]) == [{"fails"}]
    missing = Task("m", "?", "SELECT 1", str(library) + ".missing")
    assert codes([missing]) == [{"fails"}]


def test_duckdb(library):
    golds = {
        "SELECT title FROM book ORDER BY lent IS NULL LIMIT 1": {"tie-at-limit"},
        "SELECT name FROM author ORDER BY born LIMIT 1": {"null-order"},
        "SELECT title FROM book WHERE price < 0": {"empty"},
    }
    tasks = [Task(str(i), "?", sql, str(library), dialect="duckdb") for i, sql in enumerate(golds)]
    assert codes(tasks) == [found | {UNDECIDED} for found in golds.values()]


def test_findings_do_not_depend_on_workers_or_order(ask):
    tasks = [ask(sql, id=str(place)) for place, sql in enumerate((*UNSOUND, *SOUND))]
    one = check_tasks(tasks, limits=LIMITS)
    assert check_tasks(tasks, limits=LIMITS, workers=3) == one
    other = check_tasks(tasks[::-1], limits=LIMITS)
    assert sorted(other.findings, key=repr) == sorted(one.findings, key=repr)


VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary()
TYPES = st.sampled_from(["", "INTEGER", "varchar(20)", "REAL", "decimal(10, 2)", 'odd "type"', "DATE"])


@settings(deadline=None, max_examples=25)
@given(st.lists(TYPES, min_size=1, max_size=4), st.data())
def test_a_copy_has_the_same_contents_in_another_order(tmp_path_factory, types, data):
    path = tmp_path_factory.mktemp("copy") / "d?# é.sqlite"
    columns = ", ".join(f'"c""{n}" "{kind.replace(chr(34), chr(34) * 2)}"' for n, kind in enumerate(types))
    table = data.draw(st.lists(st.tuples(*[VALUES] * len(types)), max_size=30))
    connection = sqlite3.connect(path)
    connection.execute(f'CREATE TABLE "a table" (id INTEGER PRIMARY KEY, key TEXT COLLATE NOCASE, {columns})')
    connection.execute('CREATE VIEW "a view" AS SELECT count(*) FROM "a table"')
    marks = ", ".join("?" * len(types))
    for number, row in enumerate(table):
        texts = [each.encode("utf-8", "surrogatepass") if isinstance(each, str) else each for each in row]
        connection.execute(f"INSERT INTO \"a table\" VALUES ({number}, 'K', {marks})", texts)
    connection.commit()
    seen = 'SELECT *, typeof(id) FROM "a table"'
    original = connection.execute(seen).fetchall()
    connection.close()
    before = path.read_bytes()
    with make_shuffled_copies(str(path)) as copies:
        for place, each in enumerate(copies):
            copy = sqlite3.connect(each)
            found = copy.execute(seen).fetchall()
            assert sorted(found, key=repr) == sorted(original, key=repr)
            if place == 0:
                assert found == original[::-1]
            assert copy.execute('SELECT * FROM "a view"').fetchall() == [(len(table),)]
            assert copy.execute("SELECT count(*) FROM \"a table\" WHERE key = 'k'").fetchone() == (
                len(table),
            )
            copy.close()
    assert len(copies) == len(ROW_ORDERS)
    assert not any(Path(each).exists() for each in copies)
    assert path.read_bytes() == before


@pytest.mark.slow
def test_a_shuffle_moves_nearly_every_row(tmp_path):
    path = tmp_path / "d.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(500_000)])
    connection.close()
    with make_shuffled_copies(str(path)) as copies, Executor(Limits(max_rows=10**6)) as executor:
        for copy in copies:
            found = [n for (n,) in executor.run(Query(copy, "SELECT n FROM t")).rows]
            assert sorted(found) == list(range(500_000))
            assert sum(n == place for place, n in enumerate(found)) < 50


def test_a_database_that_cannot_be_copied(tmp_path, concerts):
    (tmp_path / "text.sqlite").write_text("no database at all, but longer than a header of 100 bytes" * 9)
    for path in (tmp_path / "text.sqlite", tmp_path / "missing.sqlite"):
        with pytest.raises(DatabaseError, match="cannot be copied"), make_shuffled_copies(str(path)):
            pass
    with (
        pytest.raises(DatabaseError, match="more than 0 MiB are not copied"),
        make_shuffled_copies(str(concerts), 10),
    ):
        pass


@pytest.mark.parametrize(
    ("column", "message"), [("a + 1", "interrupted"), ("zeroblob(100000000)", "too big")]
)
def test_the_work_of_a_copy_is_limited(tmp_path, monkeypatch, column, message):
    """The author of a database writes its generated columns."""
    monkeypatch.setattr("benchmarks.diagnostics.checks.rewrites.copies.MAX_STEPS", 1_000_000)
    path = tmp_path / "d.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(50_000)])
        connection.execute(f"ALTER TABLE t ADD COLUMN b AS ({column}) VIRTUAL")
    connection.close()
    with (
        pytest.raises(DatabaseError, match=f"cannot be copied: .*{message}"),
        make_shuffled_copies(str(path)),
    ):
        pass


@pytest.mark.parametrize(
    ("sql", "bare"),
    [
        ("SELECT a, count(*) FROM t", ["a"]),
        ("SELECT * FROM t GROUP BY a", ["*"]),
        ("SELECT a, b FROM t", []),
        ("SELECT a + 1, max(b) FROM t GROUP BY 1", []),
        ("SELECT a + 1 AS c, max(b) FROM t GROUP BY c", []),
        ("SELECT t.a, u.a FROM t, u GROUP BY t.a", ["u.a"]),
        ("SELECT T.a FROM t GROUP BY A", []),
        ("SELECT upper(a) FROM t GROUP BY a", []),
        ("SELECT a, sum(b) OVER () FROM t", []),
        ("SELECT count(*), (SELECT max(x) FROM u) FROM t", []),
        ("SELECT a, (SELECT b FROM u) FROM t GROUP BY a", []),
        ("SELECT n FROM (SELECT a AS n, max(b), c FROM t GROUP BY a)", ["c"]),
    ],
)
def test_bare_columns(sql, bare):
    import sqlglot

    assert list(find_bare_columns(sqlglot.parse_one(sql, dialect="sqlite"))) == bare


@given(
    st.text(max_size=200) | st.sampled_from([*UNSOUND, *SOUND]).map(lambda sql: sql.replace("singer", "'"))
)
def test_any_text_has_variants(sql):
    found = make_variants(sql, "sqlite", 2, True)
    if found.undecided:
        assert found.without_ties == sql


def test_every_break_of_ties_is_made_from_the_query_alone(ask):
    found = make_variants(
        "SELECT a, b FROM t WHERE c = (SELECT d FROM u ORDER BY e LIMIT 1)", "sqlite", 2, True
    )
    assert set(found.tree_edits) == set(TIES) - {"limit-without-order"}
    assert found.tree_edits["tie-at-limit"][1].endswith("ORDER BY e, 1 DESC LIMIT 1)")
    assert found.tree_edits["tie-in-order"][0].endswith("LIMIT 1) ORDER BY 1 ASC, 2 ASC")


def test_rows_are_shown_in_short():
    assert len(format_rows(ExecutionResult(Status.OK, ("a",), (("x" * 10_000,),) * 9))) < 200


def test_a_loader_s_arguments():
    assert parse_parameters(["a=1", "b=x=y", 'c=["d"]', "e="]) == {"a": 1, "b": "x=y", "c": ["d"], "e": ""}
    for text in ("a", "=b", "split=dev"):
        with pytest.raises(DataError):
            parse_parameters([text])


def test_every_check_is_documented():
    page = PAGE.read_text(encoding="utf-8")
    for code in (*load_checks(), UNDECIDED):
        assert f"`{code}`" in page


def sql_env(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_command(tmp_path, concerts):
    golds = ["SELECT name FROM singer WHERE age > 100", "SELECT name FROM singer"]
    lines = [
        {"id": f"q{n}", "question": "?", "sql": s, "database": str(concerts)} for n, s in enumerate(golds)
    ]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    ask = ("check", "--benchmark", "jsonl", "--param", f"path={tmp_path / 'q.jsonl'}")
    done = sql_env(*ask, "--out", tmp_path / "new" / "found.jsonl")
    assert done.returncode == 0, done.stderr
    assert "2 of 2" in done.stdout
    assert "q0: no row" in done.stdout
    [line] = (tmp_path / "new" / "found.jsonl").read_text().splitlines()
    assert {**json.loads(line), "advice": ""} == {
        "code": "empty", "evidence": "no row", "advice": "", "task_id": "q0",
    }  # fmt: skip
    assert sql_env(*ask, "--strict").returncode == 1
    (tmp_path / "q.jsonl").write_text(json.dumps(lines[1]) + "\n")
    done = sql_env(*ask, "--strict")
    assert done.returncode == 0
    assert "nothing found" in done.stdout
    assert sql_env("check", "--benchmark", "jsonl", "--param", "x").returncode == 2
    assert "--strict" in sql_env("check", "--help").stdout


def counts(name, split=None, folder=None, **params):
    tasks = load_benchmark(name, split, folder and str(folder), **params).tasks
    return dict(Counter(finding.code for finding in check_tasks(tasks, workers=2).findings))


def test_the_demo_benchmark():
    assert counts("demo", "test") == {"null-order": 4}


@pytest.mark.slow
def test_spider_dev(shared_data):
    """57 empty results and no failure: as shared/data's own notes say."""
    found = counts(
        "spider",
        "dev",
        shared_data / "spider",
        database_dir=str(shared_data / "spider/database_reconstructed"),
    )
    assert found == {
        "empty": 57, "tie-at-limit": 48, "tie-in-order": 20, "bare-column": 6,
        "only-null": 4, "null-order": 4,
    }  # fmt: skip


@pytest.mark.slow
def test_spider_train_has_three_golds_that_fail(shared_data):
    tasks = load_benchmark("spider", "train", str(shared_data / "spider")).tasks
    found = check_tasks(tasks, workers=2)
    assert found.right == len(tasks) - 3
    failing = {finding.task_id for finding in found.findings if finding.code == "fails"}
    assert failing == {"spider-train-3153", "spider-train-4513", "spider-train-4514"}


@pytest.mark.slow
def test_bird_dev(shared_data):
    found = counts("bird", "dev", shared_data / "bird")
    assert found == {
        "tie-at-limit": 14, "null-order": 4, "limit-without-order": 2, "integer-division": 1,
    }  # fmt: skip


def test_the_commands_are_quick_to_import():
    """Each is imported by every ``sql-env``, whichever is asked for."""
    code = "import sys, benchmarks.diagnostics.{0}.command; sys.exit('sqlglot' in sys.modules)"
    for package in ("checks", "overlap", "doctor"):
        assert subprocess.run([sys.executable, "-c", code.format(package)], check=False).returncode == 0
