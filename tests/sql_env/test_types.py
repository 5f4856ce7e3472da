import json

import pytest

from sql_env import Task
from sql_env.errors import TaskError


def test_a_task_comes_back_from_its_json(ask):
    task = ask("SELECT 1", id="t", evidence="e")
    assert Task.from_json(json.dumps(task.to_dict())) == task


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "must be a JSON object"),
        ('{"id": 1}', r"\['id'\] must be strings"),
        ('{"id": "a"}', r"\['question', 'gold_sql', 'database'\] are missing"),
        ('{"idd": "a"}', r"unknown task field\(s\) \['idd'\]"),
    ],
)
def test_json_that_is_no_task(text, message):
    with pytest.raises(TaskError, match=message):
        Task.from_json(text)
