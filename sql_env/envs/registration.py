"""Register one environment for each installed benchmark."""

from __future__ import annotations

import gymnasium

from sql_env import plugins


def get_environment_id(benchmark: str) -> str:
    """Return the id of a benchmark's environment: ``SQLEnv-<benchmark>-v0``."""
    return f"SQLEnv-{benchmark}-v0"


def register_environments() -> None:
    """Register the environments. Gymnasium 1.0 and later does not search entry points itself."""
    for name in plugins.list_names(plugins.BENCHMARKS):
        if get_environment_id(name) not in gymnasium.registry:
            gymnasium.register(
                get_environment_id(name),
                entry_point="sql_env.envs.env:SQLEnv",
                vector_entry_point="sql_env.envs.vector_env:SQLVectorEnv",
                kwargs={"benchmark": name},
            )
