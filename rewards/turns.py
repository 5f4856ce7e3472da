"""The cost of the turns before the answer."""

from sql_env.scoring.reward import without_rows
from sql_env.types import Rollout


@without_rows
def turns(rollout: Rollout, *, cost: float = 0.0, free: int = 0) -> float:
    """Return a negative reward for the turns before the answer.

    A query that did not run, because none was left, is a turn too.

    Args:
        rollout: The rollout.
        cost: The cost of a turn. Keep it small compared with the difference between a right and a
            wrong answer; otherwise the model learns not to explore.
        free: Turns without a cost.

    Returns:
        0 or less.
    """
    return -cost * max(0, len(rollout.turns) - free) or 0.0
