import json

import pytest

from sql_env import Task
from sql_env.errors import TaskError


def test_a_task_comes_back_from_its_json(ask):
    task = ask("SELECT 1", id="t", evidence="e")
    assert Task.from_json(json.dumps(task.to_dict())) == task


def test_own_columns_come_back_from_json(ask):
    extra = {"x": [1, 0.5, None, {"y": "ü\ud800"}], "": True}
    task = ask("SELECT 1", extra=extra)
    assert Task.from_json(json.dumps(task.to_dict())) == task
    assert hash(task) == hash(ask("SELECT 1"))
    assert task != ask("SELECT 1")
    assert "extra" not in ask("SELECT 1").to_dict(), "so data that is stored keeps its hash"


@pytest.mark.parametrize(
    "extra",
    [
        {"x": float("nan")},
        {"x": (1,)},
        {"x": {1: 2}},
        {"x": {3}},
        {"x": b"y"},
        {"x": json},
        {1: 2},
        [],
        "x",
        None,
    ],
)
def test_own_columns_that_are_no_json(ask, extra):
    with pytest.raises(TaskError, match="extra"):
        ask("SELECT 1", extra=extra)


def test_own_columns_that_contain_themselves(ask):
    extra = {}
    extra["x"] = extra
    with pytest.raises(TaskError, match=r"extra\['x'\], a dict, is not a JSON value"):
        ask("SELECT 1", extra=extra)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "must be a JSON object"),
        ('{"id": 1}', r"\['id'\] must be strings"),
        ('{"id": "a", "question": "", "gold_sql": "", "database": "", "extra": [1]}', "must be a dict"),
        ('{"id": "a"}', r"\['question', 'gold_sql', 'database'\] are missing"),
        ('{"idd": "a"}', r"unknown task field\(s\) \['idd'\]"),
    ],
)
def test_json_that_is_no_task(text, message):
    with pytest.raises(TaskError, match=message):
        Task.from_json(text)
