"""Texts of models, servers and databases are printed, and do not control the terminal."""

import ast
import json
import logging
import sqlite3
from io import StringIO
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

from sql_env import cli
from sql_env.display.terminal import CleanFormatter, echo, echo_json, escape_control, make_console

ROOT = Path(__file__).parents[3]
EVIL = "a\x1b[2J\x1b]0;pwned\x07\x9b31m\u202eb\r\x00c\x7f"
TEXTS = st.text(st.characters() | st.sampled_from("\x1b\x07\x9b\x9d\r\b\u202e\u2028\x7f[]m;"))


def is_clean(text):
    breaks = "\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029"
    return all(c.isprintable() or c == "\n" or (c.isspace() and c not in breaks) for c in text)


@given(TEXTS)
def test_whatever_is_printed_is_clean(text):
    out = StringIO()
    console = make_console(file=out, width=80)
    table = Table(title=Text(text))
    table.add_column(Text(text))
    table.add_row(Text(text))
    for each in (Text(text), Panel(Text(text), title=Text(text)), table):
        console.print(each)
    console.print(text, markup=False, soft_wrap=True)
    assert is_clean(out.getvalue())


def test_colours_of_the_console_itself_remain():
    out = StringIO()
    console = make_console(file=out, force_terminal=True, color_system="standard")
    console.print(Text(EVIL, style="red"))
    assert out.getvalue().startswith("\x1b[31ma")
    assert is_clean(out.getvalue().replace("\x1b[31m", "").replace("\x1b[0m", ""))
    assert "pwned" in out.getvalue()


def test_ordinary_texts_are_not_changed():
    text = "naïve 你好 🙂 \u00a0|\u3000|"
    assert escape_control(text) == text
    assert escape_control("a\nb\tc", keep="\n") == "a\nb\N{REPLACEMENT CHARACTER}c"


def test_lines_and_json(capsys):
    echo(f"{EVIL}\n\tx")
    echo(EVIL, err=True)
    out, err = capsys.readouterr()
    assert is_clean(out)
    assert is_clean(err)
    assert out.endswith("\n\tx\n")
    echo_json({"é": EVIL})
    out, _ = capsys.readouterr()
    assert out.rstrip("\n").isprintable()
    assert "é" in out
    assert json.loads(out) == {"é": EVIL}


def test_the_log_is_clean():
    record = logging.LogRecord("x", logging.WARNING, "f", 1, "no %s", (EVIL,), None)
    assert is_clean(CleanFormatter("%(message)s").format(record))


@pytest.fixture
def hostile_database(tmp_path):
    path = tmp_path / "hostile.sqlite"
    name = EVIL.replace("\x00", "")
    with sqlite3.connect(path) as connection:
        connection.execute(f'CREATE TABLE "{name}" ("{name}" TEXT)')
        connection.execute(f'INSERT INTO "{name}" VALUES (?)', (name,))
    connection.close()
    return path


def test_commands_on_a_hostile_database(hostile_database):
    name = EVIL.replace("\x00", "")
    for arguments in (
        ["schema", hostile_database],
        ["run", hostile_database, f'SELECT * FROM "{name}"'],
        ["run", hostile_database, f'SELECT * FROM "no {name}"'],
        ["run", hostile_database, "SELECT char(27) || '[2J'"],
    ):
        done = CliRunner().invoke(cli.app, [*map(str, arguments)])
        assert is_clean(done.output)
        assert "a" in done.output


def test_an_answer_of_a_hostile_model(hostile_database, monkeypatch):
    from benchmarks.evaluation.ask import ask

    from ...benchmarks.generation.any_server import Server, complete

    app = typer.Typer()
    app.command()(ask)
    answers = (
        f"<think>{EVIL}</think><answer>```sql\nSELECT '{EVIL}' -- {EVIL}\n```</answer>",
        f'<think>{EVIL}</think><answer>```sql\nSELECT "no {EVIL}"\n```</answer>',
        EVIL,
    )
    server = Server(*map(complete, answers))
    try:
        for _ in answers:
            options = ["--db", str(hostile_database), "--model", "m", "--base-url", server.url]
            done = CliRunner().invoke(app, ["?", *options])
            assert done.exception is None or isinstance(done.exception, SystemExit)
            assert "pwned" in done.output
            assert is_clean(done.output)
    finally:
        server.close()


def test_errors_are_printed_clean(capsys):
    from benchmarks.evaluation.options import exit_on_error
    from sql_env.errors import GenerationError

    for context, stop in ((cli.one_line_errors, SystemExit), (exit_on_error, typer.Exit)):
        with pytest.raises(stop), context():
            raise GenerationError(f"no answer: {EVIL}")
        assert is_clean(capsys.readouterr().err)


@pytest.mark.parametrize("folder", ["sql_env", "benchmarks", "trainers"])
def test_every_console_is_made_here(folder):
    for path in (ROOT / folder).rglob("*.py"):
        if path.name == "terminal.py" and path.parent.name == "display":
            continue
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        assert "Console" not in {call.id for call in calls if isinstance(call, ast.Name)}, path
