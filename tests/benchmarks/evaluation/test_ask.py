"""``sql-env ask``, with a real model."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.evaluation.ask import describe_agreement
from sql_env import ExecutionResult, Status

COMMAND = Path(sys.executable).with_name("sql-env")


def ask(memorised, number, *more):
    task = memorised.tasks[number]
    arguments = [
        "ask",
        task.question,
        "--db",
        task.database,
        "--model",
        memorised.folder,
        "--template",
        "compact",
    ]
    return subprocess.run(
        [COMMAND, *map(str, arguments), "--max-tokens", "120", *more],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.mark.slow
def test_reasoning_sql_and_result(memorised):
    before = Path(memorised.tasks[2].database).read_bytes()
    done = ask(memorised, 2, "--threads", "1")
    assert done.returncode == 0, done.stderr
    reasoning, _, rest = done.stdout.partition("\n")
    assert reasoning.strip() == "By heart."
    sql, _, result = rest.partition("result: ")
    assert " ".join(sql.split()) == " ".join(memorised.tasks[2].gold_sql.split())
    assert " row" in result
    assert "candidates" not in done.stdout
    assert Path(memorised.tasks[2].database).read_bytes() == before


@pytest.mark.slow
def test_candidates(memorised):
    done = ask(memorised, 2, "--threads", "1", "--candidates", "5", "--temperature", "0.1")
    assert done.returncode == 0, done.stderr
    assert "5 of 5 candidates agree" in done.stdout


@pytest.mark.slow
def test_malformed_completion(memorised):
    done = ask(memorised, 7, "--threads", "1")
    assert done.returncode == 1
    assert "does not follow its response format" in done.stdout
    assert "I do not know." in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--db", "gone.sqlite"), "DatabaseError"),
        (("--model", "gone/folder"), "no model at 'gone/folder'"),
        (("--template", "fulll"), "Did you mean 'full'"),
        (("--dtype", "float33"), "torch has no type of weights 'float33'"),
        (("--candidates", "2", "--temperature", "0"), "alike at temperature 0"),
        (("--base-url", "http://localhost:9/v1", "--retries", "0"), "no answer from http://localhost:9/v1"),
        (("--base-url", "http://localhost:9/v1", "--threads", "1"), "generator 'openai'"),
    ],
)
def test_mistakes(memorised, more, message):
    done = ask(memorised, 0, *more)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_describe_agreement():
    one, two = (ExecutionResult(Status.OK, ("a",), ((number,),)) for number in (1, 2))
    error = ExecutionResult(Status.ERROR, error="no such table")
    assert describe_agreement([one, one]) == "2 of 2 candidates agree"
    assert describe_agreement([None, error]) == "0 of 2 candidates agree; 1 failed, 1 malformed"
    assert describe_agreement([one, two, two]) == "2 of 3 candidates agree; 1 with another result"
