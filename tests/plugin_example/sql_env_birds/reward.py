"""A reward that dislikes ``SELECT *``, and a preset that uses it."""

from sql_env import Rollout


def no_star(rollout: Rollout, *, penalty: float = 0.5) -> float | None:
    """Take something off for ``*`` in a query; say nothing where there is no query."""
    if rollout.action.sql is None:
        return None
    return -penalty if "*" in rollout.action.sql else 0.0


PRESET = {"rewards": ["result", {"reward": "no_star", "weight": 2.0}], "response_format": "fenced"}
