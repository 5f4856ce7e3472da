"""A reward of your own: any function from a rollout to a number."""

from sql_env.scoring.rubric import without_rows
from sql_env.types import Rollout


@without_rows
def brevity(rollout: Rollout, *, max_chars: int = 200) -> float | None:
    """Pay a correct query for being short; say nothing of the others."""
    if not rollout.correct or rollout.action.sql is None:
        return None
    return max(0.0, 1.0 - len(rollout.action.sql) / max_chars)
