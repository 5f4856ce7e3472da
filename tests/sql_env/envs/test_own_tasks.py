"""Environments whose tasks are an argument."""

import json

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from sql_env import SQLEnv, SQLVectorEnv, respond
from sql_env.errors import ArgumentError, ComparisonError, TaskError


@pytest.fixture
def tasks(ask):
    from dataclasses import replace

    return [replace(ask(f"SELECT {n}"), id=f"own-{n}", question=f"What is {n}?") for n in range(3)]


def test_an_environment_takes_tasks(tasks):
    with gymnasium.make("SQLEnv-v0", tasks=tasks, reward="result") as env:
        assert env.unwrapped.tasks == tuple(tasks)
        assert env.unwrapped.task is None
        prompt, info = env.reset(options={"task_id": "own-2"})
        assert "What is 2?" in prompt
        assert env.unwrapped.task == tasks[2]
        assert info["task_id"] == "own-2"
        assert env.step(respond(env.unwrapped.task.gold_sql))[1] == 3.0
        assert {env.reset(seed=seed)[1]["task_id"] for seed in range(20)} == {"own-0", "own-1", "own-2"}


def test_a_vector_of_environments_takes_tasks(tasks):
    envs = gymnasium.make_vec("SQLEnv-v0", num_envs=3, tasks=tasks, reward="result")
    envs.reset(options={"task_id": [task.id for task in tasks]})
    assert list(envs.step([respond(task.gold_sql) for task in tasks])[1]) == [3.0] * 3
    envs.close()
    same = gymnasium.make_vec("SQLEnv-v0", 2, "sync", tasks=tasks, reward="result")
    same.reset(options={"task_id": "own-1"})
    assert np.all(same.step([respond("SELECT 1")] * 2)[1] == 3.0)
    same.close()


def test_the_spec_of_an_environment_holds_its_tasks(tasks):
    with gymnasium.make("SQLEnv-v0", tasks=tasks) as env:
        text = env.spec.to_json()
    with gymnasium.make(EnvSpec.from_json(text)) as env:
        assert env.unwrapped.tasks == tuple(tasks)
    with SQLEnv(tasks=[json.loads(json.dumps(task.to_dict())) for task in tasks]) as env:
        assert env.tasks == tuple(tasks)


def test_without_tasks_the_demo_is_asked():
    with gymnasium.make("SQLEnv-v0") as own, gymnasium.make("SQLEnv-demo-v0") as demo:
        assert own.unwrapped.tasks == demo.unwrapped.tasks


@pytest.mark.parametrize("environment", [SQLEnv, SQLVectorEnv])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"tasks": []}, ArgumentError, r"at least one sql_env\.Task, not \[\]"),
        ({"tasks": "tasks.jsonl"}, ArgumentError, r"must be a list .*'tasks\.jsonl'"),
        ({"tasks": [5]}, ArgumentError, r"tasks\[0\] must be a sql_env\.Task, not 5"),
        ({"tasks": [{"id": "a"}]}, TaskError, "are missing"),
        ({"benchmark": "spider"}, ArgumentError, "benchmark= has no meaning with it.*'SQLEnv-v0'"),
        ({"split": "test"}, ArgumentError, "split= has no meaning"),
        ({"path": "x"}, ArgumentError, "path= has no meaning"),
    ],
)
def test_a_mistake_says_how_to_mend_it(environment, tasks, arguments, error, message):
    with pytest.raises(error, match=message):
        environment(**{"tasks": tasks, **arguments})


def test_tasks_are_checked(tasks):
    with pytest.raises(TaskError, match="'own-0' is the id of several tasks"):
        SQLEnv(tasks=[*tasks, tasks[0]])
    with pytest.raises(ComparisonError, match="Did you mean 'spider'"):
        SQLEnv(tasks=[{**tasks[0].to_dict(), "comparison": "spidr"}])
