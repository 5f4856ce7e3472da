"""Register one environment for each installed benchmark."""

from __future__ import annotations

import gymnasium

from sql_env import plugins

OWN_TASKS = "SQLEnv-v0"
"""The id of the environment whose tasks are an argument."""


def get_environment_id(benchmark: str) -> str:
    """Return the id of a benchmark's environment: ``SQLEnv-<benchmark>-v0``."""
    return f"SQLEnv-{benchmark}-v0"


def register_environments() -> None:
    """Register the environments. Gymnasium 1.0 and later does not search entry points itself."""
    names = plugins.list_names(plugins.BENCHMARKS)
    arguments = {OWN_TASKS: {}, **{get_environment_id(name): {"benchmark": name} for name in names}}
    for identifier, given in arguments.items():
        if identifier not in gymnasium.registry:
            gymnasium.register(
                identifier,
                entry_point="sql_env.envs.env:SQLEnv",
                vector_entry_point="sql_env.envs.vector_env:SQLVectorEnv",
                kwargs=given,
            )
