"""A training that can learn nothing says so once, with the cause."""

import json
from types import SimpleNamespace

import pytest

from sql_env import Scorer, respond
from trainers.logs.learning import PATIENCE, Answer, LearningWatch, has_signal
from trainers.trl_adapter.rewards import make_reward_functions

RIGHT = "SELECT name FROM singer"

SAME = [Answer("a", 0.0, False), Answer("a", 0.0, False), Answer("b", 1.0, True), Answer("b", 1.0, True)]
LEARNS = [Answer("a", 0.0, False), Answer("a", 1.0, True)]


def said(caplog, batches):
    watch = LearningWatch()
    for step, batch in batches:
        watch.add(batch, step)
    return [record.message for record in caplog.records]


@pytest.mark.parametrize(
    ("batch", "text"),
    [
        (SAME, "same reward"),
        ([Answer("a", None, False)] * 4, "masked"),
        ([Answer("a", -1.0, False, malformed=True)] * 4, "malformed. Train a cold start"),
        ([Answer("a", 2.0, True)] * 4, "every answer is right"),
    ],
)
def test_it_is_said_once_with_its_cause(caplog, batch, text):
    [message] = said(caplog, [(step, batch) for step in range(1, 4 * PATIENCE)])
    assert message.startswith(f"Nothing can be learnt from the last {PATIENCE} steps: ")
    assert text in message


def test_parts_of_a_step_are_one_step(caplog):
    assert said(caplog, [(step, SAME) for step in range(PATIENCE) for _ in range(5)]) == []


def test_a_difference_in_a_group_begins_the_count_again(caplog):
    steps = [(step, LEARNS if step % PATIENCE == 0 else SAME) for step in range(5 * PATIENCE)]
    assert said(caplog, steps) == []


def test_single_answers_are_compared_with_each_other():
    single = [Answer("a", 0.0, False), Answer("b", 1.0, True)]
    assert has_signal(single)
    assert not has_signal([*single, Answer("b", 1.0, True)])
    assert not has_signal([Answer("a", None, False)])
    assert not has_signal([])


def test_only_the_first_process_says_it(caplog, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert said(caplog, [(step, SAME) for step in range(3 * PATIENCE)]) == []


@pytest.mark.parametrize(("gold", "cause"), [(RIGHT, "malformed"), ("SELECT no FROM nowhere", "masked")])
def test_trl_says_it(ask, caplog, gold, cause):
    answer = "no idea" if cause == "malformed" else respond(RIGHT)
    task = json.dumps(ask(gold).to_dict())
    with Scorer("sql-r1") as scorer:
        functions = make_reward_functions(scorer)
        for step in range(PATIENCE + 1):
            state = SimpleNamespace(global_step=step)
            for function in functions:
                function(completions=[answer] * 4, task=[task] * 4, trainer_state=state)
    [message] = [r.message for r in caplog.records if r.message.startswith("Nothing can be learnt")]
    assert f"every answer is {cause}" in message
