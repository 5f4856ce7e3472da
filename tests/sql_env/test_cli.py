"""The ``sql-env`` command, run as a user runs it."""

import inspect
import json
import os
import subprocess
import sys
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import sql_env as sql_env_package
from sql_env import Scorer, cli, load_benchmark, plugins, respond
from sql_env.errors import PluginError

COMMAND = Path(sys.executable).with_name("sql-env")


def sql_env(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.fixture
def clash(tmp_path):
    """A folder with packages that have the names of ours, as many research repositories have them."""
    for name in ("benchmarks", "rewards", "trainers"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('the package of the user')\n")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("start", [[COMMAND], [sys.executable, "-m", "sql_env"]], ids=["script", "module"])
def test_packages_of_the_user_with_our_names_do_no_harm(clash, start):
    for words, said in (
        (["prompt", "--benchmark", "demo"], "CREATE TABLE"),
        (["evaluate", "--help"], "--predictions"),
        (["check-reward", "length"], "keeps"),
        (["train", "sft", "--help"], "--eval_split"),
    ):
        done = subprocess.run([*start, *words], cwd=clash, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert said in done.stdout


def test_the_version_is_that_of_the_distribution():
    assert sql_env_package.__version__ == metadata.version("sql-env")
    for start in ([COMMAND], [sys.executable, "-m", "sql_env"]):
        done = subprocess.run([*start, "--version"], capture_output=True, text=True, check=False)
        assert done.stdout == f"sql-env {sql_env_package.__version__}\n"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("sql-env eva", "evaluate"), ("sql-env train ", "grpo"), ("sql-env evaluate --pred", "--predictions")],
)
def test_the_shell_completes_commands_and_their_options(typed, offered):
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    environment = {**os.environ, "_SQL_ENV_COMPLETE": "complete_bash", **words}
    done = subprocess.run([COMMAND], capture_output=True, text=True, check=False, env=environment)
    assert offered in done.stdout.split(), done.stderr


def test_list_shows_what_is_installed():
    shown = sql_env("list").stdout
    for word in ("SQLEnv-demo-v0", "execution", "sql-r1-legacy", "strict", "think-answer", "compact"):
        assert word in shown


@pytest.mark.slow
def test_help_lists_every_command_and_imports_none():
    code = """
import sys
from sql_env.cli import main
sys.argv = ["sql-env", "--help"]
try:
    main()
finally:
    print(sorted(name for name in sys.modules if name.startswith("benchmarks.")))
"""
    wide = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=wide)
    for name in plugins.list_names(plugins.COMMANDS):
        said = inspect.getdoc(plugins.load(plugins.COMMANDS, name)).split("\n\n")[0].split("\n")[0]
        [line] = [line for line in done.stdout.splitlines() if line.startswith(f"│ {name} ")]
        assert said in line
    assert not any(f"'benchmarks.{heavy}" in done.stdout for heavy in ("metrics", "item", "evaluation.ask"))


def test_what_a_command_says_is_read_or_else_imported(tmp_path, monkeypatch):
    (tmp_path / "written.py").write_text('raise OSError\ndef f():\n    """Say  so."""\n')
    (tmp_path / "made.py").write_text('f = type("F", (), {"__doc__": "Say so, too."})()\n')
    monkeypatch.syspath_prepend(tmp_path)
    known = plugins._installed(plugins.COMMANDS)
    for path in ("written:f", "made:f", "written:g"):
        monkeypatch.setitem(known, path, {path: EntryPoint(path, path, plugins.COMMANDS)})
    assert plugins.read_docstring(plugins.COMMANDS, "written:f") == "Say  so."
    assert plugins.read_docstring(plugins.COMMANDS, "made:f") == "Say so, too."
    with pytest.raises(PluginError, match="cannot load"):
        plugins.read_docstring(plugins.COMMANDS, "written:g")
    with pytest.raises(PluginError, match="Did you mean 'check'"):
        plugins.read_docstring(plugins.COMMANDS, "chek")


def test_run_runs_a_query_and_refuses_a_write(concerts):
    before = concerts.read_bytes()
    done = sql_env("run", concerts, "SELECT name FROM singer ORDER BY id")
    assert done.returncode == 0
    assert "Sinéad O'Connor" in done.stdout
    done = sql_env("run", concerts, "DROP TABLE singer")
    assert done.returncode == 1
    assert "denied" in done.stdout
    assert concerts.read_bytes() == before


def test_schema_shows_what_a_model_sees(concerts):
    assert "CREATE TABLE singer" in sql_env("schema", concerts).stdout
    done = sql_env("schema", concerts.with_name("missing.sqlite"))
    assert done.returncode == 2
    assert done.stderr.startswith("DatabaseError")


def test_a_duckdb_file_needs_no_dialect_and_no_suffix(library):
    file = library.rename(library.with_suffix(".db"))
    assert "CREATE TABLE author" in sql_env("schema", file).stdout
    done = sql_env("run", file, "SELECT typeof(tags) FROM book LIMIT 1")
    assert done.returncode == 0
    assert "VARCHAR[]" in done.stdout
    done = sql_env("schema", file, "--dialect", "sqlite")
    assert done.returncode == 2
    assert "use the dialect 'duckdb'" in " ".join(done.stderr.split())


def test_score_over_own_data(tmp_path, concerts):
    row = {"id": 1, "question": "How many?", "sql": "SELECT count(*) FROM singer", "database": str(concerts)}
    (tmp_path / "tasks.jsonl").write_text(json.dumps(row))
    text = respond("SELECT 5", "Five.")
    (tmp_path / "completions.jsonl").write_text(json.dumps({"task_id": "1", "completion": text}))
    arguments = ["score", tmp_path / "completions.jsonl", "--benchmark", "jsonl"]
    done = sql_env(*arguments, "--param", f"path={tmp_path / 'tasks.jsonl'}")
    assert json.loads(done.stdout)["correct"], done.stderr
    done = sql_env(*arguments, "--param", "path")
    assert (done.returncode, "'path' is not of the form NAME=VALUE" in done.stderr) == (2, True)


def test_score_prints_what_the_scorer_says(tmp_path):
    tasks = load_benchmark("demo").tasks[:5]
    texts = [respond(task.gold_sql, task.reasoning) for task in tasks[:4]] + ["\u2028 no idea"]
    file = tmp_path / "completions.jsonl"
    rows = [{"task_id": t.id, "completion": c} for t, c in zip(tasks, texts, strict=True)]
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    done = sql_env("score", file, "--show")
    with Scorer("sql-r1") as scorer:
        expected = scorer.score(texts, tasks)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["total"] for line in lines] == [score.total for score in expected]
    assert [line["components"] for line in lines] == [dict(score.components) for score in expected]
    assert [line["correct"] for line in lines] == [True] * 4 + [False]
    assert tasks[0].question.split()[0] in done.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: expected"),
        ('{"task_id": "demo-test-0000"}', "line 1: expected"),
        ('{"task_id": "x", "completion": ""}', "no task has the id 'x'"),
        ('{"task_id": ["x"], "completion": ""}', "line 1: expected"),
        ('{"task_id": "demo-test-0000", "completion": null}', "line 1: expected"),
        ("[" * 100_000, "line 1: expected"),
        ("\udcff", "cannot read"),
    ],
)
@pytest.mark.slow
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, line, message):
    file = tmp_path / "completions.jsonl"
    file.write_text(line, encoding="utf-8", errors="surrogateescape")
    done = sql_env("score", file)
    assert done.returncode == 2
    assert message in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


def invoke(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["sql-env", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    printed = capsys.readouterr()
    return ended.value.code, printed.out, " ".join(printed.err.split())


def test_a_rubric_is_json_for_every_command(tmp_path, monkeypatch, capsys):
    file = tmp_path / "completions.jsonl"
    file.write_text("")
    code, out, _ = invoke(monkeypatch, capsys, "score", file, "--reward", '["format", "result"]')
    assert (code, out) == (0, "")
    code, out, _ = invoke(
        monkeypatch, capsys, "check-reward", '["format", {"reward": "result", "name": "right"}]'
    )
    assert code == 0
    assert out.splitlines()[:2] == [
        "format keeps the contract of a reward",
        "right keeps the contract of a reward",
    ]
    code, _, shown = invoke(monkeypatch, capsys, "check-reward", '["format"]')
    assert code == 2
    assert "gives 1.0 for a wrong" in shown
    code, _, shown = invoke(monkeypatch, capsys, "check-reward", '["format"]', "--params", '{"bad": 0}')
    assert code == 2
    assert "into the JSON" in shown


@pytest.mark.parametrize("command", [("score", "FILE", "--reward"), ("check-reward",)])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('["format",', "PluginError: the rubric '[\"format\",' is not valid JSON"),
        ('{"rewards": "format"}', "PluginError: rewards are a list"),
        ('[{"reward": "result", "params": {"wrng": 0}}]', "has no parameter 'wrng'. Did you mean 'wrong'?"),
    ],
)
def test_a_mistake_in_a_rubric_is_one_line(tmp_path, monkeypatch, capsys, command, text, message):
    file = tmp_path / "completions.jsonl"
    file.write_text("")
    code, _, shown = invoke(
        monkeypatch, capsys, *(file if word == "FILE" else word for word in command), text
    )
    assert code == 2
    assert message in shown


@pytest.mark.slow
def test_check_reward():
    assert "keeps the contract" in sql_env("check-reward", "length", "--params", '{"max_length": 9}').stdout
    for params in ("max_length=9", "[9]"):
        done = sql_env("check-reward", "length", "--params", params)
        assert done.returncode == 2
        assert "not a JSON object" in done.stderr
    assert "sql-r1 gives every right answer more" in sql_env("check-reward", "sql-r1").stdout
    done = sql_env("check-reward", "json:dumps")
    assert done.returncode == 2
    assert done.stderr.startswith("RewardError")
