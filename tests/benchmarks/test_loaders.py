import json

import gymnasium as gym
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sql_env
from benchmarks.bird import bird
from benchmarks.jsonl import jsonl
from benchmarks.spider import spider
from benchmarks.synsql import stream, synsql
from sql_env import Scorer, load_benchmark
from sql_env.errors import DataError

VARIABLES = {spider: "SQL_ENV_SPIDER_DIR", bird: "SQL_ENV_BIRD_DIR", synsql: "SQL_ENV_SYNSQL_DIR"}
DUMP = {
    spider: ("dev.json", "database", {"question": "How many?", "query": "SELECT count(*) FROM singer"}),
    bird: ("dev.json", "dev_databases", {"question": "How many?", "SQL": "SELECT count(*) FROM singer"}),
    synsql: ("data.json", "databases", {"question": "How many?", "sql": "SELECT count(*) FROM singer"}),
}
loaders = pytest.mark.parametrize("loader", DUMP, ids=lambda loader: loader.__name__)


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for variable in VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def lay_out(tmp_path, make_concerts):
    """Write a benchmark's folder: one question for each db_id, and some of the databases."""

    def lay(loader, db_ids=("concerts",), present=("concerts",), file=None, databases=None, **extra):
        name, folder, row = DUMP[loader]
        path = tmp_path / (file or name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([{**row, "db_id": db_id, **extra} for db_id in db_ids]))
        for db_id in present:
            place = tmp_path / (databases or folder) / db_id
            place.mkdir(parents=True, exist_ok=True)
            if not (place / f"{db_id}.sqlite").exists():
                make_concerts(place / f"{db_id}.sqlite")
        return str(tmp_path)

    return lay


@loaders
def test_no_folder_is_given(loader):
    with pytest.raises(DataError, match=rf"(?s)Download .*data_dir.*{VARIABLES[loader]}.*db_id"):
        loader()


@loaders
def test_a_missing_folder(loader, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"data_dir is .*gone.*not a folder.*Download"):
        loader(data_dir=str(tmp_path / "gone"))
    monkeypatch.setenv(VARIABLES[loader], str(tmp_path / "gone"))
    with pytest.raises(DataError, match=f"{VARIABLES[loader]} is .*gone"):
        loader()


@loaders
def test_a_folder_without_the_file(loader, tmp_path):
    with pytest.raises(DataError, match=f"has no {DUMP[loader][0]}.*Download"):
        loader(data_dir=str(tmp_path))


@loaders
def test_no_database_at_all(loader, lay_out):
    with pytest.raises(
        DataError, match=r"no task .* has its database; looked for .*concerts\.sqlite.*Download"
    ):
        loader(data_dir=lay_out(loader, present=()))


@loaders
def test_some_databases_are_missing(loader, lay_out):
    benchmark = loader(data_dir=lay_out(loader, ("gone", "concerts", "gone", "lost", "concerts")))
    assert [int(task.id.rpartition("-")[2]) for task in benchmark.tasks] == [1, 4]
    assert [line.split(", no database at ")[0] for line in benchmark.left_out] == [
        "gone: 2 tasks",
        "lost: 1 task",
    ]


@loaders
@pytest.mark.parametrize("db_id", ["../concerts", "/etc/passwd", "..", ".", "a/b"])
def test_a_db_id_does_not_lead_out_of_the_folder(loader, lay_out, db_id):
    with pytest.raises(DataError, match="is no name of a folder"):
        loader(data_dir=lay_out(loader, ("concerts", db_id), present=("concerts",)))


@loaders
def test_the_variable_points_to_the_folder(loader, lay_out, monkeypatch):
    monkeypatch.setenv(VARIABLES[loader], lay_out(loader))
    [task] = loader().tasks
    assert task.db_id == "concerts"
    with Scorer({"rewards": ["result"], "response_format": "sql"}) as scorer:
        assert scorer.score([task.gold_sql], [task])[0].rollout.correct


@loaders
def test_further_folders_of_databases(loader, lay_out, make_concerts, tmp_path):
    folder = lay_out(loader, ("concerts", "mine"))
    extra = tmp_path / "extra" / "mine"
    extra.mkdir(parents=True)
    make_concerts(extra / "mine.sqlite")
    assert len(loader(data_dir=folder).tasks) == 1
    benchmark = loader(data_dir=folder, database_dir=str(tmp_path / "extra"))
    assert [task.db_id for task in benchmark.tasks] == ["concerts", "mine"]
    assert not benchmark.left_out
    with pytest.raises(DataError, match="nowhere"):
        loader(data_dir=folder, database_dir=[str(tmp_path / "nowhere")])


@loaders
@pytest.mark.parametrize(
    "content", ["[", "{}", '["a"]', '[{"db_id": "concerts"}]', '[{"db_id": 3}]', "\xff", "[" * 100_000]
)
def test_a_malformed_file(loader, content, lay_out, tmp_path):
    lay_out(loader)
    (tmp_path / DUMP[loader][0]).write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=DUMP[loader][0]):
        loader(data_dir=str(tmp_path))


@loaders
def test_an_unknown_split(loader):
    with pytest.raises(DataError, match="no split 'tset'"):
        loader(split="tset")


def test_spider_splits(lay_out, tmp_path):
    lay_out(spider, file="train_spider.json")
    assert spider(split="train", data_dir=str(tmp_path)).left_out == (
        f"train_others.json: all its tasks, no such file in {tmp_path}",
    )
    lay_out(spider, file="train_others.json", db_ids=("concerts", "concerts"))
    train = spider(split="train", data_dir=str(tmp_path))
    assert [task.id for task in train.tasks] == [f"spider-train-000{place}" for place in range(3)]
    lay_out(spider, file="test.json", databases="test_database")
    [task] = spider(split="test", data_dir=str(tmp_path)).tasks
    assert "test_database" in task.database


def test_spider_variants(lay_out, tmp_path):
    folder = lay_out(spider)
    row = {"db_id": "concerts", "SpiderSynQuestion": "How many vocalists?", "query": "SELECT 1"}
    (tmp_path / "syn.json").write_text(json.dumps([row]))
    benchmark = spider(data_dir=folder, questions=str(tmp_path / "syn.json"))
    assert benchmark.split == "syn"
    assert [(task.id, task.question) for task in benchmark.tasks] == [
        ("spider-syn-0000", "How many vocalists?")
    ]


@pytest.mark.parametrize(
    ("query", "level"),
    [
        ("SELECT name FROM singer", "easy"),
        ("SELECT name FROM singer WHERE id NOT IN (SELECT singer_id FROM concert)", "hard"),
        ("SELECT name FROM singer WHERE age IS NULL", ""),
    ],
)
def test_spider_difficulty_comes_from_the_query(query, level, lay_out):
    """A query outside the official grammar has none. The parse in the file is not used."""
    [task] = spider(data_dir=lay_out(spider, query=query, sql={"from": None})).tasks
    assert task.difficulty == level


def test_spider_with_a_broken_database(lay_out, tmp_path):
    folder = lay_out(spider)
    (tmp_path / "database" / "concerts" / "concerts.sqlite").write_text("no database at all")
    [task] = spider(data_dir=folder).tasks
    assert task.difficulty == ""
    with Scorer({"rewards": ["result"], "response_format": "sql"}) as scorer:
        assert scorer.score([task.gold_sql], [task])[0].masked


def test_spider_with_a_broken_file_of_tables(lay_out, tmp_path):
    folder = lay_out(spider)
    (tmp_path / "tables.json").write_text('[{"db_id": "concerts"}]')
    with pytest.raises(DataError, match=r"tables\.json.*does not have the format"):
        spider(data_dir=folder)


@pytest.mark.parametrize(
    ("split", "file", "databases"),
    [
        ("dev", "dev_20240627/dev.json", "dev_20240627/dev_databases"),
        ("dev", "dev.json", "dev_databases/dev_databases"),
        ("train", "train/train.json", "train/train_databases/train_databases"),
        ("train", "train.json", "train_databases"),
        ("mini_dev", "minidev/MINIDEV/mini_dev_sqlite.json", "minidev/MINIDEV/dev_databases"),
        ("mini_dev", "mini_dev/mini_dev_sqlite.json", "dev_databases"),
        ("mini_dev", "mini_dev_sqlite.json", "dev_databases"),
    ],
)
def test_bird_layouts(split, file, databases, lay_out):
    fields = {"evidence": "a singer sings", "difficulty": "simple"}
    [task] = bird(split=split, data_dir=lay_out(bird, file=file, databases=databases, **fields)).tasks
    assert (task.evidence, task.difficulty, task.comparison) == ("a singer sings", "simple", "bird")


def test_synsql_fields_and_first_tasks(lay_out):
    fields = {
        "sql_complexity": "Simple",
        "external_knowledge": "e",
        "cot": "count",
        "question_style": "Formal",
    }
    folder = lay_out(synsql, ("concerts",) * 5, **fields)
    tasks = synsql(data_dir=folder, max_tasks=3).tasks
    assert len(tasks) == 3
    assert (tasks[2].id, tasks[2].difficulty, tasks[2].evidence, tasks[2].reasoning, tasks[2].comparison) == (
        "synsql-train-0000002", "Simple", "e", "count", "strict",
    )  # fmt: skip
    for wrong in (0, 1.5, "3"):
        with pytest.raises(DataError, match="max_tasks"):
            synsql(data_dir=folder, max_tasks=wrong)


def test_synsql_reads_no_further_than_max_tasks(lay_out, tmp_path):
    folder = lay_out(synsql, ("concerts",) * 3)
    text = (tmp_path / "data.json").read_text()
    (tmp_path / "data.json").write_text(text[:-1] + ", broken")
    assert len(synsql(data_dir=folder, max_tasks=3).tasks) == 3
    with pytest.raises(DataError, match="from item 3 on"):
        synsql(data_dir=folder)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda v: st.lists(v) | st.dictionaries(st.text(), v),
)


@pytest.mark.slow
@settings(deadline=None)  # the machine may be under load
@given(
    st.lists(st.dictionaries(st.text(), json_values, max_size=3), min_size=1, max_size=5),
    st.integers(1, 40),
    st.sampled_from([None, 1]),
    st.booleans(),
)
def test_streaming_reads_what_json_reads(tmp_path_factory, rows, chunk, indent, ascii_only):
    path = tmp_path_factory.mktemp("stream") / "data.json"
    path.write_text(json.dumps(rows, indent=indent, ensure_ascii=ascii_only), "utf-8")
    assert list(stream(path, chunk)) == rows


@pytest.mark.parametrize("text", ["", "  ", "[", "[1]", "[{}", "[{},]", "[{} {}]", "{}", '[{"a": ]', "[]"])
def test_streaming_a_malformed_array(text, tmp_path):
    path = tmp_path / "data.json"
    path.write_text(text)
    with pytest.raises(DataError, match="not a JSON array"):
        list(stream(path))


@pytest.fixture
def write_lines(tmp_path, concerts):
    def write(*lines):
        path = tmp_path / "questions.jsonl"
        path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines))
        return str(path)

    return write


ROW = {"question": "How many singers?", "sql": "SELECT count(*) FROM singer", "database": "concerts.sqlite"}


def test_jsonl_environment(write_lines):
    env = gym.make("SQLEnv-jsonl-v0", path=write_lines({**ROW, "id": "mine"}, "", ROW))
    observation, info = env.reset(seed=0, options={"task_id": "mine"})
    assert "How many singers?" in observation
    assert info["db_id"] == "concerts"
    *_, info = env.step(sql_env.respond(ROW["sql"]))
    assert info["correct"]
    env.close()


def test_jsonl_fields(write_lines):
    more = {"evidence": "e", "difficulty": "d", "comparison": "bird", "reasoning": "r"}
    first, second = jsonl(path=write_lines(ROW, {**ROW, **more})).tasks
    assert (first.id, first.comparison, first.dialect) == ("jsonl-all-0000", "strict", "sqlite")
    assert (second.id, second.evidence, second.difficulty, second.comparison, second.reasoning) == (
        "jsonl-all-0001", "e", "d", "bird", "r",
    )  # fmt: skip


def test_jsonl_over_duckdb(write_lines, tmp_path):
    import duckdb

    with duckdb.connect(str(tmp_path / "pets.db")) as connection:
        connection.execute("CREATE TABLE pet AS SELECT 'Rex' AS name")
    row = {"question": "Which pets?", "sql": "SELECT name FROM pet", "database": "pets.db"}
    [task] = jsonl(path=write_lines(row)).tasks
    assert task.dialect == "duckdb"
    with Scorer({"rewards": ["result"], "response_format": "sql"}) as scorer:
        assert scorer.score([task.gold_sql], [task])[0].rollout.correct


def test_jsonl_splits_by_a_field(write_lines):
    rows = [{**ROW, "split": split, "id": n} for n, split in enumerate(("train", "dev", "train"))]
    path = write_lines(*rows, {**ROW, "id": 3})
    for split, ids in {"all": "0123", "train": "02", "dev": "1"}.items():
        assert [task.id for task in load_benchmark("jsonl", split, path=path).tasks] == list(ids)
    with pytest.raises(DataError, match=r"no row of .* the value 'test'.*train\.jsonl and dev\.jsonl.*'all'"):
        jsonl(path=path, split="test")
    unnamed = jsonl(path=write_lines(*({"split": "dev", **ROW} for _ in range(2))), split="dev").tasks
    assert [task.id for task in unnamed] == ["jsonl-dev-0000", "jsonl-dev-0001"]


def test_jsonl_splits_by_files(tmp_path, concerts):
    (tmp_path / "train.jsonl").write_text("\n".join(json.dumps(ROW) for _ in range(2)))
    (tmp_path / "dev.csv").write_text("question,sql,database\nHow many?,SELECT 1,concerts.sqlite\n")
    ids = {
        split: [task.id for task in jsonl(path=str(tmp_path), split=split).tasks]
        for split in ("train", "dev")
    }
    assert ids == {"train": ["jsonl-train-0000", "jsonl-train-0001"], "dev": ["jsonl-dev-0000"]}
    assert len(jsonl(path=str(tmp_path)).tasks) == 3
    with pytest.raises(DataError, match=r"has train\.jsonl, dev\.csv: add test\.jsonl, test\.csv or test\.p"):
        jsonl(path=str(tmp_path), split="test")
    (tmp_path / "dev.jsonl").write_text(json.dumps({**ROW, "split": "train"}))
    with pytest.raises(DataError, match=r"dev\.jsonl and .*dev\.csv are files of one split"):
        jsonl(path=str(tmp_path), split="dev")
    (tmp_path / "dev.csv").unlink()
    with pytest.raises(DataError, match=r"dev\.jsonl, line 1: its field 'split' is 'train', in the fil"):
        jsonl(path=str(tmp_path), split="dev")


def test_one_table_in_three_formats(tmp_path, concerts):
    """The ids are numbers, a name has a quote and a line break, and each format keeps the other columns."""
    import duckdb

    select = """SELECT 7 AS id, 'How "many"
are there?' AS question, 'SELECT 1' AS sql, 'concerts.sqlite' AS database, 'bird' AS comparison,
        0.5 AS price, NULL AS note, 'x' AS "row of the file", [{'a': 1}] AS parts"""
    with duckdb.connect() as connection:
        for name, options in (
            ("q.jsonl", "FORMAT json"),
            ("q.CSV", "FORMAT csv"),
            ("q[1]*.parquet", "FORMAT parquet"),
        ):
            connection.execute(f"COPY ({select}) TO '{tmp_path / name}' ({options})")
    values = {"price": 0.5, "note": None, "row of the file": "x", "parts": [{"a": 1}]}
    texts = {"price": "0.5", "note": "", "row of the file": "x", "parts": "[{'a': 1}]"}
    for name, extra in (("q.jsonl", values), ("q.CSV", texts), ("q[1]*.parquet", values)):
        [task] = jsonl(path=str(tmp_path / name)).tasks
        assert (task.id, task.comparison, task.extra) == ("7", "bird", extra), name
        assert task.question == 'How "many"\nare there?'


def test_numbers_that_pandas_writes_for_missing_cells(tmp_path, concerts):
    import duckdb

    columns = (
        "1.0 AS id, 'Q?' AS question, 'SELECT 1' AS sql, 'concerts.sqlite' AS database, NULL AS evidence"
    )
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT {columns}, 'nan'::DOUBLE AS price) TO '{tmp_path / 'q.parquet'}'")
    [task] = jsonl(path=str(tmp_path / "q.parquet")).tasks
    assert (task.id, task.extra) == ("1.0", {"price": None})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.csv", "question,sql\nWhich?", "line 2: 1 cells, but the header has 2"),
        ("q.csv", "sql,sql\nSELECT 1,SELECT 2", "line 1: the header names 'sql' twice"),
        ("q.csv", 'question\n"a"b', "line 2: ',' expected after '\"'"),
        ("q.csv", "\xff", "cannot be read: 'utf-8'"),
        ("q.parquet", "no parquet", "cannot be read as Parquet: "),
        ("gone.csv", None, "cannot be read: [Errno 2]"),
        ("gone.parquet", None, "cannot be read: [Errno 2]"),
    ],
)
def test_a_table_with_a_mistake(name, content, message, tmp_path):
    if content is not None:
        (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError) as caught:
        jsonl(path=str(tmp_path / name))
    assert message in str(caught.value)


def test_own_columns_reach_a_reward(write_lines):
    tasks = jsonl(path=write_lines({**ROW, "price": 0.25, "tags": ["a", {"b": None}]}, ROW)).tasks
    assert tasks[0].extra == {"price": 0.25, "tags": ["a", {"b": None}]}
    assert tasks[1].extra == {}
    rewards = {"rewards": [f"{__name__}:read_price"], "response_format": "sql"}
    with Scorer(rewards) as scorer:
        scores = scorer.score([ROW["sql"]] * 2, tasks)
        assert [score.total for score in scores] == [0.25, 0.0]
        assert scorer.stats.gold_misses == 1, "own columns do not change the gold result"


def read_price(rollout):
    return rollout.task.extra.get("price")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 is not JSON"),
        ("[" * 100_000, "line 2 is not JSON"),
        ("[]", "line 2 is not a JSON object such as"),
        (
            {"qestion": "?", "sql": "SELECT 1", "database": "concerts.sqlite"},
            "line 2: unknown field 'qestion'. Did you mean 'question'",
        ),
        ({**ROW, "dificulty": "hard"}, "line 2: unknown field 'dificulty'. Did you mean 'difficulty'"),
        (
            {**ROW, "hint": float("nan")},
            "line 2: task 'jsonl-all-0001': extra['hint'], a float, is not a JSON",
        ),
        (
            {"question": "?", "database": "concerts.sqlite"},
            "line 2: 'sql' must be a string that is not empty",
        ),
        ({**ROW, "sql": " "}, "line 2: 'sql' must be"),
        ({**ROW, "id": True}, "line 2: 'id' must be a string, not True"),
        ({**ROW, "evidence": 7}, "line 2: 'evidence' must be a string, not 7"),
        ({**ROW, "split": "trian"}, "line 2: 'split' must be one of train, dev, test, not 'trian'"),
        ({**ROW, "comparison": "birds"}, "line 2: no comparison is called 'birds'. Did you mean 'bird'"),
        ({**ROW, "dialect": "oracle"}, "line 2: no engine for the dialect 'oracle'"),
        ({**ROW, "id": "first"}, "line 2: the id 'first' is already that of "),
    ],
)
def test_jsonl_mistakes(line, message, write_lines):
    with pytest.raises(DataError) as caught:
        jsonl(path=write_lines({**ROW, "id": "first"}, line))
    assert message in str(caught.value)


def test_jsonl_without_its_file_or_databases(write_lines, tmp_path):
    with pytest.raises(DataError, match=r'give the argument path.*"question"'):
        jsonl()
    with pytest.raises(DataError, match=r"the file .*gone\.jsonl' cannot be read"):
        jsonl(path=str(tmp_path / "gone.jsonl"))
    with pytest.raises(DataError, match=r"looked for .*gone\.sqlite.*the file's own folder"):
        jsonl(path=write_lines({**ROW, "database": "gone.sqlite"}))
    with pytest.raises(DataError, match=r"no split 'deev'.* Did you mean 'dev'"):
        jsonl(path=write_lines(ROW), split="deev")
    benchmark = jsonl(path=write_lines({**ROW, "database": "gone.sqlite"}, ROW))
    assert [task.id for task in benchmark.tasks] == ["jsonl-all-0001"]
    assert benchmark.left_out == (f"gone: 1 task, no database at {tmp_path / 'gone.sqlite'}",)


def test_real_data(shared_data):
    dev = spider(data_dir=str(shared_data / "spider"))
    assert len(dev.tasks) == 972
    assert dev.left_out == (
        f"wta_1: 62 tasks, no database at {shared_data.absolute()}/spider/database/wta_1/wta_1.sqlite",
    )
    train = spider(split="train", data_dir=str(shared_data / "spider"))
    assert [line.split(":")[0] for line in train.left_out] == ["train_others.json", "soccer_1", "baseball_1"]
    assert len(train.tasks) == 7000 - 14 - 82
    assert {task.difficulty for task in train.tasks} == {"easy", "medium", "hard", "extra", ""}
    assert len(bird(data_dir=str(shared_data / "bird")).tasks) == 432
    assert len(bird(split="mini_dev", data_dir=str(shared_data / "bird")).tasks) == 140
