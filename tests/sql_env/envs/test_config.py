"""The arguments of an environment: declared once, the same for one environment and for a vector."""

import inspect
import pickle
from dataclasses import FrozenInstanceError, fields

import gymnasium
import pytest

from sql_env import SQLEnv, SQLVectorEnv
from sql_env.envs.config import ENVIRONMENT_ARGUMENTS, EnvConfig
from sql_env.errors import FormatError, LimitError
from sql_env.limits import Limits


@pytest.mark.parametrize("environment", [SQLEnv, SQLVectorEnv])
def test_the_signature_shows_every_argument(environment):
    shown = inspect.signature(environment).parameters
    declared = {field.name: field.default for field in fields(EnvConfig)}
    assert set(ENVIRONMENT_ARGUMENTS) <= set(shown)
    assert all(shown[name].default == declared[name] for name in ENVIRONMENT_ARGUMENTS)
    assert "sql_env.envs.config.EnvConfig" in environment.__doc__


def test_every_argument_is_documented():
    documented = EnvConfig.__doc__.partition("Attributes:")[2]
    assert all(f"\n        {field.name}: " in documented for field in fields(EnvConfig))


def test_unknown_arguments_go_to_the_loader():
    config = EnvConfig.from_arguments(benchmark="jsonl", path="tasks.jsonl", max_turns=3, loader_arguments=1)
    assert (config.benchmark, config.max_turns) == ("jsonl", 3)
    assert config.loader_arguments == {"path": "tasks.jsonl", "loader_arguments": 1}


def test_a_config_is_frozen_and_can_be_pickled():
    config = EnvConfig.from_arguments(limits={"max_rows": 3}, reward=["result"], seed=5)
    assert pickle.loads(pickle.dumps(config)) == config
    with pytest.raises(FrozenInstanceError):
        config.max_turns = 5
    assert config.make_limits() == Limits(max_rows=3)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_turns": 0}, LimitError, "max_turns must be an integer of at least 1, not 0"),
        ({"max_queries": -1}, LimitError, "max_queries must be an integer of at least 0, not -1"),
        ({"view": {"row": 1}}, LimitError, "Did you mean 'rows'"),
        ({"limits": {"max_row": 1}}, LimitError, "Did you mean 'max_rows'"),
        ({"prompt": "ful"}, FormatError, "Did you mean 'full'"),
        ({"prompt_budget": 0}, LimitError, "must be an integer of at least 1, not 0"),
        ({"render_mode": "ansy"}, gymnasium.error.UnsupportedMode, "Did you mean 'ansi'"),
    ],
)
def test_a_mistake_is_found_before_any_data_is_loaded(arguments, error, message):
    with pytest.raises(error, match=message):
        EnvConfig.from_arguments(benchmark="missing", **arguments)
