"""An example of a custom reward: any function from a rollout to a number."""

from sql_env.scoring.reward import without_rows
from sql_env.types import Rollout


@without_rows
def brevity(rollout: Rollout, *, max_chars: int = 200) -> float | None:
    """Reward a short correct query. None for other queries: the component does not apply to them."""
    if not rollout.correct or rollout.action.sql is None:
        return None
    return max(0.0, 1.0 - len(rollout.action.sql) / max_chars)
